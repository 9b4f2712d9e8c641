"""`results.json` read again: numbers by arm, seed and generation, and whether a change is more than chance.

A null, a missing arm or a missing measure is NaN here, never an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np

from collapse.measures.spread import Interval, Values, farthest, over_seeds
from collapse.measures.tails import UNSEEN
from collapse.regimes import CONTROL, START, Regime

#: Where the loss on held-out text stands, in nats for a token.
LOSS = ("held_out", "loss", "loss", "value")
_UNKNOWN = Interval(math.nan, math.nan, math.nan)

Path = tuple[str, ...]


class Call(Enum):
    """What a change comes to beside the noise floor."""

    MORE = "more than chance"
    LESS = "less than chance"
    SAME = "within the noise floor"
    OPEN = "reaches into the noise floor"
    UNKNOWN = "chance not known"


def call(change: Interval, floor: Interval) -> Call:
    """As `Course.rises`: only a whole interval beyond the upper end of the noise floor is no chance."""
    if math.isnan(change.low) or math.isnan(change.high) or math.isnan(floor.high):
        return Call.UNKNOWN
    if change.low > floor.high:
        return Call.MORE
    if change.high < -floor.high:
        return Call.LESS
    return Call.SAME if abs(change.value) <= floor.high else Call.OPEN


class Found:
    """What a run found."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        self.results = results
        self.recipe: Mapping[str, Any] = results["recipe"]
        self._rows = {(row["regime"], row["seed"], row["generation"]): row for row in results["generations"]}
        self.seeds = sorted({seed for _, seed, _ in self._rows})
        held = {name for name, _, generation in self._rows if generation > 0}
        #: Arms that have a generation after 0, in the order of the recipe.
        self.regimes = [Regime.parse(name) for name in self.recipe["regimes"] if name in held]
        #: By how many nats chance moves the loss on held-out text.
        self.noise = interval(results.get("noise_floor"))

    @property
    def arms(self) -> list[Regime]:
        """Arms over generations: without the control, the suspects and what these are compared with."""
        beside = [CONTROL, "suspect", *(arm.kind for arm in self.references)]
        return [regime for regime in self.regimes if regime.kind not in beside]

    @property
    def references(self) -> list[Regime]:
        """What suspects are compared with beside the control: other real text."""
        return [regime for regime in self.regimes if regime.kind == "fresh"] if self.suspects else []

    @property
    def suspects(self) -> list[Regime]:
        """By the share of suspect text."""
        found = [regime for regime in self.regimes if regime.kind == "suspect"]
        return sorted(found, key=lambda regime: regime.share or 0.0)

    @property
    def writers(self) -> list[Regime]:
        """Arms whose models wrote something that was measured."""
        return [regime for regime in self.regimes if "written" in self.row(str(regime), 1)]

    @property
    def writing(self) -> list[Regime]:
        """Those of `arms`."""
        return [regime for regime in self.writers if regime in self.arms]

    def row(self, regime: str, generation: int) -> Mapping[str, Any]:
        """A generation of the first seed; empty where there is none."""
        row: Mapping[str, Any] = self._rows.get((regime, self.seeds[0], generation), {}) if self.seeds else {}
        return row

    def last(self, regime: Regime | str) -> int:
        return max((generation for name, _, generation in self._rows if name == str(regime)), default=0)

    def values(self, regime: Regime | str, generation: int, *path: str) -> Values:
        """A number of each seed; generation 0 is that of every arm."""
        name = START if generation == 0 else str(regime)
        return np.array([at(self._rows.get((name, seed, generation)), *path) for seed in self.seeds], np.float64)

    def mean(self, regime: Regime | str, generation: int, *path: str) -> Interval:
        return over_seeds(self.values(regime, generation, *path))

    def change(self, regime: Regime | str, generation: int, *path: str, less: Path | None = None) -> Interval:
        """A number less that of generation 0, paired by seed: of a loss, the logarithm of the ratio of perplexities.

        Args:
            less: another number, which is taken off before.
        """
        return over_seeds(self._moved(regime, generation, path, less))

    def between(self, regime: Regime, other: Regime, generation: int, *path: str) -> Interval:
        """A number of one arm less that of another, paired by seed."""
        return over_seeds(self.values(regime, generation, *path) - self.values(other, generation, *path))

    def floor(self, *path: str, less: Path | None = None) -> Interval:
        """How far chance moves a number from generation 0: the largest change of the control."""
        generations = range(1, self.last(CONTROL) + 1)
        moved = [self._moved(CONTROL, generation, path, less) for generation in generations]
        return farthest(np.array(moved).T) if moved else _UNKNOWN

    def names(self, *path: str) -> list[str]:
        """The parts that all generations have under a path, as bands or domains, in the order of generation 0."""
        found = [_under(row, path) for row in self._rows.values()]
        return [name for name in _under(self.row(START, 0), path) if all(name in names for names in found)]

    def bands(self) -> list[str]:
        """Of tokens, from the rarest to the commonest; without those that generation 0 never saw."""
        return [name for name in self.names("held_out", "bands") if name != UNSEEN]

    def start(self, *path: str) -> Interval:
        """A number of generation 0."""
        return self.mean(START, 0, *path)

    def histogram(self, regime: Regime | str, generation: int, kind: str = "written") -> Values:
        """Texts by their mean loss under generation 0, of all seeds together; empty where there are none."""
        name = START if generation == 0 else str(regime)
        rows = [self._rows.get((name, seed, generation)) for seed in self.seeds]
        counts = [row[kind]["surprise"]["histogram"] for row in rows if row and kind in row]
        return np.sum(counts, axis=0, dtype=np.float64) if counts else np.empty(0)

    def _moved(self, regime: Regime | str, generation: int, path: Path, less: Path | None) -> Values:
        moved = self.values(regime, generation, *path) - self.values(regime, 0, *path)
        return moved - self._moved(regime, generation, less, None) if less else moved


def at(row: Any, *path: str) -> float:
    """The number under a path, in which a place in a list is `0`, `1` and so on; NaN where there is none."""
    for name in path:
        if isinstance(row, Sequence) and name.isdecimal() and int(name) < len(row):
            row = row[int(name)]
        elif isinstance(row, Mapping) and name in row:
            row = row[name]
        else:
            return math.nan
    return float(row) if isinstance(row, int | float) else math.nan


def interval(found: Mapping[str, float | None] | None) -> Interval:
    """An interval as JSON has it."""
    return Interval(at(found, "value"), at(found, "low"), at(found, "high"))


def _under(row: Any, path: Path) -> Mapping[str, Any]:
    for name in path:
        row = row.get(name) or {}
    return row if isinstance(row, Mapping) else {}
