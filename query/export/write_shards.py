"""The fourth step: a shard is put together, written, hashed, and laid down whole."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import write_file
from archive.engine import Context
from archive.errors import ExportError
from query import merkle, rows
from query.export.arguments import Arguments
from query.export.assign_shards import Shard
from query.export.shuffle import texts_of
from query.export.workplace import Workplace, saying
from query.formats import Format, open_format
from query.mask import mask
from query.tokenizer import once_opened

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer


@dataclass(frozen=True, slots=True)
class Unit:
    """A shard, and where its texts were laid out."""

    out: Path
    shard: Shard
    arguments: Arguments
    where: list[tuple[str, list[int]]]
    tokenizer: Tokenizer | None


def work(unit: Unit, ctx: Context) -> int:
    """Write the files of a shard; what is then known of it stands in `.work/done`.

    Its files are whole and on the disk before they get their names. Done again, it gives the same bytes.

    Needs the work folder of the export, on a disk that all workers see.

    Raises:
        ArchiveError: the disk is full, or the format cannot hold the rows.
    """
    place = Workplace(unit.out)
    scratch = place.parts / str(unit.shard.number)
    with saying(unit.out / unit.shard.folder / unit.shard.stem):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        table = rows_of(place, unit)
        form = open_format(unit.arguments.form)
        known = {**_known(table), **_write(form, table, scratch, unit)}
        for file in known["files"]:
            os.replace(scratch / file["name"], place.set / unit.shard.folder / file["name"])
        shutil.rmtree(scratch)
        write_file(place.done / f"{unit.shard.number}.json", json.dumps(known).encode())
    ctx.progress(table.num_rows, sum(file["bytes"] for file in known["files"]))
    return unit.shard.number


def rows_of(place: Workplace, unit: Unit) -> pa.Table:
    """The rows of a shard as they are written: see `query.rows`."""
    arguments = unit.arguments
    with pq.ParquetFile(place.rows, metadata=_foot(place.rows, place.rows.stat().st_mtime_ns)) as file:
        evidence = file.read_row_group(unit.shard.number)
    texts = texts_of(place.spill, unit.where)
    if len(texts) != evidence.num_rows:
        raise ExportError(f"{unit.shard.stem}: {len(texts)} texts for {evidence.num_rows} rows; delete the folder")
    if merkle.payloads(pa.table({"text": texts})) != evidence["content_id"].to_pylist():
        raise ExportError(f"{unit.shard.stem}: a text is not that of its content id; delete the folder and export anew")
    columns: dict[str, Any] = {name: evidence[name] for name in evidence.column_names if name in rows.COLUMNS}
    if not arguments.mark:
        columns.pop("contaminated", None)
    if arguments.mask:
        masked = [mask(text.as_py()) for text in texts]
        texts = pa.chunked_array([pa.array([text for text, _ in masked], pa.large_string())])
        columns["masked"] = pa.array([count for _, count in masked], pa.int32())
    metadata = None
    if unit.tokenizer is not None:
        tokenizer = once_opened(unit.tokenizer)
        encoded = [ids for batch in texts.chunks for ids in tokenizer.encode(batch.to_pylist())]
        columns["token_count"] = pa.array([len(ids) for ids in encoded], pa.int64())
        if arguments.form in rows.TOKEN_FORMATS:
            columns["tokens"] = pa.array(encoded, pa.list_(pa.int32()))
            metadata = {b"vocab_size": str(tokenizer.vocab_size).encode(), b"tokenizer": tokenizer.name.encode()}
    if "tokens" not in columns:
        columns["text"] = texts.cast(pa.string())
    schema = rows.schema_of(rows.columns(arguments.as_json()))
    made = pa.table([columns[name] for name in schema.names], schema=schema).combine_chunks()
    return made.replace_schema_metadata(metadata)


@lru_cache(maxsize=1)
def _foot(path: Path, _changed: int) -> pq.FileMetaData:
    """Of a file with a row group for each shard: read once, since it grows with them."""
    return pq.read_metadata(path)


def _known(table: pa.Table) -> dict[str, Any]:
    """The numbers of a shard, and the roots of its rows."""
    return {
        "rows": table.num_rows,
        **rows.totals(table),
        "root": merkle.root(merkle.leaves(table)),
        "content_root": merkle.root(merkle.leaves(table, merkle.LOCATION)),
    }


def _write(form: Format, table: pa.Table, scratch: Path, unit: Unit) -> dict[str, Any]:
    written = form.write(table, scratch, unit.shard.stem)
    files = []
    for name in written.files:
        with open(scratch / name, "rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            files.append({"name": name, "bytes": os.fstat(file.fileno()).st_size, "sha256": digest})
    return {"folder": unit.shard.folder, "files": files}
