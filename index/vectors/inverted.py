"""The inverted lists of all segments as one FAISS index, memory-mapped (`HStackInvertedLists`)."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from archive.errors import LakeError
from index.vectors.cells import Cells
from index.vectors.exact import Allowed, Numbers
from index.vectors.files import Matrix, Segment

#: Questions that are refined together.
_QUESTIONS = 64
#: Of mmap: no memory is set aside for pages that nobody touches. Python has no name for it.
_NO_RESERVE = {"linux": 0x4000, "darwin": 0x40}.get(sys.platform, 0)
#: Cells whose candidates RaBitQ compares with 4 bits of each number of the question; more changed no recall measured.
_BITS = 4


class Inverted:
    """All segments of one set of cells. Any number of threads may search it.

    Args:
        paths: of the `.lists` of the segments.
    """

    def __init__(self, cells: Cells, segments: Sequence[Segment], paths: Sequence[str]) -> None:
        import faiss

        self._cells, self._segments = cells, list(segments)
        self._by_number = np.full(max((segment.number for segment in segments), default=-1) + 1, -1)
        for at, segment in enumerate(segments):
            self._by_number[segment.number] = at
        pointers = faiss.InvertedListsPtrVector()
        self._kept: list[Any] = [pointers]  # FAISS holds pointers: what they point to must live as long
        for path in paths:
            try:
                reader = faiss.FileIOReader(path)
                lists = faiss.read_InvertedLists(reader, faiss.IO_FLAG_MMAP)
            except RuntimeError:
                raise LakeError(f"{path}: is damaged; delete it, and run `archive embed`") from None
            self._kept += [reader, lists]
            pointers.push_back(lists)
        stack = faiss.HStackInvertedLists(pointers.size(), pointers.data())
        self._kept.append(stack)
        self._index = cells.index()
        self._index.replace_invlists(stack, False)
        self._index.ntotal = sum(segment.rows for segment in segments)

    def search(
        self, questions: Matrix, k: int, probes: int, refine: int, allowed: Selected | None = None
    ) -> tuple[Matrix, Numbers]:
        """Return the k nearest vectors of each question, as `index.vectors.exact.scan` does, among those in some cells.

        The `refine` times k that RaBitQ finds nearest are compared exactly. Where the cells have fewer than k vectors
        that may be found, four times as many are read, until they suffice or all are read.

        Args:
            questions: (questions, dimensions), of length 1.
            probes: cells that are read: those whose centres are nearest.
        """
        cosines, numbers = self._search(questions, k, probes, refine, allowed)
        while probes < len(self._cells.centres) and len(few := np.flatnonzero((numbers < 0).any(axis=1))):
            probes *= 4
            cosines[few], numbers[few] = self._search(questions[few], k, probes, refine, allowed)
        return cosines, numbers

    def _search(
        self, questions: Matrix, k: int, probes: int, refine: int, allowed: Selected | None
    ) -> tuple[Matrix, Numbers]:
        import faiss

        cosines = np.full((len(questions), k), -np.inf, np.float32)
        numbers = np.full((len(questions), k), -1, np.int64)
        parameters = faiss.IVFRaBitQSearchParameters(nprobe=min(probes, len(self._cells.centres)), qb=_BITS)
        if allowed is not None:
            parameters.sel = allowed.selector
        rotated = self._cells.rotated(questions)
        for at in range(0, len(questions), _QUESTIONS):
            some = questions[at : at + _QUESTIONS]
            _, found = self._index.search(
                rotated[at : at + _QUESTIONS], min(k * refine, self._index.ntotal), params=parameters
            )
            exact = self._cosines(some, found)
            order = np.lexsort((found, -exact))[:, :k]
            cosines[at : at + len(some), : order.shape[1]] = np.take_along_axis(exact, order, 1)
            numbers[at : at + len(some), : order.shape[1]] = np.take_along_axis(found, order, 1)
        return cosines, numbers

    def _cosines(self, questions: Matrix, found: Numbers) -> Matrix:
        """Return the cosine of each question with each of its candidates; -inf for -1."""
        out = np.full(found.shape, -np.inf, np.float32)
        question, column = np.nonzero(found >= 0)
        numbers = found[question, column]
        owners, rows = self._by_number[numbers >> 32], numbers & 0xFFFFFFFF
        for owner in np.unique(owners):
            here = np.flatnonzero(owners == owner)
            here = here[np.argsort(rows[here], kind="stable")]  # pages are read in order
            segment = self._segments[owner]
            vectors = segment.vectors[rows[here]].astype(np.float32)
            values = np.einsum("ij,ij->i", vectors, questions[question[here]]) / segment.lengths[rows[here]]
            out[question[here], column[here]] = values
        return out


class Selected:
    """Which vectors may be found, as FAISS wants it: a bit for each number, up to the greatest.

    The numbers of two segments are far apart. So the bits are in memory that the system provides only where they are
    set: 2 MB for 16 million vectors.
    """

    def __init__(self, segments: Sequence[Segment], allowed: Allowed) -> None:
        import faiss

        assert allowed is not None
        last = max((segment.number << 32) + segment.rows for segment in segments)
        size = -(-last // 8)
        self._memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE)
        bits: npt.NDArray[np.uint8] = np.frombuffer(self._memory, np.uint8)
        for segment, chosen in zip(segments, allowed, strict=True):
            first = segment.number << 29  # 2³² numbers are 2²⁹ bytes
            packed = np.packbits(chosen, bitorder="little")
            bits[first : first + len(packed)] = packed
        self._bits = bits
        self.selector = faiss.IDSelectorBitmap(size, faiss.swig_ptr(bits))
