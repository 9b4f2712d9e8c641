"""What `maintain` knows of each table: how it is merged, and which of its columns name texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archive.compact import CROWD
from archive.lake import Lake
from archive.tables import EVIDENCE_TABLES, TABLES, Table
from index import tables
from index.embeddings.table import EMBEDDINGS
from index.quality.table import QUALITY
from index.tables import DUPLICATES, PAIRS, PASSAGES, SIGNATURES, TEXT_TOPICS
from index.vectors.table import LIKENESSES, RECALLS, SEGMENTS

#: Small files of a partition that are merged.
_LEAST = 8


@dataclass(frozen=True)
class Kind:
    """A table, as `maintain` sees it."""

    table: Table
    least: int | None = _LEAST  #: small files of a partition that are merged; None: not merged here
    options: Mapping[str, Any] | None = None  #: as `archive.compact.compact` takes them
    names: tuple[str, ...] = ()  #: the columns that name texts
    stage: bool = False  #: a stage fills it: see `index.stage`
    shared: tuple[str, ...] = field(default=())  #: transactions that its other commits share; `{}` is the encoder


def present(lake: Lake, kernels: bool) -> list[Kind]:
    """Return the tables of ours that a lake has.

    Args:
        kernels: also those of the index, whose packages are installed.
    """
    kinds = [Kind(table) for table in (*TABLES.values(), *EVIDENCE_TABLES.values())]
    if kernels:
        kinds += _of_index()
    return [kind for kind in kinds if lake.has(kind.table)]


def _of_index() -> list[Kind]:
    from index.embeddings.stage import Embeddings
    from index.neardup.signatures import PARQUET_OPTIONS
    from index.quality.stage import Quality

    # a merged file of signatures needs new bands, one of embeddings a new segment: only where there are many
    return [
        Kind(SIGNATURES, CROWD, PARQUET_OPTIONS, ("content_id",), stage=True),
        Kind(QUALITY, _LEAST, Quality.parquet_options, ("content_id",), stage=True),
        Kind(EMBEDDINGS, CROWD, Embeddings.parquet_options, ("content_id",), stage=True),
        Kind(PASSAGES, None, None, ("content_id",), stage=True),
        Kind(PAIRS, names=("a", "b")),
        Kind(DUPLICATES, None, names=("content_id", "earlier_id", "cluster_id"), shared=("derived",)),
        Kind(LIKENESSES, names=("a", "b"), shared=("{}/turn",)),
        Kind(TEXT_TOPICS, names=("content_id",), shared=("{}/turn",)),
        Kind(SEGMENTS),
        Kind(RECALLS),
    ]


def ours(lake: Lake) -> list[Table]:
    """Return all tables of a lake that a room of this program made."""
    known = [*TABLES.values(), *EVIDENCE_TABLES.values(), *tables.TABLES.values()]
    return [table for table in known if lake.has(table)]
