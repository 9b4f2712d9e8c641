"""A text to learn from, and its place in an order that does not depend on where it was read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    text: str
    domain: str | None = None  #: the registered domain of its URL
    date: str | None = None  #: ISO day; of a date that names only a month or a year, the last

    @property
    def size(self) -> int:
        """Bytes of the text in UTF-8."""
        return len(self.text) if self.text.isascii() else len(self.text.encode())

    def place(self, seed: int) -> int:
        """Where the text stands in the shuffled order of a seed: 128 bits, the same for the same text."""
        salt = seed.to_bytes(16, "big", signed=True)
        return int.from_bytes(hashlib.blake2b(self.text.encode(), digest_size=16, salt=salt).digest(), "big")


def size_of(documents: Iterable[Document]) -> int:
    """Bytes of all texts."""
    return sum(document.size for document in documents)
