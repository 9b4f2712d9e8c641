"""How large the next span of a file is, so that no worker waits for another one at the end of an ingest.

Method: guided self-scheduling (Polychronopoulos & Kuck, IEEE Transactions on Computers 1987). Each span is a part of
what is left of all input, so that spans shrink towards its end. Whoever takes the last one is done at most that much
later than the others. Where a file is cut changes nothing in what a reader of the lake sees.
"""

from __future__ import annotations

#: A span has this part of what is left for each worker: a half, since bytes of different files take different times.
_SHARE = 2
#: Bytes of the smallest span. Each has files of its own in the lake, and a row in the ledger.
LEAST = 2 << 20


class Guide:
    """Cuts the files of an ingest, in the order in which they are planned.

    Args:
        most: bytes of a span.
        left: bytes of all files.
        workers: that share them; of one, nobody waits for another.
    """

    def __init__(self, most: int, left: int = 0, workers: int = 1) -> None:
        self._most, self._left, self._workers = most, left, workers

    @property
    def size(self) -> int:
        """Bytes of the next span."""
        if self._workers < 2:
            return self._most
        return min(max(self._left // (_SHARE * self._workers), min(LEAST, self._most)), self._most)

    def take(self, size: int) -> None:
        """Note that a file, or a part of it, is planned or need not be read."""
        self._left = max(self._left - size, 0)

    def cut(self, start: int, end: int) -> list[int]:
        """Return where the spans of the bytes from start to end begin. They are not noted as planned."""
        if self.size == self._most and (self._workers < 2 or self._most <= LEAST):  # all of one size
            count = max(round((end - start) / self._most), 1)
            return [start + (end - start) * number // count for number in range(count)]
        starts, left = [start], self._left
        while end - starts[-1] >= self.size * 3 // 2:
            starts.append(starts[-1] + self.size)
            self.take(starts[-1] - starts[-2])
        self._left = left
        return starts
