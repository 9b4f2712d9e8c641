"""Whether B is outside of what the halves of A give."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.stats import t

from collapse.probe.classifier import Auc
from collapse.probe.measure import Measured
from collapse.probe.results import Probe
from collapse.probe.wording import AUC_GRAMS, AUC_VECTORS, MEASURES

#: Digits after the point: other machines differ in the last ones.
_DIGITS = 6
_LEVEL = 0.95


def judge(measured: Sequence[Measured], not_run: Mapping[str, str]) -> tuple[Probe, ...]:
    """Return each measure for B, and for the halves of A.

    Args:
        not_run: why a measure was not run, by its code.
    """
    return tuple(
        _unmeasured(code, not_run[code])
        if code in not_run
        else _classifier(code, measured)
        if code in (AUC_GRAMS, AUC_VECTORS)
        else _difference(code, measured)
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


def limits_of(null: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of values, and where one more is expected with a probability of 95 %: Student's t."""
    mean, spread = float(np.mean(null)), float(np.std(null, ddof=1))
    reach = float(t.ppf((1 + _LEVEL) / 2, len(null) - 1)) * spread * math.sqrt(1 + 1 / len(null))
    return mean, mean - reach, mean + reach


def _classifier(code: str, measured: Sequence[Measured]) -> Probe:
    sets, halves = [each.sets[code] for each in measured], [each.halves[code] for each in measured]
    auc = Auc(
        float(np.mean([each.value for each in sets])),
        float(np.mean([each.variance for each in sets])),  # of one: the divisions share their texts
        min(each.sites for each in sets),
    )
    low, high = auc.interval
    return _probe(code, None, None, auc.value, [each.value for each in halves], low, high)


def _difference(code: str, measured: Sequence[Measured]) -> Probe:
    def column(of: Callable[[Measured], dict[str, float]]) -> np.ndarray:
        return np.array([of(each)[code] for each in measured])

    held, y, b = column(lambda each: each.held), column(lambda each: each.y), column(lambda each: each.b)
    if not np.isfinite(np.concatenate([held, y, b])).all():
        return _unmeasured(code, "one of the sets has nothing that it measures")
    return _probe(code, float(held.mean()), float(b.mean()), float((b - held).mean()), list(y - held), None, None)


def _probe(
    code: str,
    a: float | None,
    b: float | None,
    value: float,
    null: Sequence[float],
    low: float | None,
    high: float | None,
) -> Probe:
    wording = MEASURES[code]
    mean, null_low, null_high = limits_of(null)
    outside = not null_low - 1e-9 <= value <= null_high + 1e-9
    return Probe(
        code=code,
        title=wording.title,
        unit=wording.unit,
        a=_round(a),
        b=_round(b),
        value=_round(value),
        low=_round(low),
        high=_round(high),
        null=_round(mean),
        null_low=_round(null_low),
        null_high=_round(null_high),
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
