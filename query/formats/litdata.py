"""LitData: one chunk a shard, of samples serialized by the library's own BinaryWriter.

`litdata.StreamingDataset(folder)` gives each sample as three strings. A chunk's format is inferred from its first
sample, and must be that of all chunks; so the columns other than `content_id` and `text`, where any may be null, are
one JSON object in the column `evidence`.

A chunk holds its samples one after the other, which LitData can read from everywhere. For samples that are all text,
the library's own writer (0.2.76) writes an Arrow file instead, and the same release cannot read a single sample of that
from an object store (`StreamingDataset("s3://…")[n]`).
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from litdata.streaming.writer import BinaryWriter

from query.formats.format import Written
from query.formats.row_json import Row, bounds, load, not_empty, reading, samples_of, tables_of, write_samples

_INDEX = "index.json"


class LitData:
    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        not_empty(rows, "litdata")
        name = f"{stem}.bin"
        with TemporaryDirectory() as scratch:
            library = BinaryWriter(scratch, chunk_size=rows.num_rows)
            # The layout of `BinaryWriter._create_chunk`.
            samples = (library.serialize(_sample(*sample))[0] for sample in samples_of(rows))
            write_samples(folder / name, samples)
        return Written((name,), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        path = folder / files[0]
        with reading(path):
            yield from tables_of(_rows(path))

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        chunks = []
        for shard in shards:
            path = folder / shard.files[0]
            with reading(path):
                size = path.stat().st_size
            chunks.append({"chunk_bytes": size, "chunk_size": shard.rows, "dim": None, "filename": path.name})
        # As `BinaryWriter._merge_no_wait` writes it, except for `updated_at`, by which a reader knows whether its cache
        # is of this set: here that is a hash of the chunks, not the time.
        version = sha256(json.dumps(chunks, sort_keys=True).encode()).hexdigest()
        index = {"chunks": chunks, "config": _config(max((shard.rows for shard in shards), default=1))}
        (folder / _INDEX).write_text(json.dumps({**index, "updated_at": version}, sort_keys=True))
        return [_INDEX]


def _sample(content_id: str, text: str, evidence: str) -> dict[str, str]:
    return {"content_id": content_id, "text": text, "evidence": evidence}


def _config(rows: int) -> dict[str, Any]:
    """Return what the library states of chunks of such samples, which it infers from one."""
    with TemporaryDirectory() as scratch:
        writer = BinaryWriter(scratch, chunk_size=rows)
        writer.add_item(0, _sample("", "", "{}"))
        config: dict[str, Any] = writer.get_config()
    return config


def _rows(path: Path) -> Iterator[Row]:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for begin, end in bounds(data):
            # A sample is the sizes of its leaves, and the leaves.
            sizes = struct.unpack_from("<3I", data, begin)
            if begin + 12 + sum(sizes) != end:
                raise ValueError(f"the sample at byte {begin} is not of the size that it says")
            ends = list(accumulate(sizes, initial=begin + 12))
            content_id, text, evidence = (data[start:stop].decode() for start, stop in pairwise(ends))
            yield {"content_id": content_id, "text": text, **load(evidence, without=["content_id", "text"])}


FORMAT = LitData()
