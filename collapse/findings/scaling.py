"""Whether more text, or a larger model, helps less with what models wrote: two runs that differ in size.

With real text the loss falls as the set grows. If with written text it falls by less, what the arm loses to generation
0 grows with the size of the set: the law by which text lowers the loss has changed (Dohmatob et al. 2024,
arXiv:2402.07043 and 2410.04840). The difference of two differences needs no fit. Two sizes cannot show a law's form.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from archive.errors import CollapseError
from collapse.findings import wording
from collapse.findings.results import Comparison, RunResults, compare
from collapse.measures.definitions import DEFINITIONS, Finding
from collapse.measures.metrics import held_out_loss
from collapse.measures.spread import CONFIDENCE, Interval, Values
from collapse.regimes import Regime

_DEFINITION = next(definition for definition in DEFINITIONS if definition.code == "scaling")
#: What two runs may differ in: their size, and what keeps the number of steps the same.
_SIZES = {"model", "blocks", "epochs", "batch", "seeds", "seed", "title", "source", "paper", "learning_rate"}
_BEYOND = {Comparison.MORE: True, Comparison.LESS: False, Comparison.SAME: False}


def scaling(small: RunResults, large: RunResults) -> dict[str, tuple[Interval, Finding]]:
    """Return by how many nats each arm loses more in the larger run, and whether that is more than chance.

    The seeds of two runs have nothing in common, so the interval is Welch's for two independent means. The noise floor
    is the sum of both runs' floors.

    Raises:
        CollapseError: the runs differ in more than their size, or have no arm in common.
    """
    differ = [
        name
        for name in small.recipe.__slots__
        if name not in _SIZES and getattr(small.recipe, name) != getattr(large.recipe, name) and name != "regimes"
    ]
    if small.set.vocabulary != large.set.vocabulary:
        differ.append("the size of their vocabulary")
    if differ:
        raise CollapseError(f"the two runs differ in {', '.join(differ)}; only their sizes may differ")
    both = [arm for arm in small.tested if arm in large.tested]
    if not both:
        raise CollapseError("the two runs have no arm in common")
    floor = small.noise.high + large.noise.high
    found = {}
    for arm in both:
        change = _more(_changes(small, arm), _changes(large, arm))
        holds = _BEYOND.get(compare(change, Interval(math.nan, math.nan, floor)))
        because = f"loses {change.value:+.3f} nats more in the larger run"
        if not math.isnan(change.low):
            because += f" (95 %: {change.low:+.3f} to {change.high:+.3f}; by chance up to {wording.number(floor)})"
        found[str(arm)] = (change, Finding(_DEFINITION.code, _DEFINITION.title, holds, because))
    return found


def _changes(results: RunResults, arm: Regime) -> Values:
    """Return what an arm's last generation loses to generation 0 in each seed, in nats."""
    return results.values(arm, results.last(arm), held_out_loss) - results.values(arm, 0, held_out_loss)


def _more(small: Values, large: Values) -> Interval:
    """Return the difference of two means with Welch's interval; no interval where a run has one seed."""
    value = float(large.mean() - small.mean())
    parts = np.array([each.var(ddof=1) / len(each) if len(each) > 1 else math.nan for each in (small, large)])
    error = float(parts.sum())
    if math.isnan(error):
        return Interval(value, math.nan, math.nan)
    if error == 0:
        return Interval(value, value, value)
    freedom = error**2 / float((parts**2 / np.array([len(small) - 1, len(large) - 1])).sum())
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(error)
    return Interval(value, value - half, value + half)
