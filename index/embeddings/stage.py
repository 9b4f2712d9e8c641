"""The stage that computes the vectors of the windows of each text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from index.embeddings.encode import encode
from index.embeddings.encoder import Encoder
from index.embeddings.model import Model, Vectors, threads
from index.embeddings.table import EMBEDDINGS
from index.embeddings.tokens import Tokens, Windows
from index.stage import Stage

#: Texts that become strings of Python at a time.
_AT_A_TIME = 1 << 12


@dataclass(frozen=True)
class Embeddings(Stage):
    """Vectors by one encoder, in a partition of their own."""

    name = "embed"
    table = EMBEDDINGS
    parquet_options: ClassVar[dict[str, Any]] = {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": ["part", "tokens"],
        "use_byte_stream_split": ["vector.list.element"],
        "write_statistics": False,
        "row_group_size": 1 << 13,  # 12 MB for 384 dimensions, before compression
    }

    encoder: Encoder
    device: str = "cpu"
    tokens_at_once: int | None = None
    processes: int | None = None
    threads: int | None = None
    compiled: bool = False

    @property
    def partition(self) -> dict[str, str]:
        return {"encoder": self.encoder.id}

    @property
    def at_once(self) -> int | None:
        return self.processes

    @property
    def gpus(self) -> float:
        return float(self.device.startswith("cuda"))

    def open(self) -> None:
        Tokens(self.encoder)

    def compute(self, texts: pa.Table) -> pa.Table:
        return pa.concat_tables([self._no_rows(), *(rows for _, rows in self.computed(texts, lambda _: None))])

    def computed(self, texts: pa.Table, done: Callable[[int], None]) -> Iterator[tuple[pa.Table, pa.Table]]:
        tokens, model = opened(self.encoder, self.device, self.tokens_at_once, self.compiled)
        first = 0
        with threads(self.threads):
            for windows, vectors in encode(_strings(texts, tokens.reach), tokens, model, done):
                some = texts.slice(first, windows.texts)
                first += windows.texts
                yield some, _rows(some["content_id"], windows, vectors)

    def _no_rows(self) -> pa.Table:
        return self.table.file_schema.empty_table()


@lru_cache(maxsize=1)
def opened(encoder: Encoder, device: str, tokens_at_once: int | None, compiled: bool) -> tuple[Tokens, Model]:
    """Return the loaded tokenizer and model; the same again where they were the last."""
    return Tokens(encoder), Model(encoder, device, tokens_at_once=tokens_at_once, compiled=compiled)


def _strings(texts: pa.Table, reach: int) -> Iterator[str]:
    """Yield as much of each text as is read, so that a text of 50 MB becomes no string of that size."""
    for at in range(0, texts.num_rows, _AT_A_TIME):
        yield from pc.utf8_slice_codeunits(texts["text"].slice(at, _AT_A_TIME), 0, reach + 1).to_pylist()


def _rows(content_ids: pa.ChunkedArray, windows: Windows, vectors: Vectors) -> pa.Table:
    """Return rows of the table `embeddings`."""
    width = vectors.shape[1]
    offsets = np.arange(len(windows) + 1, dtype=np.int32) * width
    return pa.table(
        {
            "content_id": content_ids.take(pa.array(windows.text)),
            "part": windows.part,
            "start": windows.start,
            "end": windows.end,
            "tokens": windows.lengths,
            "vector": pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.reshape(-1))),
        }
    ).cast(EMBEDDINGS.file_schema)
