"""Why texts may be no mixture of texts like those of the two ends: they are about other things, or of another kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from collapse.share.reading import Reading
from collapse.share.rows import MONTH, Rows

#: Human texts on the prompts of a sample read at most this.
_COMPANION = 0.1
#: Words for topics, and common words, are at least this like those of both ends.
_ALIKE, _ALIKE_COMMON = 0.8, 0.97
#: Words for topics of a sample without human texts on the same prompts are at least this like the stratum's.
_ALIKE_SAMPLE = 0.65
#: Scores fit a mixture no worse than at random with this probability.
_MISFIT = 0.001


def sample_problem(rows: Rows, numbers: tuple[int, ...], companions: Sequence[Reading]) -> str | None:
    """Return why some samples are about other things than the stratum.

    Args:
        companions: what is read on human texts on the prompts of the samples, where there are such.
    """
    for reading in companions:
        if not reading.value <= _COMPANION:
            return (
                f"the sample is about other things than the texts: {reading.value:.2f} is read on what humans wrote "
                f"on its prompts, and {_COMPANION} is the most"
            )
    rows.uses.name("human", rows.human)
    for number in numbers:
        if rows.companion[number].sum() < MONTH:
            rows.uses.name(("machine", (number,)), rows.machine[number])
            topics, _ = rows.uses.likeness(("machine", (number,)), "human", "human", 0.0)
            if not topics >= _ALIKE_SAMPLE:
                return (
                    f"the sample may be about other things than the texts: their words for topics are {topics:.2f} "
                    f"alike, and {_ALIKE_SAMPLE} is needed without human texts on the same prompts"
                )
    return None


def usual_drift(rows: Rows, numbers: tuple[int, ...]) -> tuple[float, float]:
    """Return how unlike older texts the words of periods without machine text are at most: for topics, common ones."""
    machine = ("machine", numbers)
    rows.uses.name("old", rows.old)
    rows.uses.name(machine, np.logical_or.reduce([rows.machine[number] for number in numbers]))
    found = []
    for number, period in enumerate(rows.periods):
        rows.uses.name(("period", number), period)
        found.append(rows.uses.likeness(("period", number), "old", machine, 0.0))
    topics, common = np.nanmin(np.array(found), axis=0)
    return 1 - float(topics), 1 - float(common)


def month_problem(
    rows: Rows, month: int, reading: Reading, numbers: tuple[int, ...], usual: tuple[float, float]
) -> str | None:
    """Return why the texts of a month are no mixture of texts like those of the two ends.

    Args:
        usual: how unlike texts without machine text may be, for topics and in common words.
    """
    rows.uses.name(month, rows.months[month])
    topics, common = rows.uses.likeness(month, "human", ("machine", numbers), reading.value)
    if not 1 - topics <= max(1 - _ALIKE, 2 * usual[0]):
        return f"the texts are about other things than those before: their words for topics are {topics:.2f} alike"
    if not 1 - common <= max(1 - _ALIKE_COMMON, 2 * usual[1]):
        return f"the texts are of another kind than those before: their common words are {common:.3f} alike"
    if reading.misfit < _MISFIT:
        return "the scores of the texts are those of no mixture of human text and the sample"
    return None
