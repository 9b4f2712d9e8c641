"""The stage that fingerprints each text, so that passages of it are found in others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from archive.lake import Lake, NewFile
from index.ids import Ids
from index.minhash import procedure
from index.passages import segments
from index.passages.kernel import KEY_BITS, MOST_TEXTS, RUN, SHINGLE, fingerprints
from index.stage import Stage
from index.tables import PASSAGES


@dataclass(frozen=True)
class Passages(Stage):
    """Winnowed fingerprints of the texts of a lake, in sorted segments."""

    name = "passages"
    table = PASSAGES

    def description(self) -> dict[str, Any]:
        return {"words": procedure.NUMBER, "version": self.version, "shingle": SHINGLE, "run": RUN, "bits": KEY_BITS}

    def compute(self, texts: pa.Table) -> pa.Table:
        content_ids, column, runs = texts["content_id"], texts["text"].combine_chunks(), []
        for first in range(0, len(column), MOST_TEXTS):
            keys, rows = fingerprints(column.slice(first, MOST_TEXTS))
            runs.append((keys, rows + np.int32(first)))
        keys, rows = segments.merge(runs)
        empty = pa.nulls(len(content_ids), pa.int64()), pa.nulls(len(content_ids), pa.int32())
        head = pa.table([content_ids, *empty], schema=PASSAGES.file_schema)
        return pa.concat_tables([head, pa.table([pa.nulls(len(keys), pa.string()), keys, rows],
                                                schema=PASSAGES.file_schema)])  # fmt: skip

    def write(self, lake: Lake, parts: Iterable[pa.Table]) -> NewFile | None:
        texts, runs, first = [], [], 0
        for table in parts:
            count = len(table) - table["content_id"].null_count
            texts += table["content_id"].slice(0, count).chunks
            fingerprinted = table.slice(count)
            runs.append((fingerprinted["key"].to_numpy(), fingerprinted["row"].to_numpy() + np.int32(first)))
            first += count
        return segments.write(lake, pa.chunked_array(texts, pa.string()), runs) if first else None

    def without(self, lake: Lake, file: NewFile, texts: Ids) -> NewFile | None:
        return segments.without(lake, file, texts)

    def compact(self, lake: Lake) -> None:
        segments.compact(lake)
