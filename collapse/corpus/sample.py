"""A sample of whole documents in bounded memory, which does not depend on their order."""

from __future__ import annotations

from heapq import heappop, heappush

from collapse.corpus.document import Document


class Sample:
    """The documents with the lowest positions, as many as fit; each text once.

    Positions are hashes, so this is a random sample (bottom-k sketches: Cohen & Kaplan, PODC 2007; here k is in bytes).
    """

    def __init__(self, most: int, seed: int) -> None:
        """Keep at most so many bytes of text."""
        self._most = most
        self._seed = seed
        self._bytes = 0
        self._end = 1 << 128  # the lowest position that does not fit; no later one may come in
        self._last: list[int] = []  # the negative positions: a heap whose first is the last position
        self._held: dict[int, Document] = {}
        self._copies: dict[int, int] = {}

    def add(self, document: Document) -> None:
        """Add a document; a copy of a text that is kept is only counted."""
        position = document.position(self._seed)
        if position >= self._end:
            return
        if (known := self._held.get(position)) is not None:
            self._held[position] = min(known, document, key=_preference)
            self._copies[position] = self._copies.get(position, 0) + 1
            return
        self._held[position] = document
        heappush(self._last, -position)
        self._bytes += document.size
        while self._bytes > self._most:
            self._end = -heappop(self._last)
            self._bytes -= self._held.pop(self._end).size
            self._copies.pop(self._end, None)

    @property
    def is_whole(self) -> bool:
        """Whether everything fits."""
        return self._end == 1 << 128

    @property
    def duplicates(self) -> int:
        """How many copies of the kept texts were added."""
        return sum(self._copies.values())

    def documents(self) -> list[Document]:
        """Return what is kept, in the shuffled order."""
        return [self._held[position] for position in sorted(self._held)]


def _preference(document: Document) -> tuple[bool, str, bool, str]:
    """Order documents with the same text: the one with the earliest date is kept."""
    return document.date is None, document.date or "", document.domain is None, document.domain or ""
