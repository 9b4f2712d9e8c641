"""Ingests a folder into a fresh lake, and counts what became captures, what was skipped and what was rejected, and why.

    python benchmarks/rejects.py FOLDER [--lake LAKE] [--older LAKE]

With `--older`, a lake of the same folder by older code, it lists each record that was a reject and is a page now, and
each that was a page and is none now, with the beginning of its text, for somebody to read.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import duckdb

import query
from archive.intake import ingest
from archive.lake import Lake

#: A record, by its file and place.
_KEYS = 'file, "offset", skip'
_WORDS = 300


def tables(name: str, lake: Lake, db: duckdb.DuckDBPyConnection) -> None:
    """Copy the pages and rejects of a lake into tables."""
    of = query.connect(lake)
    pages = of.sql(
        f'SELECT c.file, c."offset", c.skip, c.url, c.record_type, c.content_id, left(d.text, {_WORDS}) AS words, '
        "length(d.text) AS characters "
        "FROM captures c LEFT JOIN documents d USING (content_id)"
    ).to_arrow_table()
    rejects = of.sql(f"SELECT {_KEYS}, url, record_type, reason, detail FROM rejects").to_arrow_table()
    for table, content in ((f"{name}_pages", pages), (f"{name}_rejects", rejects)):
        db.register("content", content)
        db.execute(f"CREATE TABLE {table} AS SELECT * FROM content")
        db.unregister("content")


def show_counts(lake: Lake) -> None:
    """Print the counts of a lake."""
    of = query.connect(lake)
    print("captures", *of.execute("SELECT count(*) FROM captures").fetchone() or ())
    print("documents", *of.execute("SELECT count(*) FROM documents").fetchone() or ())
    skipped = "SELECT unnest(map_entries(skipped), recursive := true) FROM sources"
    for kind, count in of.execute(
        f"SELECT key, sum(value)::INT FROM ({skipped}) GROUP BY 1 ORDER BY 2 DESC"
    ).fetchall():
        print(f"skipped {kind:24} {count}")
    for reason, count in of.execute("SELECT reason, count(*) FROM rejects GROUP BY 1 ORDER BY 2 DESC").fetchall():
        print(f"reject  {reason:24} {count}")


def show_changes(older: Lake, newer: Lake) -> None:
    """Print what was a reject and is a page now, the other way, and which texts differ."""
    db = duckdb.connect()
    tables("old", older, db)
    tables("new", newer, db)
    for title, is_now, was, reason in (
        ("pages now", "new_pages", "old_pages", "old_rejects"),
        ("no pages now", "old_pages", "new_pages", "new_rejects"),
    ):
        found = db.execute(
            'SELECT p.file, p."offset", p.url, p.record_type, r.reason, r.detail, p.characters, p.words '
            f"FROM {is_now} p LEFT JOIN {reason} r USING ({_KEYS}) ANTI JOIN {was} o USING ({_KEYS}) ORDER BY ALL"
        ).fetchall()
        print(f"\n# {title}: {len(found)}")
        for file, offset, url, kind, why, detail, characters, words in found:
            print(f"{Path(file).name} @{offset} {kind} {url}\n  {why}: {detail}; {characters} characters: {words!r}")
    found = db.execute(
        'SELECT n.file, n."offset", n.url, o.characters, n.characters, o.words, n.words FROM new_pages n '
        f"JOIN old_pages o USING ({_KEYS}) WHERE n.content_id IS DISTINCT FROM o.content_id ORDER BY ALL"
    ).fetchall()
    print(f"\n# other texts: {len(found)}")
    for file, offset, url, before, after, words, now in found:
        print(f"{Path(file).name} @{offset} {url}\n  before, {before} characters: {words!r}\n  now, {after}: {now!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--lake", help="keep the lake here; it may be one that is filled already")
    parser.add_argument("--older", help="a lake of the same folder, to compare with")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        lake = Lake(given.lake or str(Path(scratch) / "lake"))
        ingest(lake, [given.folder], workers=given.workers)
        show_counts(lake)
        if given.older:
            show_changes(Lake(given.older), lake)


if __name__ == "__main__":
    main()
