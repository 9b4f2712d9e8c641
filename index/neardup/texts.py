"""The texts of an index: numbered, with their dates, and in the order of these."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive import proofs
from archive.lake import Lake
from index import ids
from index.ids import Ids
from index.minhash.kernel import compiled
from index.neardup.pages import Column
from index.tables import SIGNATURES

#: The date of a text that no acceptable capture proves: later than all others.
NEVER = np.iinfo(np.int64).max
#: The moments of all captures of texts, a row each, in no order: whoever reads them takes the earliest of a text. To
#: group them here would take memory for each text. A text without a capture was forgotten; one whose captures are no
#: proof is there, and has no date.
MOMENTS = f"""
SELECT content_id, coalesce(CASE WHEN {proofs.PROVES} THEN epoch_us(captured_at) END, {NEVER}) AS moment
FROM moments AS captures WHERE content_id IS NOT NULL
UNION ALL
SELECT content_id, {NEVER} FROM stored_captures WHERE record_type = 'revisit' AND content_id IS NOT NULL
"""
#: Bytes that DuckDB takes for each thread that reads captures, and at least.
_THREAD = 128 << 20


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts that have a signature. The number of a text is its row, counted through all files of `signatures`.

    Memory: about 70 bytes a text.
    """

    segments: list[str]  #: files of `signatures`, sorted
    starts: npt.NDArray[np.int64]  #: number of the first text of each file, and the number of texts
    ids: Ids
    shingles: npt.NDArray[np.int32]
    first_seen: npt.NDArray[np.int64]  #: microseconds since 1970, or NEVER
    rank: npt.NDArray[np.int64]  #: in the order of (first_seen, content id)
    live: npt.NDArray[np.bool_]  #: false for all signatures of a text but its first, and for what was forgotten
    _by_id: npt.NDArray[np.int64]
    _ordered: Ids

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, wanted: Ids) -> npt.NDArray[np.int64]:
        """Return the numbers of texts; -1 for an id that the index does not have."""
        rows = ids.positions(self._ordered, wanted)
        return np.where(rows >= 0, self._by_id[rows], -1) if len(self) else rows

    def signatures(self, lake: Lake, numbers: npt.NDArray[np.int64], hashes: int) -> npt.NDArray[np.uint16]:
        """Read the signatures of some texts: (numbers, hashes). Only their pages are read."""
        out = np.zeros((len(numbers), hashes), np.uint16)
        order = np.argsort(numbers, kind="stable")
        for segment, first, last in zip(self.segments, self.starts, self.starts[1:], strict=False):
            begin, end = np.searchsorted(numbers[order], [first, last])
            if begin == end:
                continue
            inside = order[begin:end]
            path = f"{lake.table_path(SIGNATURES.name)}/{segment}"
            with Column(lake.filesystem, path, "signature", 2 * hashes) as file:
                for low, high, found in file.read(numbers[inside] - first):
                    out[inside[low:high]] = found.view("<u2")
        return out


def as_matrix(column: pa.ChunkedArray | pa.Array, hashes: int) -> npt.NDArray[np.uint16]:
    """Return a column of signatures as an array (texts, hashes)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    column = column.cast(pa.large_binary())
    _, offsets, data = column.buffers()
    if not len(column):
        return np.empty((0, hashes), np.uint16)
    first = int(np.frombuffer(offsets, np.int64)[column.offset])
    return np.frombuffer(data, "<u2")[first // 2 : first // 2 + len(column) * hashes].reshape(-1, hashes)


def load(lake: Lake) -> Texts:
    """Read the texts of an index, with the dates that the captures give them now."""
    segments = sorted(lake.files(SIGNATURES.name))
    tables = list(lake.read_files(SIGNATURES.name, segments, ["content_id", "shingles"]))
    starts = np.cumsum([0, *(table.num_rows for table in tables)], dtype=np.int64)
    parsed = [ids.parse(table["content_id"]) for table in tables]
    all_ids = np.concatenate(parsed) if parsed else np.empty((0, 4), np.uint64)
    shingles = [table["shingles"].to_numpy() for table in tables]
    by_id = ids.sort(all_ids)
    ordered = all_ids[by_id]
    live = np.ones(len(all_ids), bool)
    if len(all_ids):
        live[by_id[1:]] = (ordered[1:, :2] != ordered[:-1, :2]).any(axis=1)
    first_seen = np.full(len(all_ids), NEVER)
    captured = np.zeros(len(all_ids), bool)
    with proofs.connect(lake) as db:
        for dated, moments in moments_of(db):
            rows = ids.positions(ordered, dated)
            date(first_seen, captured, by_id[rows[rows >= 0]], moments[rows >= 0])
    live &= captured
    rank = np.empty(len(all_ids), np.int64)
    rank[by_id[np.argsort(first_seen[by_id], kind="stable")]] = np.arange(len(all_ids))
    return Texts(
        segments,
        starts,
        all_ids,
        np.concatenate(shingles).astype(np.int32) if shingles else np.empty(0, np.int32),
        first_seen,
        rank,
        live,
        by_id,
        ordered,
    )


def within(memory: int, scratch: str) -> dict[str, str | int]:
    """Return the settings of a DuckDB that reads captures.

    Args:
        memory: bytes that it may use before it writes to the scratch folder.
    """
    return {
        "memory_limit": f"{max(memory, _THREAD) >> 20}MiB",
        "temp_directory": scratch,
        "threads": min(max(memory // _THREAD, 1), os.cpu_count() or 1),
        "preserve_insertion_order": "false",
    }


def moments_of(db: duckdb.DuckDBPyConnection) -> Iterator[tuple[Ids, npt.NDArray[np.int64]]]:
    """Yield the content ids and moments of all captures, in batches; NEVER for one that is no proof."""
    for batch in db.sql(MOMENTS).to_arrow_reader(1 << 18):
        yield ids.parse(batch.column(0)), batch.column(1).to_numpy()


@compiled
def date(first_seen, captured, texts, moments):  # type: ignore[no-untyped-def]
    """Note the moments of captures of some texts: the earliest one of a text counts."""
    for at in range(texts.size):
        text = texts[at]
        captured[text] = True
        if moments[at] < first_seen[text]:
            first_seen[text] = moments[at]
