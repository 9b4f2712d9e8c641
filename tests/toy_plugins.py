"""A source, a reader and an extractor that a program adds, each small and in a module that workers can import."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from archive.errors import SourceError
from archive.records import Item, Reader, Reading
from archive.records.base import Look
from archive.records.rows import Row
from archive.sources.base import Listed, Unreadable
from archive.text import Page, content_id, normalise

# -- a source: `shelf:name` is a file of a shelf in this module --------------------------------------

SHELF = {"notes": b'{"text": "A note from the shelf.", "url": "http://shelf.example/", "date": "2012-05-06"}\n'}


class Shelf:
    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        names = [name for name in SHELF if source in {"shelf:", f"shelf:{name}"}]
        if not names:
            raise SourceError(f"{source}: the shelf has no such file")
        for name in names:
            yield Listed(f"shelf:{name}", len(SHELF[name]), content_id(f"{name} {SHELF[name]!r}"), name)

    def open(self, uri: str) -> BinaryIO:
        return io.BytesIO(SHELF[uri.removeprefix("shelf:")])


SOURCE = Shelf()

# -- a reader: files of `address TAB date TAB text` behind a first line `#diary` ---------------------


class Diary(Reader):
    label = "a diary"

    def recognises(self, look: Look) -> bool:
        return look.head.startswith(b"#diary\n")

    def read(self, file: BinaryIO, reading: Reading) -> Iterator[tuple[str, Item]]:
        file.seek(0)
        offset = len(file.readline())
        for line in file:
            url, date, text = line.decode().rstrip("\n").split("\t")
            yield reading.name, Row(offset, 0, len(line), url=url, date=date, text=text)
            offset += len(line)


READER = Diary()

# -- an extractor: the headings of a page ------------------------------------------------------------


def headings(html: str) -> Page:
    """Return the text of all `<h1>` elements."""
    found = re.findall(r"<h1>(.*?)</h1>", html)
    return Page(normalise("\n".join(found)), None, "headings/1")
