"""Checks SQL that anybody wrote: it may be one question to the lake's views, and nothing else.

DuckDB without external access still reads its own settings, runs SQL in a string, and takes `WITH x AS (COPY … TO …)`
for a SELECT. So DuckDB's parser makes a tree of the question, and the question runs only if each node, table and class
of expression in it is on a list here. What a later DuckDB adds is refused until it is put on the list. Functions of one
value are allowed, except those that read settings or run SQL. The second protection is the locked process
(`query.answer.lock`).
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

import duckdb

from archive.errors import QueryError

#: The views and macros of a lake.
VIEWS = (
    "captures",
    "documents",
    "moments",
    "proofs",
    "duplicates",
    "witnesses",
    "clusters",
    "quality",
    "embeddings",
    "likenesses",
    "topics",
    "text_topics",
    "rejects",
    "sources",
    "attestations",
    "retractions",
    "site_rules",
    "opt_outs",
)
MACROS = ("clean", "first_seen_between")

#: The nodes of a query that only read. COPY_QUERY_NODE, INSERT_QUERY_NODE and so on write.
_NODES = frozenset(("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"))
_TABLES = frozenset(
    ("BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION")
)
_MODIFIERS = frozenset(("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LEGACY_LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"))
_ORDERS = frozenset(("ORDER_DEFAULT", "ASCENDING", "DESCENDING"))
#: The details that DuckDB adds to the types of values.
_TYPES = frozenset(
    f"{name}_TYPE_INFO"
    for name in (
        *("ANY", "ARRAY", "DECIMAL", "ENUM", "GENERIC", "GEO", "INTEGER_LITERAL", "LIST", "STRING", "STRUCT"),
        *("TEMPLATE", "UNBOUND"),
    )
)
_KNOWN = _NODES | _TABLES | _MODIFIERS | _ORDERS | _TYPES
#: The classes of expressions.
_EXPRESSIONS = frozenset(
    (
        *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "DEFAULT"),
        *("FUNCTION", "LAMBDA", "LAMBDA_REF", "OPERATOR", "PARAMETER", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY"),
        *("TYPE", "WINDOW"),
    )
)
#: The functions that may be in place of a table. Others read files, settings or secrets, or run SQL in a string.
_TABLE_FUNCTIONS = frozenset(
    (
        *MACROS,
        *("range", "generate_series", "unnest", "repeat", "repeat_row"),
        *("json_each", "json_tree", "pg_timezone_names", "icu_calendar_names"),
        *("duckdb_functions", "duckdb_keywords", "duckdb_types"),
    )
)
_SETTINGS, _LOG, _INSIDE = "settings cannot be read", "nothing is logged", "SQL in a string is not run"
_REFUSED = {
    "current_setting": _SETTINGS,
    "getvariable": _SETTINGS,
    "getenv": "the environment cannot be read",
    "write_log": _LOG,
    "parse_duckdb_log_message": _LOG,
    "json_serialize_plan": _INSIDE,
    **dict.fromkeys(("pg_get_viewdef", "pg_get_constraintdef", "pg_get_expr"), "the SQL of the views cannot be read"),
    **dict.fromkeys(("nextval", "setval", "currval"), "there are no sequences"),
}
_READ_ONLY = "a lake can only be read: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES"
_ALL = f"the views of the lake are all there is: {', '.join(VIEWS)}"
#: `SHOW TABLES` as a question that names the views and nothing else.
_SHOW_TABLES = f"SELECT unnest([{', '.join(repr(name) for name in VIEWS)}]) AS name"


def check(db: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Return the one question in a text; raises as `parse` does."""
    return parse(db, sql)[0]


def parse(db: duckdb.DuckDBPyConnection, sql: str) -> tuple[duckdb.Statement, dict[str, Any]]:
    """Return the one question in a text, and the tree that DuckDB's parser makes of it.

    Raises:
        QueryError: it is not one question, or reads something outside the lake.
        duckdb.Error: it is no SQL.
    """
    statements = db.extract_statements(sql)
    if not statements:
        raise QueryError("there is no SQL in this question")
    if len(statements) != 1:
        raise QueryError(f"one SQL statement is answered, not {len(statements)}")
    if statements[0].type == duckdb.StatementType.MULTI:  # DuckDB would first make a type of the values
        raise QueryError("PIVOT needs its values here: PIVOT … ON month IN ('2014-01', '2014-02') …")
    # EXPLAIN stays out: EXPLAIN ANALYZE runs what it explains, whatever it is
    if statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError(_READ_ONLY)
    parsed = _tree(db, statements[0].query)
    if _is_show_tables(parsed):
        (statement,) = db.extract_statements(_SHOW_TABLES)
        return statement, _tree(db, _SHOW_TABLES)
    # a CTE may not have the name of something in the catalog: outside its part of the question that is what is read
    named = {str(entry["key"]).lower() for part in parts(parsed) for entry in _ctes(part)}
    for part in parts(parsed):
        if why := _wrong(part, named):
            raise QueryError(why)
    return statements[0], parsed


def _tree(db: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    # all rows of it, or the connection counts as busy
    ((text,),) = db.execute("SELECT json_serialize_sql($1::VARCHAR)", [sql]).fetchall()
    try:
        parsed: dict[str, Any] = json.loads(text)
    except RecursionError:
        raise QueryError("this question is nested too deeply") from None
    if parsed.get("error"):
        raise QueryError(f"this question cannot be checked: {parsed.get('error_message', 'it is no SELECT')}")
    return parsed


def parts(parsed: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a tree."""
    left = [parsed]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def _ctes(part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of a WITH."""
    ctes = part.get("cte_map")
    return list(ctes.get("map", ())) if isinstance(ctes, dict) else []


def _is_show_tables(parsed: dict[str, Any]) -> bool:
    """Whether the whole question is SHOW TABLES (or SHOW ALL TABLES)."""
    node = parsed["statements"][0]["node"]
    table = node.get("from_table") or {}
    return (
        table.get("type") == "SHOW_REF"
        and table.get("table_name") in {'"tables"', "__show_tables_expanded"}
        and table.get("query") is None
        and not _ctes(node)
    )


def _wrong(part: dict[str, Any], ctes: set[str]) -> str | None:
    """Return why a part of a question is not answered; None where it is."""
    kind = part.get("type")
    if "class" in part:
        if part["class"] not in _EXPRESSIONS:
            return f"this question has a part that is not known here ({part['class']})"
    elif isinstance(kind, str) and kind not in _KNOWN:
        return f"{_READ_ONLY}; nothing is written, not inside of WITH either ({kind})"
    if "info_type" in part:  # of a statement: COPY_INFO
        return f"{_READ_ONLY} ({part['info_type']})"
    name = str(part.get("function_name", "")).lower()
    if name in _REFUSED:
        return _REFUSED[name]
    if "class" in part:
        return None
    if kind == "TABLE_FUNCTION":
        name = str(part["function"].get("function_name", "")).lower()
        if name == "clean" and any(each.get("name") == "sources" for each in part["function"].get("arguments", ())):
            return "clean() calls `sources` `date_sources` now: clean('2022-01-01', date_sources := ['warc'])"
        return None if name in _TABLE_FUNCTIONS else f"{name}() is not answered; {_ALL}"
    if kind == "BASE_TABLE":
        return _wrong_table(part, ctes)
    if kind == "SHOW_REF" and part.get("query") is None:
        return _wrong_show(str(part.get("table_name", "")))
    return None


def _wrong_table(part: dict[str, Any], ctes: set[str]) -> str | None:
    path = [str(name).lower() for name in part.get("qualified_name", {}).get("path") or [part["table_name"]]]
    name = path[-1]
    if name in VIEWS and set(path[:-1]) <= {"temp", "main"}:
        return None
    if len(path) == 1 and name in ctes:
        # outside its part of the question the name would be that of the table
        return f"a WITH cannot be named {name}" if _is_internal(name) else None
    if any(mark in name for mark in "/.*"):
        return f"files cannot be read ({name[:80]}); {_ALL}"
    if name in MACROS:
        return f"{name} is a macro and needs its dates: FROM clean('2022-01-01')"
    near = difflib.get_close_matches(name, VIEWS, 1) if len(path) == 1 and not _is_internal(name) else []
    return f"there is no {'.'.join(path)[:80]}{f'; did you mean {near[0]}?' if near else ''} ({_ALL})"


def _is_internal(name: str) -> bool:
    begins = ("stored_", "arrow_", "empty_", "pg_", "duckdb_", "sqlite_", "pragma_")
    return name.startswith(begins)


def _wrong_show(name: str) -> str | None:
    if name.strip('"').lower() in VIEWS:
        return None
    if name == '"tables"':
        return "SHOW TABLES is answered alone"
    shown = name.strip('"')[:80]
    return f"SHOW {shown} is not answered: SHOW TABLES, and DESCRIBE captures for its columns"
