"""SQL that tries to write, read or reach outside: each deed in each place of a question where SQL may stand."""

from __future__ import annotations

#: Queries that write. They can only stand where a query of a WITH stands.
WRITING = [
    "COPY (SELECT 1 AS a) TO '{target}' (FORMAT parquet, USE_TMP_FILE false)",
    "COPY (SELECT 1 AS a) TO '{target}' (FORMAT csv, USE_TMP_FILE false)",
    "COPY (SELECT 1 AS a) TO '{target}'",
    "COPY captures TO '{folder}/new.csv' (USE_TMP_FILE false)",
    "COPY (SELECT 1 AS a) TO '{folder}/parts' (FORMAT parquet, PARTITION_BY (a), OVERWRITE_OR_IGNORE)",
    "COPY (SELECT 1 AS a) TO '/dev/shm/lowbackground-attack' (USE_TMP_FILE false)",
    "INSERT INTO captures SELECT 1 RETURNING 1",
    "DELETE FROM captures RETURNING 1",
    "UPDATE captures SET url = 'x' RETURNING 1",
]
_IN_WITH = [
    "WITH x AS ({}) FROM x",
    "WITH x AS MATERIALIZED ({}) SELECT 1",
    "WITH a AS (WITH x AS ({}) FROM x) SELECT * FROM a",
    "SELECT * FROM (WITH x AS ({}) FROM x)",
    "SELECT (WITH x AS ({}) SELECT 1 FROM x)",
    "SELECT 1 WHERE EXISTS (WITH x AS ({}) FROM x)",
    "SELECT 1 WHERE 1 IN (WITH x AS ({}) SELECT 1 FROM x)",
    "SELECT 1 UNION ALL (WITH x AS ({}) SELECT 1 FROM x)",
    "FROM range(1) AS r(i), LATERAL (WITH x AS ({}) SELECT 1 FROM x)",
    "FROM clean((WITH x AS ({}) SELECT '2022-01-01' FROM x))",
    "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL (WITH x AS ({}) SELECT i + 1 FROM r, x WHERE i < 2)) FROM r",
    "SELECT list_transform([1], lambda e: (WITH x AS ({}) SELECT 1 FROM x))",
    "FROM (PIVOT (WITH x AS ({}) SELECT 1 AS k, 2 AS v FROM x) ON k IN (1) USING sum(v))",
    "DESCRIBE WITH x AS ({}) FROM x",
    "SUMMARIZE WITH x AS ({}) FROM x",
    "SELECT 1 ORDER BY (WITH x AS ({}) SELECT 1 FROM x)",
]
#: Tables that tell what is outside, or inside the machinery.
READING = [
    "read_text('/etc/passwd')",
    "read_blob('/proc/self/environ')",
    "read_csv('/etc/passwd')",
    "read_text('{lake}/sources/_delta_log/00000000000000000000.json')",
    "read_parquet('{outside}')",
    "glob('/*')",
    "glob('{lake}/**')",
    "'{outside}'",
    "'https://example.org/a.parquet'",
    "duckdb_settings()",
    "histogram_values(pg_settings, name || setting)",
    "histogram_values(sqlite_master, sql)",
    "histogram(stored_documents, text)",
    "summary((FROM pg_settings))",
    "duckdb_secrets()",
    "query('FROM read_text(''/etc/passwd'')')",
    "which_secret('s3://a', 's3')",
]
_IN_FROM = [
    "SELECT * FROM {}",
    "WITH x AS (FROM {}) FROM x",
    "SELECT (SELECT count(*) FROM {})",
    "FROM range(1) AS r(i), LATERAL (FROM {})",
    "SELECT 1 WHERE EXISTS (FROM {})",
    "DESCRIBE SELECT * FROM {}",
]
#: What is refused with the guard, and does no harm to the disk without it.
TELLING = [
    "SHOW memory_limit",
    "SHOW allowed_paths",
    "SHOW secret_directory",
    "SHOW DATABASES",
    "SHOW TABLES FROM main",
    "SELECT EXISTS (SHOW memory_limit)",
    "FROM (SHOW TABLES)",
    "FROM duckdb_views()",
    "FROM duckdb_columns()",
    "FROM sqlite_master",
    "FROM pg_catalog.pg_class",
    "FROM information_schema.tables",
    "FROM stored_captures",
    "FROM temp.main.stored_documents",
    "WITH stored_captures AS (SELECT 1) SELECT * FROM stored_captures",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "SELECT getvariable('x')",
    "SELECT pg_get_viewdef(1)",
    "SELECT json_serialize_plan('SELECT 1')",
    "COPY captures TO '{target}'",
    "EXPORT DATABASE '{folder}/dump'",
    "ATTACH '{folder}/other.db' AS o",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '1TB'",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "CALL enable_logging(storage = 'file', storage_config = {{'path': '{folder}/log'}})",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE TEMP VIEW captures AS SELECT 1",
    "DROP VIEW documents",
    "EXPLAIN ANALYZE COPY captures TO '{target}' (USE_TMP_FILE false)",
    "PREPARE p AS COPY captures TO '{target}'",
    "SELECT 1; SELECT 2",
    "CHECKPOINT",
]


def statements(**places: str) -> list[str]:
    """All of them, with the names of files and folders in their places.

    Args:
        places: `target`, a file of the lake; `folder`, one that can be written; `lake`; `outside`, a Parquet file.
    """
    made = [frame.format(deed) for deed in WRITING for frame in _IN_WITH]
    made += [frame.format(table) for table in READING for frame in _IN_FROM]
    return [sql.format(**places) for sql in [*made, *TELLING]]
