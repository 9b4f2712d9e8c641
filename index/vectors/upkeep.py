"""`build`: keeps what searches the vectors of an encoder up to date, and measures it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

import pyarrow as pa

from archive.compact import compact
from archive.engine import Workers, open_engine
from archive.errors import ArchiveError, LakeError
from archive.files import write_parquet
from archive.lake import MAX_TRIES, Lake
from archive.progress import Reporter
from index.embeddings.table import the_encoder
from index.vectors import cells as trained
from index.vectors import files, segments
from index.vectors.cells import need_faiss
from index.vectors.inverted import Inverted
from index.vectors.recall import Measured, choose
from index.vectors.table import CELLS, RECALLS, SEGMENTS

_log = logging.getLogger(__name__)

#: The share of the 10 nearest that a search should find.
RECALL = 0.95


@dataclass(slots=True)
class BuildResult:
    """What `build` did, and how searches are done now."""

    encoder: str = ""
    vectors: int = 0  #: that can be found
    added: int = 0  #: that are new in segments
    segments: int = 0
    cells: int = 0  #: how many there are; 0: search is exact
    probes: int = 0  #: cells that a search reads
    refine: int = 0  #: times as many neighbours as asked for are compared exactly
    recall: float = 1.0  #: the share of the 10 nearest that it finds
    measured: int = 0  #: stored vectors by which that was measured
    bytes: int = 0  #: of all files
    seconds: float = 0.0  #: of wall-clock time


def build(
    lake: Lake,
    encoder: str | None = None,
    *,
    recall: float = RECALL,
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> BuildResult:
    """Make the segments that are missing, with new cells where they are needed; measure the recall, and keep it.

    Args:
        encoder: as `index.embeddings.table.the_encoder` takes it.
        recall: the share of the 10 nearest that a search should find.

    Raises:
        ArchiveError: there are so many vectors that FAISS is needed, and it is not installed; or `recall` is not
            between 0 and 1.
        LakeError: there are no vectors, or the lake cannot be read or written.
    """
    if not 0 < recall < 1:
        raise ArchiveError(f"the recall is {recall}, and should be more than 0 and less than 1")
    started = time.monotonic()
    engine, reporter = open_engine(workers), reporter or Reporter()
    encoder = the_encoder(lake, encoder)
    lake.create([CELLS, SEGMENTS, RECALLS])
    result = BuildResult(encoder)
    for table in (SEGMENTS, RECALLS):
        compact(lake, table)
    at_least = 0
    while True:
        vectors = sum(trained.sources(lake, encoder).values())
        cells = _cells(lake, encoder, vectors, at_least)
        name = cells.id if cells else ""
        result.added += segments.update(lake, encoder, name, engine, reporter)
        rows = segments.complete(segments.rows_of(lake, encoder, name), files.listed(lake, encoder))
        current = trained.sources(lake, encoder)
        rows = [row for row in rows if row["source"] in current]
        measured = Measured(0, 0, 1.0, 0)
        if cells:
            last = last_recall(lake, encoder)
            if last and last["cells"] == name and last["vectors"] == segments.size(rows) and not result.added:
                measured = Measured(last["probes"], last["refine"], last["recall"], last["measured"])
            else:
                reporter.stage("recall", None)
                opened = segments.opened(lake, encoder, rows)
                lists = [segments.local(lake, encoder, row, ".lists") for row in rows]
                measured = choose(Inverted(cells, opened, lists), opened, len(cells.centres), recall)
                del opened
            if measured.recall < recall and vectors >= 2 * cells.trained_on:
                _log.info("recall %.3f with cells of %d vectors: new ones", measured.recall, cells.trained_on)
                at_least = vectors
                continue
        break
    _keep(lake, encoder, name, segments.size(rows), measured)
    segments.tidy(lake, encoder, name)
    result.vectors, result.segments = segments.size(rows), len(rows)
    result.cells = len(cells.centres) if cells else 0
    result.probes, result.refine = measured.probes, measured.refine
    result.recall, result.measured = measured.recall, measured.texts
    result.bytes = sum(row["bytes"] for row in rows)
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _cells(lake: Lake, encoder: str, vectors: int, at_least: int) -> trained.Cells | None:
    """Return the cells for so many vectors, trained now if need be; None where search is exact."""
    if vectors < trained.EXACT_BELOW:
        return None
    need_faiss(f"search among {vectors:,} vectors")
    return trained.suitable(lake, encoder, vectors, at_least) or trained.train(lake, encoder)


def last_recall(lake: Lake, encoder: str) -> segments.Row | None:
    """Return the last row of `vector_recalls` of an encoder; None where it has none."""
    paths = [path for path in lake.files(RECALLS.name) if path.startswith(f"encoder={encoder}/")]
    rows = [row for table in lake.read_files(RECALLS.name, paths, RECALLS.file_schema.names)
            for row in table.to_pylist()]  # fmt: skip
    return max(rows, key=lambda row: int(row["number"]), default=None)


def _keep(lake: Lake, encoder: str, cells: str, vectors: int, measured: Measured) -> None:
    """Add a row to `vector_recalls`, which is what searches follow from then on; none where it would be the same."""
    for _ in range(MAX_TRIES):
        delta = lake.delta(RECALLS.name)
        last = last_recall(lake, encoder)
        row = {"cells": cells, "vectors": vectors, "probes": measured.probes, "refine": measured.refine,
               "recall": measured.recall, "measured": measured.texts}  # fmt: skip
        if last and all(last[name] == value for name, value in row.items()):
            return
        number = (delta.transaction_version(f"{encoder}/turn") or 0) + 1
        table = pa.Table.from_pylist([{**row, "number": number}], schema=RECALLS.file_schema)
        file = write_parquet(lake, RECALLS, table, "recall", {"encoder": encoder})
        if lake.commit_to(delta, RECALLS, [file], {f"{encoder}/turn": number}):
            return
        lake.discard([file])
    raise LakeError(f"{lake.location}: too many others are writing; run the same command again")
