"""The tables of the search among vectors. All but `likenesses` can be deleted, and `archive embed` makes them again."""

from __future__ import annotations

import pyarrow as pa

from archive.tables import Column, Table

CELLS = Table(
    "cells",
    (
        Column("cells", pa.string(), "which cells: a hash of all their numbers"),
        Column("vectors", pa.int64(), "in the lake when they were trained"),
        Column("cell", pa.int32(), "the number of a cell; -1 - n is line n of the rotation"),
        Column("vector", pa.list_(pa.float32()), "the centre of the cell, rotated; or that line"),
        Column("encoder", pa.string(), "whose vectors they are of"),
    ),
    ("encoder",),
)

SEGMENTS = Table(
    "vector_segments",
    (
        Column("segment", pa.int32(), "its number; the number of a vector is segment << 32 | row"),
        Column("source", pa.string(), "the file of `embeddings` that it is made from, in the same order"),
        Column("cells", pa.string(), "the cells that it is made with; empty: none, for exact search"),
        Column("name", pa.string(), "of its files, in the folder vectors/ of the lake"),
        Column("rows", pa.int64(), "vectors in it"),
        Column("dimensions", pa.int32(), "of a vector"),
        Column("bytes", pa.int64(), "of its files"),
        Column("encoder", pa.string(), "whose vectors they are"),
    ),
    ("encoder",),
)

RECALLS = Table(
    "vector_recalls",
    (
        Column("cells", pa.string(), "the cells that are searched; empty: none, the search is exact"),
        Column("vectors", pa.int64(), "in all segments"),
        Column("probes", pa.int32(), "cells that a search reads"),
        Column("refine", pa.int32(), "how many times more neighbours than asked for are compared exactly"),
        Column("recall", pa.float64(), "the share of the 10 nearest that it finds, by an exact scan of some texts"),
        Column("measured", pa.int32(), "how many these are"),
        Column("number", pa.int64(), "the last row of an encoder counts"),
        Column("encoder", pa.string(), "whose vectors they are"),
    ),
    ("encoder",),
)

LIKENESSES = Table(
    "likenesses",
    (
        Column("a", pa.string(), "content id of a text, less than the other's"),
        Column("b", pa.string(), "content id of the other"),
        Column("cosine", pa.float32(), "the greatest of any two windows of them"),
        Column("encoder", pa.string(), "of the vectors"),
    ),
    ("encoder",),
)
