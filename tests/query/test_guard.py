"""`archive query` may stand behind a service: SQL of anybody's reads the lake, and that is all it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from conftest import record, take
from forked import forked

import query
from archive.errors import QueryError
from archive.lake import Lake
from query.sql import answer

a_python_variable = {"a": [1]}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("closed")
    lake = Lake(str(folder / "lake"))
    page = folder / "a.warc"
    page.write_bytes(record())
    take(lake, str(page))
    return lake


@pytest.fixture(scope="module")
def db(small: Lake) -> duckdb.DuckDBPyConnection:
    return query.connect(small)


def _state(folder: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}


REACHING = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('{document}')",
    "SELECT * FROM parquet_metadata('{document}')",
    "SELECT * FROM read_text('{lake}/sources/_delta_log/00000000000000000000.json')",
    "SELECT * FROM system.main.read_text('/etc/passwd')",
    "SELECT * FROM \"READ_TEXT\"('/etc/passwd')",
    "SELECT * FROM read_duckdb('/tmp/x.db')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM glob('{lake}/**')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "FROM '/etc/passwd'",
    "FROM '{document}'",
    "DESCRIBE '{document}'",
    "SUMMARIZE FROM '{document}'",
    "SELECT (SELECT count(*) FROM '{document}')",
    "SELECT * FROM 'https://example.org/a.parquet'",
    "SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "SELECT * FROM query_table('{document}')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "COPY captures TO '{folder}/out.csv'",
    "COPY captures TO '{document}'",
    "WITH x AS (COPY (SELECT 1) TO '{folder}/out.csv') SELECT 1",
    "WITH x AS (COPY (SELECT 1) TO '{document}') FROM x",
    "SELECT * FROM (WITH x AS (COPY (SELECT 1) TO '{document}') SELECT 1)",
    "WITH a AS (WITH x AS (COPY (SELECT 1) TO '{document}') SELECT 1) SELECT * FROM a",
    "SELECT 1 UNION ALL (WITH x AS (COPY (SELECT 1) TO '{document}') SELECT 1)",
    "WITH x AS (INSERT INTO y VALUES (1) RETURNING 1) SELECT * FROM x",
    "EXPORT DATABASE '{folder}/dump'",
    "IMPORT DATABASE '{folder}/dump'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE TEMP VIEW captures AS SELECT 1",
    "INSERT INTO stored_documents VALUES (1)",
    "DROP VIEW documents",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '1TB'",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "SELECT * FROM enable_logging()",
    "ATTACH '{folder}/other.db'",
    "ATTACH ':memory:' AS m",
    "USE system",
    "CHECKPOINT",
    "SELECT getenv('HOME')",
    "SELECT current_setting('home_directory')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM system.main.duckdb_settings()",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM which_secret('s3://a', 's3')",
    "SELECT * FROM duckdb_extensions()",
    "FROM a_python_variable",
    "FROM sql",
    "SELECT * FROM python_map_function((SELECT 1))",
    "EXPLAIN ANALYZE COPY documents TO '{document}'",
    "PREPARE p AS COPY documents TO '{document}'",
    "SELECT 1; SELECT 2",
    "FROM clean('2022-01-01', sources := ['warc'])",
    "",
    "SELECT " + "(" * 900 + "1" + ")" * 900,
]


@pytest.mark.parametrize("sql", REACHING, ids=lambda sql: sql[:60])
def test_what_reaches_out_of_the_lake_is_one_line_of_error_and_changes_nothing(
    small: Lake, db: duckdb.DuckDBPyConnection, sql: str
) -> None:
    folder = Path(small.location).parent
    document = f"{small.location}/documents/{small.files('documents')[0]}"
    before = _state(folder)
    asked = sql.format(folder=folder, lake=small.location, document=document) if "{" in sql else sql
    if sql.startswith("SELECT (((") and _answers(db, asked):
        return  # brackets alone are harmless
    with pytest.raises(QueryError) as said:
        answer(db, asked).fetchall()
    assert "\n" not in str(said.value)
    assert _state(folder) == before


def _answers(db: duckdb.DuckDBPyConnection, sql: str) -> bool:
    try:
        return answer(db, sql).fetchall() == [(1,)]
    except QueryError:
        return False


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT max(i) FROM r",
        "FROM captures SELECT count(*)",
        "DESCRIBE captures",
        "SUMMARIZE captures",
        "SHOW TABLES",
        "VALUES (1)",
        "SELECT count(*) FROM clean('2022-01-01') JOIN captures USING (content_id)",
        "SELECT list_transform(range(3), lambda x: x + 1), {'a': 1}.a, [1, 2][1:1]",
        "SELECT unnest(string_split(url, '/')) FROM captures WINDOW w AS (ORDER BY url)",
        "SELECT count(*) FROM documents ANTI JOIN clean('2022-01-01') USING (content_id)",
        "TABLE rejects",
        "SELECT * FROM duckdb_functions() LIMIT 1;",
    ],
)
def test_questions_are_answered(db: duckdb.DuckDBPyConnection, sql: str) -> None:
    answer(db, sql).fetchall()


#: Each takes its memory past DuckDB's own limit, or up to it.
HUNGRY = [
    "SELECT len(repeat('a', 4000000000))",
    "SELECT len(range(1000000000))",
    "SELECT len(format('{:>2000000000}', 'a'))",
    "SELECT len(list(i)) FROM range(1000000000) t(i)",
    "SELECT count(*) FROM (FROM range(100000) a(i), range(100000) b(j) ORDER BY hash(i, j) LIMIT 9 OFFSET 9000000)",
    "SELECT len(repeat('a', 100000000000))",
]


@pytest.mark.parametrize("sql", HUNGRY, ids=lambda sql: sql[:50])
def test_a_question_that_eats_memory_fails_in_one_line(small: Lake, tmp_path: Path, sql: str) -> None:
    # the peak is that of the child of a small process, not of this one
    peak = "import resource, subprocess, sys; r = subprocess.run(sys.argv[1:]).returncode; "
    peak += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(r)"
    words = ["-m", "archive", "query", sql, "--lake", small.location, "--memory", "200MB", "--timeout", "20"]
    done = subprocess.run(
        [sys.executable, "-c", peak, sys.executable, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("archive: ")
    assert done.stderr.count("\n") == 1
    assert int(done.stdout) < 2_000_000  # KB
    assert not list(tmp_path.iterdir())  # no temporary file is left


def test_a_question_without_end_is_stopped(small: Lake) -> None:
    endless = "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r"
    done = forked("query", endless, "--lake", small.location, "--timeout", "1", check=False, timeout=20)
    assert (done.returncode, done.stderr) == (
        2,
        "archive: this question took longer than 1 s; narrow it, or --timeout\n",
    )
