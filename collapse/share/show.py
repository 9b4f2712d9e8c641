"""Prints a result on a terminal: the estimates of all texts side by side, with what was refused in words."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from archive.errors import visible_line
from archive.show import OutConsole, count_of
from collapse.share.results import Point, Series, ShareResult
from collapse.share.wording import is_refused, number

#: A narrow terminal breaks the lines of a table that is wider. So many periods are shown, the last ones.
_WIDTH, _PERIODS = 110, 36
#: So many estimates of single strata are shown.
_STRATA = 12


def show(result: ShareResult, out: str | None) -> None:
    """Print a result for people.

    Args:
        out: where its files are.
    """
    console = OutConsole()
    console.width = max(console.width, _WIDTH)

    def line(text: str) -> None:
        console.print(visible_line(text), markup=False, highlight=False)

    line(result.headline)
    _table(console, _side_by_side(result.series))
    for sentence in _findings(result):
        line(sentence)
    for warning in result.warnings:
        line(f"warning: {warning}")
    number = len(result.strata)
    line(f"{count_of(result.texts, 'text')} counted, in {number:,} {'stratum' if number == 1 else 'strata'}")
    for why, count in result.left_out.items():
        if count:
            line(f"{count:>12,} left out: {why}")
    for name, reasons in result.machine_rejects.items():
        for reason, count in reasons.items():
            line(f"{count:>12,} rows of {name} not used: {reason}")
    if out is not None:
        line(out)


def _side_by_side(series: Sequence[Series]) -> list[Series]:
    """Return the first estimate of each method that is of all texts, where it is not refused as a whole."""
    found: dict[str, Series] = {}
    for each in series:
        if each.stratum is None and not each.panel and each.refused is None:
            found.setdefault(each.method, each)
    return list(found.values())


def _findings(result: ShareResult) -> list[str]:
    """Return what the series of all texts say, and of those of single strata the ones that say something."""
    overall, sentence, refused = [], [], 0
    for series, finding in zip(result.series, result.findings, strict=True):
        if series.stratum is None:
            overall.append(finding)
        elif is_refused(finding):
            refused += 1
        else:
            sentence.append(finding)
    rest = [f"… and {len(sentence) - _STRATA:,} more estimates of single strata"] if len(sentence) > _STRATA else []
    rest += [f"{refused:,} estimates of single strata are refused; --json and --out say why"] if refused else []
    return [*overall, *sentence[:_STRATA], *rest]


def _table(console: OutConsole, series: list[Series]) -> None:
    periods = sorted({point.month for each in series for point in each.points})
    if not periods:
        return
    by_period = [{point.month: point for point in each.points} for each in series]
    shown = Table(box=box.SIMPLE, pad_edge=False)
    shown.add_column("period", no_wrap=True)
    shown.add_column("texts", justify="right")
    for each in series:
        floor = f"\nfloor {number(each, each.floor)}" if each.floor is not None else "\nno floor"
        shown.add_column(f"{visible_line(each.title)}\n{each.unit}{floor}", justify="right", overflow="fold")
    for period in periods[-_PERIODS:]:
        points = [each.get(period) for each in by_period]
        texts = max(point.texts for point in points if point is not None)
        shown.add_row(period, f"{texts:,}", *(_cell(each, point) for each, point in zip(series, points, strict=True)))
    if len(periods) > _PERIODS:
        console.print(f"the last {_PERIODS} of {len(periods)} periods:", highlight=False)
    console.print(shown)


def _cell(series: Series, point: Point | None) -> str:
    if point is None:
        return ""
    if point.value is None:
        return "refused"
    return f"{number(series, point.value)} ({number(series, point.low)} to {number(series, point.high)})"
