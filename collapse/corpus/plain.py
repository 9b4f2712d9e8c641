"""Plain text: its lines, and where documents begin and end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import BinaryIO, Literal

from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of
from collapse.corpus.tally import Damage, Tally

Style = Literal["auto", "file", "heading", "blank-line", "line"]

_BOM = b"\xef\xbb\xbf"
#: A title as WikiText writes it, ` = Title = `, and not ` = = Section = = `.
_HEADING = re.compile(rb" ?= (?!= )(?:.*[^= ]|[^= ]) = ?\r?\n?")
#: Bytes of a file that are looked at.
LOOK = 1 << 20
#: If there are so many plain files, each is a document.
_MANY = 16


def opened(file: BinaryIO) -> Cursor:
    """Open the decompressed bytes of a file (plain, gzip, zstd or lz4), after its byte order mark."""
    file.seek(0)
    cursor = Cursor(Members(file, compression_of(file.read(8))))
    if cursor.peek(len(_BOM)) == _BOM:
        cursor.skip(len(_BOM))
    return cursor


def lines(cursor: Cursor, longest: int) -> Iterator[bytes]:
    """Yield the lines with their ends, and a line that is longer than so many bytes in pieces.

    Raises:
        Damage: after the last line that can be read.
    """
    while cursor.fill(1):
        end = cursor.find(b"\n", longest)
        if end >= 0:
            yield cursor.take(end + 1)
        else:
            piece = cursor.peek(longest)[:longest]
            yield cursor.take(len(piece) if len(piece) < longest else _cut(piece))
    if fault := cursor.fault:
        raise Damage(fault.reason, fault.detail)


def _cut(piece: bytes) -> int:
    """Return where to cut: after the last space of the second half, or else before the last character."""
    at = piece.rfind(b" ") + 1
    if at > len(piece) // 2:
        return at
    at = len(piece) - 1
    while at > max(len(piece) - 4, 1) and piece[at] & 0xC0 == 0x80:
        at -= 1
    return at


def style_of(look: bytes, files: int) -> Style:
    """Tell what is a document in a file, by how it begins and how many plain files there are.

    A document is a section with a title, if there are two titles as in WikiText; else a file, if there are many; else a
    paragraph, if blank lines separate any; else a line.
    """
    begun = look.strip().splitlines()
    titles = sum(_is_title(*three) for three in zip([b"", *begun], begun, [*begun[1:], b""], strict=False))
    if titles >= 2:
        return "heading"
    if files >= _MANY:
        return "file"
    return "line" if all(line.strip() for line in begun) else "blank-line"


def documents(text: Iterable[bytes], style: Style, longest: int, tally: Tally) -> Iterator[bytes]:
    """Yield the documents in lines of text, none of them blank or longer than so many bytes.

    Raises:
        Damage: as `lines`; a damaged document is left out.
    """
    held: list[bytes] = []
    size = 0
    before = b""
    for line, after in pairwise(chain(text, [b""])):
        too_long = size + len(line) > longest
        if held and (too_long or (style == "heading" and _is_title(before, line, after))):
            if too_long:
                tally.reject("divided", f"more than {longest} bytes")
            yield b"".join(held)
            held, size = [], 0
        if held or line.strip():
            held.append(line)
            size += len(line)
        if held and ((style == "line" and line.endswith(b"\n")) or (style == "blank-line" and not line.strip())):
            yield b"".join(held)
            held, size = [], 0
        before = line
    if held:
        yield b"".join(held)


def _is_title(before: bytes, line: bytes, after: bytes) -> bool:
    """Return whether a line is a title. Titles are between blank lines; ` = 10 , W = ` in a broken formula is not."""
    return not before.strip() and not after.strip() and _HEADING.fullmatch(line) is not None
