"""Finds the passages of a data set in the index of passages of a lake, see `index.passages.find`."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive.engine import Engine
from index.passages.find import PassageIndex, parts

#: UTF-8 of the rows that are looked up together. A word takes about 20 bytes of memory meanwhile.
_BYTES = 64 << 20

#: A passage of a row: its first word, the one behind its last, and the number of the proof of a text that has it.
RowPassage = tuple[int, int, int]


def match_passages(
    index: PassageIndex, names: Sequence[str], exact: npt.NDArray[np.int64], engine: Engine, scratch: str
) -> list[list[list[RowPassage]]]:
    """Find the passages of the rows of some chunks that proven texts have.

    Args:
        names: of the chunks, which the scratch folder holds.
        exact: for each row the number of its proof, or -1; a row that has one is not looked up.

    Returns:
        for each chunk and row its passages, in order.
    """
    found: list[list[list[RowPassage]]] = []
    held: list[pa.Array] = []
    first = 0
    for name in names:
        with open(f"{scratch}/{name}", "rb") as file:
            texts = pickle.load(file)[1]
        known = pa.array(exact[first : first + len(texts)] >= 0)
        first += len(texts)
        held.append(pc.if_else(known, pa.scalar("", texts.type), texts))
        if sum(each.nbytes for each in held) >= _BYTES:
            found += _traced(index, held, engine, scratch)
            held = []
    return [*found, *_traced(index, held, engine, scratch)]


def _traced(
    index: PassageIndex, chunks: list[pa.Array], engine: Engine, scratch: str
) -> Iterator[list[list[RowPassage]]]:
    if not chunks:
        return
    traced = index.trace(pa.concat_arrays(chunks), engine, scratch)
    for begin, end in pairwise(np.cumsum([0, *map(len, chunks)]).tolist()):
        rows = []
        for each in traced[begin:end]:
            own = parts(each)
            numbers = index.numbers(np.array([rank for *_, rank in own], np.int64)).tolist()
            rows.append([(first, behind, number) for (first, behind, _), number in zip(own, numbers, strict=True)])
        yield rows
