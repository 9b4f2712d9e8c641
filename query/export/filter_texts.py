"""The step `filter_texts`, where an export needs the words of the chosen texts: it counts tokens, and looks for
evaluation texts (`query.export.evaluation`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.atomic import write_file
from archive.engine import Context
from archive.files import sql_literal
from archive.lake import Lake
from query.export import shuffle
from query.export.evaluation import EvaluationSets, finder, hash_sets
from query.export.workplace import Workplace, disk_errors
from query.mask import mask
from query.options import ExportOptions
from query.scratch import scratch_database
from query.tokenizer import Tokenizer, once_opened


@dataclass(frozen=True, slots=True)
class Unit:
    """Some files of documents."""

    texts: shuffle.Unit
    to: Path
    sets: EvaluationSets
    items: EvaluationSets  #: the benchmarks of `--decontaminate-like`
    tokenizer: Tokenizer | None
    mask: bool  #: before tokens are counted


def prepare(workplace: Workplace, options: ExportOptions) -> EvaluationSets:
    """Sort the chosen rows, and those from before benchmarks, by where their texts are; hash the evaluation sets."""
    more = ""
    if workplace.earlier.exists():
        more = f"""UNION SELECT source, "row", content_id FROM read_parquet({sql_literal(workplace.earlier)})"""
    with scratch_database(workplace.scratch) as db:
        db.execute(f"""
            COPY (SELECT source, "row", content_id FROM read_parquet({sql_literal(workplace.selected)}) {more}
                  ORDER BY source, "row") TO {sql_literal(workplace.to_filter)}
            (FORMAT parquet, ROW_GROUP_SIZE 100000)
        """)
    return hash_sets(options.decontaminate, workplace.work)


def plan(
    lake: Lake,
    files: list[str],
    sizes: list[int],
    workplace: Workplace,
    sets: EvaluationSets,
    items: EvaluationSets,
    tokenizer: Tokenizer | None,
    masked: bool,
) -> list[Unit]:
    """Return the units of work; with a tokenizer, tokens are counted."""
    units = shuffle.plan(lake, files, sizes, workplace.to_filter, workplace.filtered)
    return [Unit(unit, workplace.filtered, sets, items, tokenizer, masked) for unit in units]


def work(unit: Unit, ctx: Context) -> int:
    """Write a Parquet file with `content_id`, and what was asked for of `token_count`, `contaminated` (the names of the
    sets) and `is_source` (whether it shares an n-gram with a benchmark of `--decontaminate-like`).

    Needs the work folder of the export, on a disk that all workers see.

    Raises:
        ArchiveError: a file of the lake cannot be read, or the disk is full.
    """
    with disk_errors(unit.to):
        return _look(unit, ctx.progress)


def _look(unit: Unit, progress: Callable[[int, int], None]) -> int:
    find, find_source = finder(unit.sets), finder(unit.items)
    count = _counter(unit)
    tables: list[pa.Table] = []
    source = unit.texts
    for table in shuffle.texts_in(source.location, source.files, source.positions, ["content_id"]):
        texts = table["text"]
        if unit.mask:
            texts = pa.chunked_array([pa.array([mask(text.as_py())[0] for text in texts], pa.large_string())])
        columns = {"content_id": table["content_id"].cast(pa.string())}
        if count:
            columns["token_count"] = count(texts)
        if unit.sets.names:
            columns["contaminated"] = find(table["text"])
        if unit.items.names:
            columns["is_source"] = pc.greater(pc.list_value_length(find_source(table["text"])), 0)
        tables.append(pa.table(columns))
        progress(table.num_rows, table["text"].nbytes)
    if tables:
        pq.write_table(pa.concat_tables(tables), unit.to / f"{source.name}.parquet")
    write_file(unit.to / f"{source.name}.json", b"true")
    return sum(table.num_rows for table in tables)


def _counter(unit: Unit) -> Callable[[pa.ChunkedArray], pa.Array] | None:
    if unit.tokenizer is None:
        return None
    tokenizer = once_opened(unit.tokenizer)

    def count(texts: pa.ChunkedArray) -> pa.Array:
        return pa.array([len(ids) for chunk in texts.chunks for ids in tokenizer.encode(chunk.to_pylist())], pa.int64())

    return count
