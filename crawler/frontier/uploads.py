"""Which files of a crawl are in a store, in the database of its frontier, by a connection of its own."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS store (location TEXT NOT NULL, crawl TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS uploads (name TEXT PRIMARY KEY, confirmed INTEGER NOT NULL) WITHOUT ROWID;
"""


class Uploads:
    """Knows what was begun and what is confirmed. It is used by the thread that made it.

    Args:
        path: of the database.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=60.0)
        self._db.executescript(_SCHEMA)

    def store(self) -> tuple[str, str] | None:
        """Return where the files go, and the id of the crawl there; None where they stay."""
        row = self._db.execute("SELECT location, crawl FROM store").fetchone()
        return (str(row[0]), str(row[1])) if row else None

    def begin_store(self, location: str) -> str:
        """Note where the files go; return the id of the crawl there."""
        crawl = str(uuid.uuid4())
        self._db.execute("INSERT INTO store VALUES (?, ?)", (location, crawl))
        return crawl

    def end_store(self) -> None:
        """Forget where the files go: nothing was uploaded."""
        self._db.execute("DELETE FROM store")

    def is_confirmed(self, name: str) -> bool | None:
        """Return whether an upload is confirmed; None where it was not begun."""
        row = self._db.execute("SELECT confirmed FROM uploads WHERE name=?", (name,)).fetchone()
        return bool(row[0]) if row else None

    def begin(self, name: str) -> None:
        """Note that an object of this name is ours, whatever is in it."""
        self._db.execute("INSERT OR IGNORE INTO uploads VALUES (?, 0)", (name,))

    def begin_again(self, name: str) -> None:
        """Note that the object is no longer there."""
        self._db.execute("UPDATE uploads SET confirmed=0 WHERE name=?", (name,))

    def confirm(self, name: str) -> None:
        """Note that the object is there, with the right bytes."""
        self._db.execute("INSERT OR REPLACE INTO uploads VALUES (?, 1)", (name,))

    def confirmed(self) -> set[str]:
        """Return the names of the objects that are there."""
        return {name for (name,) in self._db.execute("SELECT name FROM uploads WHERE confirmed")}

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
