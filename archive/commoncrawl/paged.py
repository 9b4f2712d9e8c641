"""A file of Common Crawl that is read here and there: in pages, each of which is asked for once."""

from __future__ import annotations

from collections import OrderedDict

from archive.commoncrawl.mirror import Mirror
from archive.sources.seekable import SeekableFile

#: Bytes of a page, and how many are held: the first one, which says what holds for all records, and the last ones.
_PAGE, _HELD = 1 << 18, 8


class PagedFile(SeekableFile):
    """A file of a mirror.

    Raises:
        SourceError: the mirror does not give it.
    """

    def __init__(self, mirror: Mirror, path: str) -> None:
        super().__init__(size := mirror.size(path))
        self._mirror, self._path, self._end = mirror, path, size
        self._pages: OrderedDict[int, bytes] = OrderedDict()

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if not 0 <= self._at < self._end:
            return 0
        number, begin = divmod(self._at, _PAGE)
        found = self._page(number)[begin : begin + len(view)]
        view[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _page(self, number: int) -> bytes:
        if (data := self._pages.get(number)) is None:
            start = number * _PAGE
            data = self._pages[number] = self._mirror.read(self._path, start, min(start + _PAGE, self._end))
            if len(self._pages) > _HELD:
                del self._pages[next(each for each in self._pages if each)]
        self._pages.move_to_end(number)
        return data
