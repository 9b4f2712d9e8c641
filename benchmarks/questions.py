"""Questions to a clean set: through `clean()`, and as SQL that an expert writes by hand over the same Parquet files.

    python benchmarks/questions.py FOLDER SOURCE... [--texts 1000000] [--rounds 5]

FOLDER keeps the made lake (made_lake.py) between runs. The two take turns, each answer is compared, and the median of
the ratios counts. By hand means: an answer for this date alone, the months chosen by their partition, only
the revisits looked up, and none of the columns that the question does not name.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import duckdb
from made_lake import made
from processes import machine

from archive.lake import Lake
from query.sql import connect

_DATE = "2022-01-01"
_HAND = f"""
WITH dated AS (
    SELECT content_id, captured_at, payload_digest, coalesce(refers_to_url, url) AS url, record_type FROM c
    WHERE date_problem IS NULL AND month < '2022-01' AND captured_at < '{_DATE}'
),
texts AS (
    SELECT payload_digest, url, min(content_id) AS content_id FROM c
    SEMI JOIN (SELECT payload_digest FROM dated WHERE record_type = 'revisit') USING (payload_digest)
    WHERE content_id IS NOT NULL GROUP BY ALL
),
seen AS (
    SELECT content_id, captured_at FROM dated WHERE content_id IS NOT NULL
    UNION ALL
    SELECT coalesce(s.content_id, o.content_id), r.captured_at FROM dated AS r
    LEFT JOIN texts AS s ON r.payload_digest = s.payload_digest AND r.url = s.url
    JOIN (SELECT payload_digest, min(content_id) AS content_id FROM texts GROUP BY ALL) AS o
        ON r.payload_digest = o.payload_digest
    WHERE record_type = 'revisit'
)
"""
_FIRST = "SELECT content_id, min(captured_at) AS first_seen FROM seen GROUP BY content_id"
_WORDS = "'(?i)\\b(climate|election)\\b'"

#: name -> (ours, by hand)
QUESTIONS = {
    "texts of the clean set": (
        f"SELECT count(*) FROM clean('{_DATE}')",
        f"{_HAND} SELECT count(*) FROM d SEMI JOIN seen USING (content_id)",
    ),
    "… by month": (
        f"SELECT strftime(first_seen, '%Y-%m') AS m, count(*) FROM clean('{_DATE}') GROUP BY m ORDER BY m",
        f"{_HAND} SELECT strftime(first_seen, '%Y-%m') AS m, count(*) FROM ({_FIRST}) SEMI JOIN d USING (content_id) "
        "GROUP BY m ORDER BY m",
    ),
    "… that match a pattern": (
        f"SELECT count(*) FROM clean('{_DATE}') WHERE regexp_matches(text, {_WORDS})",
        f"{_HAND} SELECT count(*) FROM d SEMI JOIN seen USING (content_id) WHERE regexp_matches(text, {_WORDS})",
    ),
}


def by_hand(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Plain DuckDB with `c` and `d`, the files of captures and documents."""
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    for name, table in {"c": "captures", "d": "documents"}.items():
        files = [f"{lake.table_path(table)}/{path}" for path in sorted(lake.files(table))]
        options = (
            "hive_partitioning = true, hive_types = {'month': VARCHAR}" if name == "c" else "union_by_name = false"
        )
        db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({files}, {options})")
    return db


def bytes_read(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    """What DuckDB says that it read for a question."""
    row = db.execute(f"EXPLAIN (ANALYZE, FORMAT json) {sql}").fetchone()
    assert row
    return int(json.loads(row[1])["io"]["total_bytes_read"])


def _seconds(db: duckdb.DuckDBPyConnection, sql: str) -> tuple[float, list[tuple[object, ...]]]:
    started = time.perf_counter()
    rows = db.execute(sql).fetchall()
    return time.perf_counter() - started, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("source", type=Path, nargs="+")
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    lake = made(args.folder, args.source, args.texts)
    ours, hand = connect(lake), by_hand(lake)
    print(f"{machine()}; {lake.rows('documents'):,} texts, {lake.rows('captures'):,} captures\n")
    print(
        "| question | ours, s | by hand, s | ratio | ours read | by hand read |\n| --- | --: | --: | --: | --: | --: |"
    )
    for name, (ask, plain) in QUESTIONS.items():
        times = []
        for turn in range(args.rounds + 1):  # the first one warms the files up
            pair = [(ours, ask), (hand, plain)]
            done = [_seconds(*each) for each in (pair if turn % 2 else pair[::-1])]
            (a, one), (b, other) = done if turn % 2 else done[::-1]
            if one != other:
                raise SystemExit(f"{name}: the answers differ")
            times += [(a, b)] if turn else []
        ratio = statistics.median(a / b for a, b in times)
        medians = [statistics.median(column) for column in zip(*times, strict=True)]
        sizes = [f"{bytes_read(db, sql) / 1e6:,.0f} MB" for db, sql in ((ours, ask), (hand, plain))]
        print(f"| {name} | {medians[0]:.2f} | {medians[1]:.2f} | {ratio:.2f} | {' | '.join(sizes)} |", flush=True)
    narrow = "SELECT count(*), max(captured_at) FROM captures WHERE month = '2015-03'"
    for sql in (f"SELECT count(*) FROM clean('{date}')" for date in ("2009-01-01", "2015-01-01", "2026-01-01")):
        print(f"\n{sql}: {bytes_read(ours, sql) / 1e6:,.0f} MB read", end="")
    print(f"\n{narrow}: {bytes_read(ours, narrow) / 1e6:,.1f} MB read")


if __name__ == "__main__":
    main()
