"""Whether B is outside of what the halves of A give.

Half Y of A and the texts of half X that nothing was fitted on are interchangeable. So a difference of the two is 0 on
average, and an AUC 0.5. How far single values are from that shows how much they vary. B's value is the mean over all
divisions, which draw other texts of A and of B each time. So it varies less than a single one. The variance of a
difference of two means of n texts is proportional to 2/n, and that of all texts that were drawn to 1/a + 1/b: this part
of the variance is left, and of the rest a K-th with K divisions. `benchmarks/probe.py` measures how often such a range
is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from collapse.probe.classifier import Auc
from collapse.probe.measure import Measured
from collapse.probe.results import Probe
from collapse.probe.wording import AUC_GRAMS, AUC_VECTORS, MEASURES, RATES

#: Digits after the point: other machines differ in the last ones.
_DIGITS = 6
_LEVEL, _CHANCE = 0.95, 0.5
#: Occurrences on one side that may be chance where the other side has none (95 %, Poisson).
_FEW = 3
#: Values that differ by less are equal.
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many texts there are: of A and of B in any division, on a side, and of these, not fitted on."""

    a: int
    b: int
    side: int
    held: int
    words: int  #: of a text

    def left(self, size: int, divisions: int) -> float:
        """Return the part of the variance of a value of so many texts that is left in the mean over the divisions."""
        part = min(size * (1 / self.a + 1 / self.b) / 2, 1.0)
        return part + (1 - part) / divisions


def judge(measured: Sequence[Measured], sizes: Sizes, not_run: Mapping[str, str]) -> tuple[Probe, ...]:
    """Return each measure for B, and for the halves of A.

    Args:
        not_run: why a measure was not run, by its code.
    """
    return tuple(
        _unmeasured(code, not_run[code])
        if code in not_run
        else _classifier(code, measured, sizes)
        if code in (AUC_GRAMS, AUC_VECTORS)
        else _difference(code, measured, sizes)
        for code in MEASURES
    )


def summary(probes: Sequence[Probe]) -> str:
    """Say how many measures are outside, and how many would be by chance."""
    run = [probe for probe in probes if probe.outside is not None]
    outside = [probe for probe in run if probe.outside]
    names = ", ".join(probe.code for probe in outside)
    count = f"{len(outside)} of {len(run)} measures are outside of what the halves of A give"
    expected = "each of them is by chance in one case of 20, and some go together"
    return f"{count}{': ' + names if names else ''}; {expected}."


def expected(null: Sequence[float], centre: float, left: float) -> tuple[float, float]:
    """Return where a value is expected with a probability of 95 %: Student's t about a mean that is known."""
    spread = math.sqrt(float(np.mean((np.array(null) - centre) ** 2)) * left)
    reach = float(t.ppf((1 + _LEVEL) / 2, len(null))) * spread
    return centre - reach, centre + reach


def _classifier(code: str, measured: Sequence[Measured], sizes: Sizes) -> Probe:
    sets, halves = [each.sets[code] for each in measured], [each.halves[code] for each in measured]
    left = sizes.left(sizes.side, len(measured))
    auc = Auc(
        float(np.mean([each.value for each in sets])),
        float(np.mean([each.variance for each in sets])) * left,
        min(each.sites for each in sets),
    )
    null = [each.value for each in halves]
    return _probe(code, None, None, auc.value, null, expected(null, _CHANCE, left), auc.interval)


def _difference(code: str, measured: Sequence[Measured], sizes: Sizes) -> Probe:
    def column(of: Callable[[Measured], dict[str, float]]) -> NDArray[np.float64]:
        return np.array([of(each)[code] for each in measured])

    held, y, b = column(lambda each: each.held), column(lambda each: each.y), column(lambda each: each.b)
    if not np.isfinite(np.concatenate([held, y, b])).all():
        return _unmeasured(code, "one of the sets has nothing that it measures")
    null = list(y - held)
    limits = expected(null, 0.0, sizes.left(sizes.held, len(measured)))
    if code in RATES:  # where A has next to none, its halves do not vary
        least = _FEW * 1_000 / (sizes.held * sizes.words)
        limits = min(limits[0], -least), max(limits[1], least)
    return _probe(code, float(held.mean()), float(b.mean()), float((b - held).mean()), null, limits, (None, None))


def _probe(
    code: str,
    a: float | None,
    b: float | None,
    value: float,
    null: Sequence[float],
    limits: tuple[float, float],
    interval: tuple[float | None, float | None],
) -> Probe:
    wording = MEASURES[code]
    outside = not limits[0] - _EQUAL <= value <= limits[1] + _EQUAL
    return Probe(
        code=code,
        title=wording.title,
        unit=wording.unit,
        a=_round(a),
        b=_round(b),
        value=_round(value),
        low=_round(interval[0]),
        high=_round(interval[1]),
        null=_round(float(np.mean(null))),
        null_low=_round(limits[0]),
        null_high=_round(limits[1]),
        null_values=tuple(round(float(each), _DIGITS) for each in null),
        outside=outside,
        says=wording.says,
        distrust=wording.distrust,
    )


def _unmeasured(code: str, why: str) -> Probe:
    wording = MEASURES[code]
    return Probe(
        code=code,
        title=wording.title,
        unit=wording.unit,
        a=None,
        b=None,
        value=None,
        low=None,
        high=None,
        null=None,
        null_low=None,
        null_high=None,
        null_values=(),
        outside=None,
        says=wording.says,
        distrust=wording.distrust,
        not_run=why,
    )


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)
