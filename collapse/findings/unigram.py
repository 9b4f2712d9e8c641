"""Whether an arm ends worse than a model that knows only how often each token occurs in real text.

Such a model has learned nothing of the order of words. A generation that is worse knows less of real text than a table
of frequencies does: whatever else its numbers say, it is of no use, and its further decline says little.
"""

from __future__ import annotations

import math

from collapse.findings.results import RunResults, Shortfall
from collapse.measures.metrics import held_out_loss, unigram_loss
from collapse.measures.spread import Interval, over_seeds
from collapse.regimes import START, Regime


def shortfall(results: RunResults, regime: Regime | str) -> Shortfall:
    """Compare the last generation of an arm with the frequencies of generation 0's real text."""
    courses = [_excess(results, regime, generation) for generation in range(results.last(regime) + 1)]
    last = courses[-1]
    since = next((n for n in range(len(courses)) if all(later.value > 0 for later in courses[n:])), None)
    worse = False if last.value <= 0 else True if last.low > 0 else None
    return Shortfall(last, None if math.isnan(last.value) else worse, since)


def _excess(results: RunResults, regime: Regime | str, generation: int) -> Interval:
    frequencies = results.values(START, 0, unigram_loss)
    return over_seeds(results.values(regime, generation, held_out_loss) - frequencies)
