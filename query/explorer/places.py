"""Where the rows of a text are: an index of a lake's files by value, kept outside the lake.

Most pages are about one text, whose rows are in few of many files. Parquet's own statistics do not tell in which, since
content ids are spread evenly, and not every lake has Bloom filters.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from archive.errors import ArchiveError
from archive.files import sql_literal
from archive.lake import Lake
from archive.program import program_version
from archive.proofs import Stored, attach, stored_table
from archive.tables import CAPTURES, DOCUMENTS, Table
from index.tables import DUPLICATES
from query.explorer.behind import step_back
from query.explorer.kept import drop_others, folder_of, is_whole, write

_log = logging.getLogger(__name__)

#: The columns by which rows are found.
_KEYS: Mapping[Table, tuple[str, ...]] = {
    CAPTURES: ("content_id", "payload_digest"),
    DOCUMENTS: ("content_id",),
    DUPLICATES: ("content_id", "earlier_id"),
}
#: To be raised when an index is written in another way.
_FORMAT = 1
#: Rows that are read for one that is looked for.
_GROUP = 8192
#: What DuckDB may use to make an index; the rest is sorted on the disk.
_MEMORY = "300MB"


class Places:
    """Where the rows of a lake are by content id and digest. Any number of threads may ask."""

    def __init__(self, lake: Lake, marks: Mapping[str, str | None], spill: str) -> None:
        self._lake, self._spill = lake, spill
        self._stored = {table.name: stored_table(lake, table) for table in _KEYS}
        self._paths = {table.name: _path(lake.location, table, marks.get(table.name)) for table in _KEYS}
        self._db = duckdb.connect()
        self._db.execute("SET enable_progress_bar = false; SET parquet_metadata_cache = true; SET threads = 1")
        self._is_made = threading.Event()
        self._maker = threading.Thread(target=self._make, name="places", daemon=True)
        self._maker.start()

    def wait(self, seconds: float) -> bool:
        """Wait until the index is made, or cannot be. Returns whether that is so."""
        self._maker.join(seconds)
        return not self._maker.is_alive()

    @property
    def is_made(self) -> bool:
        """Whether it can be asked."""
        return self._is_made.is_set()

    def stored(self, table: Table) -> Stored:
        """Return the files of a table, whose numbers the places have."""
        return self._stored[table.name]

    def find(self, table: Table, values: Iterable[str]) -> list[tuple[int, int]]:
        """Return where rows with one of these values may be: the numbers of the file, and of the row in it.

        Others of the same hash may be among them.
        """
        listed = ", ".join(map(sql_literal, values))
        if not listed or not self._stored[table.name].files:
            return []
        sql = f"""
            SELECT DISTINCT place >> 32, place & 4294967295 FROM read_parquet({sql_literal(self._paths[table.name])})
            SEMI JOIN (SELECT hash(unnest([{listed}])) AS key) USING (key)
        """
        return [(int(file), int(row)) for file, row in self._db.cursor().execute(sql).fetchall()]

    def _make(self) -> None:
        step_back()
        try:
            for table in _KEYS:
                if self._stored[table.name].files and not is_whole(self._paths[table.name]):
                    self._write(table)
            self._is_made.set()
        except (ArchiveError, OSError, duckdb.Error) as error:  # pages ask the lake itself then
            _log.warning("%s: no index of its rows can be kept: %s", self._lake.location, error)

    def _write(self, table: Table) -> None:
        """Write the index of a table: hashes in their order, with the places of the rows."""
        path = self._paths[table.name]
        drop_others(path, f"places-{table.name}-*")
        scan = self._stored[table.name].scan()
        keys = " UNION ALL ".join(
            f"SELECT hash({name}) AS key, file_index::BIGINT << 32 | file_row_number AS place FROM {scan} "
            f"WHERE {name} IS NOT NULL"
            for name in _KEYS[table]
        )
        db, _, _ = attach(self._lake, [table], None, memory_limit=_MEMORY, temp_directory=self._spill)

        def make(part: Path) -> None:
            rows = db.sql(f"SELECT * FROM ({keys}) ORDER BY key").to_arrow_reader(_GROUP)
            with pq.ParquetWriter(part, rows.schema, compression="zstd") as writer:
                for batch in rows:
                    writer.write_batch(batch, _GROUP)

        with contextlib.closing(db):
            write(path, self._lake.location, make)


def _path(location: str, table: Table, mark: str | None) -> Path:
    of = [location, mark, _FORMAT, program_version(), version("duckdb")]  # whose hashes may change
    key = hashlib.sha256(json.dumps(of).encode()).hexdigest()[:32]
    return folder_of(location) / f"places-{table.name}-{key}.parquet"
