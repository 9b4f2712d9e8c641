"""The condition of `--where`: one expression over the columns of a text, with the same answer every time."""

from __future__ import annotations

import re
from typing import Any

import duckdb

from archive.errors import ExportError, QueryError
from index.quality.presets import PRESETS
from index.quality.table import QUALITY
from query import guard

#: Without brackets the parser takes these for names, and one of them for a constant.
_CLOCK = frozenset(("current_date", "current_time", "current_timestamp", "current_localtime", "current_localtimestamp",
                    "localtime", "localtimestamp"))  # fmt: skip
_SIGNALS = sorted({*QUALITY.schema.names, *PRESETS, "quality"} - {"content_id", "words"})  # `documents` has these too
_QUALITY = re.compile(rf"\b({'|'.join(_SIGNALS)})\b", re.IGNORECASE)


def check(db: duckdb.DuckDBPyConnection, where: str) -> None:
    """Check a condition.

    Raises:
        ExportError: the text is not one expression, reaches for anything but the lake, or may have another answer the
            next time.
    """
    try:
        guard.parse(db, f"SELECT CASE WHEN\n{where}\nTHEN true END")  # here `a) OR (b` is no expression
        _, parsed = guard.parse(db, f"SELECT (\n{where}\n)")
    except (QueryError, duckdb.Error) as error:
        line = str(error).strip().splitlines()[0]
        raise ExportError(f"--where {where}: not a condition on the lake's texts ({line})") from None
    node = parsed["statements"][0]["node"]
    alone = node["type"] == "SELECT_NODE" and len(node["select_list"]) == 1 and not node.get("where_clause")
    if not alone or node["from_table"]["type"] != "EMPTY":
        raise ExportError(f"--where {where}: not one condition")
    functions = db.execute("SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'").fetchall()
    if changing := sorted(_names(node) & ({name for (name,) in functions} | _CLOCK)):
        raise ExportError(f"--where {where}: {changing[0]} gives another answer each time")


def asks_quality(where: str) -> bool:
    """Return whether a condition may name columns of `quality`."""
    return _QUALITY.search(where) is not None


def _names(node: dict[str, Any]) -> set[str]:
    """Return the names of all functions in an expression, and of all columns."""
    names = {str(part.get("function_name", "")) for part in guard.parts(node) if part.get("class") == "FUNCTION"}
    names |= {part["column_names"][-1] for part in guard.parts(node) if part.get("class") == "COLUMN_REF"}
    return {name.lower() for name in names}
