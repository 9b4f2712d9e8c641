"""Plan, work, commit: signatures of the texts that have none yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.engine import Context, Engine, Failed
from archive.errors import LakeError
from archive.files import write_parquet
from archive.lake import Lake, NewFile
from archive.tables import DOCUMENTS
from index import stage
from index.minhash.procedure import Parameters
from index.stage import Wanted
from index.tables import SIGNATURES

OPTIONS: dict[str, Any] = {
    "use_dictionary": False,
    "compression": "zstd",
    "compression_level": 1,  # signatures are noise; only the ids and counts shrink
    "write_statistics": False,
    "row_group_size": 1 << 16,
}


@dataclass(frozen=True, slots=True)
class Unit:
    """A file of documents, and which of its rows have no signature yet (None: all)."""

    location: str
    file: str
    wanted: Wanted
    parameters: Parameters
    device: str  #: cpu, or a device of torch


@dataclass(frozen=True, slots=True)
class Signed:
    """What came of a unit."""

    texts: int
    file: NewFile | None


def plan(lake: Lake, parameters: Parameters, device: str) -> Iterator[Unit]:
    """Files of documents that were not signed yet."""
    for file, wanted in stage.fresh(lake, SIGNATURES):
        yield Unit(lake.location, file, wanted, parameters, device)


def work(unit: Unit, ctx: Context) -> Signed:
    """Sign the texts of a unit, a row group at a time, and write the signatures. Runs on any machine."""
    lake = Lake(unit.location)
    sign = signer(unit.device)
    made: list[pa.Table] = []
    for table in stage.texts(lake, unit.file, unit.wanted):
        signatures, counts = sign(table["text"].combine_chunks(), unit.parameters)
        made.append(table_of(table["content_id"], counts, signatures))
        ctx.progress(table.num_rows, int(table["text"].nbytes))
    if not made:
        return Signed(0, None)
    table = pa.concat_tables(made)
    return Signed(table.num_rows, write_parquet(lake, SIGNATURES, table, "signatures", **OPTIONS))


def table_of(
    content_ids: pa.Array | pa.ChunkedArray, counts: npt.NDArray[np.int32], signatures: npt.NDArray[np.uint16]
) -> pa.Table:
    """Rows of `signatures`."""
    width = signatures.shape[1] * 2
    offsets = np.arange(len(counts) + 1, dtype=np.int32) * width
    data = pa.py_buffer(np.ascontiguousarray(signatures).astype("<u2", copy=False))
    column = pa.Array.from_buffers(pa.binary(), len(counts), [None, pa.py_buffer(offsets), data])
    return pa.table({"content_id": content_ids, "shingles": counts, "signature": column}, schema=SIGNATURES.schema)


def signer(device: str) -> Callable[[pa.Array, Parameters], tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]]:
    """The kernel for a device: `cpu`, or a device of torch such as `cuda`."""
    if device == "cpu":
        from index.minhash.kernel import sign

        return sign
    from index.minhash.torch_kernel import open_device
    from index.minhash.torch_kernel import sign as on_device

    open_device(device)  # said before any work, also where there is none
    return lambda texts, parameters: on_device(texts, parameters, device)


def sign_new(
    lake: Lake, parameters: Parameters, engine: Engine, device: str, progress: Callable[[int, int], None]
) -> int:
    """Sign all texts that have no signature yet; returns how many.

    Raises:
        LakeError: a file of documents cannot be read, or the lake not be written.
    """
    signer(device)
    count = 0
    at_once = None if device == "cpu" else 1  # there is one GPU
    for end in engine.run(work, plan(lake, parameters, device), progress=progress, at_once=at_once):
        if isinstance(end, Failed):
            raise LakeError(f"{lake.table_uri(DOCUMENTS.name)}/{end.task.file}: {end.error}")
        if stage.commit(lake, SIGNATURES, end.task.file, end.result.file):
            count += end.result.texts
    return count
