"""The texts of a stratum and of samples, and the part that each has in an estimate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collapse.share.corpus import Corpus
from collapse.share.estimates.likeness import WordUses
from collapse.share.estimates.months import middle, periods
from collapse.share.estimates.texts import Table, frequent_words, part, table

#: Fewest texts of the human side, of a machine sample, and of a month; fewest hosts of any of them.
HUMAN, MACHINE, MONTH, HOSTS = 60, 30, 20, 10
#: Fewest texts of a period without machine text: many small ones show drift better than few large ones.
PERIOD = 10

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sample:
    """Texts that a machine wrote, with the human texts on the same prompts where there are such.

    Texts on one prompt have one host, in both: nobody is scored by a model that saw the prompt.
    """

    name: str
    machine: Corpus
    human: Corpus | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table and their parts in the estimate of a stratum."""

    table: Table
    uses: WordUses
    human: Mask  #: before the reference
    old: Mask  #: the older half of them
    periods: tuple[Mask, ...]  #: the newer half of them: one month each, or some months that have enough texts together
    months: dict[int, Mask]  #: from the reference on
    machine: tuple[Mask, ...]  #: of each sample
    companion: tuple[Mask, ...]  #: human texts on the prompts of each sample, maybe none
    names: tuple[str, ...]  #: of the samples

    def distance(self, rows: Mask, end: Mask) -> float:
        """Return how many months are between some rows and a human end."""
        return float(self.table.months[rows].mean() - self.table.months[end].mean())


def arrange(corpus: Corpus, reference: int, samples: Sequence[Sample], seed: int) -> Rows:
    """Return the texts of a stratum and of samples as rows of one table."""
    human = corpus.months < reference
    machine = [sample.machine for sample in samples]
    companions = [sample.human for sample in samples]
    corpora = [corpus, *machine, *(texts for texts in companions if texts is not None)]
    everything = table(corpora, frequent_words([part(corpus, human), *machine]))
    owner = np.repeat(np.arange(len(corpora)), [len(texts) for texts in corpora])
    own = owner == 0
    numbers = iter(range(1 + len(machine), len(corpora)))
    before = own & (everything.months < reference)
    old = before & (everything.months <= middle(corpus.months[human]))
    return Rows(
        table=everything,
        uses=WordUses(everything, seed),
        human=before,
        old=old,
        periods=_periods(everything, before & ~old) if old.sum() >= HUMAN // 2 else (),
        months={int(month): own & (everything.months == month) for month in np.unique(corpus.months[~human])},
        machine=tuple(owner == 1 + number for number in range(len(machine))),
        companion=tuple(owner == (-1 if texts is None else next(numbers)) for texts in companions),
        names=tuple(sample.name for sample in samples),
    )


def _periods(texts: Table, rows: Mask) -> tuple[Mask, ...]:
    """Return rows by month, or by some months in a row that have enough texts together."""
    found = periods(texts.months, texts.hosts, rows, PERIOD, PERIOD, merge=True)
    return tuple(rows & np.isin(texts.months, period) for period in found)
