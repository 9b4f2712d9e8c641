"""What a row of the ledger may hold, for the error of a command that meets something else.

Commands believe the ledger: only this program writes it. Where one fails at a value that no version of this program
writes, `fault` finds the row, so that the error names it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from archive.capture import Limits
from archive.evidence.file_state import Info
from archive.lake import Lake
from archive.tables import SOURCES

#: More than the bytes, or records, that anybody has.
_MOST = 1 << 60
#: The numbers that every row has, and those that some rows lack.
_COUNTS = ("records", "captures", "texts", "new_texts", "bytes", "start")
_SOME = ("size", "end", "next_offset", "dated", "bounded")
_FILE = {"path": str, "size": int, "partition": dict, "stats": str}


def fault(lake: Lake) -> str | None:
    """Return one line: the first row that no version of this program writes, and what to do. None if there is none."""
    for batch in lake.dataset(SOURCES.name).to_batches(batch_size=10_000):
        for row in batch.to_pylist():
            for name, value in row.items():
                if name in _RULES and not _holds(_RULES[name], value):
                    what = repr(value)
                    of = row.get("file") or row.get("unit")
                    return (
                        f"{lake.table_uri(SOURCES.name)}: the row of {of} in the ledger says {name}: {what[:80]}"
                        f"{'…' if len(what) > 80 else ''}, which this program never writes; bring the lake back from a "
                        "copy, or ingest the sources into a new lake"
                    )
    return None


def is_below(path: str) -> bool:
    """Return whether a path is that of a file below the folder of a table, and not `../x`."""
    return "\0" not in path and {"", ".", ".."}.isdisjoint(path.split("/"))


def _holds(rule: Callable[[Any], object], value: Any) -> bool:
    try:
        return bool(rule(value))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def _are_counts(value: Any) -> bool:
    return all(isinstance(name, str) and _is_count(count) for name, count in value)


def _are_limits(value: Any) -> bool:
    known = {each.name for each in fields(Limits)}
    return all(name in known and type(number) in {int, float} for name, number in json.loads(value).items())


def _are_infos(value: Any) -> bool:
    stated = json.loads(value)
    return isinstance(stated, list) and all(
        (each[0] is None or isinstance(each[0], str))
        and isinstance(each[1], list)
        and all(isinstance(name, str) for name in each[1])
        and len(each) <= len(fields(Info))
        for each in stated
    )


def _is_decision(value: Any) -> bool:
    stated: Mapping[str, Any] = json.loads(value)
    return (
        isinstance(stated["batch"], str)
        and all(isinstance(unit, str) for unit in stated.get("units", []))
        and all(map(_is_file, (file for listed in stated["files"].values() for file in listed)))
    )


def _is_file(stated: Any) -> bool:
    kinds = {name: type(value) for name, value in stated.items()}
    return kinds == _FILE and is_below(stated["path"]) and _is_count(stated["size"])


def _or_null(rule: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: value is None or rule(value)


_RULES: dict[str, Callable[[Any], object]] = {
    "unit": lambda value: isinstance(value, str) and value,
    **dict.fromkeys(_COUNTS, _is_count),
    **dict.fromkeys(_SOME, _or_null(_is_count)),
    "seconds": lambda value: math.isfinite(value) and value >= 0,
    "rejects": _are_counts,
    "skipped": _are_counts,
    "taken": _or_null(lambda value: all(map(_is_count, value))),
    "limits": _or_null(_are_limits),
    "infos": _or_null(_are_infos),
    # an empty one is that of a row without files
    "files": lambda value: not value or _is_decision(value),
}
