"""Removes what tables of the index still have of forgotten texts.

`archive forget` takes out the captures and the texts. What was computed from a text is in tables of its own, which
outlive it: no question names it, since it has no capture. Here these rows go, too. Their files are written anew without
them, and take the place of the old ones in one transaction; a vacuum deletes those.

A text is forgotten if the lake has neither a capture nor a document of it. It may come in again at any moment, and then
must be computed again. So what a table loses is looked up after the table was opened, and the commit shares a
transaction with all that add rows. A stage that had skipped a text because of its rows plans again
(`index.stage.Others.are_swept`).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from archive.arrow import plain
from archive.compact import read, replace, stored
from archive.errors import LakeError
from archive.files import parquet_options, write_parts
from archive.intake.decisions import FORGOTTEN, MANY
from archive.lake import MAX_TRIES, Lake, NewFile
from archive.tables import CAPTURES, DOCUMENTS, SOURCES
from index.embeddings.table import EMBEDDINGS
from index.maintain.kinds import Kind
from index.stage import SWEPT, TURN
from index.tables import PASSAGES
from index.vectors.table import LIKENESSES

_MEMORY = "1GB"


@dataclass(slots=True)
class Swept:
    """What was removed from a table, or would be."""

    rows: int = 0
    files: int = 0  #: that were written anew
    bytes: int = 0  #: of these
    into: int = 0
    commits: int = 0
    by: list[str] = field(default_factory=list)  #: the encoders whose rows were removed


def forgotten(lake: Lake, kinds: list[Kind]) -> pa.Array:
    """Return the texts that tables of the index name and that the lake does not hold any more."""
    none = pa.array([], pa.string())
    if not lake.delta(SOURCES.name).transaction_version(FORGOTTEN):
        return none
    named = [(kind.table.name, name) for kind in kinds for name in kind.names]
    if not named:
        return none
    with _database() as db:
        for name in {CAPTURES.name, DOCUMENTS.name, *(table for table, _ in named)}:
            db.register(name, lake.dataset(name))
        ids = " UNION ALL ".join(f"SELECT {column} AS id FROM {table}" for table, column in named)
        found = db.sql(f"""
            SELECT DISTINCT id FROM ({ids}) AS named WHERE id IS NOT NULL
              AND NOT EXISTS (FROM captures WHERE content_id = id) AND NOT EXISTS (FROM documents WHERE content_id = id)
        """).to_arrow_table()
    return found["id"].cast(pa.string()).combine_chunks()


@contextlib.contextmanager
def _database() -> Iterator[duckdb.DuckDBPyConnection]:
    with (
        tempfile.TemporaryDirectory(prefix="lowbackground-") as folder,
        duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": folder}) as db,
    ):
        yield db


def _still(lake: Lake, texts: pa.Array, kind: Kind, delta: DeltaTable) -> pa.Array:
    """Return those of some texts that are forgotten now.

    A pair of `likenesses` is found again only when one of its texts gets new vectors. So one whose texts have vectors
    still stays until these are gone.
    """
    with _database() as db:
        db.register("wanted", pa.table({"id": texts}))
        db.register("captures", lake.dataset(CAPTURES.name))
        db.register("documents", lake.dataset(DOCUMENTS.name))
        held = "FROM captures UNION ALL SELECT content_id FROM documents"
        if kind.table is LIKENESSES and lake.has(EMBEDDINGS):
            db.register("embeddings", lake.dataset(EMBEDDINGS.name))
            held += " UNION ALL SELECT content_id FROM embeddings"
        # the wanted ones are few: they are what is held in memory
        found = db.sql(f"""
            SELECT id FROM wanted
            EXCEPT SELECT content_id FROM (SELECT content_id {held}) AS held SEMI JOIN wanted ON content_id = id
        """).to_arrow_table()
    return found["id"].cast(pa.string()).combine_chunks()


def sweep(lake: Lake, kind: Kind, texts: pa.Array, dry_run: bool = False) -> Swept:
    """Remove the rows of forgotten texts from a table.

    Args:
        texts: those that may be forgotten.
        dry_run: count only.

    Raises:
        LakeError: the lake cannot be written, or a file is lost.
    """
    done = Swept()
    for folder in _partitions(lake, kind):
        _sweep(lake, kind, texts, folder, dry_run, done)
    return done


def _partitions(lake: Lake, kind: Kind) -> list[str]:
    """Return the partitions that have transactions of their own, by the beginnings of the paths of their files."""
    if "encoder" not in kind.table.partition_by:
        return [""]
    return sorted({path.partition("/")[0] + "/" for path in lake.files(kind.table.name)})


def _sweep(lake: Lake, kind: Kind, texts: pa.Array, folder: str, dry_run: bool, done: Swept) -> None:
    for _ in range(MAX_TRIES):
        delta = lake.delta(kind.table.name)
        gone = texts if dry_run else _still(lake, texts, kind, delta)
        counted = {
            file.path: (file, count)
            for _, file in stored(delta, kind.table)
            if file.path.startswith(folder) and (count := _count(lake, kind, file, gone))
        }
        old, rows = [file for file, _ in counted.values()], sum(count for _, count in counted.values())
        new: list[NewFile] = []
        if old and not dry_run:
            for file in old:
                new += _without(lake, kind, file, gone)
            if not replace(lake, delta, kind.table, old, new, _shared(kind, delta, folder, old)):
                lake.discard(new)
                continue
            done.commits += 1
        done.rows, done.files, done.bytes = (
            done.rows + rows,
            done.files + len(old),
            done.bytes + sum(f.size for f in old),
        )
        done.into += len(old) if dry_run else len(new)
        if old and folder:
            done.by.append(folder.partition("=")[2].rstrip("/"))
        return
    raise LakeError(f"{lake.location}: {MANY}")


def _shared(kind: Kind, delta: DeltaTable, folder: str, old: list[NewFile]) -> dict[str, int]:
    """Return the transactions that a commit shares with others that must not come in between, with new numbers."""
    encoder = folder.partition("=")[2].rstrip("/")
    names = [name.format(encoder) for name in kind.shared]
    names += [folder + TURN, folder + SWEPT] if kind.stage else []
    if kind.table is PASSAGES:  # as merging its segments does
        names += [f"merged {file.path}" for file in old]
    return {name: (delta.transaction_version(name) or 0) + 1 for name in names}


def _is_gone(kind: Kind, rows: pa.Table, texts: pa.Array) -> pa.Array:
    masks: list[Any] = [pc.is_in(rows[name], value_set=texts) for name in kind.names]
    found = masks[0]
    for mask in masks[1:]:
        found = pc.or_(found, mask)
    return found


def _count(lake: Lake, kind: Kind, file: NewFile, texts: pa.Array) -> int:
    """Return how many rows of a file are of some texts."""
    count = 0
    with pq.ParquetFile(f"{lake.table_path(kind.table.name)}/{file.path}", filesystem=lake.filesystem) as parquet:
        for group in range(parquet.num_row_groups):
            rows = plain(parquet.read_row_group(group, columns=list(kind.names)))
            count += pc.sum(_is_gone(kind, rows, texts)).as_py() or 0
    return count


def _without(lake: Lake, kind: Kind, file: NewFile, texts: pa.Array) -> list[NewFile]:
    """Write a file once more, without the rows of some texts."""
    if kind.table is PASSAGES:
        from index import ids
        from index.passages import segments

        numbers = ids.parse(texts)
        written = segments.without(lake, file, numbers[ids.sort(numbers)])
        return [written] if written else []

    def left() -> Iterator[pa.Table]:
        for rows in read(lake, kind.table, file):
            yield rows.filter(pc.invert(_is_gone(kind, rows, texts)))

    options = {"row_group_size": 1 << 20, **(kind.options or parquet_options(kind.table))}
    written = write_parts(lake, kind.table, left(), kind.table.name, dict(file.partition), **options)
    return [written] if written else []
