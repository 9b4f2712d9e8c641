"""MosaicML Streaming: MDS shards, of samples encoded by the library's own MDSWriter.

`streaming.StreamingDataset(local=folder)` and `LocalDataset(folder)` give each sample as three strings. MDS has no
null, so the columns other than `content_id` and `text` are one JSON object in the column `evidence`.
"""

from __future__ import annotations

import json
import mmap
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pyarrow as pa

from query.formats.format import Written
from query.formats.row_json import Row, bounds, load, not_empty, reading, samples_of, tables_of, write_samples

#: `import streaming` takes these in, and with them torchvision, which breaks where it is not of the same build as torch
#: (CPU, CUDA). Shards of text need none of them.
_UNUSED = ("streaming.multimodal", "streaming.text", "streaming.vision")


def _import_streaming() -> tuple[Any, Any]:
    """The library's writer and reader; whoever imports one of its unused parts afterwards gets the real one."""
    absent = [name for name in _UNUSED if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in absent})
    try:
        import streaming
        from streaming.base.format.mds.reader import MDSReader
    finally:
        for name in absent:
            del sys.modules[name]
    for name in absent:
        vars(streaming).pop(name.rpartition(".")[2], None)
    return streaming.MDSWriter, MDSReader


MDSWriter, MDSReader = _import_streaming()

_COLUMNS = {"content_id": "str", "evidence": "str", "text": "str"}
_INDEX = "index.json"


class Mds:
    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        not_empty(rows, "mds")
        name = f"{stem}.mds"
        with TemporaryDirectory() as scratch:
            library = MDSWriter(columns=_COLUMNS, out=f"{scratch}/out", size_limit=None)
            # The shard as `MDSWriter.encode_joint_shard` lays it out.
            samples = (
                library.encode_sample({"content_id": key, "text": text, "evidence": evidence})
                for key, text, evidence in samples_of(rows)
            )
            write_samples(folder / name, samples, library.config_data)
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


def _rows(path: Path) -> Iterator[Row]:
    reader = MDSReader.from_json(str(path.parent), None, _entry(path))
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for begin, end in bounds(data):
            sample = reader.decode_sample(data[begin:end])
            yield {
                "content_id": sample["content_id"],
                "text": sample["text"],
                **load(sample["evidence"], without=["content_id", "text"]),
            }


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
