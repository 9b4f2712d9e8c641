"""Prints a comparison."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.table import Table

from archive.errors import visible_line
from archive.show import OutConsole
from collapse.probe.results import ProbeResult
from collapse.probe.table import HEAD, LEGEND, cells, how

#: The least width of the table: a narrow terminal breaks its lines. And topics that are listed.
_WIDTH, _TOPICS = 120, 5


def show(result: ProbeResult) -> None:
    """Print a comparison for people."""
    console = OutConsole()
    console.width = max(console.width, _WIDTH)

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    for line in _sets(result):
        say(line)
    shown = Table(box=box.SIMPLE_HEAD)
    for column, title in enumerate(HEAD):
        shown.add_column(title, justify="right" if 1 < column < 7 else "left")
    for probe in result.probes:
        shown.add_row(probe.code, probe.unit, *cells(probe))
    console.print(shown)
    for line in _notes(result):
        say(line)


def _sets(result: ProbeResult) -> Iterator[str]:
    for name, each in (("A", result.a), ("B", result.b)):
        lost = {**each.left_out, "unmatched": each.unmatched, **each.rejects}
        counts = "".join(f", {count:,} {reason}" for reason, count in lost.items() if count)
        yield f"{name}: {visible_line(each.name)}: {each.usable:,} usable of {each.texts:,} texts{counts}"
    yield how(result)


def _notes(result: ProbeResult) -> Iterator[str]:
    yield LEGEND
    for probe in result.probes:
        if probe.not_run:
            yield f"{probe.code} was not run: {probe.not_run}"
    for topic in result.thin[:_TOPICS]:
        yield f"less in B: {visible_line(', '.join(topic.words))}: {topic.a:.1%} of A, {topic.b:.1%} of B"
    for topic in result.thick[:_TOPICS]:
        yield f"more in B: {visible_line(', '.join(topic.words))}: {topic.a:.1%} of A, {topic.b:.1%} of B"
    yield result.summary
    if any(probe.outside for probe in result.probes):
        yield "When not to believe them:"
    for probe in result.probes:
        if probe.outside:
            yield f"  {probe.code}: {probe.distrust}"
    yield from result.warnings
    yield from result.limits
    if result.report:
        yield result.report
