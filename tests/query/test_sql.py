"""The views of a lake, and that SQL reaches nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import polars
import pytest
from conftest import members, record, rows, take
from deltalake import DeltaTable

import query
from archive.errors import LakeError, QueryError
from archive.lake import Lake
from archive.tables import TABLES
from index.quality.table import QUALITY
from index.tables import DUPLICATES
from query.sql import VIEWS, answer

Write = Callable[[str, bytes], str]


@pytest.fixture
def small(lake: Lake, write: Write) -> Lake:
    pages = [record(body=f"<title>T{n}</title><p>Page {n}</p>", date=f"201{n}-06-01T00:00:00Z") for n in range(4)]
    take(lake, write("a.warc.gz", members(*pages, record(status="404 Not Found"))))
    return lake


def test_the_views_show_captures_documents_rejects_and_sources(small: Lake) -> None:
    assert rows(small, "SELECT count(*), count(DISTINCT month) FROM captures") == [(4, 4)]
    assert rows(small, "SELECT title, strftime(first_seen, '%Y') FROM documents ORDER BY title LIMIT 1") == [
        ("T0", "2010")
    ]
    assert rows(small, "SELECT reason FROM rejects") == [("http-404",)]
    assert rows(small, "SELECT records, captures, rejects['http-404'] FROM sources") == [(5, 4, 1)]


def test_a_document_tells_the_capture_that_proves_it(lake: Lake, write: Write) -> None:
    for year in (2016, 2012, 2014):
        page = record(
            url=f"http://{year}.example/", body=f"<title>{year}</title><p>Same.</p>", date=f"{year}-01-01T00:00:00Z"
        )
        take(lake, write(f"{year}.warc", page))
    ((url, title, file, captures),) = rows(lake, "SELECT url, title, file, captures FROM documents")
    assert (url, title, captures) == ("http://2012.example/", "2012", 3)
    assert file.endswith("/2012.warc")


def test_a_new_lake_is_empty_and_a_missing_one_is_an_error(lake: Lake) -> None:
    with pytest.raises(LakeError, match="there is no lake here"):
        query.connect(lake)
    lake.create()
    for view in ("captures", "documents", "rejects", "sources"):
        assert rows(lake, f"SELECT count(*) FROM {view}") == [(0,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM 'https://example.org/a.parquet'",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "COPY documents TO '{folder}/lake/documents/out.parquet'",
        "ATTACH '{folder}/other.db'",
        "EXPORT DATABASE '{folder}/dump'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET memory_limit = '1TB'",
        "RESET lock_configuration",
        "CREATE TABLE t AS SELECT 1",
        "EXPLAIN ANALYZE COPY documents TO '{folder}/lake/documents/out.parquet'",
        "PREPARE p AS COPY documents TO '{folder}/lake/out.parquet'",
        "SELECT 1; SELECT 2",
        "",
        "INSERT INTO stored_documents VALUES (1)",
        "DROP VIEW documents; DELETE FROM stored_captures",
    ],
)
def test_sql_that_reaches_out_of_the_lake_fails_and_changes_nothing(small: Lake, tmp_path: Path, sql: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(QueryError):
        answer(query.connect(small), sql.replace("{folder}", str(tmp_path))).fetchall()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_other_engines_read_the_same_rows(small: Lake) -> None:
    wanted = rows(small, "SELECT content_id, month FROM captures ORDER BY ALL")
    frame = polars.scan_delta(small.table_uri("captures")).filter(polars.col("date_problem").is_null())
    assert frame.select("content_id", "month").sort("content_id", "month").collect().rows() == wanted
    plain = duckdb.sql(f"SELECT content_id, month FROM '{small.table_uri('captures')}/*/*.parquet' ORDER BY ALL")
    assert plain.fetchall() == wanted
    committed = duckdb.read_parquet(DeltaTable(small.table_uri("captures")).file_uris(), hive_partitioning=True)
    assert committed.select("content_id, month").order("ALL").fetchall() == wanted
    arrow = small.dataset("captures").to_table(columns=["content_id"], filter=polars_filter())
    assert arrow.num_rows == len(wanted)


def polars_filter() -> object:
    import pyarrow.dataset

    return pyarrow.dataset.field("date_problem").is_null()


def test_the_columns_that_a_view_is_declared_with_are_those_that_it_has(small: Lake) -> None:
    """While the views are created, those that others read are empty ones: of the same columns and types."""
    empty = duckdb.connect()
    declared = [view for view in VIEWS if view.columns is not None]
    assert [view.name for view in declared] == ["proofs", "witnesses", "text_topics", "site_rules"]
    db = query.connect(small)
    for view in declared:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in (view.columns or {}).items())
        empty.execute(f"CREATE TABLE {view.name} ({columns})")
        wanted = {name: kind for name, kind, *_ in empty.execute(f"DESCRIBE {view.name}").fetchall()}
        assert {name: kind for name, kind, *_ in db.execute(f"DESCRIBE {view.name}").fetchall()} == wanted


def test_every_table_is_read_with_the_types_of_its_columns(small: Lake) -> None:
    """Where it has files, and where it was never made."""
    empty = duckdb.connect()
    db = query.connect(small)
    for table in (*TABLES.values(), DUPLICATES, QUALITY):
        empty.register("rows", table.schema.empty_table())
        wanted = empty.execute("SELECT column_name, column_type FROM (DESCRIBE rows)").fetchall()
        assert db.execute(f"SELECT column_name, column_type FROM (DESCRIBE stored_{table.name})").fetchall() == wanted
