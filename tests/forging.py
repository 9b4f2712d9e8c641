"""Changes exported sets as a forger does who can compute every hash that is not secret."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from archive.files import sql_literal
from query import merkle
from query.dataset import DESCRIBING, MANIFEST, File, Manifest, Shard, sums
from query.export.manifest import description, distribution, with_roots
from query.formats import Written, open_format
from query.rows import schema_of, totals
from query.scratch import scratch_database

Row = dict[str, Any]


def rows_of(out: Path, shard: Shard, format_: str) -> pa.Table:
    """Read the rows of a shard."""
    tables = list(open_format(format_).read(out / shard.folder, [file.name for file in shard.files]))
    return pa.concat_tables(tables)


def hashed(path: Path, name: str) -> File:
    data = path.read_bytes()
    return File(name, len(data), hashlib.sha256(data).hexdigest())


def rewrite(out: Path, change: Callable[[list[Row]], None], shard_number: int = 0) -> None:
    """Change the rows of a shard, and all hashes and numbers that would tell of it; the order too."""
    manifest = Manifest.from_json(json.loads((out / MANIFEST).read_bytes()))
    folder, options = manifest.shards[shard_number].folder, manifest.arguments
    held: dict[int, list[Row]] = {}
    for number, shard in enumerate(manifest.shards):
        if shard.folder == folder:
            held[number] = rows_of(out, shard, options.format).to_pylist()
    change(held[shard_number])
    rows = sorted((row for each in held.values() for row in each), key=lambda row: key_of(row, options.seed))
    tables: dict[int, pa.Table] = {}
    for number, each in held.items():
        tables[number] = pa.Table.from_pylist(rows[: len(each)], schema=schema_of(manifest.columns))
        rows = rows[len(each) :]
    replace_rows(out, tables)


def key_of(row: Row, seed: int) -> tuple[str, str]:
    content_id = str(row["content_id"])
    return hashlib.md5(f"{seed}:{content_id}".encode()).hexdigest(), content_id


def replace_rows(out: Path, tables: dict[int, pa.Table]) -> None:
    """Write other rows into shards, by number; and all that follows from them."""
    manifest = Manifest.from_json(json.loads((out / MANIFEST).read_bytes()))
    shards = list(manifest.shards)
    format_ = open_format(manifest.arguments.format)
    for number, table in tables.items():
        shard = shards[number]
        stem = shard.files[0].name.partition(".")[0]
        written = format_.write(table, out / shard.folder, stem)
        files = tuple(hashed(out / shard.folder / name, name) for name in written.files)
        shards[number] = replace(
            shard,
            files=files,
            rows=table.num_rows,
            **totals(table),  # type: ignore[arg-type]
            merkle_root=merkle.root(merkle.leaves(table)),
            content_root=merkle.root(merkle.leaves(table, merkle.LOCATION)),
        )
    reseal(out, replace(manifest, shards=tuple(shards)), count=True)


def reseal(out: Path, manifest: Manifest, count: bool = False) -> None:
    """Write a manifest with the indexes, roots, card and picture that it gives.

    Args:
        count: also with the numbers that its rows give.
    """
    format_ = open_format(manifest.arguments.format)
    folders: dict[str, list[Written]] = {}
    for shard in manifest.shards:
        written = Written(tuple(file.name for file in shard.files), shard.rows)
        folders.setdefault(shard.folder, []).append(written)
    if count:
        indexes = [f"{folder}/{name}" for folder, of in folders.items() for name in format_.index(out / folder, of)]
        tables = [rows_of(out, shard, manifest.arguments.format) for shard in manifest.shards]
        manifest = replace(manifest, **{**sums(manifest.shards), **counted(pa.concat_tables(tables))})
        manifest = replace(manifest, files=tuple(hashed(out / name, name) for name in indexes))
    else:
        manifest = replace(manifest, files=tuple(file for file in manifest.files if file.name not in DESCRIBING))
    manifest = with_roots(manifest)
    files = list(manifest.files)
    for name, text in description(manifest).items():
        (out / name).write_text(text)
        files.append(hashed(out / name, name))
    (out / MANIFEST).write_text(json.dumps(replace(manifest, files=tuple(files)).as_json()))


def counted(rows: pa.Table) -> dict[str, Any]:
    """Return the numbers of a manifest that come of the rows."""
    with tempfile.TemporaryDirectory() as folder, scratch_database(Path(folder)) as db:
        path = Path(folder, "rows.parquet")
        pq.write_table(rows, path)
        return distribution(db, f"read_parquet({sql_literal(path)})")


def seal(out: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest, given as JSON, with the roots, card and picture that it gives."""
    reseal(out, Manifest.from_json(manifest))
