"""What somebody looks up: a text, a file, or an address."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import Literal

from archive.capture import Limits
from archive.errors import ArchiveError, SourceError
from archive.evidence import replay
from archive.page import page_of
from archive.reasons import Unusable
from archive.records import READERS
from archive.records import kind_of as kind_of_records
from archive.records.jsonl import parsed
from archive.text.base import extractor
from archive.text.normalise import normalise

As = Literal["text", "file", "url"]

_URL = re.compile(r"https?://\S+", re.IGNORECASE)
#: The beginnings of files of which one may hold many texts.
_ARCHIVES = {
    b"WARC/": "a web archive",
    b"\x1f\x8b": "a compressed file",
    b"\x28\xb5\x2f\xfd": "a compressed file",
    b"PAR1": "Parquet",
    b"PK\x03\x04": "a ZIP file",
}
_HTML = (".html", ".htm", ".xhtml")


def kind_of(target: str) -> As:
    """Return what a target is: an address by its `http://`, a file where one of this name is there, else a text.

    A pipe is a file, too: shells give one for `<(command)`.

    Raises:
        ArchiveError: it is one word, and no file: that may be meant as anything; or it is a folder.
    """
    if _URL.fullmatch(target.strip()):
        return "url"
    if os.path.isdir(target):
        raise ArchiveError(f"{target}: a folder; lookup takes one text or one page of HTML; --text looks up its name")
    if target == "-" or os.path.exists(target):
        return "file"
    if len(target.split()) == 1:
        raise ArchiveError(f"{target}: no such file, and no http:// or https:// in front of it; --text, --file or "
                           "--url decides what it is")  # fmt: skip
    return "text"


def read(path: str) -> str:
    """Return the text of a file, in its normal form; `-` is the standard input. HTML goes through the extractor.

    Raises:
        ArchiveError: it cannot be read, or it is no text and no page.
    """
    limits = Limits()
    try:
        if path == "-":
            data = sys.stdin.buffer.read(limits.page + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(limits.page + 1)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror or error}") from None
    if len(data) > limits.page:
        raise ArchiveError(f"{path}: longer than {limits.page >> 20} MB")
    if what := _many(data, path):
        raise ArchiveError(f"{path}: {what}; lookup takes one text or one page of HTML. `archive certify` looks up "
                           "the rows of a data set, `archive ingest` reads archives")  # fmt: skip
    try:
        kind = "text/html" if path.lower().endswith(_HTML) else ""
        if replay.is_marked(data):  # somebody saved what a web archive showed: `archive ingest` cuts its words, too
            data = replay.cut(data)
        page, _, _ = page_of(data, kind, extractor("resiliparse"), limits)
    except Unusable as error:
        raise ArchiveError(f"{path}: no text in it ({error})") from None
    return normalise(page.text)


def _many(data: bytes, name: str) -> str | None:
    """Return what a file is that may hold many texts; None for any other."""
    if what := next((what for beginning, what in _ARCHIVES.items() if data.startswith(beginning)), None):
        return what
    kind = kind_of_records(io.BytesIO(data), name)
    if kind == "jsonl" and isinstance(parsed(data.lstrip().split(b"\n", 1)[0]), str):
        return None  # a text that begins with a brace
    return f"a file of records ({kind})" if kind in READERS else None
