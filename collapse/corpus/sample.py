"""A sample of whole documents in bounded memory, which no order of arrival changes."""

from __future__ import annotations

from heapq import heappop, heappush

from collapse.corpus.document import Document


class Sample:
    """The documents whose places come first, as many as fit; each text once.

    Places are hashes, so this is a random sample (bottom-k sketches: Cohen & Kaplan, PODC 2007; here k are bytes).
    """

    def __init__(self, most: int, seed: int) -> None:
        """Keep at most so many bytes of text."""
        self._most = most
        self._seed = seed
        self._bytes = 0
        self._end = 1 << 128  # the first place that is known not to fit; nothing behind it may come in again
        self._last: list[int] = []  # the places, negative: a heap whose first is the last of them
        self._held: dict[int, Document] = {}
        self._copies: dict[int, int] = {}

    def add(self, document: Document) -> None:
        place = document.place(self._seed)
        if place >= self._end:
            return
        if (known := self._held.get(place)) is not None:
            self._held[place] = min(known, document, key=_evidence)
            self._copies[place] = self._copies.get(place, 0) + 1
            return
        self._held[place] = document
        heappush(self._last, -place)
        self._bytes += document.size
        while self._bytes > self._most:
            self._end = -heappop(self._last)
            self._bytes -= self._held.pop(self._end).size
            self._copies.pop(self._end, None)

    @property
    def is_whole(self) -> bool:
        """Whether everything did fit."""
        return self._end == 1 << 128

    @property
    def duplicates(self) -> int:
        """How often the texts that are kept came again."""
        return sum(self._copies.values())

    def documents(self) -> list[Document]:
        """What is kept, in the shuffled order."""
        return [self._held[place] for place in sorted(self._held)]


def _evidence(document: Document) -> tuple[bool, str, bool, str]:
    """Of the same text the earliest date is told, wherever it came first."""
    return document.date is None, document.date or "", document.domain is None, document.domain or ""
