"""Plan, work, commit: signals of the texts that have none yet. The stages are those of `index.sign`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from archive.engine import Failed, run_all
from archive.errors import LakeError
from archive.lake import Lake, NewFile
from archive.part import write_parquet
from archive.show import Stages
from archive.tables import DOCUMENTS
from index import ids
from index.quality.signals import VERSION, signals
from index.tables import QUALITY

OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": [name for name in QUALITY.schema.names if name != "content_id"],  # most are 0 in most texts
    "write_statistics": [name for name in QUALITY.schema.names if name != "content_id"],
    "row_group_size": 1 << 16,
}


@dataclass(slots=True)
class Summary:
    """What `archive quality` did."""

    measured: int = 0  #: texts that got signals
    texts: int = 0  #: that have them


@dataclass(frozen=True, slots=True)
class Unit:
    """A file of documents, and which of its rows have no signals yet (None: all)."""

    location: str
    file: str
    rows: npt.NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a unit."""

    texts: int
    file: NewFile | None


def create(lake: Lake) -> None:
    """Create the table if it is missing; the version of the procedure stands in its description.

    Raises:
        LakeError: the lake has signals of another version.
    """
    lake.create([QUALITY], json.dumps({"version": VERSION}))
    check(lake)


def check(lake: Lake) -> None:
    """Raises LakeError where a lake has no signals, or those of another version than this program makes."""
    if not lake.has(QUALITY):
        lake.delta(DOCUMENTS.name)  # says so where there is no lake
        raise LakeError(f"{lake.location}: no text is measured yet; `archive quality --lake {lake.location}` does it")
    stated = json.loads(lake.delta(QUALITY.name).metadata().description).get("version")
    if stated != VERSION:
        raise LakeError(
            f"{lake.location}: its signals are of version {stated}, this program makes {VERSION}; "
            f"they are not comparable. Remove the table {lake.table_uri(QUALITY.name)} to measure anew"
        )


def plan(lake: Lake) -> Iterator[Unit]:
    """Files of documents that were not measured yet. One that compaction made holds texts that were."""
    quality = lake.delta(QUALITY.name)
    fresh = [file for file in sorted(lake.files(DOCUMENTS.name)) if quality.transaction_version(file) is None]
    files = lake.files(QUALITY.name) if fresh else []
    known = [ids.parse(table["content_id"]) for table in lake.read_files(QUALITY.name, files, ["content_id"])]
    ordered = np.concatenate(known) if known else np.empty((0, 4), np.uint64)
    ordered = ordered[ids.sort(ordered)]
    for file in fresh:
        rows = None
        if len(ordered):
            (table,) = lake.read_files(DOCUMENTS.name, [file], ["content_id"])
            rows = ids.places(ordered, ids.parse(table["content_id"])) < 0
        yield Unit(lake.location, file, rows)


def work(unit: Unit, careful: bool, progress: Callable[[int, int], None]) -> Measured:
    """Measure the texts of a unit, a row group at a time, and write their signals."""
    lake = Lake(unit.location)
    made: list[pa.Table] = []
    at = 0
    with pq.ParquetFile(f"{lake.table_path(DOCUMENTS.name)}/{unit.file}", filesystem=lake.filesystem) as file:
        for group in range(file.num_row_groups):
            count = file.metadata.row_group(group).num_rows
            wanted = None if unit.rows is None else unit.rows[at : at + count]
            at += count
            if wanted is not None and not wanted.any():
                continue
            table = file.read_row_group(group, columns=["content_id", "text"])
            if wanted is not None:
                table = table.filter(pa.array(wanted))
            made.append(signals(table["content_id"].combine_chunks(), table["text"].combine_chunks()))
            progress(table.num_rows, int(table["text"].nbytes))
    if not made:
        return Measured(0, None)
    table = pa.concat_tables(made)
    return Measured(table.num_rows, write_parquet(lake, QUALITY, table, "quality", **OPTIONS))


def measure_new(lake: Lake, workers: int | None = None, stages: Stages | None = None) -> Summary:
    """Measure all texts of a lake that have no signals yet.

    Args:
        workers: processes; by default one for each core.

    Raises:
        LakeError: there is no lake, its signals are of another version, a file is damaged, or it cannot be written.
    """
    workers, stages = workers or os.cpu_count() or 1, stages or Stages()
    lake.delta(DOCUMENTS.name)  # says so where there is no lake
    try:
        create(lake)
        stages.stage("measure", lake.rows(DOCUMENTS.name))
        summary = Summary()
        for end in run_all(work, plan(lake), workers, stages.progress):
            if isinstance(end, Failed):
                raise LakeError(f"{lake.table_uri(DOCUMENTS.name)}/{end.task.file}: {end.error}")
            summary.measured += _commit(lake, end.task.file, end.result)
        lake.compact(QUALITY)
        summary.texts = lake.rows(QUALITY.name)
    except pa.ArrowInvalid as error:
        raise LakeError(f"{lake.location}: a file of the lake is damaged ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise LakeError(f"{error.filename or lake.location}: {error.strerror or error}; what was committed stays, "
                        "run the same command again when it is mended") from None  # fmt: skip
    return summary


def _commit(lake: Lake, name: str, measured: Measured) -> int:
    """Add what came of a file of documents, if nobody else did; returns how many texts."""
    files = [measured.file] if measured.file else []
    if lake.commit(QUALITY, files, [name]):
        return measured.texts
    if lake.delta(QUALITY.name).transaction_version(name) is None:
        raise LakeError(f"{lake.location}: too many others are writing; run the same command again")
    lake.discard(files)  # another process did the same
    return 0
