"""A lake of one text, or of a few: the views of `query.sql` over the rows that belong to it, and over no other row.

So a page about a text needs a few files and not all, and what it says comes through the same SQL as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import duckdb

from archive.files import sql_literal
from archive.lake import Lake
from archive.tables import CAPTURES, DOCUMENTS, Table
from index.tables import DUPLICATES
from query.explorer.places import Places
from query.sql import connect

#: Of a text with more rows the whole lake is asked: it is a page that everybody has.
_MOST = 20_000
_TABLES = (CAPTURES, DOCUMENTS, DUPLICATES)
#: Views that other views read several times, each after those that it reads: their few rows are computed once for a
#: text, since DuckDB takes longer to plan these views than to read the rows.
_COMPUTED = ("captures", "proofs")


class OneText:
    """A connection that sees one text: all of `moments` and `documents` of it, its pairs, and `proofs` of both ends.

    Of all else it may have a part. Ask for nothing else.
    """

    def __init__(self, lake: Lake, index: Places, memory: str, spill: str) -> None:
        self._index = index
        self._seen: tuple[str, ...] = ()
        self._with_text: set[str] = set()  #: content ids whose rows of `documents` are held
        self.db: duckdb.DuckDBPyConnection = connect(lake, memory=memory, spill=spill, held=True)
        for name in _COMPUTED:
            self.db.execute(f"ALTER VIEW {name} RENAME TO computed_{name}")
            self.db.execute(f"CREATE TEMP TABLE seen_{name} AS FROM computed_{name} LIMIT 0")
            self.db.execute(f"CREATE TEMP VIEW {name} AS FROM seen_{name}")

    def close(self) -> None:
        self.db.close()

    def interrupt(self) -> None:
        self.db.interrupt()

    def see(self, texts: tuple[str, ...], other: str | None = None) -> bool:
        """See these texts from now on. Returns False where they have too many rows.

        Args:
            other: a near-duplicate of one, of which `documents` has what it says too.

        Raises:
            duckdb.Error: a file is lost or broken, or the time is over.
        """
        if self._seen != texts and not self._see(texts):
            return False
        return other is None or other in self._with_text or self._take_texts((other,))

    def _take_texts(self, texts: tuple[str, ...]) -> bool:
        if not self._take(DOCUMENTS, texts, f"content_id IN ({_listed(texts)})"):
            return False
        self._with_text.update(texts)
        return True

    def _see(self, of: tuple[str, ...]) -> bool:
        self._seen, self._with_text = (), set()
        for table in _TABLES:
            self.db.execute(f"DELETE FROM held_{table.name}")
        for name in _COMPUTED:
            self.db.execute(f"DELETE FROM seen_{name}")
        own = _listed(of)
        if not self._take(DUPLICATES, of, f"content_id IN ({own}) OR earlier_id IN ({own})"):
            return False
        texts = [*of, *self._strings(f"""
            SELECT DISTINCT CASE WHEN content_id IN ({own}) THEN earlier_id ELSE content_id END FROM held_duplicates
        """)]  # fmt: skip
        are_of_texts = f"content_id IN ({_listed(texts)})"
        if not self._take_texts(of):
            return False
        if not self._take(CAPTURES, texts, are_of_texts):
            return False
        # revisits have no text of their own, and lines of indexes none at all: both are found by digest, and a revisit
        # whose body came in chunks may state another one that a line has
        known: list[str] = []
        for _ in range(2):
            digests = self._strings("""
                SELECT DISTINCT digest FROM (SELECT unnest([payload_digest, transfer_digest]) AS digest
                                             FROM held_captures) WHERE digest IS NOT NULL
            """)
            new = sorted(set(digests) - set(known))
            condition = f"payload_digest IN ({_listed(new)}) AND coalesce(NOT {are_of_texts}, true)"
            if known:
                condition += f" AND payload_digest NOT IN ({_listed(known)})"
            if new and not self._take(CAPTURES, new, condition):
                return False
            known = digests
        for name in _COMPUTED:
            self.db.execute(f"INSERT INTO seen_{name} FROM computed_{name}")
        self._seen = of
        return True

    def _take(self, table: Table, values: Sequence[str], condition: str) -> bool:
        rows = self._index.find(table, values) if len(values) <= _MOST else []
        if max(len(values), len(rows)) > _MOST:
            return False
        self._index.stored(table).take(self.db, rows, condition)
        return True

    def _strings(self, sql: str) -> list[str]:
        return sorted(str(row[0]) for row in self.db.execute(sql).fetchall())


def _listed(values: Iterable[str]) -> str:
    return ", ".join(map(sql_literal, values))
