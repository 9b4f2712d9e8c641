"""The three estimates of machine text by month, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collapse.share.corpus import Corpus
from collapse.share.results import Series
from collapse.share.words import words_per_million

#: January 2022, in months since the year 0.
REFERENCE = 2022 * 12


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts that a machine wrote, with the human texts on the same prompts where there are such.

    Texts on one prompt have one host, in both: nobody is scored by a model that saw the prompt.
    """

    name: str
    machine: Corpus
    human: Corpus | None = None


def estimate(
    corpus: Corpus, *, reference: int = REFERENCE, machine: Sequence[Sample] = (), seed: int = 0
) -> tuple[Series, ...]:
    """Return all estimates of machine text by month.

    Args:
        reference: the month, since the year 0, before which all text is taken for human.
        machine: counted with the vocabulary of `corpus`.
    """
    return words_per_million(corpus, reference)
