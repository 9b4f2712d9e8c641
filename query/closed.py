"""What SQL of anybody's may say: questions to the lake's views, and nothing else.

DuckDB with external access off still reads its own settings, runs SQL that stands in a string, and takes a `WITH x AS
(COPY … TO …)` for a SELECT. So the parsed question is looked through before it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from archive.errors import QueryError

#: Every other node of a query writes.
_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
#: Functions that stand in place of a table. The rest read files, settings or secrets, or run SQL that
#: stands in a string.
_TABLE_FUNCTIONS = frozenset(
    (
        *(
            "clean",
            "first_seen_between",
            "range",
            "generate_series",
            "unnest",
            "repeat",
            "repeat_row",
            "summary",
            "histogram",
            "histogram_values",
        ),
        *(
            "json_each",
            "json_tree",
            "duckdb_columns",
            "duckdb_views",
            "duckdb_functions",
            "duckdb_keywords",
            "duckdb_types",
        ),
        *("pg_timezone_names", "icu_calendar_names"),
    )
)
_SETTINGS = "settings cannot be read"
_REFUSED = {"current_setting": _SETTINGS, "getenv": "the environment cannot be read", "write_log": "nothing is logged"}
_REFUSED_TABLES = {"pg_settings": _SETTINGS, "duckdb_logs": "nothing is logged"}
_VIEWS = "the views of the lake are all there is: captures, documents, duplicates, clusters, quality, rejects, sources"


def check(db: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """The one question in a text; raises as `parse` does."""
    return parse(db, sql)[0]


def parse(db: duckdb.DuckDBPyConnection, sql: str) -> tuple[duckdb.Statement, dict[str, Any]]:
    """The one question in a text, and the tree that DuckDB's parser makes of it.

    Raises:
        QueryError: it is not one question, or reaches for something that is not the lake's.
        duckdb.Error: it is no SQL.
    """
    statements = db.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one SQL statement is answered, not {len(statements)}")
    # EXPLAIN stays out: EXPLAIN ANALYZE runs what it explains, whatever it is
    if statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("a lake can only be read: SELECT, WITH, FROM, DESCRIBE, SUMMARIZE, SHOW")
    # all rows of it, or the connection counts as busy
    ((text,),) = db.execute("SELECT json_serialize_sql($1::VARCHAR)", [statements[0].query]).fetchall()
    try:
        parsed = json.loads(text)
    except RecursionError:
        raise QueryError("this question is nested too deeply") from None
    if parsed.get("error"):
        raise QueryError(f"this question cannot be checked: {parsed.get('error_message', 'it is no SELECT')}")
    for part in parts(parsed):
        if why := _wrong(part):
            raise QueryError(why)
    return statements[0], parsed


def parts(parsed: Any) -> Iterator[dict[str, Any]]:
    """Every node of a tree."""
    held = [parsed]
    while held:
        part = held.pop()
        if isinstance(part, dict):
            yield part
            held.extend(part.values())
        elif isinstance(part, list):
            held.extend(part)


def _wrong(part: dict[str, Any]) -> str | None:
    """Why a part of a question is not answered."""
    kind = part.get("type")
    node = part.get("node")
    if isinstance(node, dict) and node.get("type") not in _NODES:
        return "a lake can only be read: nothing is written, not inside of WITH either"
    if kind == "TABLE_FUNCTION":
        name = str(part["function"].get("function_name", "")).lower()
        if name not in _TABLE_FUNCTIONS:
            return f"{name}() is not answered; {_VIEWS}"
    elif kind == "BASE_TABLE":
        name = str(part["table_name"]).lower()
        if "/" in name or "." in name or "*" in name:
            return f"files cannot be read ({name[:80]}); {_VIEWS}"
        return _REFUSED_TABLES.get(name)
    elif part.get("class") == "FUNCTION":
        return _REFUSED.get(str(part.get("function_name", "")).lower())
    return None
