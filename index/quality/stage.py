"""Plan, work, commit: signals of the texts that have none yet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from archive.compact import compact
from archive.engine import Context, Failed, Workers, open_engine
from archive.errors import LakeError
from archive.files import write_parquet
from archive.lake import Lake, NewFile
from archive.progress import Reporter
from archive.tables import DOCUMENTS
from index import stage
from index.quality.signals import VERSION, signals
from index.quality.table import QUALITY
from index.stage import Wanted

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
    wanted: Wanted


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
    """Files of documents that were not measured yet."""
    for file, wanted in stage.fresh(lake, QUALITY):
        yield Unit(lake.location, file, wanted)


def work(unit: Unit, ctx: Context) -> Measured:
    """Measure the texts of a unit, a row group at a time, and write their signals. Runs on any machine."""
    lake = Lake(unit.location)
    made: list[pa.Table] = []
    for table in stage.texts(lake, unit.file, unit.wanted):
        made.append(signals(table["content_id"].combine_chunks(), table["text"].combine_chunks()))
        ctx.progress(table.num_rows, int(table["text"].nbytes))
    if not made:
        return Measured(0, None)
    table = pa.concat_tables(made)
    return Measured(table.num_rows, write_parquet(lake, QUALITY, table, "quality", **OPTIONS))


def measure_new(lake: Lake, workers: Workers = None, reporter: Reporter | None = None) -> Summary:
    """Measure all texts of a lake that have no signals yet.

    Args:
        workers: processes; by default one for each core.

    Raises:
        LakeError: there is no lake, its signals are of another version, a file is damaged, or it cannot be written.
    """
    engine, reporter = open_engine(workers), reporter or Reporter()
    lake.delta(DOCUMENTS.name)  # says so where there is no lake
    try:
        create(lake)
        reporter.stage("measure", lake.rows(DOCUMENTS.name))
        summary = Summary()
        for end in engine.run(work, plan(lake), progress=reporter.advance):
            if isinstance(end, Failed):
                raise LakeError(f"{lake.table_uri(DOCUMENTS.name)}/{end.task.file}: {end.error}")
            if stage.commit(lake, QUALITY, end.task.file, end.result.file):
                summary.measured += end.result.texts
        compact(lake, QUALITY)
        summary.texts = lake.rows(QUALITY.name)
    except pa.ArrowInvalid as error:
        raise LakeError(f"{lake.location}: a file of the lake is damaged ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise LakeError(f"{error.filename or lake.location}: {error.strerror or error}; what was committed stays, "
                        "run the same command again when it is mended") from None  # fmt: skip
    return summary
