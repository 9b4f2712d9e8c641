"""LitData: one chunk a shard, with the bytes that the library's own BinaryWriter gives it.

`litdata.StreamingDataset(folder)` gives each sample as three strings. A chunk's format is inferred from its first
sample, and must be that of all chunks; so the columns other than `content_id` and `text`, where any may be null, are
one JSON object in the column `evidence`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from litdata.streaming.item_loader import _ARROW_FOOTER_MAGIC, _DEFAULT_BATCH_ROWS, open_arrow_footer_reader
from litdata.streaming.writer import BinaryWriter

from archive.errors import ExportError
from query.formats.evidence import Row, dump, load, not_empty, reading, rows_of, tables_of
from query.formats.format import Written

_PLAIN = ["content_id", "text"]
_SCHEMA = pa.schema([("content_id", pa.string()), ("text", pa.string()), ("evidence", pa.string())])
_INDEX = "index.json"
#: The length of the Arrow file inside a chunk is of 32 bits.
_LARGEST = (1 << 32) - 1


class LitData:
    tokens = False

    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        not_empty(rows, "litdata")
        name = f"{stem}.bin"
        # A chunk of flat samples as `BinaryWriter._create_chunk` and `append_arrow_row_footer` of the library make it,
        # byte for byte; but they hold it ten times. First a table of offsets, without use now that no sample follows
        # it, then the samples as an Arrow file, its length, and a mark.
        header = 4 + 4 * (rows.num_rows + 1)
        with open(folder / name, "wb") as out:
            out.write(struct.pack("<I", rows.num_rows) + struct.pack("<I", header) * (rows.num_rows + 1))
            with pa.ipc.new_file(out, _SCHEMA) as writer:
                samples = map(_sample, rows_of(rows))
                while batch := list(islice(samples, _DEFAULT_BATCH_ROWS)):
                    writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=_SCHEMA))
            length = out.tell() - header
            if length > _LARGEST:
                raise ExportError(f"{folder / name}: a shard of this format cannot hold more than 4 GiB")
            out.write(struct.pack("<I", length) + _ARROW_FOOTER_MAGIC)
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
        # As `BinaryWriter._merge_no_wait` writes it; but its `updated_at`, by which a reader tells whether what it has
        # cached of an address is of this set, is not the time.
        version = sha256(json.dumps(chunks, sort_keys=True).encode()).hexdigest()
        made = {"chunks": chunks, "config": _config(max((shard.rows for shard in shards), default=1))}
        (folder / _INDEX).write_text(json.dumps({**made, "updated_at": version}, sort_keys=True))
        return [_INDEX]


def _sample(row: Row) -> dict[str, str]:
    return {"content_id": row["content_id"], "text": row["text"], "evidence": dump(row, without=_PLAIN)}


def _config(rows: int) -> dict[str, Any]:
    """What the library says of chunks of such samples: it infers it from one."""
    with TemporaryDirectory() as scratch:
        writer = BinaryWriter(scratch, chunk_size=rows)
        writer.add_item(0, _sample({"content_id": "", "text": ""}))
        config: dict[str, Any] = writer.get_config()
    return config


def _rows(path: Path) -> Iterator[Row]:
    with pa.memory_map(str(path)) as file:
        chunk = memoryview(file.read_buffer())
    (count,) = struct.unpack_from("<I", chunk)
    opened = open_arrow_footer_reader(chunk)
    if opened is None:
        raise ValueError("is not a whole chunk of samples")
    reader, _ = opened
    read = 0
    for n in range(reader.num_record_batches):
        samples = reader.get_batch(n)
        read += samples.num_rows
        for sample in samples.to_pylist():
            yield {"content_id": sample["content_id"], "text": sample["text"], **load(sample["evidence"])}
    if read != count:
        raise ValueError(f"has {read} samples where its header says {count}")


FORMAT = LitData()
