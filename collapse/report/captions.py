"""What several captions say: the intervals, the noise floor, names that a set brought."""

from __future__ import annotations

import math

from collapse.findings import wording
from collapse.findings.results import Found


def intervals(found: Found, what: str) -> str:
    """What the intervals are that `what` names: `Shaded are`."""
    if len(found.seeds) < 2:
        return "With one seed there are no intervals."
    return f"{what} 95 % intervals over {wording.counted(len(found.seeds), 'seed')} (Student's t)."


def floor(found: Found) -> str:
    """What the grey band is."""
    if math.isnan(found.noise.value):
        return "No noise floor was measured (no arm real), so no difference can be told from chance."
    return (
        "The grey band is the noise floor: how far models that train on the same real text as generation 0, with "
        "another seed, come to lie from it. What stays inside may be chance."
    )


def one_line(text: str, longest: int = 40) -> str:
    """A name from a set, fit for a picture: without line breaks, and not too long.

    >>> one_line("a\\nb"), one_line("abcdef", 4)
    ('a b', 'abc…')
    """
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
