"""The results of a run, typed, as `results.json` holds them; and whether a change is more than chance.

A metric that is missing, and an arm or a generation that the run does not have, is NaN, never an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import numpy as np

from archive.errors import CollapseError
from collapse.corpus.report import SetReport
from collapse.json_form import from_json, to_json
from collapse.measures.definitions import Finding
from collapse.measures.metrics import GenerationMetrics, Metric, PartKind, TextKind
from collapse.measures.spread import Interval, Values, farthest, over_seeds
from collapse.measures.tails import UNSEEN
from collapse.recipe import Recipe
from collapse.regimes import CONTROL, START, Regime

#: Of `results.json`. Version 1 had no number, and `strange` was a list.
VERSION = 2
#: Shares of written text that make a curve.
_DOSES = 3
_UNKNOWN = Interval(math.nan, math.nan, math.nan)


class Comparison(Enum):
    """How a change compares with the noise floor."""

    MORE = "more than chance"
    LESS = "less than chance"
    SAME = "within the noise floor"
    OPEN = "reaches into the noise floor"
    UNKNOWN = "chance not known"


def compare(change: Interval, floor: Interval) -> Comparison:
    """Compare a change with the noise floor.

    It is more than chance if its whole interval is beyond the upper end of the floor.
    """
    if math.isnan(change.low) or math.isnan(change.high) or math.isnan(floor.high):
        return Comparison.UNKNOWN
    if change.low > floor.high:
        return Comparison.MORE
    if change.high < -floor.high:
        return Comparison.LESS
    return Comparison.SAME if abs(change.value) <= floor.high else Comparison.OPEN


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The last generation of an arm, compared with a model that knows only how often each token occurs in real text."""

    excess: Interval  #: of its loss on held-out text over that model's, nats per token, paired by seed
    worse: bool | None  #: None: it is worse in the mean, but the interval does not show it; or not measured
    since: int | None  #: the first of the generations that are all worse, up to the last, in the mean


@dataclass(frozen=True, slots=True)
class StartSummary:
    """Generation 0, over seeds."""

    loss: Interval
    unigram: Interval = _UNKNOWN  #: the loss of a model that knows only how often each token occurs in its text


@dataclass(frozen=True, slots=True)
class GenerationSummary:
    """A generation of an arm, over seeds."""

    generation: int
    loss: Interval  #: on held-out text, in nats per token
    perplexity: float
    ratio: Interval  #: of the perplexity to that of generation 0
    bands: dict[str, Interval]  #: the same for the tokens of each frequency band


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """An arm, over seeds."""

    generations: list[GenerationSummary]
    definitions: list[Finding]  #: which definitions of collapse the arm meets
    shortfall: Shortfall | None = None  #: the last generation, compared with that model


@dataclass(frozen=True, slots=True)
class PaperResult:
    """What a paper reports (`collapse.recipe.Paper`), and the same as this run measured it."""

    what: str
    reported: float  #: NaN where that is a word
    measure: str
    regime: str
    generation: int
    measured: float  #: NaN if the run has no such arm or generation
    interval: Interval = _UNKNOWN  #: of `measured`, over seeds
    says: str = ""
    against: str = ""
    source: str = ""
    agrees: str = "open"  #: yes, in direction, no or open
    because: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts that a generation wrote, the first of the first seed; or the prompts, the real text, the suspect text."""

    regime: str  #: or `start`, `prompt`, `text`, `suspect`
    generation: int | None
    texts: list[str]


@dataclass(frozen=True, kw_only=True)
class RunResults:
    """What a run found. `results.json` has these fields."""

    version: int = VERSION  #: of this form
    recipe: Recipe  #: all settings of the run
    set: SetReport  #: what was read, held out and left out
    parameters: int  #: of the model
    edges: list[float]  #: of the histograms of texts by their mean loss under generation 0, in nats
    noise_floor: Interval | None  #: of the loss on held-out text, in nats; None without the arm `real`
    start: StartSummary  #: generation 0, over seeds
    arms: dict[str, ArmSummary]  #: by regime: each generation over seeds, and the definitions of collapse
    paper: list[PaperResult]  #: figures that a paper reports, and the same of this run
    samples: list[Sample]  #: texts of each generation
    generations: list[GenerationMetrics]  #: of every arm and seed

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> RunResults:
        """Read the content of `results.json`.

        Raises:
            CollapseError: a newer version wrote it.
        """
        if (version := content.get("version", 1)) > VERSION:
            raise CollapseError(f"results of version {version}: this program reads versions up to {VERSION}")
        results: RunResults = from_json(RunResults, {**content, "version": VERSION})
        return results

    def to_json(self) -> dict[str, Any]:
        """Return the content of `results.json`."""
        content: dict[str, Any] = to_json(self)
        return content

    @cached_property
    def _rows(self) -> dict[tuple[str, int, int], GenerationMetrics]:
        return {(row.regime, row.seed, row.generation): row for row in self.generations}

    @cached_property
    def seeds(self) -> list[int]:
        return sorted({row.seed for row in self.generations})

    @cached_property
    def regimes(self) -> list[Regime]:
        """The arms that have a generation after 0, in the order of the recipe."""
        trained = {row.regime for row in self.generations if row.generation > 0}
        return [regime for regime in self.recipe.parsed_regimes() if str(regime) in trained]

    @property
    def noise(self) -> Interval:
        """By how many nats chance moves the loss on held-out text; NaN where that was not measured."""
        return self.noise_floor or _UNKNOWN

    @property
    def tested(self) -> list[Regime]:
        """The arms that may collapse: without the control, the suspect arms and what these are compared with."""
        others = [CONTROL, "suspect", *(arm.kind for arm in self.references)]
        return [regime for regime in self.regimes if regime.kind not in others]

    @property
    def references(self) -> list[Regime]:
        """The arms of other real text, with which suspect arms are compared; none without suspects."""
        return [regime for regime in self.regimes if regime.kind == "fresh"] if self.suspects else []

    @property
    def suspects(self) -> list[Regime]:
        """The suspect arms, by their share of suspect text."""
        suspects = [regime for regime in self.regimes if regime.kind == "suspect"]
        return sorted(suspects, key=lambda regime: regime.share or 0.0)

    @property
    def doses(self) -> dict[float, Regime]:
        """The arms by the share of their text that is suspect; without a suspect set, by the share that models wrote.

        Empty where too few arms differ only in that share.
        """
        if self.suspects:
            return {arm.share: arm for arm in self.suspects if arm.share}
        mixed = [arm for arm in self.regimes if arm.kind in ("mix", "replace")]
        shares = {round(1 - (arm.share or 0.0), 12): arm for arm in mixed}
        return {share: arm for share, arm in sorted(shares.items()) if share} if len(shares) >= _DOSES else {}

    @property
    def writers(self) -> list[Regime]:
        """The arms whose models wrote something that was measured."""
        return [regime for regime in self.regimes if (row := self.row(str(regime), 1)) and row.written]

    @property
    def writing(self) -> list[Regime]:
        """The arms that are both `tested` and `writers`."""
        return [regime for regime in self.writers if regime in self.tested]

    def row(self, regime: str, generation: int) -> GenerationMetrics | None:
        """Return a generation of the first seed, if there is one."""
        return self._rows.get((regime, self.seeds[0], generation)) if self.seeds else None

    def last(self, regime: Regime | str) -> int:
        """Return the number of an arm's last generation."""
        return max((row.generation for row in self.generations if row.regime == str(regime)), default=0)

    def values(self, regime: Regime | str, generation: int, metric: Metric) -> Values:
        """Return a metric for each seed; generation 0 is shared by all arms."""
        name = START if generation == 0 else str(regime)
        rows = [self._rows.get((name, seed, generation)) for seed in self.seeds]
        return np.array([metric(row) if row else math.nan for row in rows], np.float64)

    def mean(self, regime: Regime | str, generation: int, metric: Metric) -> Interval:
        """Return the mean of a metric over seeds."""
        return over_seeds(self.values(regime, generation, metric))

    def at_start(self, metric: Metric) -> Interval:
        """Return the mean of a metric of generation 0."""
        return self.mean(START, 0, metric)

    def change(self, regime: Regime | str, generation: int, metric: Metric, less: Metric | None = None) -> Interval:
        """Return a metric less that of generation 0, paired by seed; of a loss, the log of the ratio of perplexities.

        Args:
            less: a metric whose change is subtracted.
        """
        return over_seeds(self._moved(regime, generation, metric, less))

    def between(self, regime: Regime, other: Regime, generation: int, metric: Metric) -> Interval:
        """Return a metric of one arm less that of another, paired by seed."""
        return over_seeds(self.values(regime, generation, metric) - self.values(other, generation, metric))

    def floor(self, metric: Metric, less: Metric | None = None) -> Interval:
        """Return how far chance moves a metric from generation 0: the largest change of the control."""
        generations = range(1, self.last(CONTROL) + 1)
        moved = [self._moved(CONTROL, generation, metric, less) for generation in generations]
        return farthest(np.array(moved).T) if moved else _UNKNOWN

    def names(self, kind: PartKind) -> list[str]:
        """Return the parts of the held-out text that all generations have, in the order of generation 0."""
        first = self.row(START, 0)
        known = [row.held_out.parts(kind) for row in self.generations]
        return [name for name in first.held_out.parts(kind) if all(name in each for each in known)] if first else []

    def bands(self) -> list[str]:
        """Return the frequency bands, from the rarest to the commonest, without tokens that generation 0 never saw."""
        return [name for name in self.names("bands") if name != UNSEEN]

    def histogram(self, regime: Regime | str, generation: int, kind: TextKind = "written") -> Values:
        """Return the texts by their mean loss under generation 0, over all seeds; empty where there are none."""
        name = START if generation == 0 else str(regime)
        rows = [self._rows.get((name, seed, generation)) for seed in self.seeds]
        counts = [text.surprise.histogram for row in rows if row and (text := row.text(kind))]
        return np.sum(counts, axis=0, dtype=np.float64) if counts else np.empty(0)

    def _moved(self, regime: Regime | str, generation: int, metric: Metric, less: Metric | None) -> Values:
        moved = self.values(regime, generation, metric) - self.values(regime, 0, metric)
        return moved - self._moved(regime, generation, less, None) if less else moved
