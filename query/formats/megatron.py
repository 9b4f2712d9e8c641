"""Megatron-LM: `.bin` and `.idx` of an IndexedDataset, one document a row, with the evidence in a Parquet file.

The layout is that of `IndexedDatasetBuilder` and `_IndexWriter` in megatron/core/datasets/indexed_dataset.py of
NVIDIA's Megatron-LM (megatron-core 0.16.1), which cannot be imported without a training stack.
`--data-path folder/stem` reads a shard.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from query.formats.format import Written
from query.formats.row_json import not_empty, reading
from query.formats.tokens import ids_of, join, mapped, vocab_size, write_evidence

_MAGIC = b"MMIDIDX\x00\x00"
_VERSION = 1
_HEADER = "<9sQBQQ"
#: The codes of the two types that `DType.optimal_dtype` chooses from.
_CODES: dict[int, np.dtype[np.uint16] | np.dtype[np.int32]] = {8: np.dtype("<u2"), 4: np.dtype("<i4")}
#: The bound of `DType.optimal_dtype`.
_NARROW = 65500


class Megatron:
    def write(self, rows: pa.Table, folder: Path, stem: str) -> Written:
        not_empty(rows, "megatron")
        vocabulary = vocab_size(rows)
        code = 8 if vocabulary is not None and vocabulary < _NARROW else 4
        dtype = _CODES[code]
        parts = []
        with open(folder / f"{stem}.bin", "wb") as out:
            for lengths, ids in ids_of(rows, dtype):
                parts.append(lengths)
                out.write(ids.data)
        lengths = np.concatenate(parts).astype("<i4")
        pointers = np.zeros(len(lengths), "<i8")
        np.cumsum(lengths[:-1], dtype="<i8", out=pointers[1:])
        with open(folder / f"{stem}.idx", "wb") as out:
            out.write(struct.pack(_HEADER, _MAGIC, _VERSION, code, len(lengths), len(lengths) + 1))
            out.write(lengths.data)
            out.write((pointers * dtype.itemsize).data)
            out.write(np.arange(len(lengths) + 1, dtype="<i8").data)
        evidence = write_evidence(rows, folder, stem)
        return Written((f"{stem}.bin", f"{stem}.idx", evidence), rows.num_rows)

    def read(self, folder: Path, files: Sequence[str]) -> Iterator[pa.Table]:
        ids_file, index_file, evidence = files
        with reading(folder / index_file):
            dtype, ends = _index(folder / index_file)
        with reading(folder / ids_file):
            ids = mapped(folder / ids_file, dtype, int(ends[-1]))
        yield from join(folder, evidence, ids, ends)

    def index(self, folder: Path, shards: Sequence[Written]) -> list[str]:
        return []


def _index(path: Path) -> tuple[np.dtype[np.uint16] | np.dtype[np.int32], npt.NDArray[np.int64]]:
    """Return the type of the ids, and where each document ends among them."""
    content = path.read_bytes()
    magic, version, code, sequences, documents = struct.unpack_from(_HEADER, content)
    if magic != _MAGIC or version != _VERSION or code not in _CODES:
        raise ValueError("is not an index of Megatron's")
    start = struct.calcsize(_HEADER)
    if documents != sequences + 1 or not sequences or len(content) != start + 12 * sequences + 8 * documents:
        raise ValueError(f"has {len(content)} bytes, which {sequences} sequences and {documents} documents do not take")
    lengths = np.frombuffer(content, "<i4", sequences, start)
    pointers = np.frombuffer(content, "<i8", sequences, start + 4 * sequences)
    ends = np.cumsum(lengths, dtype=np.int64)
    if np.any(lengths < 0) or np.any(pointers != (ends - lengths) * _CODES[code].itemsize):
        raise ValueError("its pointers are not those of its lengths")
    return _CODES[code], ends


FORMAT = Megatron()
