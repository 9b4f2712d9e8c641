"""Pairs of texts with near vectors: candidates for the exact comparison of `archive index`, and never more than that.

Whatever is proposed is kept in `likenesses`. The index compares the shingles of each pair. Those that are near by that
become near-duplicates as any others; the rest stays in `likenesses`, which no clean set reads.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.compact import compact
from archive.errors import ArchiveError, LakeError
from archive.files import write_parquet
from archive.lake import MAX_TRIES, Lake
from archive.progress import Reporter
from index import ids
from index.ids import Ids
from index.vectors.exact import unit
from index.vectors.files import Matrix, Segment
from index.vectors.filters import Filter
from index.vectors.search import Vectors, open_vectors
from index.vectors.table import LIKENESSES

#: Neighbours of a window that are proposed, and how many more are asked for: those of the same text.
NEIGHBOURS, _OWN = 10, 8
#: Windows that are searched for together.
_AT_ONCE = 1 << 10

Pairs = tuple[Ids, Ids]


def propose(lake: Lake, cosine: float, encoder: str | None = None, reporter: Reporter | None = None) -> int:
    """Search for the neighbours of all texts whose neighbours nobody has searched for, and keep the pairs.

    Files of embeddings are done one after the other; a kill costs the one that was being searched for.

    Args:
        cosine: the least of a pair.
        encoder: as `index.embeddings.table.the_encoder` takes it.

    Returns:
        the pairs that are new.

    Raises:
        ArchiveError: FAISS is needed, and not installed; or `cosine` is out of range.
        LakeError: there are no vectors, or they are not searchable yet.
    """
    if not -1 <= cosine <= 1:
        raise ArchiveError(f"the least cosine is {cosine}, and should be from -1 to 1")
    vectors, reporter = open_vectors(lake, encoder), reporter or Reporter()
    lake.create([LIKENESSES])
    compact(lake, LIKENESSES)
    reporter.stage("alike", len(vectors))
    new = 0
    for segment in vectors.segments:
        name = f"{vectors.encoder}/{cosine}/{segment.source}"
        if lake.delta(LIKENESSES.name).transaction_version(name) is None:
            new += _commit(lake, vectors.encoder, name, *_pairs(vectors, segment, cosine))
        reporter.advance(segment.rows, segment.vectors.nbytes)
    return new


def _pairs(vectors: Vectors, segment: Segment, cosine: float) -> tuple[Pairs, Matrix]:
    """Return the pairs of the texts of a segment with their neighbours, each once, with its greatest cosine."""
    firsts, seconds = [np.empty((0, 4), np.uint64)], [np.empty((0, 4), np.uint64)]
    values = [np.empty(0, np.float32)]
    for at in range(0, segment.rows, _AT_ONCE):
        own = np.asarray(segment.ids[at : at + _AT_ONCE])
        cosines, numbers = vectors.nearest(unit(segment.vectors[at : at + _AT_ONCE]), NEIGHBOURS + _OWN, Filter())
        row, column = np.nonzero((numbers >= 0) & (cosines >= cosine))
        others = vectors.texts(numbers[row, column])[0]
        mine = own[row]
        differ = (mine != others).any(axis=1)
        mine, others, found = mine[differ], others[differ], cosines[row, column][differ]
        swap = _less(others, mine)[:, None]
        firsts.append(np.where(swap, others, mine))
        seconds.append(np.where(swap, mine, others))
        values.append(found)
    return _once((np.concatenate(firsts), np.concatenate(seconds)), np.concatenate(values))


def _less(one: Ids, other: Ids) -> npt.NDArray[np.bool_]:
    """Return, for each pair of ids, whether the first is less; of the upper 128 bits, as `ids.sort` compares."""
    less: npt.NDArray[np.bool_] = (one[:, 0] < other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] < other[:, 1]))
    return less


def _once(pairs: Pairs, cosines: Matrix) -> tuple[Pairs, Matrix]:
    """Return each pair once, with its greatest cosine."""
    a, b = pairs
    order = np.lexsort((-cosines, b[:, 1], b[:, 0], a[:, 1], a[:, 0]))
    a, b, cosines = a[order], b[order], cosines[order]
    first = np.ones(len(a), bool)
    first[1:] = (a[1:] != a[:-1]).any(axis=1) | (b[1:] != b[:-1]).any(axis=1)
    return (a[first], b[first]), cosines[first]


def _commit(lake: Lake, encoder: str, name: str, pairs: Pairs, cosines: Matrix) -> int:
    """Add the pairs that the lake does not have yet; return how many these are."""
    for _ in range(MAX_TRIES):
        delta = lake.delta(LIKENESSES.name)
        if delta.transaction_version(name) is not None:
            return 0
        fresh = np.ones(len(cosines), bool)
        known = {pair for a, b in stored(lake, encoder) for pair in zip(_keys(a), _keys(b), strict=True)}
        if known:
            fresh = np.array([pair not in known for pair in zip(*map(_keys, pairs), strict=True)], bool)
        files = []
        if fresh.any():
            a, b = (ids.text(each[fresh]) for each in pairs)
            table = pa.table({"a": a, "b": b, "cosine": np.minimum(cosines[fresh], 1)})
            files = [write_parquet(lake, LIKENESSES, table, "likenesses", {"encoder": encoder})]
        turn = (delta.transaction_version(f"{encoder}/turn") or 0) + 1
        if lake.commit_to(delta, LIKENESSES, files, {name: 1, f"{encoder}/turn": turn}):
            return int(fresh.sum())
        lake.discard(files)
    raise LakeError(f"{lake.location}: too many others are writing; run the same command again")


def _keys(values: Ids) -> list[bytes]:
    return [row.tobytes() for row in values[:, :2]]


def stored(lake: Lake, encoder: str | None = None) -> Iterator[Pairs]:
    """Yield the pairs that were proposed, by any encoder or by one, a file at a time."""
    if not lake.has(LIKENESSES):
        return
    paths = [path for path in sorted(lake.files(LIKENESSES.name))
             if encoder is None or path.startswith(f"encoder={encoder}/")]  # fmt: skip
    for table in lake.read_files(LIKENESSES.name, paths, ["a", "b"]):
        yield ids.parse(table["a"]), ids.parse(table["b"])
