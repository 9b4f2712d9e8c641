"""A text to learn from, and its position in an order that does not depend on where it was read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    text: str
    domain: str | None = None  #: the registered domain of its URL
    date: str | None = None  #: ISO day; the last day, if only the month or the year is known

    @property
    def size(self) -> int:
        """The size of the text in UTF-8, in bytes."""
        return len(self.text) if self.text.isascii() else len(self.text.encode())

    def position(self, seed: int) -> int:
        """Return the position of the text in the shuffled order of a seed: 128 bits, the same for the same text."""
        salt = seed.to_bytes(16, "big", signed=True)
        return int.from_bytes(hashlib.blake2b(self.text.encode(), digest_size=16, salt=salt).digest(), "big")


def size_of(documents: Iterable[Document]) -> int:
    """Return the size of all texts, in bytes."""
    return sum(document.size for document in documents)
