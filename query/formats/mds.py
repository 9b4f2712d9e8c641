"""MosaicML Streaming: MDS shards of three strings a sample.

`streaming.StreamingDataset(local=folder)` and `LocalDataset(folder)` give each sample as three strings. MDS has no
null, so the columns other than `content_id` and `text` are one JSON object in the column `evidence`.

The layout is that of `MDSWriter.encode_joint_shard` and `encode_sample` in streaming/base/format/mds/writer.py
(mosaicml-streaming 0.10.0), which import torch and torchvision. Version 2 of the layout is as old as the library.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from query.formats.format import Written
from query.formats.row_json import Row, bounds, load, not_empty, reading, samples_of, tables_of, write_samples

#: In the order of a sample.
_COLUMNS = ["content_id", "evidence", "text"]
_INDEX = "index.json"
#: What each shard says of itself in its header, as the library writes it.
_CONFIG = json.dumps(
    {
        "column_encodings": ["str"] * len(_COLUMNS),
        "column_names": _COLUMNS,
        "column_sizes": [None] * len(_COLUMNS),
        "compression": None,
        "format": "mds",
        "hashes": [],
        "size_limit": None,
        "version": 2,
    }
).encode()
#: A sample begins with the sizes of its values.
_SIZES = struct.Struct(f"<{len(_COLUMNS)}I")


class Mds:
    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        not_empty(rows, "mds")
        name = f"{stem}.mds"
        samples = (_sample(key, evidence, text) for key, text, evidence in samples_of(rows))
        write_samples(folder / name, samples, _CONFIG)
        return Written((name,), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        path = folder / files[0]
        with reading(path):
            yield from tables_of(_rows(path))

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        entries = [_entry(folder / shard.files[0]) for shard in shards]
        # As `Writer._write_index` of the library writes it.
        (folder / _INDEX).write_text(json.dumps({"version": 2, "shards": entries}, sort_keys=True))
        return [_INDEX]


def _sample(*values: str) -> bytes:
    parts = [value.encode() for value in values]
    return _SIZES.pack(*map(len, parts)) + b"".join(parts)


def _rows(path: Path) -> Iterator[Row]:
    if _entry(path)["column_names"] != _COLUMNS:
        raise ValueError("its columns are not those of an export")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for begin, end in bounds(data, _CONFIG):
            sizes = _SIZES.unpack_from(data, begin)
            ends = list(accumulate(sizes, initial=begin + _SIZES.size))
            if ends[-1] != end:
                raise ValueError(f"the sample at byte {begin} is not of the size that it says")
            content_id, evidence, text = (data[start:stop].decode() for start, stop in pairwise(ends))
            yield {"content_id": content_id, "text": text, **load(evidence, without=["content_id", "text"])}


def _entry(path: Path) -> dict[str, Any]:
    """The entry of a shard in the index, from the shard itself: it carries its own configuration."""
    with reading(path), open(path, "rb") as file:
        (count,) = struct.unpack("<I", file.read(4))
        (start,) = struct.unpack("<I", file.read(4))
        after = 4 + 4 * (count + 1)
        file.seek(after)
        config: dict[str, Any] = json.loads(file.read(start - after))
        size = file.seek(0, 2)
    return {
        **config,
        "raw_data": {"basename": path.name, "bytes": size, "hashes": {}},
        "samples": count,
        "zip_data": None,
    }


FORMAT = Mds()
