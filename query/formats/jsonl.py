"""JSON lines, compressed with zstd: read by `datasets`, DuckDB, Spark and any script."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import zstandard

from query.formats.format import Written
from query.formats.row_json import dump, load, reading, tables_of

_LEVEL = 3


class Jsonl:
    """One object a line, with all columns; times as ISO 8601 in UTC."""

    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        name = f"{stem}.jsonl.zst"
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        with open(folder / name, "wb") as file, compressor.stream_writer(file) as out:
            for batch in rows.to_batches(max_chunksize=1000):
                out.write(("\n".join(dump(batch).to_pylist()) + "\n").encode())
        return Written((name,), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        path = folder / files[0]
        # Arrow's reader says where a file ends too soon; zstandard's takes that for its end.
        with reading(path), pa.input_stream(str(path), compression="zstd") as stream:
            yield from tables_of(load(line) for line in io.TextIOWrapper(stream, "utf-8", newline="\n"))

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        return []


FORMAT = Jsonl()
