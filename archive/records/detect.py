"""What a source is, found from its first bytes."""

from __future__ import annotations

from typing import BinaryIO, Literal

from archive.records.cursor import Cursor
from archive.records.members import Members, compression_of
from archive.records.parquet import PARQUET_MAGIC
from archive.records.reader import starts_record
from archive.records.wacz import ZIP_MAGIC

Kind = Literal["records", "wacz", "jsonl", "parquet", "empty", "unknown"]

_LOOK = 1 << 20
_RECORD_NAMES = (".warc", ".warc.gz", ".wet", ".wet.gz", ".arc", ".arc.gz", ".warc.zst", ".warc.wet", ".warc.open")


def kind_of(file: BinaryIO, name: str) -> Kind:
    """The kind of a file by its content; the name only decides where the content begins in the middle."""
    file.seek(0)
    head = file.read(512)
    if not head:
        return "empty"
    if head.startswith(ZIP_MAGIC):
        return "wacz"
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    cursor = Cursor(Members(file, compression_of(head), 0, starts_record))
    text = cursor.peek(1 << 14)
    if starts_record(text):
        return "records"
    if text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    if b"\nWARC/" in cursor.peek(_LOOK) or name.lower().endswith(_RECORD_NAMES):
        return "records"
    if not text and cursor.members.fault is None:
        return "empty"
    return "unknown" if text else "records"
