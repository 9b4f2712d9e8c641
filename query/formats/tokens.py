"""What the formats of token ids share: the width of an id, the ids of rows, and a file with the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.errors import ExportError
from query.formats import parquet
from query.formats.row_json import in_order
from query.rows import COLUMNS

#: Keys of the metadata of the rows' schema, which all shards of an export have in common.
VOCAB_SIZE, TOKENIZER = b"vocab_size", b"tokenizer"
_BATCH = 1000


def stated(rows: pa.Table, key: bytes) -> str | None:
    """Return what the rows' schema states of their tokenizer."""
    value = (rows.schema.metadata or {}).get(key)
    return None if value is None else value.decode()


def vocab_size(rows: pa.Table) -> int | None:
    value = stated(rows, VOCAB_SIZE)
    return None if value is None else int(value)


def ids_of(rows: pa.Table, dtype: npt.DTypeLike) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[Any]]]:
    """Yield lengths and ids of the documents, some rows at a time.

    Raises:
        ExportError: an id does not fit: the tokenizer has more ids than it says.
    """
    limits = np.iinfo(np.dtype(dtype))
    for batch in rows.select(["tokens"]).to_batches(max_chunksize=_BATCH):
        column = batch.column(0)
        if column.null_count:
            raise ExportError("a row without tokens cannot be written as tokens")
        ids = column.flatten().to_numpy()
        if len(ids) and (ids.min() < 0 or ids.max() > limits.max):
            raise ExportError(f"token id {ids.max()} does not fit in {limits.dtype}: is the vocabulary's size right?")
        yield column.value_lengths().to_numpy(), ids.astype(dtype)


def write_evidence(rows: pa.Table, folder: Path, stem: str) -> str:
    """Write all columns but the tokens, and return the name of the file."""
    return parquet.FORMAT.write(rows.drop_columns(["tokens"]), folder, f"{stem}.evidence").files[0]


def mapped(path: Path, dtype: npt.DTypeLike, count: int) -> npt.NDArray[Any]:
    """Return the ids of a file, which is mapped and not read.

    Raises:
        ValueError: it does not hold so many.
    """
    kind: np.dtype[Any] = np.dtype(dtype)
    size = path.stat().st_size
    if size != count * kind.itemsize:
        raise ValueError(f"has {size} bytes where {count} ids take {count * kind.itemsize}")
    if not count:  # an empty file cannot be mapped
        return np.empty(0, kind)
    return np.memmap(path, kind, "r")


def join(folder: Path, evidence: str, ids: npt.NDArray[Any], ends: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    """Yield the rows, from all ids and the ends of the documents among them.

    Raises:
        ExportError: the evidence is missing, damaged, or that of other documents.
    """
    path = folder / evidence
    bounds = np.concatenate([[0], ends])
    if bounds[-1] != len(ids) or np.any(np.diff(bounds) < 0):
        raise ExportError(f"{path}: the documents of this shard do not end where its {len(ids)} tokens do")
    done = 0
    for table in parquet.FORMAT.read(folder, [evidence]):
        for start in range(0, table.num_rows, _BATCH):
            part = table.slice(start, _BATCH)
            if done + part.num_rows >= len(bounds):
                raise ExportError(f"{path}: has more rows than the {len(ends)} documents of the shard")
            here = bounds[done : done + part.num_rows + 1]
            values = pa.array(ids[here[0] : here[-1]].astype(np.int32))
            tokens = pa.ListArray.from_arrays(pa.array((here - here[0]).astype(np.int32)), values)
            done += part.num_rows
            rows = part.append_column("tokens", tokens.cast(COLUMNS["tokens"][0]))
            yield rows.select(in_order(rows.column_names))
    if done != len(ends):
        raise ExportError(f"{path}: has {done} rows for the {len(ends)} documents of the shard")
