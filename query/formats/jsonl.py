"""JSON lines, compressed with zstd: read by `datasets`, DuckDB, Spark and any script."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard

from archive.errors import ExportError
from query.formats.evidence import dump
from query.formats.format import Written
from query.rows import schema_of

_LEVEL = 3
_BATCH = 10_000


class Jsonl:
    """One object a line, with all columns; times as ISO 8601 in UTC."""

    tokens = False

    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        name = f"{stem}.jsonl.zst"
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        with open(folder / name, "wb") as file, compressor.stream_writer(file) as out:
            for batch in rows.to_batches(max_chunksize=1000):
                lines = dump(batch, ", ", ": ")
                out.write("\n".join([*lines.to_pylist(), ""]).encode())
        return Written((name,), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        path = folder / files[0]
        held: list[dict[str, Any]] = []
        try:
            # Arrow's reader says where a file ends too soon; zstandard's takes that for its end.
            with pa.input_stream(str(path), compression="zstd") as stream:
                for line in io.TextIOWrapper(stream, "utf-8", newline="\n"):
                    held.append(json.loads(line))
                    if len(held) >= _BATCH:
                        yield _table(held)
                        held = []
            if held:
                yield _table(held)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ExportError(f"{path}: {error}") from None

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        return []


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    schema = schema_of(rows[0])
    for row in rows:
        row["captured_at"] = datetime.fromisoformat(row["captured_at"])
    return pa.Table.from_pylist(rows, schema=schema)


FORMAT = Jsonl()
