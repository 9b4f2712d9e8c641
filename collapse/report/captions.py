"""Sentences that several captions share: the intervals, the noise floor."""

from __future__ import annotations

import math

from collapse.findings import wording
from collapse.findings.results import RunResults


def intervals(results: RunResults, what: str) -> str:
    """Describe the intervals; `what` begins the sentence, as in `Shaded are`."""
    if len(results.seeds) < 2:
        return "With one seed there are no intervals."
    return f"{what} 95 % intervals over {wording.counted(len(results.seeds), 'seed')} (Student's t)."


def floor(results: RunResults) -> str:
    """Describe the grey band."""
    if math.isnan(results.noise.value):
        return "No noise floor was measured (no arm real), so no difference can be distinguished from chance."
    return (
        "The grey band is the noise floor: how far models move from generation 0 that train on the same real text with "
        "another seed. Changes inside the band may be chance."
    )
