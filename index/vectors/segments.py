"""Segments: each is built from one file of `embeddings` and one set of cells, and never changed.

`pending` finds the files of embeddings without a segment, `work` writes the files of one, in any process, and `commit`
adds its row to `vector_segments`. Kills and company change nothing, as in `index.stage`.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import CommitFailedError

from archive.damage import error_of
from archive.engine import Context, Engine, Failed
from archive.errors import LakeError
from archive.files import sql_literal, write_parquet
from archive.lake import MAX_TRIES, Lake
from archive.progress import Reporter
from index import ids
from index.embeddings.table import EMBEDDINGS
from index.vectors import cells as trained
from index.vectors import files
from index.vectors.files import Segment
from index.vectors.groups import Groups
from index.vectors.table import SEGMENTS

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """A file of embeddings without a segment."""

    location: str
    encoder: str
    source: str
    cells: str  #: empty: for exact search
    number: int
    seen: int  #: how often this segment was built before; its files were lost then


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """The row of a segment whose files are written."""

    row: Row


def rows_of(lake: Lake, encoder: str, cells: str | None = None) -> list[Row]:
    """Return the rows of `vector_segments` of an encoder, sorted by source; those of some cells only, if named."""
    paths = [path for path in lake.files(SEGMENTS.name) if path.startswith(f"encoder={encoder}/")]
    rows = [row for table in lake.read_files(SEGMENTS.name, paths, SEGMENTS.file_schema.names)
            for row in table.to_pylist() if cells is None or row["cells"] == cells]  # fmt: skip
    return sorted(rows, key=lambda row: (row["source"], row["segment"]))


def suffixes(cells: str) -> tuple[str, ...]:
    """Return the endings of the files of a segment."""
    return (".vectors", ".lists") if cells else (".vectors",)


def complete(rows: Iterable[Row], present: Mapping[str, int]) -> list[Row]:
    """Return the rows whose files are all there, with the bytes that they had.

    Args:
        present: as `index.vectors.files.listed` returns it.
    """

    def size(row: Row) -> int:
        return sum(present.get(row["name"] + end, -1 << 62) for end in suffixes(row["cells"]))

    return [row for row in rows if size(row) == row["bytes"]]


def local(lake: Lake, encoder: str, row: Row, end: str) -> str:
    """Return the path of a file of a segment on this machine, by its ending.

    Raises:
        FileNotFoundError: it is not there.
    """
    vectors = files.vectors_bytes(row["rows"], row["dimensions"])
    return files.local(lake, encoder, row["name"] + end, vectors if end == ".vectors" else row["bytes"] - vectors)


def pending(lake: Lake, encoder: str, cells: str) -> list[SegmentTask]:
    """Return a task for each file of embeddings that has no segment with these cells, or whose files are lost."""
    delta = lake.delta(SEGMENTS.name)
    rows = complete(rows_of(lake, encoder, cells), files.listed(lake, encoder))
    done, taken = {row["source"] for row in rows}, {row["segment"] for row in rows}
    free = (number for number in count() if number not in taken)
    return [
        SegmentTask(
            lake.location,
            encoder,
            source,
            cells,
            next(free),
            delta.transaction_version(_transaction(encoder, cells, source)) or 0,
        )
        for source in trained.sources(lake, encoder)
        if source not in done
    ]


def _transaction(encoder: str, cells: str, source: str) -> str:
    return f"{encoder}/{cells}/{source}"


def work(task: SegmentTask, ctx: Context) -> SegmentResult:
    """Write the files of a segment. Runs on any machine."""
    lake = Lake(task.location)
    index = None
    if task.cells:
        cells, groups = _opened(task.location, task.encoder, task.cells)
        index = cells.index()
    name = f"segment-{uuid.uuid4().hex[:12]}"
    rows = pq.read_metadata(f"{lake.table_path(EMBEDDINGS.name)}/{task.source}", filesystem=lake.filesystem).num_rows
    with files.writing(lake, task.encoder) as folder:
        out: dict[str, npt.NDArray[Any]] = {}
        columns = ["content_id", "part", "start", "end", "vector"]
        for first, table in trained.read(lake, [task.source], columns):
            vectors = trained.matrix(table["vector"])
            if not out:
                out = files.arrays(folder / f"{name}.vectors", rows, vectors.shape[1], "w+")
            last = first + len(vectors)
            lengths = np.linalg.norm(vectors, axis=1)
            lengths[lengths == 0] = 1
            out["ids"][first:last] = ids.parse(table["content_id"])
            for at, column in enumerate(("part", "start", "end")):
                out["spans"][first:last, at] = table[column].to_numpy()
            out["lengths"][first:last] = lengths
            out["vectors"][first:last] = vectors
            if index is not None:
                rotated = cells.rotated(vectors / lengths[:, None])
                _add(index, rotated, (task.number << 32) + first, groups.assign(rotated))
            ctx.progress(len(vectors), vectors.nbytes)
        if not out:
            raise LakeError(f"{lake.table_uri(EMBEDDINGS.name)}/{task.source}: has no vectors")
        dimensions = int(out["vectors"].shape[1])
        out.clear()  # unmaps the file, which writes it
        if index is not None:
            _write_lists(index, str(folder / f"{name}.lists"))
        size = sum(path.stat().st_size for path in folder.iterdir())
    row = {"segment": task.number, "source": task.source, "cells": task.cells, "name": name, "rows": rows,
           "dimensions": dimensions, "bytes": size}  # fmt: skip
    return SegmentResult(row)


@lru_cache(maxsize=1)
def _opened(location: str, encoder: str, name: str) -> tuple[trained.Cells, Groups]:
    """Return cells, which a process reads once for all its segments."""
    cells = trained.load(Lake(location), encoder, name)
    return cells, Groups(cells.centres)


def _add(index: Any, vectors: files.Matrix, first: int, cells: npt.NDArray[np.int64]) -> None:
    import faiss

    numbers = np.arange(first, first + len(vectors), dtype=np.int64)
    index.add_core(len(vectors), *(faiss.swig_ptr(each) for each in (vectors, numbers, cells)))


def _write_lists(index: Any, path: str) -> None:
    import faiss

    writer = faiss.FileIOWriter(path)
    faiss.write_InvertedLists(index.invlists, writer)
    del writer  # closes the file


def commit(lake: Lake, task: SegmentTask, result: SegmentResult) -> bool:
    """Add a segment to the table.

    Returns:
        False if another process has built this segment, or one with the same number; the files are deleted then.
    """
    transaction, turn = _transaction(task.encoder, task.cells, task.source), f"{task.encoder}/turn"
    table = pa.Table.from_pylist([result.row], schema=SEGMENTS.file_schema)
    file = write_parquet(lake, SEGMENTS, table, "segment", {"encoder": task.encoder})
    for _ in range(MAX_TRIES):
        delta = lake.delta(SEGMENTS.name)
        here = lake.snapshot()
        if (delta.transaction_version(transaction) or 0) != task.seen or any(
            row["segment"] == task.number and row["source"] != task.source and row["name"] != result.row["name"]
            for row in complete(rows_of(here, task.encoder, task.cells), files.listed(lake, task.encoder))
        ):
            break
        # all commits to this partition have the name `turn`: none comes between the question and the answer
        number = (delta.transaction_version(turn) or 0) + 1
        if lake.commit_to(delta, SEGMENTS, [file], {transaction: task.seen + 1, turn: number}):
            return True
    else:
        raise LakeError(f"{lake.location}: too many others are writing; run the same command again")
    lake.discard([file])
    for end in suffixes(task.cells):
        lake.filesystem.delete_file(f"{files.folder(lake, task.encoder)}/{result.row['name']}{end}")
    return False


def update(lake: Lake, encoder: str, cells: str, engine: Engine, reporter: Reporter) -> int:
    """Make the segments that are missing; return how many vectors they have."""
    added = 0
    for _ in range(MAX_TRIES):
        tasks = pending(lake, encoder, cells)
        if not tasks:
            return added
        known = trained.sources(lake, encoder)
        reporter.stage("search", sum(known[task.source] for task in tasks if task.source in known))
        for end in engine.run(work, tasks, progress=reporter.advance):
            if isinstance(end, Failed):
                if end.task.source not in trained.sources(lake, encoder):
                    continue  # another process has merged this file into another one
                raise error_of(lake, EMBEDDINGS, end.task.source, end.error)
            if commit(lake, end.task, end.result):
                added += end.result.row["rows"]
    raise LakeError(f"{lake.location}: too many others are writing; run the same command again")


def tidy(lake: Lake, encoder: str, cells: str) -> None:
    """Remove the segments of older cells, and of files of embeddings that were merged into others."""
    rows, present = rows_of(lake, encoder), files.listed(lake, encoder)
    current, ages = trained.sources(lake, encoder), {"": 0, **trained.stored(lake, encoder)}
    kept = {row["name"] for row in complete((row for row in rows if row["cells"] == cells), present)
            if row["source"] in current}  # fmt: skip
    # another process may be making segments of newer cells
    kept |= {row["name"] for row in rows if row["cells"] != cells and ages.get(row["cells"], 0) > ages[cells]}
    gone = {row["name"] for row in rows} - kept
    if gone:
        names = ", ".join(sql_literal(name) for name in sorted(gone))
        with contextlib.suppress(CommitFailedError):  # another process removes them too
            lake.delta(SEGMENTS.name).delete(f"encoder = {sql_literal(encoder)} AND name IN ({names})")
    files.clean_up(lake, encoder, kept, gone)


def opened(lake: Lake, encoder: str, rows: Iterable[Row]) -> list[Segment]:
    """Map segments into memory.

    Raises:
        FileNotFoundError: a file is not there.
    """
    out = []
    for row in rows:
        path = local(lake, encoder, row, ".vectors")
        mapped = files.arrays(path, row["rows"], row["dimensions"])
        out.append(Segment(row["segment"], row["source"], row["name"], row["rows"], **mapped))
    return out


def size(rows: Iterable[Row]) -> int:
    """Return the vectors in segments."""
    return sum(row["rows"] for row in rows)
