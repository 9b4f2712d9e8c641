"""Which columns a data set has, and which of them are taken for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import SourceError, error_line
from archive.records import jsonl
from archive.records.rows import DATE, HTML, TEXT, URL, Columns

#: Rows of JSON lines that are looked at: a column that none of them has is taken for a mistyped one.
HEAD = 100
_LINE = 32 << 20
#: What a column may be named for -> the option that names it, and the names that are known.
ROLES = {
    "text": ("--text-column", TEXT),
    "html": ("--html-column", HTML),
    "date": ("--date-column", DATE),
    "url": ("--url-column", URL),
}


def names(file: BinaryIO, kind: str) -> list[str]:
    """The columns of a data set, `a.b` for one inside of another; of JSON lines those of its first rows."""
    if kind == "parquet":
        file.seek(0)
        try:
            return list(dict.fromkeys(_of_schema(pq.ParquetFile(file).schema_arrow)))
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise SourceError(f"its columns cannot be read ({error_line(error)})") from None
    lines = islice(jsonl.read_lines(file, _LINE), HEAD)
    rows = (jsonl.parsed(line.data) for line in lines if not line.problem)
    return list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in _of_row(row)))


def require(there: list[str], columns: Columns) -> None:
    """
    Raises:
        SourceError: a column that was named is not among these.
    """
    for role, (option, _) in ROLES.items():
        name = getattr(columns, role)
        if name and name not in there:
            raise SourceError(f"{option} {name}: there is no such column{_near(name, there)}")


def taken(there: list[str], columns: Columns) -> dict[str, str]:
    """Which columns are taken for text (or HTML), date and URL, of those that are there."""
    chosen: dict[str, str] = {}
    for role, (_, known) in ROLES.items():
        named = getattr(columns, role)
        if found := next((name for name in ([named] if named else known) if name in there), None):
            chosen[role] = found
    if "text" in chosen and not columns.html:
        chosen.pop("html", None)
    return chosen


def _near(name: str, there: list[str]) -> str:
    close = get_close_matches(name, there, 1)
    listed = ", ".join(there[:20]) + (", …" if len(there) > 20 else "")
    return f"; did you mean {close[0]}? (columns: {listed})" if close else f"; its columns are {listed or 'none'}"


def _of_row(row: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in row.items():
        yield f"{above}{name}"
        if isinstance(value, Mapping):
            yield from _of_row(value, f"{above}{name}.")


def _of_schema(schema: Any, above: str = "") -> Iterator[str]:
    for field in schema:
        yield f"{above}{field.name}"
        if pa.types.is_struct(field.type):
            yield from _of_schema(
                [field.type.field(at) for at in range(field.type.num_fields)], f"{above}{field.name}."
            )
