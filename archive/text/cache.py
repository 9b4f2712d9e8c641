"""A cache of extracted pages."""

from __future__ import annotations

from collections import OrderedDict

from archive.text.base import Page

#: A page, the charset that its body was read with, and whether the body is read so without a header.
Cached = tuple[Page, str, bool]


class PageCache:
    """The pages of the last payloads. Crawls have many exact copies, and extraction takes most of the time.

    A page is identified by BLAKE2 of its body, and not by the digest that its record states: there are different
    payloads with one SHA-1 digest, and the text of one must not get the date of the other.

    Args:
        chars: how many characters of text it keeps.
    """

    def __init__(self, chars: int) -> None:
        self._limit = chars
        self._chars = 0
        self._pages: OrderedDict[tuple[bytes, str], Cached] = OrderedDict()

    def get(self, key: tuple[bytes, str]) -> Cached | None:
        """Return a page and how its body was read, if they are here.

        Args:
            key: BLAKE2 of the decoded body, and its Content-Type.
        """
        if (page := self._pages.get(key)) is not None:
            self._pages.move_to_end(key)
        return page

    def put(self, key: tuple[bytes, str], page: Cached) -> None:
        """Keep a page and how its body was read, unless the page is too large."""
        size = len(page[0].text)
        if size * 8 > self._limit:
            return
        self._pages[key] = page
        self._chars += size
        while self._chars > self._limit:
            self._chars -= len(self._pages.popitem(last=False)[1][0].text)
