"""The stage that measures the quality signals of each text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from archive.errors import LakeError
from archive.lake import Lake
from index.quality.signals import VERSION, signals
from index.quality.table import QUALITY
from index.stage import Stage

_SIGNALS = [name for name in QUALITY.schema.names if name != "content_id"]


@dataclass(frozen=True)
class Quality(Stage):
    """The signals that the filters of Gopher, C4 and FineWeb test; docs/quality.md defines each."""

    name = "measure"
    table = QUALITY
    version = VERSION
    parquet_options: ClassVar[dict[str, Any]] = {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": _SIGNALS,  # most are 0 in most texts
        "write_statistics": _SIGNALS,
        "row_group_size": 1 << 16,
    }

    def check(self, lake: Lake) -> None:
        if not lake.has(QUALITY):
            lake.require()
            raise LakeError(
                f"{lake.location}: no text is measured yet; `archive quality --lake {lake.location}` does it"
            )
        super().check(lake)

    def compute(self, texts: pa.Table) -> pa.Table:
        return signals(texts["content_id"].combine_chunks(), texts["text"].combine_chunks())
