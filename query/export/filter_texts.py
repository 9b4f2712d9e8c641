"""A pass over the chosen texts, where it needs their words: tokens counted, evaluation texts looked for.

A text is contaminated by a set if one of its 13-grams of words stands in a text of the set too (Brown et al. 2020,
appendix C). Words are those of the near-duplicate procedure: lower case, without marks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from archive.atomic import write_file
from archive.engine import Context
from archive.errors import ExportError, SourceError
from archive.extras import missing
from archive.lake import Lake
from archive.records import READERS, kind_of, open_reader
from archive.records.jsonl import read_lines
from archive.sources import open_bytes
from query.export import shuffle
from query.export.arguments import Arguments
from query.export.workplace import MEMORY, Workplace, saying
from query.mask import mask
from query.tokenizer import once_opened

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer

WORDS = 13
_BATCH = 2000
_LINE = 1 << 28


@dataclass(frozen=True, slots=True)
class Sets:
    """Evaluation sets: their names, and for each a file of its n-grams as sorted 64-bit hashes."""

    names: tuple[str, ...]
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """Some files of documents."""

    texts: shuffle.Unit
    to: Path
    sets: Sets
    tokenizer: Tokenizer | None
    mask: bool  #: before tokens are counted


def prepare(place: Workplace, arguments: Arguments) -> Sets:
    """Sort the chosen rows by where their texts lie, and hash the evaluation sets."""
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(place.scratch)}) as db:
        db.execute(f"""
            COPY (SELECT source, "row", content_id FROM read_parquet('{_quoted(place.selected)}')
                  ORDER BY source, "row") TO '{_quoted(place.work / "to_screen.parquet")}'
            (FORMAT parquet, ROW_GROUP_SIZE 100000)
        """)
    names, files = [], []
    for number, path in enumerate(arguments.decontaminate):
        names.append(os.path.basename(path))
        files.append(place.work / f"evaluation-{number}.npy")
        _hash(path, files[-1])
    if len(set(names)) < len(names):
        names = list(arguments.decontaminate)
    return Sets(tuple(names), tuple(files))


def plan(
    lake: Lake,
    files: list[str],
    sizes: list[int],
    place: Workplace,
    sets: Sets,
    tokenizer: Tokenizer | None,
    masked: bool,
) -> list[Unit]:
    """The units of work; with a tokenizer, tokens are counted."""
    units = shuffle.plan(lake, files, sizes, place.work / "to_screen.parquet", place.screened)
    return [Unit(unit, place.screened, sets, tokenizer, masked) for unit in units]


def work(unit: Unit, ctx: Context) -> int:
    """Write a Parquet file with `content_id`, `token_count` and `contaminated`, the names of the sets.

    Needs the work folder of the export, on a disk that all workers see.

    Raises:
        ArchiveError: a file of the lake cannot be read, or the disk is full.
    """
    with saying(unit.to):
        return _screen(unit, ctx.progress)


def _screen(unit: Unit, progress: Callable[[int, int], None]) -> int:
    found = _finder(unit.sets)
    count = _counter(unit)
    made: list[pa.Table] = []
    source = unit.texts
    for table in shuffle.rows_of(source.location, source.files, source.places, ["content_id"]):
        texts = table["text"]
        if unit.mask:
            texts = pa.chunked_array([pa.array([mask(text.as_py())[0] for text in texts], pa.large_string())])
        columns = {"content_id": table["content_id"].cast(pa.string())}
        if count:
            columns["token_count"] = count(texts)
        if unit.sets.names:
            columns["contaminated"] = found(table["text"])
        made.append(pa.table(columns))
        progress(table.num_rows, table["text"].nbytes)
    if made:
        pq.write_table(pa.concat_tables(made), unit.to / f"{source.name}.parquet")
    write_file(unit.to / f"{source.name}.json", b"true")
    return sum(table.num_rows for table in made)


def _counter(unit: Unit) -> Callable[[pa.ChunkedArray], pa.Array] | None:
    if unit.tokenizer is None:
        return None
    tokenizer = once_opened(unit.tokenizer)

    def count(texts: pa.ChunkedArray) -> pa.Array:
        return pa.array([len(ids) for chunk in texts.chunks for ids in tokenizer.encode(chunk.to_pylist())], pa.int64())

    return count


def _finder(sets: Sets) -> Callable[[pa.ChunkedArray], pa.Array]:
    """For each text the names of the sets that it shares an n-gram with."""
    if not sets.names:
        return lambda texts: pa.nulls(len(texts), pa.list_(pa.string()))
    import numpy as np

    from index.minhash.kernel import shingle_sets
    from index.minhash.procedure import Parameters

    hashes = [np.load(path, mmap_mode="r") for path in sets.files]

    def find(texts: pa.ChunkedArray) -> pa.Array:
        shingles, starts = shingle_sets(texts.combine_chunks(), Parameters(words=WORDS))
        hits: list[list[str]] = [[] for _ in range(len(texts))]
        for name, known in zip(sets.names, hashes, strict=True):
            at = np.minimum(np.searchsorted(known, shingles), len(known) - 1)
            places = np.flatnonzero(known[at] == shingles)
            for text in np.unique(np.searchsorted(starts, places, side="right") - 1).tolist():
                hits[text].append(name)
        return pa.array(hits, pa.list_(pa.string()))

    return find


def _hash(path: str, to: Path) -> None:
    """The n-grams of all texts of an evaluation set.

    Raises:
        ExportError: it cannot be read, or has no text of so many words.
    """
    try:
        import numpy as np

        from index.minhash.kernel import shingle_sets
        from index.minhash.procedure import Parameters
    except ModuleNotFoundError as error:
        raise missing("--decontaminate", "index", error.name) from None
    parts = []
    texts = _texts(path)
    while batch := list(islice(texts, _BATCH)):
        shingles, starts = shingle_sets(pa.array(batch, pa.large_string()), Parameters(words=WORDS))
        # a text of fewer words is one shingle: it would be found only in a text that is nothing else
        long = np.array([len(text.split()) >= WORDS for text in batch])
        parts.append(np.unique(shingles[np.repeat(long, np.diff(starts))]))
    hashes = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
    if not len(hashes):
        raise ExportError(f"--decontaminate {path}: it holds no text of {WORDS} words or more")
    np.save(to, hashes)


def _texts(path: str) -> Iterator[str]:
    """Yield every string of a data set; of any other file the whole text."""
    try:
        with open_bytes(path) as file:
            kind = kind_of(file, path)
            if kind in READERS and (reader := open_reader(kind)).has_columns:
                for row in reader.values(file):
                    yield from _strings(row)
            else:
                lines = [line.data for line in read_lines(file, _LINE)]
                yield b"".join(lines).decode("utf-8", "replace")
    except (SourceError, OSError, ValueError) as error:
        raise ExportError(f"--decontaminate {path}: {error}") from None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
