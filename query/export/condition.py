"""The condition of `--where`: one expression over the columns of a text, and the same whenever it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import duckdb

from archive.errors import ExportError, QueryError
from index.quality.presets import PRESETS
from index.tables import QUALITY
from query import closed

#: What the parser makes of these is no function.
_CLOCK = re.compile(r"\b(current_date|current_time|current_timestamp|localtime|localtimestamp)\b", re.IGNORECASE)
_SIGNALS = sorted({*QUALITY.schema.names, *PRESETS, "quality"} - {"content_id", "words"})  # `documents` has these too
_QUALITY = re.compile(rf"\b({'|'.join(_SIGNALS)})\b", re.IGNORECASE)


def check(db: duckdb.DuckDBPyConnection, where: str) -> None:
    """
    Raises:
        ExportError: the text is not one expression, reaches for anything but the lake, or may come out otherwise
            the next time.
    """
    try:
        closed.check(db, f"SELECT (\n{where}\n)")
    except (QueryError, duckdb.Error) as error:
        line = str(error).strip().splitlines()[0]
        raise ExportError(f"--where {where}: not a condition on the lake's texts ({line})") from None
    ((text,),) = db.execute("SELECT json_serialize_sql($1::VARCHAR)", [f"SELECT (\n{where}\n)"]).fetchall()
    node = json.loads(text)["statements"][0]["node"]
    alone = node["type"] == "SELECT_NODE" and len(node["select_list"]) == 1 and not node.get("where_clause")
    if not alone or node["from_table"]["type"] != "EMPTY":
        raise ExportError(f"--where {where}: not one condition")
    names = set(_functions(node))
    changing = db.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"
    ).fetchall()
    changing_names = {name for (name,) in changing}
    if found := sorted(names & changing_names) or _CLOCK.findall(where):
        raise ExportError(f"--where {where}: {found[0]} gives another answer each time")


def asks_quality(where: str) -> bool:
    """Whether a condition may speak of the columns of `quality`."""
    return _QUALITY.search(where) is not None


def _functions(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if part.get("class") == "FUNCTION":
            yield str(part.get("function_name", "")).lower()
        for value in part.values():
            yield from _functions(value)
    elif isinstance(part, list):
        for value in part:
            yield from _functions(value)
