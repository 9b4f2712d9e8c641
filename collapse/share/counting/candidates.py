"""The texts that may be counted: since when each is known, in which language, from which page.

A lake and a set give the same table, from which `draw` takes a sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import duckdb
import pyarrow as pa

#: The table `candidates`, one row for each text. `first_seen` is that of its earliest near-duplicate where these are
#: known, and the text is then that one: of near-duplicates only the earliest is here.
COLUMNS = "content_id VARCHAR, first_seen TIMESTAMPTZ, language VARCHAR, words BIGINT, url VARCHAR"


class Part(Protocol):
    """A file with texts, which a worker can read. It is sent to it as it is."""

    @property
    def name(self) -> str:
        """What it is called in errors."""

    def read(self) -> Iterator[pa.Table]:
        """Yield its rows, some at a time, with `content_id` and `text`.

        Raises:
            ArchiveError: it cannot be read.
        """


@dataclass(slots=True)
class Candidates:
    """A connection with the table `candidates`, and where the texts are."""

    db: duckdb.DuckDBPyConnection
    parts: list[Part]
    left_out: dict[str, int] = field(default_factory=dict)  #: reason -> texts
    warnings: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)  #: of the tables of the lake, by name


def count_of(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Return the number that a question gives."""
    ((count,),) = db.execute(sql).fetchall()
    return int(count or 0)
