"""What a format is: rows of one shard to files, files to rows again, and the index of a folder of shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from archive.extras import missing

#: Each format's module, and the extra of this distribution that brings the library it is written with.
FORMATS = {
    "parquet": ("query.formats.parquet", None),
    "jsonl": ("query.formats.jsonl", None),
    "webdataset": ("query.formats.webdataset", "webdataset"),
    "mds": ("query.formats.mds", "mds"),
    "litdata": ("query.formats.litdata", "litdata"),
    "megatron": ("query.formats.megatron", "tokens"),
    "ds": ("query.formats.ds", "tokens"),
}


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one shard, by name inside their folder; the first holds the rows."""

    files: tuple[str, ...]
    rows: int


class Format(Protocol):
    """The same rows always become the same bytes, on any machine, in any process.

    Those of `query.rows.TOKEN_FORMATS` take rows with `tokens` (lists of token ids) in place of `text`.
    """

    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        """Write the rows of one shard as whole, closed files whose names begin with `stem` (`train-00012`)."""

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        """The rows of one shard, as they were written: the same columns, types and values.

        Raises:
            ExportError: a file is missing or damaged.
        """

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        """Write what the format's library needs to find all shards of a folder; the names of these files."""


def open_format(name: str) -> Format:
    """The format of a name.

    Raises:
        ArchiveError: the library that writes it is not installed.
    """
    module, extra = FORMATS[name]
    try:
        made: Format = import_module(module).FORMAT
    except ModuleNotFoundError as error:
        if extra is None:
            raise
        raise missing(f"--format {name}", extra, error.name) from None
    return made
