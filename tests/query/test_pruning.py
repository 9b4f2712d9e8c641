"""A question reads the months and columns that it needs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import record, rows, take
from servers import flaky_proxy

import query
from archive.lake import Lake
from archive.storage import SCHEME, s3_filesystem
from archive.store_files import StoreFiles

Write = Callable[[str, bytes], str]


def _pages() -> bytes:
    # texts that do not compress, so that their bytes show
    bodies = ["<p>" + " ".join(f"{hash((n, i)):x}" for i in range(3000)) + "</p>" for n in range(12)]
    return b"".join(record(body=body, date=f"20{10 + n}-06-01T00:00:00Z") for n, body in enumerate(bodies))


def _plan(lake: Lake, sql: str) -> tuple[int, set[str]]:
    """Bytes that DuckDB read, and the months whose files it opened."""
    row = query.connect(lake).execute(f"EXPLAIN (ANALYZE, FORMAT json) {sql}").fetchone()
    assert row
    return json.loads(row[1])["io"]["total_bytes_read"], set(re.findall(r"month=(\d{4}-\d\d)/", row[1]))


def test_a_question_by_date_opens_the_files_of_its_months_only(lake: Lake, write: Write) -> None:
    take(lake, write("a.warc", _pages()))
    documents = sum(path.stat().st_size for path in Path(lake.table_uri("documents")).glob("*.parquet"))
    sql = "SELECT count(content_id) FROM clean('2012-06-02')"
    assert rows(lake, sql) == [(3,)]
    size, _ = _plan(lake, sql)
    with_texts, _ = _plan(lake, "SELECT sum(length(text)) FROM clean('2012-06-02')")
    assert with_texts - size > documents / 2  # no text was read for the count
    _, months = _plan(lake, "SELECT count(content_id), max(url) FROM stored_captures WHERE month <= '2012-06'")
    assert months == {"2010-06", "2011-06", "2012-06"}


def test_on_s3_only_what_a_question_needs_is_read(
    s3: str, server: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, log = Lake(f"s3://{s3}/lake"), tmp_path / "log"
    take(lake, write("a.warc", _pages()))
    with flaky_proxy(server, share=0, log=log) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        db = query.connect(lake)

        def asked(sql: str) -> tuple[list[tuple[Any, ...]], set[str], int]:
            log.write_text("")
            found = db.execute(sql).fetchall()
            rows = [json.loads(line) for line in log.read_text().splitlines()]
            size = sum(row[4] for row in rows if row[0] == "GET")
            return found, {month for row in rows for month in re.findall(r"month%3D(\d{4}-\d\d)", row[1])}, size

        _, months, _ = asked("SELECT count(content_id), max(url) FROM stored_captures WHERE month = '2012-06'")
        assert months == {"2012-06"}
        found, _, without_texts = asked("SELECT count(*) FROM clean('2012-06-02')")
        _, _, again = asked("SELECT count(*) FROM clean('2012-06-02')")
        _, _, with_texts = asked("SELECT sum(length(text)) FROM clean('2012-06-02')")
    assert found == [(3,)]
    assert again == 0  # it is kept
    assert with_texts > 100_000
    assert without_texts < with_texts


def test_an_answer_from_s3_is_right_where_bodies_are_cut_in_half(
    s3: str, server: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(f"s3://{s3}/lake")
    take(lake, write("a.warc", _pages()))
    names = [f"{SCHEME}://{lake.table_path('documents')}/{name}" for name in lake.files("documents")]
    want = rows(lake, "SELECT count(*), sum(length(text)) FROM documents")
    with flaky_proxy(server, share=0.2, faults="cut") as proxy, duckdb.connect() as db:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        for _ in range(5):
            db.register_filesystem(StoreFiles(s3_filesystem()))
            found = db.execute("SELECT count(*), sum(length(text)) FROM read_parquet(?)", [names]).fetchall()
            db.unregister_filesystem(SCHEME)
            assert found == want
