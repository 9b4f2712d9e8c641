"""`index`: signs new texts, finds and verifies near-duplicates, and derives witnesses and clusters.

Signatures, bands and similarities are facts about texts, whatever else the lake holds. They are computed for new
texts, and kept. Which text is the witness of which depends on dates and on the other texts. It is derived from all
of them in one pass over sorted numbers, at the speed of memory. So the result is a function of what the lake holds:
neither the order in which texts came, nor the batches, nor a kill on the way changes it.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from archive.compact import compact
from archive.engine import Engine, Workers, open_engine
from archive.errors import LakeError
from archive.files import write_parquet
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.tables import DOCUMENTS
from index import ids, tables
from index.minhash.procedure import Parameters
from index.neardup import cluster, textless, texts
from index.neardup.bands import Bands, write_bands
from index.neardup.candidates import PairCodes, candidates, join, split
from index.neardup.pairs import Similarities, similarity
from index.neardup.signatures import Signatures
from index.neardup.texts import Texts
from index.passages.stage import Passages
from index.stage import lake_errors, run
from index.tables import DUPLICATES, PAIRS, PASSAGES, SIGNATURES
from index.vectors import likeness

_log = logging.getLogger(__name__)

_TRIES = 100


@dataclass(slots=True)
class IndexResult:
    """What `index` did, and what the index holds now."""

    signed: int = 0  #: texts that got a signature
    texts: int = 0  #: texts that have a signature
    candidates: int = 0  #: pairs that share a band
    verified: int = 0  #: pairs that were compared: new candidates, and pairs found through them
    pairs: int = 0  #: near-duplicates
    clusters: int = 0  #: groups of texts that near-duplicates connect
    clustered: int = 0  #: texts in clusters
    passages: int | None = None  #: texts whose runs of words were indexed; null where there is no such index
    alike: int = 0  #: pairs that vectors proposed, and that nobody had proposed before
    exported: int | None = None  #: texts that are new, or have an earlier date, in the lake `witness_only`
    seconds: float = 0.0  #: of wall-clock time


def index(
    lake: Lake | str | os.PathLike[str],
    *,
    workers: Workers = None,
    device: str = "cpu",
    words: int | None = None,
    bands: int | None = None,
    rows: int | None = None,
    threshold: float | None = None,
    passages: bool = False,
    alike: float | None = None,
    encoder: str | None = None,
    witness_only: Lake | str | os.PathLike[str] | None = None,
    reporter: Reporter | None = None,
) -> IndexResult:
    """Index the texts of a lake that are new, and derive witnesses and clusters again.

    An index is created once with its parameters. Without a value for one, `index` takes that of the index, or the
    default of `index.minhash.procedure.Parameters`.

    Args:
        workers: processes (by default one for each core), or an engine.
        device: computes the signatures: `cpu`, or a device of PyTorch such as `cuda`. The bits are the same.
        words: words in a shingle.
        bands: bands of a signature.
        rows: hashes in a band.
        threshold: least Jaccard similarity of near-duplicates.
        passages: also index the runs of words of each text, by which quotes are found. A lake that has such an index
            keeps it up to date without being asked.
        alike: compare also the texts whose vectors have at least this cosine. They are near-duplicates only if their
            similarity is that of one; all other pairs are in `likenesses`.
        encoder: of these vectors, where the lake has several.
        witness_only: then write a lake without texts to this location: signatures, first dates, record addresses.
        reporter: receives the progress.

    Raises:
        LakeError: there is no lake, it has an index with other parameters, or it cannot be written.
        ArchiveError: PyTorch or the device is missing.
        ValueError: a parameter is out of range.
    """
    started = time.monotonic()
    lake, engine, reporter = open_lake(lake), open_engine(workers), reporter or Reporter()
    lake.delta(DOCUMENTS.name)  # raises if there is no lake
    target = None if witness_only is None else open_lake(witness_only)
    if target:
        textless.prepare(lake, target)  # raises before the work whose result it could not take
    chosen: dict[str, Any] = {"words": words, "bands": bands, "rows": rows, "threshold": threshold}
    parameters = tables.parameters_of(lake) if lake.has(SIGNATURES) else Parameters()
    parameters = replace(parameters, **{name: value for name, value in chosen.items() if value is not None})
    result = IndexResult()
    with lake_errors(lake):
        if alike is not None:
            result.alike = likeness.propose(lake, alike, encoder, reporter)
        _update(lake, parameters, engine, device, reporter, result)
        if passages or lake.has(PASSAGES):
            result.passages = run(Passages(), lake, engine, reporter)
    if target:
        result.exported = textless.export(lake, target)
        _log.info("%d texts written to %s", result.exported, target.location)
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _update(
    lake: Lake, parameters: Parameters, engine: Engine, device: str, reporter: Reporter, result: IndexResult
) -> None:
    """Sign new texts, write the bands, and derive the near-duplicates until no other process interferes."""
    tables.create(lake, parameters)
    result.signed = run(Signatures(parameters, device), lake, engine, reporter)
    compact(lake, PAIRS)
    reporter.stage("bands", None)
    write_bands(lake, parameters, engine)
    for _ in range(_TRIES):
        if _derive(lake, parameters, engine, reporter, result):
            return
    raise LakeError(f"{lake.location}: too many others are writing; run the same command again")


def _derive(lake: Lake, parameters: Parameters, engine: Engine, reporter: Reporter, result: IndexResult) -> bool:
    """Derive the near-duplicates from what the lake holds now.

    Returns:
        False if another process has changed the table meanwhile.
    """
    duplicates = lake.delta(DUPLICATES.name)  # opened first: what others commit after this was derived from no less
    state = tables.state(lake)
    if duplicates.transaction_version(state) is not None:
        _log.debug("duplicates are derived from %s already", state)
        _count(lake, result)
        return True
    known = texts.load(lake)
    reporter.stage("find", None)
    codes = candidates(known, Bands(lake, known.segments, known.starts, parameters), parameters.leaders)
    codes = np.union1d(codes, _proposed(lake, known))
    reporter.stage("verify", len(codes))
    with Similarities(lake, known, parameters, engine, reporter.advance) as similarities:
        near = cluster.witnessed(codes, known, similarities)
        rows = _duplicates(near, known, similarities)
    result.candidates, result.verified = len(codes), result.verified + similarities.verified
    same = rows.equals(_stored(lake, DUPLICATES.schema.names))
    files = [write_parquet(lake, DUPLICATES, rows, "duplicates", **_OPTIONS)] if rows.num_rows and not same else []
    if lake.commit_to(duplicates, DUPLICATES, files, ["derived", state], "append" if same else "overwrite"):
        _log.info("%d pairs of near-duplicates derived from %s", rows.num_rows, state)
        _count(lake, result)
        return True
    lake.discard(files)
    return False


def _proposed(lake: Lake, known: Texts) -> PairCodes:
    """Return the pairs that vectors proposed."""
    codes = [np.empty(0, np.uint64)]
    for pair in likeness.stored(lake):
        left, right = (known.find(each) for each in pair)
        both = (left >= 0) & (right >= 0)
        left, right = left[both], right[both]
        both = known.live[left] & known.live[right]
        codes.append(join(left[both], right[both]))
    return np.unique(np.concatenate(codes))


def _count(lake: Lake, result: IndexResult) -> None:
    """Count what the index holds now."""
    stored = _stored(lake, ["content_id", "earlier_id", "cluster_id"])
    result.texts = lake.rows(SIGNATURES.name)
    result.pairs = stored.num_rows
    result.clusters = pc.count_distinct(stored["cluster_id"]).as_py()
    both = pa.chunked_array([*stored["content_id"].chunks, *stored["earlier_id"].chunks], pa.string())
    result.clustered = pc.count_distinct(both).as_py()


_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": ["cluster_id"],
    "write_statistics": ["content_id", "cluster_id"],
}


def _duplicates(near: PairCodes, known: Texts, similarities: Similarities) -> pa.Table:
    """Return the rows of `duplicates`, in an order that their content alone decides."""
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
    """Return columns of `duplicates` as they were derived last."""
    stored = lake.read_files(DUPLICATES.name, lake.files(DUPLICATES.name), columns)
    return pa.concat_tables([DUPLICATES.schema.empty_table().select(columns), *stored])
