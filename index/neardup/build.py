"""Brings the index of a lake up to date: sign, find, verify, derive.

Signatures, bands and similarities are facts about texts, whatever else the lake holds. They are made for what is
new, and kept. What depends on dates and on the other texts, who is whose witness, is derived from all of them by
one pass over sorted numbers, at the speed of memory. So the result is a function of what the lake holds:
the order in which it came, the batches, and a kill on the way change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive.compact import compact
from archive.engine import Engine, Workers, open_engine
from archive.errors import LakeError
from archive.files import write_parquet
from archive.lake import Lake
from archive.progress import Reporter
from archive.tables import DOCUMENTS
from index import ids, tables
from index.minhash.procedure import Parameters
from index.neardup import bands, cluster, signatures, texts
from index.neardup.bands import Bands
from index.neardup.candidates import Codes, candidates, split
from index.neardup.pairs import Similarities, similarity
from index.neardup.texts import Texts
from index.tables import DUPLICATES, PAIRS, SIGNATURES

_TRIES = 100


@dataclass(slots=True)
class Summary:
    """What `archive index` did, and what the index then says."""

    signed: int = 0  #: texts that got a signature
    texts: int = 0  #: that have one
    candidates: int = 0  #: pairs that share a band
    verified: int = 0  #: of these and of those found through them, the ones that were not known yet
    pairs: int = 0  #: near-duplicates
    clusters: int = 0
    clustered: int = 0  #: texts in clusters


def build(
    lake: Lake,
    parameters: Parameters | None = None,
    workers: Workers = None,
    reporter: Reporter | None = None,
    device: str = "cpu",
) -> Summary:
    """Index what is new in a lake, and derive witnesses and clusters anew.

    Args:
        parameters: those that the index has, or is to be made with. None: those it has, or the defaults.
        workers: processes; by default one for each core.
        device: `cpu`, or a device of torch for the signatures; the bits are the same.

    Raises:
        LakeError: there is no lake, it has an index with other parameters, or it cannot be written.
    """
    engine, reporter = open_engine(workers), reporter or Reporter()
    lake.delta(DOCUMENTS.name)  # says so where there is no lake
    if parameters is None:
        parameters = tables.parameters_of(lake) if lake.has(SIGNATURES) else Parameters()
    try:
        tables.create(lake, parameters)
        summary = Summary()
        reporter.stage("sign", lake.rows(DOCUMENTS.name))
        summary.signed = signatures.sign_new(lake, parameters, engine, device, reporter.advance)
        for table in (SIGNATURES, PAIRS):
            compact(lake, table)
        reporter.stage("bands", None)
        bands.build(lake, parameters, engine)
        for _ in range(_TRIES):
            if _derive(lake, parameters, engine, reporter, summary):
                return summary
    except pa.ArrowInvalid as error:
        raise LakeError(f"{lake.location}: a file of the lake is damaged ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise LakeError(f"{error.filename or lake.location}: {error.strerror or error}; what was committed stays, "
                        "run the same command again when it is mended") from None  # fmt: skip
    raise LakeError(f"{lake.location}: too many others are writing; run the same command again")


def _derive(lake: Lake, parameters: Parameters, engine: Engine, reporter: Reporter, summary: Summary) -> bool:
    """Derive the near-duplicates from what the lake holds now. False if another process did so in the meantime."""
    before = lake.delta(DUPLICATES.name)  # opened first: what is committed then was derived from no less
    state = tables.state(lake)
    if before.transaction_version(state) is not None:
        _count(lake, summary)
        return True
    known = texts.load(lake)
    reporter.stage("find", None)
    codes = candidates(known, Bands(lake, known.segments, known.starts, parameters), parameters.leaders)
    reporter.stage("verify", len(codes))
    with Similarities(lake, known, parameters, engine, reporter.advance) as similarities:
        near = cluster.witnessed(codes, known, similarities)
        rows = _rows(near, known, similarities)
    summary.candidates, summary.verified = len(codes), summary.verified + similarities.verified
    same = rows.equals(_stored(lake, DUPLICATES.schema.names))
    files = [write_parquet(lake, DUPLICATES, rows, "duplicates", **_OPTIONS)] if rows.num_rows and not same else []
    if lake.commit_to(before, DUPLICATES, files, ["derived", state], "append" if same else "overwrite"):
        _count(lake, summary)
        return True
    lake.discard(files)
    return False


def _count(lake: Lake, summary: Summary) -> None:
    """What the index says now."""
    ends = _stored(lake, ["content_id", "earlier_id", "cluster_id"])
    summary.texts = lake.rows(SIGNATURES.name)
    summary.pairs = ends.num_rows
    summary.clusters = pc.count_distinct(ends["cluster_id"]).as_py()
    both = pa.chunked_array([*ends["content_id"].chunks, *ends["earlier_id"].chunks], pa.string())
    summary.clustered = pc.count_distinct(both).as_py()


_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": ["cluster_id"],
    "write_statistics": ["content_id", "cluster_id"],
}


def _rows(near: Codes, known: Texts, similarities: Similarities) -> pa.Table:
    """The table `duplicates`, in an order that its content alone decides."""
    left, right = split(near)
    swap = known.rank[left] < known.rank[right]
    later, earlier = np.where(swap, right, left), np.where(swap, left, right)
    root = cluster.clusters(near, known)
    order = np.lexsort((known.rank[earlier], known.rank[later], known.rank[root]))
    values = similarities.of(near)[order]

    def named(numbers: npt.NDArray[np.int64]) -> pa.Array:
        return ids.text(known.ids[numbers[order]])

    return pa.table(
        {
            "content_id": named(later),
            "earlier_id": named(earlier),
            "similarity": similarity(values),
            "shared": values[:, 0],
            "total": values[:, 1],
            "estimated": values[:, 2] != 0,
            "cluster_id": named(root),
        },
        schema=DUPLICATES.schema,
    )


def _stored(lake: Lake, columns: list[str]) -> pa.Table:
    """Columns of the pairs as they were derived last."""
    found = list(lake.read_files(DUPLICATES.name, lake.files(DUPLICATES.name), columns))
    return pa.concat_tables([DUPLICATES.schema.empty_table().select(columns), *found])
