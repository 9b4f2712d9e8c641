"""The tokenizer of an export: opened once, and once in each process that needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archive.extras import missing

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer

_OPENED: dict[tuple[str, str | None], Tokenizer] = {}


def open_tokenizer(name: str | None, eos: str | None) -> Tokenizer | None:
    """The tokenizer of this name, or None where none is named; it travels to other processes as it was opened.

    Raises:
        ArchiveError: it is not there, names no token that ends a text, or its library is not installed.
    """
    if name is None:
        return None
    try:
        from query.formats.tokenize import Tokenizer
    except ModuleNotFoundError as error:
        raise missing("--tokenizer", "tokens", error.name) from None
    tokenizer = Tokenizer(name, eos)
    _ = tokenizer.eos_id, tokenizer.vocab_size, tokenizer.fingerprint
    return tokenizer


def once_opened(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer, as this process opened it before."""
    return _OPENED.setdefault((tokenizer.source, tokenizer.eos), tokenizer)
