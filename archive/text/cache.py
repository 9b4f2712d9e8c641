"""Pages that were extracted lately."""

from __future__ import annotations

from collections import OrderedDict

from archive.text.base import Page


class PageCache:
    """The pages of payloads seen lately: crawls hold many exact copies, and extraction is what costs.

    A payload is known by its digest, as in the revisit records of the WARC standard.

    Args:
        chars: how many characters of text are kept.
    """

    def __init__(self, chars: int) -> None:
        self._limit = chars
        self._chars = 0
        self._pages: OrderedDict[tuple[str | None, int, str], tuple[Page, str]] = OrderedDict()

    def get(self, key: tuple[str | None, int, str]) -> tuple[Page, str] | None:
        if (found := self._pages.get(key)) is not None:
            self._pages.move_to_end(key)
        return found

    def put(self, key: tuple[str | None, int, str], page: tuple[Page, str]) -> None:
        size = len(page[0].text)
        if size * 8 > self._limit:
            return
        self._pages[key] = page
        self._chars += size
        while self._chars > self._limit:
            self._chars -= len(self._pages.popitem(last=False)[1][0].text)
