"""The step `write_shards`: put the rows of a shard together, write its files, and hash them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from archive import registry
from archive.atomic import write_file
from archive.engine import Context
from archive.errors import ExportError
from query import merkle, rows
from query.dataset import File, Shard
from query.export.assign_shards import PlannedShard
from query.export.shuffle import texts_of
from query.export.workplace import Workplace, disk_errors
from query.formats import Format, open_format
from query.mask import mask
from query.options import ExportOptions
from query.tokenizer import Tokenizer, once_opened


@dataclass(frozen=True, slots=True)
class Unit:
    """A shard, and the batches that hold its texts."""

    out: Path
    shard: PlannedShard
    options: ExportOptions
    batches: list[tuple[str, list[int]]]
    tokenizer: Tokenizer | None
    plugins: registry.Entries

    @property
    def name(self) -> str:
        return self.shard.stem


def work(unit: Unit, ctx: Context) -> int:
    """Write the files of a shard, and what is then known of it to `.work/done`.

    Its files are complete and on the disk before they get their names. Done again, it gives the same bytes.

    Needs the work folder of the export, on a disk that all workers see.

    Raises:
        ArchiveError: the disk is full, or the format cannot hold the rows.
    """
    registry.adopt(unit.plugins)
    workplace, planned = Workplace(unit.out), unit.shard
    scratch = workplace.parts / str(planned.number)
    with disk_errors(unit.out / planned.folder / planned.stem):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        format_ = open_format(unit.options.format)
        table, texts = rows_of(workplace, unit)
        files = _write(format_, table, scratch, planned.stem)
        leaves, placeless = merkle.both_leaves(table, texts)
        shard = Shard(
            planned.folder,
            files,
            table.num_rows,
            **rows.totals(table),
            merkle_root=merkle.root(leaves),
            content_root=merkle.root(placeless),
        )
        for file in files:
            os.replace(scratch / file.name, workplace.set / planned.folder / file.name)
        shutil.rmtree(scratch)
        write_file(workplace.done / f"{planned.number}.json", json.dumps(asdict(shard)).encode())
    ctx.progress(table.num_rows, sum(file.bytes for file in files))
    return planned.number


def rows_of(workplace: Workplace, unit: Unit) -> tuple[pa.Table, list[bytes] | None]:
    """Return the rows of a shard as the format gets them, with the columns of `query.rows`, and the SHA-256 of their
    texts; None for masked texts, which are others than were hashed.

    Raises:
        ExportError: its texts are not those that were planned.
    """
    shard, options = unit.shard, unit.options
    with pq.ParquetFile(workplace.rows, metadata=_metadata(workplace.rows, workplace.rows.stat().st_mtime_ns)) as file:
        evidence = file.read_row_group(shard.number)
    texts = texts_of(workplace.spill, unit.batches)
    if len(texts) != evidence.num_rows:
        raise ExportError(f"{shard.stem}: {len(texts)} texts for {evidence.num_rows} rows; delete the folder")
    hashes: list[bytes] | None = merkle.text_hashes(texts)
    if [each.hex() for each in hashes or ()] != evidence["content_id"].to_pylist():
        raise ExportError(f"{shard.stem}: a text is not that of its content id; delete the folder and export anew")
    columns: dict[str, Any] = {name: evidence[name] for name in evidence.column_names if name in rows.COLUMNS}
    if options.mask:
        masked = [mask(text.as_py()) for text in texts]
        texts = pa.chunked_array([pa.array([text for text, _ in masked], pa.large_string())])
        hashes = None
        columns["masked"] = pa.array([count for _, count in masked], pa.int32())
    metadata = None
    if unit.tokenizer is not None:
        tokenizer = once_opened(unit.tokenizer)
        encoded = [ids for batch in texts.chunks for ids in tokenizer.encode(batch.to_pylist())]
        columns["token_count"] = pa.array([len(ids) for ids in encoded], pa.int64())
        if options.format in rows.TOKEN_FORMATS:
            columns["tokens"] = pa.array(encoded, pa.list_(pa.int32()))
            metadata = {b"vocab_size": str(tokenizer.vocab_size).encode(), b"tokenizer": tokenizer.name.encode()}
    if "tokens" not in columns:
        columns["text"] = texts.cast(pa.string())
    schema = rows.schema_of(options.columns)
    table = pa.table([columns[name] for name in schema.names], schema=schema).combine_chunks()
    return table.replace_schema_metadata(metadata), hashes


@lru_cache(maxsize=1)
def _metadata(path: Path, _changed: int) -> pq.FileMetaData:
    """Read the metadata of a file once: it grows with the shards, which have a row group each."""
    return pq.read_metadata(path)


def _write(format_: Format, table: pa.Table, folder: Path, stem: str) -> tuple[File, ...]:
    """Write the files of a shard, and wait until they are on the disk."""
    files = []
    for name in format_.write(table, folder, stem).files:
        with open(folder / name, "rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            files.append(File(name, os.fstat(file.fileno()).st_size, digest))
    return tuple(files)
