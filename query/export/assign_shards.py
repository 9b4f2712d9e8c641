"""The step `assign_shards`: the order of the rows, their folders and their shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import ExportError
from archive.files import sql_literal
from archive.lake import Lake
from query.dataset import Dropped
from query.export import splits
from query.export.workplace import Workplace
from query.options import ExportOptions
from query.scratch import scratch_database

#: Characters that the evidence of a row counts as, next to its text.
_EVIDENCE = 300
_BATCH = 20_000
_PERIOD = {"year": "%Y", "month": "%Y-%m"}


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """A shard that is not written yet: its number among all (its row group in `rows.parquet`), and its name."""

    number: int
    folder: str  #: below the folder of the export
    stem: str
    rows: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """The shards, what was left out on the way to them, and how many texts each evaluation set was found in."""

    shards: list[PlannedShard]
    dropped: list[Dropped]
    contamination: dict[str, int]
    likeness: dict[str, int]  #: how many texts of the set are like an item of a benchmark, and how many are not


def assign_shards(lake: Lake, workplace: Workplace, options: ExportOptions, memory: str) -> Assignment:
    """Write `rows.parquet`, sorted by shard and position, and `positions.parquet`, sorted by where the texts are.

    The order is that of a hash of seed and content id. It depends on nothing else, so what a smaller sample or a lower
    limit of tokens keeps comes in the same order.
    """
    with scratch_database(workplace.scratch, memory) as db:
        dropped, contamination = _choose(db, workplace, options)
        if options.split:
            splits.assign(db, lake, options.split, options.seed, workplace.scratch)
        shards = _write_rows(db, workplace, options)
        likeness = likenesses(db, "chosen") if options.decontaminate_like else {}
        db.execute(
            f"""COPY (SELECT source, "row", shard, position FROM read_parquet({sql_literal(workplace.rows)})
                ORDER BY source, "row") TO {sql_literal(workplace.positions)} (FORMAT parquet, ROW_GROUP_SIZE 100000)"""
        )
    return Assignment(shards, dropped, contamination, likeness)


def likenesses(db: duckdb.DuckDBPyConnection, rows: str) -> dict[str, int]:
    """Count the texts that are like an item of a benchmark, that are not, and of which that is not known.

    Args:
        rows: SQL of a table with `like_benchmark` and `like_cosine`.
    """
    ((alike, unlike, partly, not_compared),) = db.execute(f"""
        SELECT count(*) FILTER (like_benchmark), count(*) FILTER (NOT like_benchmark),
               count(*) FILTER (like_benchmark IS NULL AND like_cosine IS NOT NULL),
               count(*) FILTER (like_cosine IS NULL)
        FROM {rows}
    """).fetchall()
    return {"alike": alike, "unlike": unlike, "partly": partly, "not_compared": not_compared}


def _choose(
    db: duckdb.DuckDBPyConnection, workplace: Workplace, options: ExportOptions
) -> tuple[list[Dropped], dict[str, int]]:
    """Make the table `chosen`: key, site, cluster and size of each row that stays."""
    filtered = any(workplace.filtered.glob("*.parquet"))
    facts = f"LEFT JOIN read_parquet({sql_literal(workplace.filtered / '*.parquet')}) AS f USING (content_id)"
    tokens = "token_count" if filtered and options.max_tokens is not None else "NULL"
    alike = options.decontaminate_like
    likes = ", like_benchmark, like_cosine, like_item" if alike else ""
    likeness = f"JOIN read_parquet({sql_literal(workplace.alike)}) AS a USING (content_id)" if alike else ""
    contaminated = "contaminated" if filtered and options.decontaminate else "NULL::VARCHAR[]"
    db.execute(f"""
        CREATE TEMP TABLE every AS
        SELECT md5('{options.seed}:' || content_id) AS key, content_id, cluster_id,
               coalesce(domain, 'text:' || content_id) AS site, chars + {_EVIDENCE} AS size,
               {tokens}::BIGINT AS token_count, {contaminated} AS contaminated{likes}
        FROM read_parquet({sql_literal(workplace.selected)}) AS s {facts if filtered else ""} {likeness}
    """)
    ((rows, texts),) = db.execute("SELECT count(*), count(DISTINCT content_id) FROM every").fetchall()
    if rows != texts:
        raise ExportError(f"{rows - texts:,} texts are in the lake more than once, in `documents` or `quality`")
    counts = _contaminations(db, "every")
    conditions = []
    if options.decontaminate and not options.mark:
        conditions.append(("shares an n-gram with an evaluation set", "len(contaminated) = 0"))
    if options.drop_like:
        conditions.append(("is like an item of a benchmark", "like_benchmark IS DISTINCT FROM true"))
    if options.sample is not None:
        limit = f"{min(int(options.sample * 2**128), 2**128 - 1):032x}"
        conditions.append((f"not in the sample of {options.sample:g}", f"key <= '{limit}'"))
    dropped = []
    for name, condition in conditions:
        (before,) = db.execute("SELECT count(*) FROM every").fetchall()[0]
        db.execute(f"CREATE OR REPLACE TEMP TABLE every AS SELECT * FROM every WHERE {condition}")
        (after,) = db.execute("SELECT count(*) FROM every").fetchall()[0]
        dropped.append(Dropped(name, before - after))
    if options.max_tokens is None:
        db.execute("ALTER TABLE every RENAME TO chosen")
        return dropped, _contaminations(db, "chosen") if options.mark else counts
    db.execute(f"""
        CREATE TEMP TABLE chosen AS SELECT * FROM every
        QUALIFY sum(token_count) OVER (ORDER BY key ROWS UNBOUNDED PRECEDING) <= {options.max_tokens}
    """)
    ((left,),) = db.execute("SELECT (SELECT count(*) FROM every) - (SELECT count(*) FROM chosen)").fetchall()
    dropped.append(Dropped(f"beyond {options.max_tokens:,} tokens", left))
    return dropped, _contaminations(db, "chosen") if options.mark else counts


def _contaminations(db: duckdb.DuckDBPyConnection, table: str) -> dict[str, int]:
    """Count the texts that share an n-gram with each evaluation set: of those in the set, where they are marked."""
    return dict(db.execute(f"SELECT unnest(contaminated), count(*) FROM {table} GROUP BY 1 ORDER BY 1").fetchall())


def _write_rows(db: duckdb.DuckDBPyConnection, workplace: Workplace, options: ExportOptions) -> list[PlannedShard]:
    split = "p.split" if options.split else "'train'"
    likes = ", c.like_benchmark, c.like_cosine, c.like_item" if options.decontaminate_like else ""
    folder = split if not options.slices else f"strftime(captured_at, '{_PERIOD[options.slices]}') || '/' || {split}"
    rows = db.sql(f"""
        SELECT s.*, c.size, c.contaminated{likes}, {folder} AS folder, {split} AS split
        FROM read_parquet({sql_literal(workplace.selected)}) AS s JOIN chosen AS c USING (content_id)
        {"JOIN splits AS p USING (site)" if options.split else ""}
        ORDER BY folder, c.key, content_id
    """).to_arrow_reader(_BATCH)
    shards: list[PlannedShard] = []
    inside: Counter[str] = Counter()
    with _Writer(workplace.rows) as writer:
        for piece, folder_name, split_name, ends in _pieces(rows, options.shard_size):
            number = len(shards)
            writer.add(piece, number)
            if ends:
                stem = f"{split_name}-{inside[folder_name]:05d}"
                shards.append(PlannedShard(number, folder_name, stem, writer.end()))
                inside[folder_name] += 1
    return shards


def _pieces(reader: pa.RecordBatchReader, limit: int) -> Iterator[tuple[pa.RecordBatch, str, str, bool]]:
    """Cut sorted rows into runs of one shard each. Yields `(rows, folder, split, whether the shard ends here)`."""
    held: pa.RecordBatch | None = None
    folder, filled = "", 0
    for batch in reader:
        if not batch.num_rows:
            continue
        start = 0
        for at, (name, size) in enumerate(
            zip(batch.column("folder").to_pylist(), batch.column("size").to_pylist(), strict=True)
        ):
            if folder and (name != folder or (filled and filled + size > limit)):
                if held is not None:
                    yield *_named(held), at == start
                if at > start:
                    yield *_named(batch.slice(start, at - start)), True
                held, start, filled = None, at, 0
            folder = name
            filled += size
        if held is not None:
            yield *_named(held), False
        held = batch.slice(start)
    if held is not None:
        yield *_named(held), True


def _named(rows: pa.RecordBatch) -> tuple[pa.RecordBatch, str, str]:
    return rows, rows.column("folder")[0].as_py(), rows.column("split")[0].as_py()


class _Writer:
    """Writes a row group for each shard."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: pq.ParquetWriter | None = None
        self._held: list[pa.Table] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, rows: pa.RecordBatch, shard: int) -> None:
        first = sum(table.num_rows for table in self._held)
        table = pa.Table.from_batches([rows]).drop_columns(["size", "folder", "split"])
        table = table.append_column("shard", pa.array([shard] * len(rows), pa.int32()))
        self._held.append(table.append_column("position", pa.array(range(first, first + len(rows)), pa.int32())))

    def end(self) -> int:
        """Write the rows of the shard; returns how many there are."""
        table = pa.concat_tables(self._held)
        if self._file is None:
            self._file = pq.ParquetWriter(self._path, table.schema, compression="lz4")
        self._file.write_table(table, row_group_size=max(table.num_rows, 1))
        self._held = []
        return int(table.num_rows)
