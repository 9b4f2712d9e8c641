"""Finds the topics of a lake: k-means (Lloyd 1982) among the vectors of its texts, and words that name the cells."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from archive.errors import ArchiveError
from archive.extras import is_installed
from archive.lake import Lake
from archive.progress import Reporter
from archive.tables import DOCUMENTS
from index import ids
from index.ids import Ids
from index.stage import read_texts
from index.topics.vectors import dimensions, matrix_of, nearest
from index.topics.words import MOST_TOPICS, Named, Words
from index.vectors.files import Matrix

#: Texts of the sample for each topic, the least of all, bytes of their vectors at most, rounds, and trials.
_EACH, _LEAST, _BYTES, _ROUNDS, _TRIALS = 256, 50_000, 400 << 20, 30, 4
#: Above so many topics there is one trial: trials differ the less, the more topics there are.
_FEW = 100
_SEED = 20220101
#: By default at most so many topics: a person reads them.
_MOST = 500


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of an encoder: numbers are positions plus 1."""

    version: str  #: a hash of all centres
    made_of: int  #: texts that had vectors then
    asked: int  #: how many were asked for
    centres: Matrix  #: (topics, dimensions), the mean of their texts
    named: Sequence[Named]


def default_topics(texts: int) -> int:
    """Return how many topics so many texts get: half of the square root, at most 500.

    >>> [default_topics(texts) for texts in (1, 100, 3_000, 100_000, 10_000_000)]
    [1, 5, 27, 158, 500]
    """
    return max(1, min(round(math.sqrt(texts) / 2), _MOST))


def train(lake: Lake, encoder: str, texts: Ids, topics: int | None, reporter: Reporter) -> Topics:
    """Find topics. The same texts give the same ones, in whatever order they came.

    Args:
        texts: that have vectors, sorted.
        topics: how many; by default `default_topics`. There may be fewer: a cell without a text is none.

    Raises:
        ArchiveError: there are not so many texts, or neither PyTorch nor FAISS is installed.
    """
    wanted = default_topics(len(texts)) if topics is None else topics
    if not 1 <= wanted <= min(len(texts), MOST_TOPICS):
        most = min(len(texts), MOST_TOPICS)
        raise ArchiveError(f"{wanted:,} topics: {len(texts):,} texts have vectors, so there may be 1 to {most:,}")
    reporter.stage("topics", None)
    sample = _sample(lake, encoder, texts, wanted)
    vectors = matrix_of(lake, encoder, sample)
    centres = _k_means(vectors, wanted)
    of, _ = nearest(vectors, centres)
    del vectors
    sizes = np.bincount(of, minlength=len(centres))
    order = np.lexsort((*centres.T[::-1], -sizes))[: int((sizes > 0).sum())]
    centres = np.ascontiguousarray(centres[order])
    numbers = np.full(len(sizes), -1)
    numbers[order] = np.arange(len(order))
    version = hashlib.sha256(centres.tobytes()).hexdigest()[:16]
    return Topics(version, len(texts), wanted, centres, _names(lake, sample, numbers[of], centres, reporter))


def _sample(lake: Lake, encoder: str, texts: Ids, topics: int) -> Ids:
    """Return the texts with the least ids: these are hashes, so that they are a sample, and always the same one."""
    most = max(_EACH * topics, _LEAST)
    if len(texts) > most:
        most = max(min(most, _BYTES // (4 * dimensions(lake, encoder))), topics)
    return texts[:most]


def _k_means(vectors: Matrix, topics: int) -> Matrix:
    """Return the best centres of some trials."""
    trials = _TRIALS if topics <= _FEW else 1
    if is_installed("torch"):
        from index.embeddings.model import threads
        from index.vectors.kmeans_torch import kmeans

        with threads(1):  # sums of several threads differ in their last bits from machine to machine
            cells = [kmeans(vectors, topics, _ROUNDS, _SEED + trial, "cpu", False) for trial in range(trials)]
        return min(cells, key=lambda each: each.losses[-1]).centroids
    if not is_installed("faiss"):
        raise ArchiveError("archive topics needs PyTorch or FAISS to find topics: pip install 'lowbackground[embed]'")
    import faiss

    trainer = faiss.Kmeans(vectors.shape[1], topics, niter=_ROUNDS, nredo=trials, seed=_SEED,
                           min_points_per_centroid=1, max_points_per_centroid=1 << 30)  # fmt: skip
    trainer.train(vectors)
    return np.ascontiguousarray(trainer.centroids, np.float32)


def _names(lake: Lake, sample: Ids, topics: np.ndarray, centres: Matrix, reporter: Reporter) -> Sequence[Named]:
    """Return what topics are called, by the texts of the sample."""
    words = Words(len(centres))
    reporter.stage("names", len(sample))
    for file in sorted(lake.files(DOCUMENTS.name)):
        (table,) = lake.read_files(DOCUMENTS.name, [file], ["content_id", "language"])
        wanted = ids.positions(sample, ids.parse(table["content_id"])) >= 0
        spoken = [each for each, chosen in zip(table["language"].to_pylist(), wanted, strict=True) if chosen]
        for some in read_texts(lake, file, wanted) if wanted.any() else ():
            of = topics[ids.positions(sample, ids.parse(some["content_id"]))]
            column = some["text"]
            for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
                words.add(chunk, of[: len(chunk)], spoken[: len(chunk)])
                of, spoken = of[len(chunk) :], spoken[len(chunk) :]
            reporter.advance(some.num_rows, 0)
    return words.names(centres)
