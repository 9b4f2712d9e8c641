"""How many hashes of two signatures are equal: for pairs of which the lake lacks a text. Runs on any machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archive.engine import Context, Engine, succeed
from archive.lake import Lake
from index.minhash.kernel import compiled
from index.neardup.numbered import Numbered, segments_kept, segments_restored, signatures
from index.neardup.pair_columns import Numbers

#: Equal hashes make an estimate if they are this many standard errors above the threshold: right in 95 % of cases.
_ERRORS = 1.645


def lower_bound(equal: npt.NDArray[np.int64], hashes: int) -> npt.NDArray[np.float64]:
    """Return the least similarity of two texts, with 95 % confidence, if `equal` of their hashes are equal.

    Method: Wilson's score interval (1927) for a share of `hashes` independent draws.

    >>> lower_bound(np.array([101]), 112).round(3)
    array([0.846])
    """
    share = equal / hashes
    spread = _ERRORS**2 / hashes
    middle = share + spread / 2
    width = _ERRORS * np.sqrt(share * (1 - share) / hashes + spread / hashes / 4)
    bound: npt.NDArray[np.float64] = (middle - width) / (1 + spread)
    return bound


@compiled
def _equal(matrix, others, first, last, row, pairs, out):  # type: ignore[no-untyped-def]
    """Compare each signature of a matrix with those of the pairs from `first` to `last` of its text."""
    for text in range(matrix.shape[0]):
        for at in range(first[text], last[text]):
            other = row[at]
            count = 0
            for number in range(matrix.shape[1]):
                count += matrix[text, number] == others[other, number]
            out[pairs[at]] = count


@dataclass(frozen=True, slots=True)
class EstimateTask:
    """Some of the pairs in the scratch folder: those of a range of right texts."""

    location: str
    hashes: int
    first: int
    last: int


def work(task: EstimateTask, ctx: Context) -> npt.NDArray[np.int32]:
    """Count the equal hashes of pairs. The signatures of the right texts are in memory, those of the left ones pass."""
    lake = Lake(task.location)
    segments = segments_restored(
        json.loads(Path(ctx.read("segments.json")).read_text()), np.load(ctx.read("named.npy"), mmap_mode="r")
    )
    left, right = (
        np.load(ctx.read(f"{side}.npy"), mmap_mode="r")[task.first : task.last] for side in ("left", "right")
    )
    wanted = np.unique(right)
    others = np.zeros((len(wanted), task.hashes), np.uint16)
    for numbers, matrix in signatures(lake, segments, wanted, task.hashes):
        others[np.searchsorted(wanted, numbers)] = matrix
    order = np.argsort(left, kind="stable")
    left, row = left[order], np.searchsorted(wanted, right[order])
    out = np.zeros(len(order), np.int32)
    for numbers, matrix in signatures(lake, segments, np.unique(left), task.hashes):
        first, last = np.searchsorted(left, numbers), np.searchsorted(left, numbers, "right")
        _equal(matrix, others, first, last, row, order, out)
    return out


def equal_hashes(
    lake: Lake, texts: Numbered, left: Numbers, right: Numbers, hashes: int, engine: Engine, memory: int
) -> npt.NDArray[np.int32]:
    """Return how many hashes of the texts of each pair are equal.

    Args:
        memory: bytes for the signatures in all workers.
    """
    out = np.zeros(len(left), np.int32)
    if not len(left):
        return out
    order = np.argsort(right, kind="stable")
    most = max(memory // (engine.workers * 2 * hashes), 1)  # different right texts of a task
    right = right[order]
    different = np.concatenate([[0], np.cumsum(right[1:] != right[:-1])])
    cuts = np.searchsorted(different, np.arange(0, int(different[-1]) + most, most)).tolist()
    cuts[-1:] = [len(right)] if cuts[-1] >= len(right) else [cuts[-1], len(right)]
    with engine.scratch() as folder:
        rows, named = segments_kept(texts.segments)
        Path(folder, "segments.json").write_text(json.dumps(rows))
        np.save(f"{folder}/named.npy", named)
        np.save(f"{folder}/left.npy", left[order])
        np.save(f"{folder}/right.npy", right)
        tasks = (EstimateTask(lake.location, hashes, first, last) for first, last in pairwise(cuts) if first < last)
        for task, counts in succeed(engine.run(work, tasks, scratch=folder)):
            out[order[task.first : task.last]] = counts
    return out
