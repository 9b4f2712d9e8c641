"""Prints a plan for people."""

from __future__ import annotations

from collections.abc import Callable

from rich import box
from rich.table import Table

from archive.capacity.arithmetic import Figure, PlanResult, Stage
from archive.capacity.rates import Rates, load
from archive.show import OutConsole, count_of

_COLUMNS = ("stage", "core h", "GPU h", "read", "kept", "requests", "days", "dollars")
_UNITS = ((1e18, "EB"), (1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"))


def print_plan(plan: PlanResult) -> None:
    """Print the stages, their sum, and the rates that they rest on."""
    known = load()
    console = OutConsole()
    console.print(
        f"{count_of(plan.crawls, 'crawl')} of {plan.years}, as {plan.subset.upper()}: "
        f"{_count(plan.pages.value)} captures, {_marked(plan.texts, known, _count)} texts", highlight=False,
    )  # fmt: skip
    gpus = f", {count_of(plan.gpus, 'GPU')} of {plan.gpu}" if plan.gpu else ""
    console.print(f"{count_of(plan.machines, 'machine')} {plan.machine}{gpus}\n", highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in _COLUMNS if plan.gpu else [each for each in _COLUMNS if each != "GPU h"]:
        table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=True)
    for stage in [*plan.stages, plan.total]:
        row = _row(stage, known)
        table.add_row(*(row if plan.gpu else row[:2] + row[3:]))
    console.print(table)
    console.print(f"{_marked(plan.monthly, known, _dollars)} a month for what is kept", highlight=False)
    console.print("\nRates (~ rests on an assumed one):", highlight=False)
    for rate in (known.rates[name] for name in plan.rates):
        console.print(f"  {rate.basis:9} {rate.value:>12,.6g} {rate.unit} ({rate.source})", highlight=False)
    console.print("  assumed   prices of machines, requests and the store: look them up", highlight=False)


def _row(stage: Stage, known: Rates) -> tuple[str, ...]:
    return (
        stage.name,
        _marked(stage.core_hours, known, _count),
        _marked(stage.gpu_hours, known, _count),
        _marked(stage.read, known, _bytes),
        _marked(stage.kept, known, _bytes),
        _marked(stage.gets + stage.puts, known, _count),
        _marked(stage.days, known, lambda days: f"{days:,.1f}"),
        _marked(stage.dollars, known, _dollars),
    )


def _marked(figure: Figure, known: Rates, text: Callable[[float], str]) -> str:
    if not figure.value:
        return ""
    assumed = any(known.rates[name].basis == "assumed" for name in figure.rates)
    return ("~" if assumed else "") + text(figure.value)


def _count(value: float) -> str:
    if value >= 1e9:
        return f"{value / 1e9:,.1f} bn"
    return f"{value / 1e6:,.1f} M" if value >= 1e6 else f"{value:,.0f}"


def _bytes(value: float) -> str:
    for size, name in _UNITS:
        if value >= size:
            return f"{value / size:,.1f} {name}"
    return f"{value:,.0f} B"


def _dollars(value: float) -> str:
    if value >= 1e6:
        return f"${value / 1e6:,.2f} M"
    return f"${value / 1e3:,.1f} k" if value >= 1e4 else f"${value:,.0f}"
