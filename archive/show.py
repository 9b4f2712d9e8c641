"""Tables for a terminal, shared by the commands."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.table import Table

from archive.dates import UNPROVEN

#: More months than this are shown by year.
_MONTHS_SHOWN = 24


def bytes_text(size: float) -> str:
    """A number of bytes for people: `12.3 MB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def counts_table(records: int, captures: int, rejects: Mapping[str, int], skipped: Mapping[str, int]) -> Table:
    """The sum of a lake or an ingest: records = captures + rejects + skipped kinds."""
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
    """Captures by month (by year, where the months are many), with bars."""
    by_year = len(months) > _MONTHS_SHOWN
    counts: dict[str, int] = {}
    for month, count in sorted(months.items(), key=lambda item: (item[0] == UNPROVEN, item[0])):
        key = month if month == UNPROVEN or not by_year else month[:4]
        counts[key] = counts.get(key, 0) + count
    most = max(counts.values(), default=1)
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("year" if by_year else "month")
    table.add_column("captures", justify="right")
    table.add_column("")
    for key, count in counts.items():
        table.add_row(key, f"{count:,}", "█" * max(round(40 * count / most), 1))
    return table
