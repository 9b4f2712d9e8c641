"""A panel: the same hosts before and after a date, so that a change of who writes is none of how they write."""

from __future__ import annotations

import numpy as np

from collapse.share.corpus import Corpus
from collapse.share.estimates.texts import part

#: Texts that a host of the panel has before and after, at least.
_FEWEST = 3


def panel(corpus: Corpus, reference: int) -> Corpus:
    """Return the texts of hosts that have some texts before a month and some from then on, in the same stratum."""
    width = int(corpus.strata.max(initial=0)) + 1
    writers = corpus.hosts.astype(np.int64) * width + corpus.strata
    known, position = np.unique(writers, return_inverse=True)
    before = np.bincount(position[corpus.months < reference], minlength=len(known))
    after = np.bincount(position[corpus.months >= reference], minlength=len(known))
    return part(corpus, np.flatnonzero(((before >= _FEWEST) & (after >= _FEWEST))[position]))
