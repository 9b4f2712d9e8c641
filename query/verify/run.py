"""`verify`: first hashes and Merkle root, then the cited records, in the order of their files."""

from __future__ import annotations

import logging
import os
import random
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path

from archive import registry, storage
from archive.attestations.seal import SealCheck, check_lake, check_set
from archive.attestations.timestamps import read_certificates
from archive.bounds import of_files
from archive.damage import naming_damage
from archive.engine import Engine, Workers, open_engine, succeed
from archive.errors import ExportError
from archive.files import sql_literal
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from query.dataset import MANIFEST, Dataset, load, set_roots
from query.scratch import scratch_database
from query.tokenizer import Tokenizer, open_tokenizer
from query.verify import shards
from query.verify.bounds import Known
from query.verify.lake import cite
from query.verify.result import VerifyResult
from query.verify.stated import compare_folder, compare_totals
from query.verify.trace import trace

__all__ = ["VerifyResult", "verify"]

_log = logging.getLogger(__name__)
Moved = tuple[tuple[str, str], ...]


def verify(
    target: Lake | Dataset | str | os.PathLike[str],
    *,
    rows: int = 100,
    all: bool = False,
    seed: int | None = None,
    root: str | None = None,
    moved: Mapping[str, str] | Iterable[str] = (),
    seal: str | os.PathLike[str] | None = None,
    certificate: Iterable[str | os.PathLike[str]] = (),
    lake: Lake | str | os.PathLike[str] | None = None,
    network: bool = False,
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> VerifyResult:
    """Check an export, or a lake.

    Args:
        target: the folder of an export; or a lake, which has no hashes to check, only records.
        rows: how many rows, chosen at random, to trace to their records.
        all: trace every row.
        seed: of the choice; by default another each time.
        root: the Merkle root or the content root that the set is known to have, from elsewhere.
        moved: prefixes of cited files, and what they begin with now: a mapping, or strings like `"/data/=s3://bucket/"`.
        seal: the time stamp that `seal` got for the set or the lake, a file.
        certificate: files with root certificates of the authorities to trust, in place of those that are known.
        lake: the lake whose attestations count for the rows of an export that rest on a time stamp of their file. A
            lake that is checked has its own, and a signed WACZ needs none.
        network: ask the public servers and the stores of objects that the rows cite. Without it only those are asked
            that `moved` names, which may also be of this machine and its network.
        workers: processes (by default one for each core), or an engine.
        reporter: receives the progress.

    Raises:
        ExportError: there is no finished export here.
        SourceError: the time stamp or a certificate cannot be read.
        ArchiveError: a library that reads the set or the seal is not installed.
    """
    roots = read_certificates(certificate) or None
    started = time.monotonic()
    engine, reporter, result = open_engine(workers), reporter or Reporter(), VerifyResult()
    chosen = None if all else rows
    seed = random.SystemRandom().getrandbits(31) if seed is None else seed
    with engine.scratch() as folder:
        scratch = Path(folder)
        if checked := _lake(target):
            with naming_damage(checked):
                if seal is not None:
                    _take_seal(check_lake(checked, seal, roots), result)
                result.rows = cite(checked, chosen, seed, scratch / "lake.parquet")
                known = of_files(checked)
            trace(scratch, _pairs(moved), None, chosen, network, False, result, engine, reporter, known)
        else:
            dataset = target if isinstance(target, Dataset) else load(target)  # type: ignore[arg-type]
            try:
                _check_set(dataset, chosen, seed, root, scratch, result, engine, reporter)
                if seal is not None:
                    _take_seal(check_set(result.merkle_root, seal, roots), result)
                tokenizer = _tokenizer(dataset, result)
                honours = dataset.arguments.honour_opt_outs
                theirs = None if lake is None else _bounds(lake)
                trace(scratch, _pairs(moved), tokenizer, chosen, network, honours, result, engine, reporter, theirs)
            except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
                file = dataset.path / MANIFEST
                raise ExportError(f"{file}: this is no manifest of an export ({error!r})") from None
    result.sound = not result.problems and not result.findings
    result.seconds = round(time.monotonic() - started, 3)
    _log.info("%s: %d problems, %d findings", target, len(result.problems), len(result.findings))
    return result


def _take_seal(check: SealCheck, result: VerifyResult) -> None:
    result.problems += check.problems
    result.existed_by, result.attested_by = check.stamp.at, check.stamp.by
    result.sealed_units, result.unsealed_units = check.units, check.unsealed


def _bounds(lake: Lake | str | os.PathLike[str]) -> Known:
    lake = open_lake(lake)
    lake.require()
    return of_files(lake)


def _lake(target: Lake | Dataset | str | os.PathLike[str]) -> Lake | None:
    if isinstance(target, Lake | Dataset):
        return target if isinstance(target, Lake) else None
    location = os.fspath(target)
    if not storage.is_s3(location) and not os.path.isdir(location):
        return None
    lake = Lake(location)
    return lake if lake.exists() else None


def _pairs(moved: Mapping[str, str] | Iterable[str]) -> Moved:
    """
    Raises:
        ExportError: one is not of the form FROM=TO.
    """
    if isinstance(moved, Mapping):
        return tuple(moved.items())
    pairs = []
    for value in [moved] if isinstance(moved, str) else moved:
        old, equals, new = value.partition("=")
        if not equals or not old:
            raise ExportError(f"--moved {value}: write it as FROM=TO")
        pairs.append((old, new))
    return tuple(pairs)


def _check_set(
    dataset: Dataset,
    rows: int | None,
    seed: int,
    root: str | None,
    scratch: Path,
    result: VerifyResult,
    engine: Engine,
    reporter: Reporter,
) -> None:
    """Check all that the set states of itself, and write the citations of the chosen rows."""
    count = sum(shard.rows for shard in dataset.shards)
    traced = None if rows is None or rows >= count else sorted(random.Random(seed).sample(range(count), rows))
    reporter.stage("shards", count)
    _check_shards(dataset, traced, scratch, result, engine, reporter)
    result.problems += compare_folder(dataset.path, dataset.manifest)
    if root is not None and root.lower() not in {result.merkle_root, result.content_root}:
        result.problems.append(f"neither the Merkle root, {result.merkle_root}, nor the content root, "
                               f"{result.content_root}, is {root}")  # fmt: skip


def _check_shards(
    dataset: Dataset,
    traced: list[int] | None,
    scratch: Path,
    result: VerifyResult,
    engine: Engine,
    reporter: Reporter,
) -> None:
    units, first, plugins = [], 0, registry.entries()
    for number, shard in enumerate(dataset.shards):
        last = first + shard.rows
        chosen = None if traced is None else tuple(traced[bisect_left(traced, first) : bisect_left(traced, last)])
        to, ids = scratch / f"{number}.parquet", scratch / "ids" / f"{number}.parquet"
        units.append(
            shards.Unit(dataset.path, dataset.arguments, dataset.columns, shard, first, chosen, to, ids, plugins)
        )
        first = last
    (scratch / "ids").mkdir()
    roots: dict[Path, shards.Checked] = {}
    for task, checked in succeed(engine.run(shards.work, units, progress=reporter.advance, scratch=str(scratch))):
        roots[task.to] = checked
        result.rows += checked.rows
        result.problems += checked.problems
    result.shards = len(units)
    result.problems.sort()
    parts = [roots[unit.to] for unit in units]
    result.merkle_root, result.content_root = set_roots(
        dataset.manifest, [each.merkle_root for each in parts], [each.content_root for each in parts]
    )
    if result.merkle_root != dataset.merkle_root:
        result.problems.append(f"the Merkle root is {result.merkle_root}, the manifest says {dataset.merkle_root}")
    if dataset.content_root not in {None, result.content_root}:
        result.problems.append(f"the content root is {result.content_root}, the manifest says {dataset.content_root}")
    result.problems += compare_totals(dataset.manifest, result.rows)
    if any((scratch / "ids").iterdir()):
        ids_of_all = sql_literal(scratch / "ids" / "*.parquet")
        with scratch_database(scratch / "spill") as db:
            ((texts,),) = db.execute(f"SELECT count(DISTINCT content_id) FROM read_parquet({ids_of_all})").fetchall()
        if texts != result.rows:
            result.problems.append(f"{result.rows - texts} rows are in the set more than once")


def _tokenizer(dataset: Dataset, result: VerifyResult) -> Tokenizer | None:
    """Open the tokenizer of the export, to compare tokens with. If that is impossible, it is a problem of the set."""
    options = dataset.arguments
    if not options.tokenizer:
        return None
    try:
        tokenizer = open_tokenizer(options.tokenizer, options.eos)
    except ExportError as error:
        result.problems.append(f"tokens cannot be compared with the records: {error}")
        return None
    used = dataset.manifest.tokenizer
    if tokenizer is not None and (used is None or tokenizer.fingerprint != used.fingerprint):
        result.problems.append(f"tokens cannot be compared with the records: {tokenizer.name} is another tokenizer now")
        return None
    return tokenizer
