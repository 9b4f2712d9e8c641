"""The step `shuffle`: read each file of documents once, and write its texts by shard."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from archive.atomic import write_file
from archive.engine import Context
from archive.lake import Lake
from query.export.workplace import disk_errors

#: Bytes of text that are held before they are written by shard.
_HELD = 128 << 20
#: Bytes of files that one worker does at a time.
_TOGETHER = 64 << 20


@dataclass(frozen=True, slots=True)
class Unit:
    """Some files of documents, by their numbers among the sorted names."""

    location: str  #: of the lake
    files: tuple[tuple[int, str], ...]
    positions: Path  #: the chosen rows, as `texts_in` reads them
    spill: Path

    @property
    def name(self) -> str:
        return f"{self.files[0][0]:08d}"


def plan(lake: Lake, files: list[str], sizes: list[int], positions: Path, spill: Path) -> list[Unit]:
    """Return the units that are not done yet."""
    units: list[Unit] = []
    held: list[tuple[int, str]] = []
    filled = 0
    for number, (file, size) in enumerate(zip(files, sizes, strict=True)):
        if held and filled + size > _TOGETHER:
            units.append(Unit(lake.location, tuple(held), positions, spill))
            held, filled = [], 0
        held.append((number, file))
        filled += size
    if held:
        units.append(Unit(lake.location, tuple(held), positions, spill))
    return [unit for unit in units if not (spill / f"{unit.name}.json").exists()]


def work(unit: Unit, ctx: Context) -> int:
    """Write the texts of a unit to an Arrow file in which each record batch is of one shard, and a list of these.

    Needs the work folder of the export, on a disk that all workers see.

    Raises:
        ArchiveError: a file of the lake cannot be read, or the disk is full.
    """
    with disk_errors(unit.spill):
        return _write_by_shard(unit, ctx.progress)


def _write_by_shard(unit: Unit, progress: Callable[[int, int], None]) -> int:
    batches: dict[int, list[int]] = {}
    count = texts = 0
    path = unit.spill / f"{unit.name}.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SPILLED, options=_LZ4) as writer:
        for table in _held(texts_in(unit.location, unit.files, unit.positions, ["shard", "position"])):
            for shard, rows in _by_shard(table):
                for batch in rows.to_batches():
                    writer.write_batch(batch)
                    batches.setdefault(shard, []).append(count)
                    count += 1
            texts += table.num_rows
            progress(table.num_rows, table["text"].nbytes)
    write_file(unit.spill / f"{unit.name}.json", json.dumps(batches).encode())
    return texts


SPILLED = pa.schema([("position", pa.int32()), ("text", pa.large_string())])
_LZ4 = pa.ipc.IpcWriteOptions(compression="lz4")


def texts_in(
    location: str, files: tuple[tuple[int, str], ...], positions: Path, columns: list[str]
) -> Iterator[pa.Table]:
    """Yield the chosen texts of some files of documents, a row group at a time.

    Args:
        positions: a Parquet file with `source`, `row` and the named columns, sorted by the first two.
    """
    lake = Lake(location)
    wanted = pads.dataset(positions).to_table(
        columns=["source", "row", *columns], filter=pads.field("source").isin([number for number, _ in files])
    )
    for number, name in files:
        chosen = wanted.filter(pc.equal(wanted["source"], number))
        if not chosen.num_rows:
            continue
        with pq.ParquetFile(f"{lake.table_path('documents')}/{name}", filesystem=lake.filesystem) as file:
            first = 0
            for group in range(file.num_row_groups):
                last = first + file.metadata.row_group(group).num_rows
                inside = pc.and_(pc.greater_equal(chosen["row"], first), pc.less(chosen["row"], last))
                here = chosen.filter(inside)
                if here.num_rows:
                    texts = file.read_row_group(group, columns=["text"])["text"].cast(pa.large_string())
                    at = pc.subtract(here["row"], first)
                    yield here.select(columns).append_column("text", texts.take(at).combine_chunks())
                first = last


def _held(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Join tables up to a number of bytes, so that a shard's texts come in few pieces."""
    held: list[pa.Table] = []
    filled = 0
    for table in tables:
        held.append(table)
        filled += table.nbytes
        if filled >= _HELD:
            yield _joined(held)
            filled = 0
    if held:
        yield _joined(held)


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Join tables and empty the list, so that they can be freed.

    Arrow takes rows from a column of many pieces by joining the pieces first, each time.
    """
    joined = pa.concat_tables(tables).combine_chunks()
    tables.clear()
    return joined


def _by_shard(table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    order = pc.sort_indices(table, [("shard", "ascending"), ("position", "ascending")])
    runs = pc.run_end_encode(table["shard"].take(order).combine_chunks())
    start = 0
    for shard, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield shard, table.take(order.slice(start, end - start)).select(SPILLED.names).cast(SPILLED)
        start = end


class Spilled:
    """What all units wrote, by shard."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._where: dict[int, list[tuple[str, list[int]]]] = {}
        for path in sorted(folder.glob("*.json")):
            batches: dict[str, Any] = json.loads(path.read_bytes())
            for shard, numbers in batches.items():
                self._where.setdefault(int(shard), []).append((path.stem, numbers))

    def where(self, shard: int) -> list[tuple[str, list[int]]]:
        """Return the files that hold texts of a shard, and the numbers of their batches."""
        return self._where.get(shard, [])


def texts_of(spill: Path, where: list[tuple[str, list[int]]]) -> pa.ChunkedArray:
    """Return the texts of a shard, in their order."""
    batches: list[pa.RecordBatch] = []
    for name, numbers in where:
        with pa.OSFile(str(spill / f"{name}.arrow")) as source, pa.ipc.open_file(source) as file:
            batches += [file.get_batch(number) for number in numbers]
    table = pa.Table.from_batches(batches, SPILLED)
    return table["text"].take(pc.sort_indices(table["position"]))
