"""Why texts may be no mixture of texts like those of the two ends: they are about other things, or of another kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collapse.share.estimates.reading import Reading
from collapse.share.estimates.rows import MONTH, Rows

#: Human texts on the prompts of a sample read at most this.
_COMPANION = 0.1
#: Words for topics, and common words, are at most so unlike those of both ends, if not more is usual.
_TOPICS, _COMMON = 0.1, 0.01
#: Words for topics of a sample without human texts on the same prompts are at least this like the stratum's.
_ALIKE_SAMPLE = 0.65
#: Scores that fit a mixture have a worse fit by chance with at least this probability.
_MISFIT = 0.005
#: What was read of human texts of another kind that were a quarter of a month, for each of them (benchmarks/share.py).
_READ_OF_STRANGERS = 0.1


@dataclass(frozen=True, slots=True)
class Unlikeness:
    """How unlike the words of texts are to those of others, 0 to 1: words for topics, and common ones."""

    topics: float
    common: float


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


def usual_unlikeness(rows: Rows, numbers: tuple[int, ...]) -> Unlikeness:
    """Return how unlike older texts periods without machine text are at most."""
    machine = ("machine", numbers)
    rows.uses.name("old", rows.old)
    rows.uses.name(machine, np.logical_or.reduce([rows.machine[number] for number in numbers]))
    found = []
    for number, period in enumerate(rows.periods):
        rows.uses.name(("period", number), period)
        found.append(rows.uses.likeness(("period", number), "old", machine, 0.0))
    alike = np.array(found)
    topics, common = (float(of[np.isfinite(of)].min(initial=1.0)) for of in alike.T)
    return Unlikeness(1 - topics, 1 - common)


def unlikeness(rows: Rows, month: int, reading: Reading, numbers: tuple[int, ...]) -> Unlikeness:
    """Return how unlike a mixture of the two ends the texts of a month are, at the share that was read."""
    rows.uses.name(month, rows.months[month])
    topics, common = rows.uses.likeness(month, "human", ("machine", numbers), reading.value)
    return Unlikeness(1 - topics, 1 - common)


def month_problem(found: Unlikeness, reading: Reading, usual: Unlikeness, far: float) -> str | None:
    """Return why the texts of a month are no mixture of texts like those of the two ends.

    Args:
        usual: how unlike texts without machine text may be.
        far: how many times farther from the human end the month is than these were.
    """
    if not found.topics <= max(_TOPICS, 2 * far * usual.topics):
        return f"the texts are about other things than those before: words for topics are {1 - found.topics:.2f} alike"
    if not found.common <= max(_COMMON, 2 * far * usual.common):
        return f"the texts are of another kind than those before: common words are {1 - found.common:.3f} alike"
    if reading.misfit < _MISFIT:
        return "the scores of the texts are those of no mixture of human text and the sample"
    return None


def strangers(found: Unlikeness) -> float:
    """Return how far texts unlike both ends may move an estimate, as a standard deviation.

    A part p of other texts, which are half like the ends, makes the whole unlike them by about p² / 4 of a cosine.
    """
    return _READ_OF_STRANGERS * float(np.sqrt(4 * min(max(found.common, 0.0), 0.25)))
