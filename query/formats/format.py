"""The seam of the formats: rows of one shard to files, files to rows again, and the index of a folder of shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from archive.errors import ExportError
from archive.extras import missing
from archive.registry import Registry

#: The formats. One that holds tokens adds its name to `query.rows.TOKEN_FORMATS` where its module is imported.
FORMATS = Registry(
    "formats",
    {
        "parquet": "query.formats.parquet:FORMAT",
        "jsonl": "query.formats.jsonl:FORMAT",
        "webdataset": "query.formats.webdataset:FORMAT",
        "mds": "query.formats.mds:FORMAT",
        "litdata": "query.formats.litdata:FORMAT",
        "megatron": "query.formats.megatron:FORMAT",
        "ds": "query.formats.ds:FORMAT",
    },
)
#: The extra of this distribution that brings the library of a format.
_EXTRAS = {"webdataset": "webdataset", "litdata": "litdata", "megatron": "tokens", "ds": "tokens"}


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one shard, by name inside their folder; the first holds the rows."""

    files: tuple[str, ...]
    rows: int


class Format(Protocol):
    """Writes and reads shards. The same rows become the same bytes, on any machine and in any process.

    The formats in `query.rows.TOKEN_FORMATS` take rows with `tokens` (lists of token ids) in place of `text`.
    """

    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        """Write the rows of one shard as closed files whose names begin with `stem` (`train-00012`)."""

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        """Yield the rows of one shard as they were written: the same columns, types and values.

        Raises:
            ExportError: a file is missing or damaged.
        """

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        """Write what the format's library needs to find all shards of a folder, and return the names of these files."""


def open_format(name: str) -> Format:
    """Import a format.

    Raises:
        ExportError: there is no such format.
        ArchiveError: the library of the format is not installed.
    """
    if not FORMATS.has(name):
        raise ExportError(f"no format {name!r}; there are {', '.join(FORMATS)}")
    try:
        format_: Format = FORMATS.load(name)
    except ModuleNotFoundError as error:
        if name not in _EXTRAS:
            raise
        raise missing(f"--format {name}", _EXTRAS[name], error.name) from None
    return format_
