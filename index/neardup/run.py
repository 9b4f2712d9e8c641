"""`index`: signs new texts, finds and verifies near-duplicates, and derives witnesses and clusters.

Signatures, bands and similarities are facts about texts, whatever else the lake holds. They are computed for new
texts, and kept. Which text is the witness of which depends on dates and on the other texts. It is derived again from
what has changed (`derive`). The result is a function of what the lake holds: neither the order in which texts came, nor
the batches, nor a kill on the way changes it.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import pyarrow.parquet as pq

from archive.arrow import plain
from archive.compact import compact
from archive.engine import Engine, Workers, open_engine
from archive.errors import LakeError
from archive.files import write_parts
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.tables import DOCUMENTS
from index import tables
from index.minhash.procedure import Parameters
from index.neardup import dates, textless
from index.neardup.bands import write_bands
from index.neardup.derive import LEAST, Derived, derive
from index.neardup.kept import Kept
from index.neardup.ranges import TOGETHER
from index.neardup.signatures import Signatures
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
    memory: int = 2 << 30,
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
        memory: bytes for the working memory of all processes together; what does not fit is done in parts.
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
        _update(lake, parameters, engine, device, memory, reporter, result)
        if passages or lake.has(PASSAGES):
            result.passages = run(Passages(), lake, engine, reporter)
    if target:
        result.exported = textless.export(lake, target)
        _log.info("%d texts written to %s", result.exported, target.location)
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _update(
    lake: Lake, parameters: Parameters, engine: Engine, device: str, memory: int, reporter: Reporter,
    result: IndexResult,
) -> None:  # fmt: skip
    """Sign new texts, write the bands, and derive the near-duplicates until no other process interferes."""
    tables.create(lake, parameters)
    result.signed = run(Signatures(parameters, device), lake, engine, reporter)
    compact(lake, PAIRS)
    reporter.stage("bands", None)
    write_bands(lake, parameters, engine)
    for _ in range(_TRIES):
        if _derive(lake, parameters, engine, memory, reporter, result):
            return
    raise LakeError(f"{lake.location}: too many others are writing; run the same command again")


def _derive(
    lake: Lake, parameters: Parameters, engine: Engine, memory: int, reporter: Reporter, result: IndexResult
) -> bool:
    """Derive the near-duplicates from what the lake holds now.

    Returns:
        False if another process has changed the table meanwhile.
    """
    duplicates = lake.delta(DUPLICATES.name)  # opened first: what others commit after this was derived from no less
    snapshot = lake.snapshot()
    state = tables.state(snapshot)
    # readers ask for the state alone; bounds, retractions and a new definition change few near-duplicates
    how = {"together": TOGETHER, "rest": int(dates.rest_of(snapshot)[:15], 16)}
    is_derived = duplicates.transaction_version(state) is not None
    if is_derived and all(duplicates.transaction_version(name) == number for name, number in how.items()):
        _log.debug("duplicates are derived from %s already", state)
        result.texts, result.pairs = lake.rows(SIGNATURES.name), lake.rows(DUPLICATES.name)
        result.clusters = duplicates.transaction_version("clusters") or 0
        result.clustered = duplicates.transaction_version("clustered") or 0
        return True
    with Kept(lake.location) as kept:
        derived = derive(lake, snapshot, parameters, engine, memory, kept, reporter)
        same = derived.same or is_stored(lake, derived)
        file = None if same else write_parts(lake, DUPLICATES, derived.rows(), "duplicates", **_OPTIONS)
        files = [file] if file else []
        if len(derived.texts) >= LEAST:
            paths = sorted(lake.files(DUPLICATES.name)) if same else [file.path for file in files]
            kept.keep({**derived.about, "duplicates": paths}, derived.arrays)
        result.candidates, result.verified = derived.candidates, result.verified + derived.compared
        numbers = {"derived": 1, state: 1, **how, "clusters": derived.clusters, "clustered": derived.clustered}
        if not lake.commit_to(duplicates, DUPLICATES, files, numbers, "append" if same else "overwrite"):
            lake.discard(files)
            return False
    _log.info("%d pairs of near-duplicates derived from %s", len(derived), state)
    result.texts, result.pairs = lake.rows(SIGNATURES.name), len(derived)
    result.clusters, result.clustered = derived.clusters, derived.clustered
    return True


_OPTIONS: dict[str, Any] = {
    "row_group_size": 1 << 18,
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": ["cluster_id"],
    "write_statistics": ["content_id", "cluster_id"],
}


def is_stored(lake: Lake, derived: Derived) -> bool:
    """Return whether `duplicates` has these rows already, in this order."""
    files = lake.files(DUPLICATES.name)
    if lake.rows(DUPLICATES.name) != len(derived) or len(files) > 1:
        return False
    if not files:
        return True
    with pq.ParquetFile(f"{lake.table_path(DUPLICATES.name)}/{files[0]}", filesystem=lake.filesystem) as file:
        stored = (plain(file.read_row_group(group)) for group in range(file.num_row_groups))
        pairs = zip_longest(stored, derived.rows())
        return all(one is not None and other is not None and other.equals(one.cast(other.schema))
                   for one, other in pairs)  # fmt: skip
