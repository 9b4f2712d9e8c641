"""Prints results: JSON for programs, tables for a terminal."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from archive.dates import UNPROVEN
from archive.errors import CONTROL

#: The most months that are shown; more are summed by year.
_MONTHS_SHOWN = 24


def json_text(result: Any) -> str:
    """Write a result as JSON: the fields of a dataclass by their names, times as ISO 8601 in UTC.

    Every value gives JSON that any reader takes: a number that JSON does not have is null (NaN) or text (`inf`), bytes
    are hexadecimal, and a character that is half of one, as in a file name of other bytes, is escaped. So is what a
    terminal may take for a command.
    """
    text = json.dumps(_plain(result), indent=2, ensure_ascii=False, allow_nan=False)
    text = CONTROL.sub(lambda control: f"\\u{ord(control[0]):04x}", text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(_plain(result), indent=2, allow_nan=False)
    return text


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        named = {_name(key): _plain(each) for key, each in value.items()}
        if len(named) < len(value):  # 1 and "1": both are kept
            return [[_plain(key), _plain(each)] for key, each in value.items()]
        return named
    if isinstance(value, set | frozenset):
        return sorted((_plain(each) for each in value), key=repr)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(float(value))
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a number of NumPy
        return _plain(value.item())
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _name(key: Any) -> str:
    """Return the key of a mapping as JSON has it."""
    plain = _plain(key)
    return plain if isinstance(plain, str) else json.dumps(plain)


class OutConsole(Console):
    """Standard output, without wrapping. Raises BrokenPipeError when the reader closes its pipe."""

    def __init__(self) -> None:
        super().__init__(soft_wrap=True)

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def count_of(number: int, thing: str) -> str:
    """Return a number with what it counts.

    >>> count_of(1, "file"), count_of(2, "file")
    ('1 file', '2 files')
    """
    return f"{number:,} {plural(number, thing)}"


def plural(number: int | None, thing: str) -> str:
    """Return the name of so many things; of a number that is not known, the plural.

    >>> plural(1, "file"), plural(0, "file"), plural(2, "address")
    ('file', 'files', 'addresses')
    """
    if number == 1:
        return thing
    return thing + ("es" if thing.endswith(("s", "sh", "ch", "x")) else "s")


def bytes_text(size: float) -> str:
    """Return a number of bytes for people: `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def time_text(seconds: float) -> str:
    """Return a duration for people.

    >>> [time_text(each) for each in (0.2, 42.4, 200, 7_000, 1e6)]
    ['under 1 s', '42 s', '3 min', '1.9 hours', '11.6 days']
    """
    if seconds < 1:
        return "under 1 s"
    for unit, long, digits in (("s", 1, 0), ("min", 60, 0), ("hours", 3600, 1)):
        if seconds < {"s": 59.5, "min": 3570, "hours": 100 * 3600}[unit]:
            return f"{seconds / long:.{digits}f} {unit}"
    return f"{seconds / 86_400:,.1f} days"


def counts_table(records: int, captures: int, rejects: Mapping[str, int], skipped: Mapping[str, int]) -> Table:
    """Return a table of what became of records: records = captures + rejects + skipped kinds."""
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("records read", f"{records:,}", style="bold")
    table.add_row("captures", f"{captures:,}")
    for title, counts in (("rejects", rejects), ("skipped kinds", skipped)):
        table.add_row(title, f"{sum(counts.values()):,}")
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            table.add_row(f"  {name}", f"{count:,}", style="dim")
    return table


def months_table(months: Mapping[str, int]) -> Table:
    """Return a table of captures by month, or by year where there are many months, with bars."""
    counts: dict[str, int] = {}
    for month, count in sorted(months.items(), key=lambda item: (item[0] == UNPROVEN, item[0])):
        key = _period(month, len(months))
        counts[key] = counts.get(key, 0) + count
    most = max(counts.values(), default=1)
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("year" if len(months) > _MONTHS_SHOWN else "month")
    table.add_column("captures", justify="right")
    table.add_column("")
    for key, count in counts.items():
        table.add_row(key, f"{count:,}", "█" * max(round(40 * count / most), 1))
    return table


def _period(month: str, months: int) -> str:
    return month if month == UNPROVEN or months <= _MONTHS_SHOWN else month[:4]


def duplicates_table(months: Mapping[str, Mapping[str, int]]) -> Table:
    """Return a table of the shares of captures whose text, or a near-duplicate of it, was seen before."""
    sums: dict[str, Counter[str]] = {}
    for month, counts in months.items():
        sums.setdefault(_period(month, len(months)), Counter()).update(counts)
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("year" if len(months) > _MONTHS_SHOWN else "month")
    for name in ("dated texts", "seen before", "near one seen before"):
        table.add_column(name, justify="right")
    for period, counts in sums.items():
        shares = (f"{counts[name] / max(counts['captures'], 1):.1%}" for name in ("exact", "near"))
        table.add_row(period, f"{counts['captures']:,}", *shares)
    return table
