"""The tokenizer of a run: its own, trained on the real text, or that of the checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archive.errors import CollapseError, ExportError
from collapse.model.models import checkpoint
from collapse.presets import PRESETS
from query.formats.hugging_face import import_transformers
from query.tokenizer import Tokenizer as Opened

#: The token that ends a text.
END = "<|endoftext|>"
#: Texts encoded at a time.
_BATCH = 256


@dataclass(frozen=True)
class Tokenizer:
    fast: Any  #: a `tokenizers.Tokenizer`
    end: int  #: the id that ends a text

    @property
    def size(self) -> int:
        """The size of the vocabulary: one more than the greatest id."""
        return int(max(self.fast.get_vocab(with_added_tokens=True).values())) + 1

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return the ids of each text, with the one that ends it."""
        out = []
        for first in range(0, len(texts), _BATCH):
            for encoding in self.fast.encode_batch(list(texts[first : first + _BATCH]), add_special_tokens=False):
                out.append(np.array([*encoding.ids, self.end], np.int32))
        return out

    def decode(self, blocks: npt.NDArray[np.int32]) -> list[str]:
        """Return the text of each block, with a line break where a text ends."""
        pieces = [np.split(block, np.flatnonzero(block == self.end) + 1) for block in blocks]
        flat = [[int(token) for token in piece if token != self.end] for parts in pieces for piece in parts]
        decoded = iter(self.fast.decode_batch(flat, skip_special_tokens=False))
        return ["\n".join(next(decoded) for _ in parts) for parts in pieces]

    def save(self, path: Path) -> None:
        """Write a file that `load` reads."""
        # the library's own `save` raises a bare `Exception` if the disk is full
        path.write_text(self.fast.to_str(pretty=True), encoding="utf-8")

    def save_pretrained(self, folder: Path) -> None:
        """Write it into the folder of a model, as transformers expects it.

        Raises:
            OSError: it cannot be written.
        """
        transformers = import_transformers()
        end = self.fast.id_to_token(self.end)
        wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=self.fast, eos_token=end)
        try:
            wrapped.save_pretrained(folder)
        except Exception as error:
            if type(error) is not Exception:
                raise
            raise OSError(str(error)) from None  # which the library raises if the disk is full


def load(path: Path, end: int) -> Tokenizer:
    """Read a tokenizer that was saved.

    Args:
        end: the id that ends a text.
    """
    from tokenizers import Tokenizer as Fast

    return Tokenizer(Fast.from_file(str(path)), end)


def make(model: str, texts: Sequence[str], vocabulary: int = 0) -> Tokenizer:
    """Return the tokenizer of a model; for a preset, train a byte-level BPE (Sennrich et al. 2016) on the texts.

    Args:
        vocabulary: tokens of a preset's tokenizer, if not as many as its own.

    Raises:
        CollapseError: the checkpoint has no fast tokenizer, or names no token that ends a text.
    """
    if model in PRESETS:
        return _train(vocabulary or PRESETS[model].vocabulary, texts)
    checkpoint(model)
    try:
        opened = Opened(model)
        return Tokenizer(opened.fast, opened.eos_id)
    except ExportError as error:
        raise CollapseError(f"--model {error}") from None


def _train(vocabulary: int, texts: Sequence[str]) -> Tokenizer:
    from tokenizers import Tokenizer as Fast
    from tokenizers import decoders, models, pre_tokenizers, trainers

    fast = Fast(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    fast.train_from_iterator(texts, trainer, length=len(texts))
    fast.encode_special_tokens = True  # in a text, `END` is plain text
    return Tokenizer(fast, fast.token_to_id(END))
