"""How the numbers of an arm run over its generations, and when a change counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from collapse.measures.spread import Interval, Values, log_ratios, noise_floor, over_seeds

#: By seed, then by generation, from generation 0 on.
Table = Sequence[Sequence[float]]

#: Used in place of 0, which has no logarithm: less than any share that a run can measure.
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Course:
    """A number, 0 or above, over the generations of an arm and of the control that trains on real text."""

    arm: Table
    control: Table  #: of the arm `real`, with seeds and generations of its own; empty where it was not measured
    real: float = math.nan  #: of real text, for measures of what models wrote

    @property
    def generations(self) -> int:
        """The number of generations after generation 0; 0 without a seed."""
        return max(len(self.arm[0]) - 1, 0) if len(self.arm) else 0

    def mean(self, generation: int) -> float:
        """Return the mean over seeds; NaN without any."""
        return over_seeds([seed[generation] for seed in self.arm]).value

    def change(self, since: int = 0) -> Interval:
        """Return the log ratio of the last generation to an earlier one, paired by seed, with Student's interval."""
        return over_seeds(log_ratios(_values(self.arm)[:, since:])[:, -1]) if self.generations else _unknown()

    def floor(self) -> Interval:
        """Return how far chance moves it: the `noise_floor` of the control."""
        return noise_floor(_values(self.control)) if len(self.control) else _unknown()

    def rises(self, least: float = 0.0, since: int = 0) -> bool | None:
        """Return whether it has risen by more than chance and by more than `least`, a logarithm.

        True if the whole interval of the change is above the upper end of the noise floor, False if the change itself
        is not. None in between, and with fewer than two seeds or no control, since chance is then not known.
        """
        return _beyond(self.change(since), self.floor(), least)

    def falls(self, least: float = 0.0) -> bool | None:
        """Return whether it has fallen, by the same rule."""
        change = self.change()
        return _beyond(Interval(-change.value, -change.high, -change.low), self.floor(), least)

    def over(self, other: Course) -> Course:
        """Return the course of the ratio of two numbers that were measured on the same models."""
        arm = _values(self.arm) / _values(other.arm)
        return Course(arm.tolist(), (_values(self.control) / _values(other.control)).tolist())


@dataclass(frozen=True, slots=True)
class Courses:
    """The courses of one arm. Definitions that need one that was not measured stay open.

    Perplexities represent losses: the logarithm of their ratio is the difference of the losses in nats.
    """

    perplexity: Course  #: of held-out real text
    band_perplexity: Mapping[str, Course] = field(default_factory=dict)  #: bands from the rarest to the commonest
    #: How much of real text's tail is still written, by what was counted: `rarest tokens`, `rare 3-grams`.
    tail: Mapping[str, Course] = field(default_factory=dict)
    #: Measures that go to 0 as the written text becomes uniform: effective vocabulary (exp of the entropy), distinct
    #: n-grams, the standard deviation of the texts' losses under generation 0.
    variety: Mapping[str, Course] = field(default_factory=dict)
    #: The share of written texts to which generation 0 gives a perplexity above the 99 % quantile of real text's, as
    #: `spread.share`; `real` is that share of real texts.
    strange: Course | None = None
    #: How different texts about different things are: `distances.apartness` of texts that continue different domains,
    #: say.
    apart: Course | None = None


def _values(table: Table) -> Values:
    return np.maximum(np.array([*table], np.float64).reshape(len(table), -1 if len(table) else 0), _LEAST)


def _unknown() -> Interval:
    return Interval(math.nan, math.nan, math.nan)


def _beyond(change: Interval, floor: Interval, least: float) -> bool | None:
    if math.isnan(change.low) or math.isnan(floor.high):
        return None
    bar = max(floor.high, least)
    return change.low > bar or (None if change.value > bar else False)
