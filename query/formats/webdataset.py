"""WebDataset: a tar of `{content_id}.txt` and `{content_id}.json` for each row, written by webdataset's own TarWriter.

`webdataset.WebDataset(urls).decode()` gives each sample as `{"__key__": content_id, "txt": str, "json": dict}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tarfile import BLOCKSIZE, TarError, TarInfo
from typing import BinaryIO

import pyarrow as pa
from webdataset.writer import TarWriter

from query.formats.format import Written
from query.formats.row_json import Row, load, reading, samples_of, tables_of


class WebDataset:
    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        name = f"{stem}.tar"
        with (
            open(folder / name, "wb") as file,
            # The writer's defaults are the time of the clock, and this owner.
            TarWriter(file, encoder=False, mtime=0, user="bigdata", group="bigdata", compress=False) as out,
        ):
            for key, text, evidence in samples_of(rows):
                out.write({"__key__": key, "txt": text.encode(), "json": evidence.encode()})
                out.tarstream.members.clear()  # tarfile keeps the header of every member
        return Written((name,), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        path = folder / files[0]
        with reading(path), open(path, "rb") as file:
            yield from tables_of(_rows(file))

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        return []


def _rows(file: BinaryIO) -> Iterator[Row]:
    """Yield a row for each two members: the library's writer sorts by extension, so the evidence comes first."""
    members = _members(file)
    for name, content in members:
        key, _, kind = name.rpartition(".")
        other, text = next(members, ("", b""))
        if kind != "json" or other != f"{key}.txt":
            raise ValueError(f"{name} and {other or 'the end'} where a .json and its .txt should be")
        yield {"content_id": key, "text": text.decode(), **load(content, without=["content_id", "text"])}


def _members(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each member. (`tarfile` takes a damaged header for the end of the archive.)"""
    while (block := file.read(BLOCKSIZE)) != bytes(BLOCKSIZE):
        try:
            member = TarInfo.frombuf(block, "utf-8", "strict")
        except TarError as error:
            raise ValueError(f"at byte {file.tell() - len(block)}: {error}") from None
        if not member.isreg():
            raise ValueError(f"{member.name} is no file")
        content = file.read(member.size)
        padding = -member.size % BLOCKSIZE
        if len(content) + len(file.read(padding)) != member.size + padding:
            raise ValueError(f"ends inside {member.name}")
        yield member.name, content
    while block := file.read(1 << 16):  # a reader may go on behind the end
        if block.strip(b"\0"):
            raise ValueError("has more behind the end of the archive")


FORMAT = WebDataset()
