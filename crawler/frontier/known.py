"""Which files of others were read for what they hold, and the pages in them that a server can be asked about."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

#: `ends` is the SHA-256 of the first and the last bytes.
TABLES = """
CREATE TABLE IF NOT EXISTS known_files (path TEXT PRIMARY KEY, name TEXT NOT NULL, size INTEGER NOT NULL,
  mtime INTEGER NOT NULL, ends BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS known_names ON known_files (name);
CREATE TABLE IF NOT EXISTS known_pages (url TEXT PRIMARY KEY, date TEXT NOT NULL, etag TEXT, modified TEXT,
  payload BLOB NOT NULL, path TEXT NOT NULL) WITHOUT ROWID;
"""


#: What a server may send as ETag or Last-Modified that is sent back to it.
_VALIDATOR = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,500}")


def validator(text: str) -> str | None:
    """Return a validator as it may be sent back; None where it is not text."""
    return text if _VALIDATOR.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file, and what tells it from another state of it."""

    path: str
    name: str
    size: int
    mtime: int  #: nanoseconds
    ends: bytes


@dataclass(frozen=True, slots=True)
class KnownPage:
    """The last response of a page in a known file, where it has a validator (RFC 9110, 8.8)."""

    url: str
    date: str
    etag: str | None
    modified: str | None
    payload: bytes
    path: str


class KnownFiles:
    """What a frontier keeps of files of others."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(TABLES)

    def has(self, file: KnownFile) -> bool:
        """Return whether a file was read to its end in this state."""
        found = self._db.execute("SELECT * FROM known_files WHERE path=?", (file.path,)).fetchone()
        return found is not None and KnownFile(*found) == file

    def forget(self, file: KnownFile) -> None:
        """Forget what a file held in an earlier state: a revisit may not refer to a record that is gone."""
        if self._db.execute("SELECT 1 FROM known_files WHERE path=?", (file.path,)).fetchone() is not None:
            self._db.execute("DELETE FROM payloads WHERE file=0 AND container=?", (file.name,))
            self._db.execute("DELETE FROM known_pages WHERE path=?", (file.path,))
            self._db.execute("DELETE FROM known_files WHERE name=?", (file.name,))

    def add(self, file: KnownFile) -> None:
        """Note that a file was read to its end."""
        self._db.execute("INSERT OR REPLACE INTO known_files VALUES (?, ?, ?, ?, ?)",
                         (file.path, file.name, file.size, file.mtime, file.ends))  # fmt: skip

    def add_pages(self, pages: Iterable[KnownPage]) -> None:
        """Keep the last response of each page."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(
            "INSERT INTO known_pages VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (url) DO UPDATE SET date=excluded.date, "
            "etag=excluded.etag, modified=excluded.modified, payload=excluded.payload, path=excluded.path "
            "WHERE excluded.date >= known_pages.date",
            [(each.url, each.date, each.etag, each.modified, each.payload, each.path) for each in pages],
        )
        self._db.execute("COMMIT")

    def page(self, url: str) -> KnownPage | None:
        """Return the last response of a page."""
        found = self._db.execute("SELECT * FROM known_pages WHERE url=?", (url,)).fetchone()
        return KnownPage(*found) if found is not None else None

    def paths(self, name: str) -> list[str]:
        """Return the paths of the files of a name."""
        return [path for (path,) in self._db.execute("SELECT path FROM known_files WHERE name=?", (name,))]
