"""What a comparison of two sets returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["site", "text"]
Period = Literal["month", "quarter", "year"]


@dataclass(frozen=True, slots=True)
class SetUse:
    """What was read of a set, and what is compared."""

    name: str
    texts: int  #: that were read
    usable: int  #: that could be drawn
    sites: int  #: that these are from; a text without a URL is a site of its own
    left_out: dict[str, int]  #: reason -> texts that were not usable
    unmatched: int  #: usable texts that no comparison has: the other set has too few of their length or period
    rejects: dict[str, int]  #: what could not be read, by reason (docs/reference/codes.md)
    is_sample: bool  #: whether the set has more texts than were read


@dataclass(frozen=True, slots=True)
class Probe:
    """One measure: B against A, and one half of A against the other."""

    code: str
    title: str
    unit: str
    a: float | None  #: of texts of A that nothing was fitted on; None where the measure is of both sets together
    b: float | None  #: of as many texts of B
    value: float | None  #: what is compared: the AUC, or b - a; the mean over the divisions of A
    low: float | None  #: 95 % interval of an AUC; None for other measures
    high: float | None
    null: float | None  #: the mean of the same value where both sides are halves of A
    null_low: float | None  #: where `value` is expected in 95 % of cases if B's texts are more of A's
    null_high: float | None
    null_values: tuple[float, ...]  #: one for each division of A
    outside: bool | None  #: whether `value` is outside of null_low to null_high; None: not measured
    says: str  #: what the number means
    distrust: str  #: when not to believe it
    not_run: str | None = None  #: why there is no number


@dataclass(frozen=True, slots=True)
class Topic:
    """A cluster of A's texts of which B has clearly less, or clearly more."""

    words: tuple[str, ...]  #: typical of it
    a: float  #: share of A's texts
    b: float  #: share of B's texts


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How set B differs from set A."""

    a: SetUse
    b: SetUse
    same: bool  #: A and B are the same texts: one part of them was compared with the rest
    texts: int  #: on each side of a comparison
    words: int  #: of each text, the first ones
    by: Unit  #: what is never on two sides: a site, or a text with those that share words with it
    lengths: int  #: classes of length within which texts are drawn; 1: without regard to their lengths before the cut
    period: Period | None  #: within which texts are drawn; None: without regard to dates
    divisions: int  #: how often A was divided into halves
    encoder: str | None  #: whose vectors were used
    seed: int
    probes: tuple[Probe, ...]
    thin: tuple[Topic, ...]  #: topics of which B has less than half of A's share, by more than chance
    thick: tuple[Topic, ...]  #: topics of which B has more than double
    summary: str  #: how many of the measures are outside, in words
    warnings: tuple[str, ...]
    limits: tuple[str, ...]  #: what no such comparison can say
    report: str | None = None  #: the path of report.html
