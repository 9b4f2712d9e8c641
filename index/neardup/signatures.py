"""The stage that signs each text: its MinHash signature, from which near-duplicates are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.lake import Lake
from index import tables
from index.ids import Ids
from index.minhash.procedure import Parameters
from index.stage import Stage
from index.tables import SIGNATURES

PARQUET_OPTIONS: dict[str, Any] = {
    "use_dictionary": False,
    # signatures are noise; and a few of them are read without the others (`pages`), quickest where they are bare
    "compression": {"content_id": "zstd", "shingles": "zstd", "signature": "none"},
    "compression_level": {"content_id": 1, "shingles": 1},
    "write_statistics": False,
    "row_group_size": 1 << 16,
}

#: Signs texts: `index.minhash.kernel.sign`, or the same on a GPU.
Signer = Callable[[pa.Array, Parameters], tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]]


@dataclass(frozen=True)
class Signatures(Stage):
    """MinHash signatures, on the CPU or on a device of PyTorch; the bits are the same."""

    name = "sign"
    table = SIGNATURES
    parquet_options = PARQUET_OPTIONS

    parameters: Parameters
    device: str = "cpu"

    @property
    def at_once(self) -> int | None:
        return None if self.device == "cpu" else 1  # one GPU

    @property
    def gpus(self) -> float:
        return float(self.device.startswith("cuda"))

    def open(self) -> None:
        signer(self.device)

    def create(self, lake: Lake) -> None:
        tables.create(lake, self.parameters)

    def is_new(self, lake: Lake, files: list[str]) -> Callable[[Ids], npt.NDArray[np.bool_]]:
        from index.neardup.derive import signed_before

        before, rest = signed_before(lake, self.parameters, files) if files else (None, files)
        among_the_rest = super().is_new(lake, rest)
        if before is None:
            return among_the_rest
        return lambda wanted: among_the_rest(wanted) & (before.find(wanted) < 0)

    def compute(self, texts: pa.Table) -> pa.Table:
        signatures, counts = signer(self.device)(texts["text"].combine_chunks(), self.parameters)
        return signature_rows(texts["content_id"], counts, signatures)


def signature_rows(
    content_ids: pa.Array | pa.ChunkedArray, counts: npt.NDArray[np.int32], signatures: npt.NDArray[np.uint16]
) -> pa.Table:
    """Return rows of the table `signatures`.

    Args:
        counts: shingles of each text, (texts,).
        signatures: (texts, hashes).
    """
    width = signatures.shape[1] * 2
    offsets = np.arange(len(counts) + 1, dtype=np.int32) * width
    data = pa.py_buffer(np.ascontiguousarray(signatures).astype("<u2", copy=False))
    column = pa.Array.from_buffers(pa.binary(), len(counts), [None, pa.py_buffer(offsets), data])
    return pa.table({"content_id": content_ids, "shingles": counts, "signature": column}, schema=SIGNATURES.schema)


def signer(device: str) -> Signer:
    """Return the kernel for `cpu`, or for a device of PyTorch such as `cuda`.

    Raises:
        ArchiveError: PyTorch or the device is missing.
    """
    if device == "cpu":
        from index.minhash.kernel import sign

        return sign
    from index.minhash import torch_kernel

    torch_kernel.open_device(device)
    return lambda texts, parameters: torch_kernel.sign(texts, parameters, device)
