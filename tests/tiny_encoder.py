"""A BERT with random weights and a tokenizer of letters, which embeds a text in a moment."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from index.hugging_face import import_transformers

WORDS = ["the", "of", "and", "to", "old", "page", "was", "seen", "in", "##ing", "##ed", "##s"]


def write_encoder(folder: Path, seed: int = 0, modules: bool = True, pooling: str = "mean", **more: Any) -> Path:
    """Write the files of an encoder of 32 dimensions, two layers and 64 positions.

    Args:
        modules: with those of sentence-transformers, for windows of 24 tokens.
        more: of the configuration of the pooling.
    """
    import torch

    transformers = import_transformers()
    folder.mkdir(parents=True)
    vocabulary = write_tokenizer(folder)
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = transformers.BertModel(config)
    for item in model.parameters():
        if item.ndim >= 2:
            torch.nn.init.normal_(item, std=0.2)
    model.save_pretrained(folder)
    if modules:
        kinds = ["Transformer", "Pooling", "Normalize"]
        paths = ["", "1_Pooling", "2_Normalize"]
        write_json(folder / "modules.json", [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (kind, path) in enumerate(zip(kinds, paths, strict=True))
        ])  # fmt: skip
        write_json(folder / "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": False})
        (folder / "1_Pooling").mkdir()
        write_json(folder / "1_Pooling" / "config.json", {"pooling_mode": pooling, **more})
    return folder


def write_tokenizer(folder: Path, words: Sequence[str] = WORDS) -> int:
    """Write a tokenizer.json of WordPiece with BERT's own rules; return the size of its vocabulary.

    Args:
        words: of the vocabulary, next to letters and digits.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = string.ascii_lowercase + string.digits + ".,!?-"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words, *letters, *(f"##{each}" for each in letters)]
    ids = {token: at for at, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    tokenizer.enable_truncation(8)  # as files of sentence-transformers have it: it must not count
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))
    return len(ids)


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))
