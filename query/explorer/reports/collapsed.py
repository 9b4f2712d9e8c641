"""A run of `archive collapse`: the numbers of its `results.json`. Its own page, `report.html`, is only named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive.show import count_of
from query.explorer.reports.bounded import read_json, some

RESULTS, REPORT, RUN = "results.json", "report.html", "run.json"


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over seeds with its interval; null: not known."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of an arm."""

    generation: int
    loss: Mean  #: on held-out text, in nats per token
    ratio: Mean  #: of the perplexity to that of generation 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A definition of collapse, and whether the arm meets it."""

    title: str
    holds: bool | None  #: null: the run cannot tell
    because: str


@dataclass(frozen=True, slots=True)
class Arm:
    """An arm of a run."""

    regime: str
    generations: tuple[Generation, ...]
    definitions: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class CollapseReport:
    """What a run found."""

    title: str
    source: str
    model: str
    parameters: int
    seeds: int
    set: str  #: the data set
    noise_floor: Mean | None  #: how far chance moves the loss on held-out text, in nats
    start: Mean  #: the loss of generation 0
    arms: tuple[Arm, ...]
    page: str | None  #: where the run's own report is


def read(folder: Path) -> tuple[str, CollapseReport]:
    """Return the headline of a run, and its numbers.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError: its results cannot be read.
    """
    results = read_json(folder, RESULTS)
    recipe = results["recipe"]
    arms = tuple(_arm(name, each) for name, each in results["arms"].items())
    floor = results.get("noise_floor")
    page = folder / REPORT
    report = some(
        CollapseReport,
        {"title": recipe.get("title") or "", "source": recipe.get("source") or "", "model": recipe["model"]},
        parameters=results["parameters"],
        seeds=recipe["seeds"],
        set=results["set"]["name"],
        noise_floor=None if floor is None else some(Mean, floor),
        start=some(Mean, results["start"]["loss"]),
        arms=arms,
        page=str(page) if page.is_file() else None,
    )
    return _headline(report), report


def _arm(regime: str, stated: Any) -> Arm:
    generations = tuple(
        some(Generation, each, loss=some(Mean, each["loss"]), ratio=some(Mean, each["ratio"]))
        for each in stated["generations"]
    )
    return Arm(regime, generations, tuple(some(Finding, each) for each in stated["definitions"]))


def _headline(report: CollapseReport) -> str:
    """Return the arm that lost most, by the perplexity of its last generation."""
    last = [(each.generations[-1], each.regime) for each in report.arms if each.generations]
    moved = [(each.ratio.value, each.generation, regime) for each, regime in last if each.ratio.value is not None]
    named = report.title or "A collapse test"
    if not moved:
        return f"{named}: {count_of(len(report.arms), 'arm')}"
    ratio, generation, regime = max(moved)
    return f"{named}: perplexity {ratio:.3g} times that of generation 0, in generation {generation} of {regime}"
