"""A question reads the months and columns that it needs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import record, rows, take
from pyarrow import fs

import query
from archive.lake import Lake

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


class _Noting(fs.FSSpecHandler):  # type: ignore[misc]
    """A filesystem that notes which files are read; only what a dataset calls."""

    def __init__(self, inner: fs.FileSystem, notes: list[str]) -> None:
        self.inner, self.notes = inner, notes

    def get_type_name(self) -> str:
        return "noting"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> list[fs.FileInfo]:
        return self.inner.get_file_info(paths)  # type: ignore[no-any-return]

    def open_input_file(self, path: str) -> object:
        self.notes.append(path)
        return self.inner.open_input_file(path)


def test_on_s3_the_files_of_other_months_are_not_opened(s3: str, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(f"s3://{s3}/lake")
    take(lake, write("a.warc", _pages()))
    opened: list[str] = []
    below = fs.SubTreeFileSystem
    monkeypatch.setattr(
        fs, "SubTreeFileSystem", lambda path, whole: fs.PyFileSystem(_Noting(below(path, whole), opened))
    )
    db = query.connect(lake)
    opened.clear()
    assert db.execute("SELECT count(content_id), max(url) FROM stored_captures WHERE month = '2012-06'").fetchall()
    assert {month for path in opened for month in re.findall(r"month=(\d{4}-\d\d)", path)} == {"2012-06"}
    opened.clear()
    assert db.execute("SELECT count(*) FROM clean('2012-06-02')").fetchall() == [(3,)]
    # revisits may prove a text whose record is dated later: files of all months are asked for their payload digests,
    # by three scans that end at the foot of a file where it tells that there is no revisit, and no body in chunks
    read = [path for path in opened if "month=" in path]
    assert max(map(read.count, read)) <= 6
    assert {path for path in read if read.count(path) > 3} <= {path for path in read if path < "month=2012-07"}
