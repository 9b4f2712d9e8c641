"""`verify`: first hashes and Merkle root, then the cited records, in the order of their files."""

from __future__ import annotations

import logging
import os
import random
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from archive import registry
from archive.attestations.seal import SealCheck, check_lake, check_set
from archive.attestations.timestamps import read_certificates
from archive.bounds import of_files
from archive.damage import naming_damage
from archive.engine import Engine, Workers, open_engine, succeed
from archive.errors import ExportError
from archive.files import sql_literal
from archive.lake import Lake, lake_at, open_lake
from archive.progress import Reporter
from archive.sources.base import source_names
from query import merkle
from query.dataset import MANIFEST, Dataset, Shard, load, set_roots
from query.scratch import scratch_database
from query.set_files import SetFiles
from query.tokenizer import Tokenizer, is_here, open_tokenizer
from query.verify import shards
from query.verify.again import compare_with_lake
from query.verify.bounds import Known
from query.verify.certified import check as check_certified
from query.verify.certified import is_certified
from query.verify.certified import load as load_certified
from query.verify.corroborated import corroborated
from query.verify.lake import cite
from query.verify.records import Places
from query.verify.result import VerifyResult
from query.verify.stated import (
    Folder,
    compare_description,
    compare_folder,
    compare_indexes,
    compare_names,
    compare_numbers,
    described_by,
    few,
)
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
    again: Lake | str | os.PathLike[str] | None = None,
    moved: Mapping[str, str] | Iterable[str] = (),
    seal: str | os.PathLike[str] | None = None,
    certificate: Iterable[str | os.PathLike[str]] = (),
    trusted: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    lake: Lake | str | os.PathLike[str] | None = None,
    network: bool = False,
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> VerifyResult:
    """Check an export, or a lake.

    Args:
        target: the folder or `s3://` prefix of an export, or of what `certify` wrote; or a lake, of which only the
            records are checked.
        rows: how many rows, chosen at random, to trace to their records.
        all: trace every row.
        seed: of the choice; by default another each time.
        root: the Merkle root or the content root that the set is known to have, from elsewhere.
        again: the lake of the set: export it there again, in the versions of its tables that the set names. That takes
            as much space for a while as the set.
        moved: prefixes of cited files, and what they begin with now: a mapping, or strings like `"/data/=s3://bucket/"`.
        seal: the time stamp that `seal` got for the set or the lake, a file.
        certificate: files with root certificates of the authorities to trust, in place of those that are known.
        trusted: folders, or prefixes of `s3://` and `https://`, in which alone a record proves something; by default
            every place that a row cites. Files are looked for where `moved` says that they are.
        lake: the lake whose attestations count for the rows of a set that rest on a time stamp of their file, and, for
            an export, whose captures and index lines count for those of grade B. A lake that is checked has its own,
            and a signed WACZ needs none.
        network: ask the public servers and the stores of objects that the rows cite. Without it only those are asked
            that `moved` names, which may also be of this machine and its network.
        workers: processes (by default one for each core), or an engine.
        reporter: receives the progress.

    Raises:
        ExportError: there is no finished export here.
        SourceError: the time stamp or a certificate cannot be read.
        ArchiveError: a library that reads the set or the seal is not installed.
    """
    if type(rows) is not int or rows < 0 or not isinstance(root, str | None):
        raise ExportError("rows is a number from 0 on, and root is a hash in hexadecimal")
    seal = None if seal is None else os.fspath(seal)
    roots = read_certificates(certificate) or None
    started = time.monotonic()
    engine, reporter, result = open_engine(workers), reporter or Reporter(), VerifyResult()
    chosen = None if all else rows
    trust = Places(_pairs(moved), tuple(source_names(trusted)), "", network)
    seed = random.SystemRandom().getrandbits(31) if seed is None else seed
    with engine.scratch() as folder, scratch_database(Path(folder) / "spill"):  # kept open for the steps
        scratch = Path(folder)
        if checked := _lake(target):
            if root is not None or again is not None:
                raise ExportError("--root and --again are for sets, and this is a lake")
            with naming_damage(checked):
                if seal is not None:
                    _take_seal(check_lake(checked, seal, roots), result)
                result.rows = cite(checked, chosen, seed, scratch / "lake.parquet")
                known = of_files(checked)
                confirmed = corroborated(checked, [scratch / "lake.parquet"], "9999-12-31")
            expected = _expected(chosen, result)
            trace(scratch, trust, None, expected, False, result, engine, reporter, known, confirmed)
        elif not isinstance(target, Dataset) and is_certified(target):  # type: ignore[arg-type]
            if root is not None or again is not None or seal is not None:
                raise ExportError("--root, --again and --seal are not for what `archive certify` wrote")
            certified = load_certified(target)  # type: ignore[arg-type]
            count = sum(max(file.rows, 0) for file in certified.files.values())
            check_certified(certified, _sample(chosen, seed, count), scratch, result, engine, reporter)
            trust = replace(trust, own=own(certified.where))
            theirs = None if lake is None else _bounds(lake)
            trace(scratch, trust, None, None, False, result, engine, reporter, theirs)
        else:
            dataset = target if isinstance(target, Dataset) else load(target)  # type: ignore[arg-type]
            try:
                _check_set(dataset, chosen, seed, root, scratch, result, engine, reporter)
                other = [] if again is None else compare_with_lake(dataset, again, scratch, engine, reporter)
                result.problems += other
                if seal is not None:
                    _take_seal(check_set(result.merkle_root, seal, roots), result)
                tokenizer = _tokenizer(dataset, network, result)
                honours = dataset.arguments.honour_opt_outs
                trust = replace(trust, own=own(dataset.files))
                theirs = None if lake is None else _bounds(lake)
                confirmed = None if lake is None else _corroborated(lake, scratch, dataset)
                expected = _expected(chosen, result)
                trace(scratch, trust, tokenizer, expected, honours, result, engine, reporter, theirs, confirmed)
                if again is not None and not other:
                    _vouch(result)
            except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
                file = dataset.files.shown(MANIFEST)
                raise ExportError(f"{file}: this is no manifest of an export ({error!r})") from None
    result.sound = not result.problems and not result.findings
    result.seconds = round(time.monotonic() - started, 3)
    _log.info("%s: %d problems, %d findings", target, len(result.problems), len(result.findings))
    return result


def _expected(rows: int | None, result: VerifyResult) -> int:
    return result.rows if rows is None else min(rows, result.rows)


def _sample(rows: int | None, seed: int, count: int) -> frozenset[int] | None:
    return None if rows is None or rows >= count else frozenset(random.Random(seed).sample(range(count), rows))


def _vouch(result: VerifyResult) -> None:
    """Take the lake's word for grades that rest on more than the cited record: it has the other captures."""
    rest = [finding for finding in result.findings if not finding.is_of_grade]
    result.kinds["unchecked"] -= len(result.findings) - len(rest)
    result.kinds["agrees"] += len(result.findings) - len(rest)
    result.findings = rest


def _take_seal(check: SealCheck, result: VerifyResult) -> None:
    result.problems += check.problems
    result.existed_by, result.attested_by = check.stamp.at, check.stamp.by
    result.sealed_units, result.unsealed_units = check.units, check.unsealed


def _bounds(lake: Lake | str | os.PathLike[str]) -> Known:
    lake = open_lake(lake)
    lake.require()
    return of_files(lake)


def _corroborated(lake: Lake | str | os.PathLike[str], scratch: Path, dataset: Dataset) -> pa.Table:
    asked = dataset.arguments
    return corroborated(open_lake(lake), sorted(scratch.glob("*.parquet")), asked.before, asked.date_sources)


def _lake(target: Lake | Dataset | str | os.PathLike[str]) -> Lake | None:
    if isinstance(target, Lake | Dataset):
        return target if isinstance(target, Lake) else None
    return lake_at(target)


def _pairs(moved: Mapping[str, str] | Iterable[str]) -> Moved:
    """
    Raises:
        ExportError: one is not of the form FROM=TO.
    """
    if isinstance(moved, Mapping):
        return tuple(moved.items())
    pairs = []
    if not isinstance(moved, Iterable):
        raise ExportError(f"moved: {moved!r}: write it as FROM=TO")
    for value in [moved] if isinstance(moved, str) else moved:
        old, equals, new = str(value).partition("=")
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
    if rows is not None and rows < count:
        traced = sorted(random.Random(seed).sample(range(count), rows))
    else:
        traced = None
    reporter.stage("shards", count)
    folder = Folder.of(dataset.files, {MANIFEST, *dataset.manifest.hashes})
    _check_shards(dataset, traced, folder, scratch, result, engine, reporter)
    beside = [file.name for file in dataset.manifest.files if file.name in folder.files]
    with dataset.files.here(beside, scratch) as out:
        result.problems += compare_folder(out, dataset.manifest, folder)
        result.problems += compare_description(out, dataset.manifest, folder)
        result.problems += compare_indexes(out, dataset.files, dataset.manifest, folder, scratch)
    if root is not None and root.lower() not in {result.merkle_root, result.content_root}:
        result.problems.append(f"neither the Merkle root, {result.merkle_root}, nor the content root, "
                               f"{result.content_root}, is {root}")  # fmt: skip


def _check_shards(
    dataset: Dataset,
    traced: list[int] | None,
    folder: Folder,
    scratch: Path,
    result: VerifyResult,
    engine: Engine,
    reporter: Reporter,
) -> None:
    units, first, plugins = [], 0, registry.entries()
    (scratch / "about").mkdir()
    missing: list[str] = []
    seen: set[str] = set()
    for number, shard in enumerate(dataset.shards):
        last = first + shard.rows
        chosen = None if traced is None else tuple(traced[bisect_left(traced, first) : bisect_left(traced, last)])
        here = first
        first = last
        # before anything is opened: a pipe would be waited for, and a million shards take their time
        if absent := [path for path in shard.paths if path not in folder.files]:
            missing += map(folder.missing, absent)
        elif seen.isdisjoint(shard.paths):
            to, counted = f"{number}.parquet", f"about/{number}.parquet"
            options, columns = dataset.arguments, dataset.columns
            units.append(
                shards.Unit(
                    dataset.files, options, columns, shard, here, chosen, to, counted, folder_of(shard, folder), plugins
                )
            )
        seen.update(shard.paths)
    roots: dict[str, shards.Checked] = {}
    for task, checked in succeed(engine.run(shards.work, units, progress=reporter.advance, scratch=str(scratch))):
        roots[task.name] = checked
        result.rows += checked.rows
        result.problems += checked.problems
    result.shards = len(dataset.shards)
    result.problems.sort()
    result.problems = few(missing) + result.problems + compare_names(dataset.manifest)
    nothing = shards.Checked(merkle.root([]), merkle.root([]), 0, [])
    parts = [roots.get(shard.paths[0], nothing) for shard in dataset.shards]
    result.merkle_root, result.content_root = set_roots(
        dataset.stated,
        [each.merkle_root for each in parts],
        [each.content_root for each in parts],
        described_by(dataset.files, dataset.stated, folder),
    )
    if result.merkle_root != dataset.merkle_root:
        result.problems.append(f"the Merkle root is {result.merkle_root}, the manifest says {dataset.merkle_root}")
    if dataset.content_root not in {None, result.content_root}:
        result.problems.append(f"the content root is {result.content_root}, the manifest says {dataset.content_root}")
    if not units:
        result.problems.append("the set has no shard that can be read")
        return
    about = scratch / "about" / "*.parquet"
    for unit in units:
        if not _is_whole(scratch / unit.about):
            (scratch / unit.about).unlink(missing_ok=True)
    if not any((scratch / "about").iterdir()):
        return
    result.problems += compare_numbers(dataset.manifest, result.rows, about)
    with scratch_database(scratch / "spill") as db:
        every = f"read_parquet({sql_literal(about)})"
        ((texts,),) = db.execute(f"SELECT count(DISTINCT content_id) FROM {every}").fetchall()
        ((count,),) = db.execute(f"SELECT count(*) FROM {every}").fetchall()
    if texts != count:
        result.problems.append(f"{count - texts} rows are in the set more than once")


def own(files: SetFiles) -> str:
    """Return where a set is, as `Places.own` has it."""
    return files.location if files.is_stored else os.path.realpath(files.path)


def folder_of(shard: Shard, folder: Folder) -> Folder:
    """Return what a unit needs of the folder."""
    return Folder({path: folder.files[path] for path in shard.paths})


def _is_whole(path: Path) -> bool:
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException):
        return False
    return True


def _tokenizer(dataset: Dataset, network: bool, result: VerifyResult) -> Tokenizer | None:
    """Open the tokenizer of the export, to compare tokens with. If that is impossible, it is a problem of the set."""
    options = dataset.arguments
    used = dataset.manifest.tokenizer
    if not options.tokenizer:
        if used is not None:
            result.problems.append("the manifest names a tokenizer that its arguments do not")
        return None
    if not network and not is_here(options.tokenizer):
        why = f"{options.tokenizer} is on the Hub; --network fetches it"
        result.problems.append(f"tokens cannot be compared with the records: {why}")
        return None
    try:
        tokenizer = open_tokenizer(options.tokenizer, options.eos)
    except ExportError as error:
        result.problems.append(f"tokens cannot be compared with the records: {error}")
        return None
    if tokenizer is not None and (used is None or tokenizer.fingerprint != used.fingerprint):
        result.problems.append(f"tokens cannot be compared with the records: {tokenizer.name} is another tokenizer now")
        return None
    if (
        tokenizer is not None
        and used is not None
        and (used.name, used.vocab_size) != (tokenizer.name, tokenizer.vocab_size)
    ):
        what = f"{tokenizer.name} of {tokenizer.vocab_size:,} tokens"
        result.problems.append(f"the tokenizer is {what}, the manifest says {used.name} of {used.vocab_size:,}")
    return tokenizer
