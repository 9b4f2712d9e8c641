"""All measures of one division: each is fitted on a part of A, and tried on texts that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray

from archive.progress import Reporter
from collapse.probe import compression, features, space
from collapse.probe.classifier import Auc, auc
from collapse.probe.draws import Division, Rows
from collapse.probe.results import Topic
from collapse.probe.texts import Pair
from collapse.probe.topics import differing
from collapse.probe.vocabulary import Vocabulary, vocabulary
from collapse.probe.wording import AUC_GRAMS, AUC_VECTORS

Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one division gave, by the code of the measure."""

    held: Values  #: of the part of half X of A that nothing was fitted on
    y: Values  #: of half Y of A
    b: Values
    halves: dict[str, Auc]  #: X against Y
    sets: dict[str, Auc]  #: X against B
    thin: tuple[Topic, ...]
    thick: tuple[Topic, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """The texts of both sets as numbers: first the rows of A, then those of B."""

    texts: Sequence[bytes]
    sites: NDArray[np.int64]
    grams: Any
    reduced: Any  #: vectors, or words
    vectors: Any | None
    vocabulary: Vocabulary
    encoder: str | None

    @classmethod
    def of(cls, pair: Pair, encoder: str | None, reporter: Reporter) -> Data:
        """Compute all features.

        Raises:
            ArchiveError: the encoder cannot be used.
        """
        texts = [*pair.a.texts, *pair.b.texts]
        identity, vectors = None, None
        if encoder is not None:
            reporter.stage("embed", len(texts))
            identity, vectors = features.vectors(texts, encoder, lambda count: reporter.advance(count, 0))
        reporter.stage("features")
        return cls(
            texts=[text.encode() for text in texts],
            sites=np.concatenate([pair.a.sites, pair.b.sites]),
            grams=features.grams(texts),
            reduced=features.words(texts) if vectors is None else vectors,
            vectors=vectors,
            vocabulary=vocabulary(texts),
            encoder=identity,
        )

    def measure(self, division: Division, seed: SeedSequence) -> Measured:
        """Fit on a part of half X, and try on the rest of X, on Y and on B."""
        squeezed = compression.fit([self.texts[row] for row in division.fit])
        reduced = space.fit(self.reduced, division.fit, int(seed.generate_state(1)[0]))
        known = self.vocabulary.fit(division.fit)

        def tried(rows: Rows) -> Values:
            return {**squeezed([self.texts[row] for row in rows]), **reduced.measure(rows), **known(rows)}

        thin, thick = differing(reduced.topics, self.vocabulary, division)
        halves, sets = (self._classified(division.x, other, seed) for other in (division.y, division.b))
        return Measured(tried(division.held), tried(division.y_held), tried(division.b_held), halves, sets, thin, thick)

    def _classified(self, a: Rows, b: Rows, seed: SeedSequence) -> dict[str, Auc]:
        rows = np.concatenate([a, b])
        is_b = np.arange(len(rows)) >= len(a)
        kinds = {AUC_GRAMS: self.grams} | ({} if self.vectors is None else {AUC_VECTORS: self.vectors})
        return {code: auc(kind[rows], is_b, self.sites[rows], default_rng(seed)) for code, kind in kinds.items()}
