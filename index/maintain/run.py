"""`maintain`: finishes what was begun, and keeps a lake in order."""

from __future__ import annotations

import contextlib
import os
import re
import time

from archive import leftovers, vacuum
from archive.compact import compact, planned
from archive.damage import naming_damage
from archive.engine import Engine, Workers, open_engine
from archive.engine import scratch as shared
from archive.errors import ArchiveError
from archive.extras import is_installed
from archive.intake import decisions
from archive.intake.commit import Committer
from archive.intake.regrade import regrade as regrade_files
from archive.intake.result import MaintainResult, Upkeep
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.storage import is_s3
from archive.tables import SOURCES
from index import tables
from index.embeddings.table import EMBEDDINGS
from index.maintain import kinds
from index.maintain.kinds import Kind
from index.tables import BANDS, DUPLICATES, PASSAGES, SIGNATURES
from index.vectors.table import SEGMENTS

__all__ = ["KEEP", "KEEP_CACHES", "MaintainResult", "maintain"]

#: How long older versions stay readable, and caches.
KEEP, KEEP_CACHES = "7d", "30d"
_TIME = re.compile(r"(\d+)\s*([mhd]?)")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
#: Lists of what is to be forgotten, below the folder of the ledger.
_LIST = re.compile(r"(forget-(?:replaced-)?[0-9a-f]{32})(-units)?\.parquet")
#: The files of a segment of vectors, below `vectors/`.
_VECTORS = re.compile(r"(segment-[0-9a-f]{12})\.(vectors|lists)")


def maintain(
    lake: Lake | str | os.PathLike[str],
    *,
    regrade: bool = False,
    keep: str = KEEP,
    keep_caches: str = KEEP_CACHES,
    dry_run: bool = False,
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> MaintainResult:
    """Finish what killed commands have begun; merge small files, and delete what nobody needs any more.

    Other commands may write and read at the same time. A run that is killed is finished by the next one.

    Args:
        regrade: read the files again whose captures have no grade, since an older version ingested them. What cannot be
            read any more stays as it was.
        keep: how long older versions of the tables stay readable, as `7d`, `12h` or `90m`. It must be longer than any
            command runs that reads or writes this lake.
        keep_caches: how long files in the caches of this user stay that nobody uses.
        dry_run: change nothing, and return what would be done.
        workers: processes that read and extract (by default one for each core), or an engine.
        reporter: receives the progress.

    Raises:
        LakeError: there is no lake, or it cannot be written.
        ArchiveError: a time is not written as above.
    """
    started = time.monotonic()
    seconds, seconds_caches = seconds_of(keep), seconds_of(keep_caches)
    if dry_run and regrade:
        raise ArchiveError("a dry run does not tell what --regrade would read; run one without the other")
    lake, engine, reporter = open_lake(lake), open_engine(workers), reporter or Reporter()
    lake.require()
    result = MaintainResult(dry_run=dry_run)
    maintenance = _Maintenance(lake, seconds, engine, reporter, result)
    with naming_damage(lake):
        if dry_run:
            result.recovered = sum(1 for _ in decisions.open_decisions(lake))
        else:
            lake.create()
            maintenance.merge_ledger()
            with contextlib.closing(Committer(lake)) as committer:
                result.recovered = committer.recover().decisions
                if regrade:
                    regrade_files(lake, committer, engine, reporter, result)
        maintenance.run()
    _tidy_machine(seconds, seconds_caches, result)
    result.seconds = round(time.monotonic() - started, 3)
    return result


def seconds_of(text: str) -> float:
    """Return a time such as `7d`, `12h`, `90m` or `0` in seconds.

    >>> seconds_of("12h")
    43200.0

    Raises:
        ArchiveError: it is written in another way.
    """
    match = _TIME.fullmatch(text.strip())
    if not match or (not match[2] and int(match[1])):
        raise ArchiveError(f"{text!r} is no time; write it as 7d, 12h or 90m")
    return float(int(match[1]) * _SECONDS[match[2] or "d"])


class _Maintenance:
    """One run, on one lake."""

    def __init__(self, lake: Lake, keep: float, engine: Engine, reporter: Reporter, result: MaintainResult) -> None:
        self._lake, self._keep, self._engine, self._reporter, self._result = lake, keep, engine, reporter, result
        self._has_kernels = is_installed("numba")
        self._commits: dict[str, int] = {}  # our own, by table
        self._changed: dict[str, set[str]] = {}  # the partitions of tables whose files were replaced

    def merge_ledger(self) -> None:
        """Merge the files of the ledger, all of which are read next: each takes 0.1 MB of memory there."""
        self._merge([Kind(SOURCES)])

    def run(self) -> None:
        kinds_ = kinds.present(self._lake, self._has_kernels)
        if not self._has_kernels and self._lake.has(SIGNATURES):
            self._result.left.append("the tables of the index stay as they are: pip install 'lowbackground[index]'")
        has_index = self._has_kernels and self._lake.has(SIGNATURES) and self._lake.has(DUPLICATES)
        before = tables.versions(self._lake) if has_index else {}
        is_current = has_index and self._has_derived(tables.state_of(before))
        self._sweep(kinds_)
        self._merge(kinds_)
        if not self._result.dry_run:
            self._rebuild()
            if is_current:
                self._stay_current(before)
        self._vacuum()

    def _note(self, step: str, of: str, files: int = 0, size: int = 0, into: int = 0, rows: int = 0) -> None:
        if files or rows:
            self._result.done.append(Upkeep(step, of, files, size, into, rows))

    def _replaced(self, table: str, commits: int, partitions: set[str]) -> None:
        if commits:
            self._commits[table] = self._commits.get(table, 0) + commits
            self._changed.setdefault(table, set()).update(partitions)

    # -- forgotten texts ---------------------------------------------------------------------------

    def _sweep(self, kinds_: list[Kind]) -> None:
        named = [kind for kind in kinds_ if kind.names]
        if not named:
            return
        from index.maintain.sweep import forgotten, sweep

        self._reporter.stage("sweep", None)
        texts = forgotten(self._lake, named)
        self._result.forgotten = len(texts)
        if not len(texts):
            return
        for kind in named:
            done = sweep(self._lake, kind, texts, self._result.dry_run)
            self._note("sweep", kind.table.name, done.files, done.bytes, done.into, done.rows)
            self._replaced(kind.table.name, done.commits, set(done.by))

    # -- small files -------------------------------------------------------------------------------

    def _merge(self, kinds_: list[Kind]) -> None:
        self._reporter.stage("merge", None)
        for kind in kinds_:
            if kind.table is PASSAGES:
                self._merge_passages()
            elif kind.least is not None and self._result.dry_run:
                merges = planned(self._lake, kind.table, kind.least)
                files = sum(len(merge.files) for merge in merges)
                self._note("merge", kind.table.name, files, sum(merge.bytes for merge in merges), len(merges))
            elif kind.least is not None:
                done = compact(self._lake, kind.table, least=kind.least, options=kind.options)
                self._note("merge", kind.table.name, done.files, done.bytes, len(done.into))
                partitions = {value for file in done.into for value in file.partition.values()}
                self._replaced(kind.table.name, done.commits, partitions)

    def _merge_passages(self) -> None:
        from index.passages import segments

        if self._result.dry_run:
            some = segments.crowd(self._lake)
            self._note("merge", PASSAGES.name, len(some), sum(file.size for file in some), int(bool(some)))
            return
        before = {file.path: file.size for file in segments.files(self._lake)}
        segments.compact(self._lake)
        after = {file.path for file in segments.files(self._lake)}
        gone = before.keys() - after
        self._note("merge", PASSAGES.name, len(gone), sum(before[path] for path in gone), len(after - before.keys()))

    # -- what is made from files -------------------------------------------------------------------

    def _rebuild(self) -> None:
        """Make the bands and segments of files that came in the place of others."""
        if self._has_kernels and self._lake.has(SIGNATURES) and self._lake.has(BANDS):
            from index.neardup.bands import segment_files, write_bands

            old, current = set(segment_files(self._lake)), set(self._lake.files(SIGNATURES.name))
            if self._changed.get(SIGNATURES.name) is not None or old - current:
                self._reporter.stage("bands", None)
                write_bands(self._lake, tables.parameters_of(self._lake), self._engine)
                self._note("rebuild", BANDS.name, len(old - current), into=len(current - old))
        if not self._lake.has(SEGMENTS):
            return
        from index.vectors.segments import rows_of
        from index.vectors.upkeep import build

        for encoder in sorted(self._changed.get(EMBEDDINGS.name, ())):
            old_ = {row["name"] for row in rows_of(self._lake, encoder)}
            if not old_:
                continue
            try:
                build(self._lake, encoder, workers=self._engine, reporter=self._reporter)
            except ArchiveError as error:
                self._result.left.append(f"the vectors of {encoder} are searched as before, until `archive embed` "
                                         f"runs: {error}")  # fmt: skip
                continue
            new = {row["name"] for row in rows_of(self._lake, encoder)}
            self._note("rebuild", SEGMENTS.name, len(old_ - new), into=len(new - old_))

    def _has_derived(self, state: str) -> bool:
        return self._lake.delta(DUPLICATES.name).transaction_version(state) is not None

    def _stay_current(self, before: dict[str, int]) -> None:
        """Note that the near-duplicates are derived from what the lake holds, where only we have changed its files.

        Merging changes no row, and sweeping only rows of texts that the lake does not hold.
        """
        now = tables.versions(self._lake)
        if now == before or any(now[name] != number + self._commits.get(name, 0) for name, number in before.items()):
            return
        self._lake.commit_to(self._lake.delta(DUPLICATES.name), DUPLICATES, [], ["derived", tables.state_of(now)])

    # -- what nobody needs -------------------------------------------------------------------------

    def _vacuum(self) -> None:
        self._reporter.stage("vacuum", None)
        lake, dry_run = self._lake, self._result.dry_run
        decided: dict[str, set[str]] = {}
        for decision in decisions.open_decisions(lake):
            for file in decision.files:
                decided.setdefault(file.table, set()).add(file.path)
        for table in kinds.ours(lake):
            found = vacuum.planned(lake, table, self._keep, decided.get(table.name, ()))
            if found.why_not:
                self._result.left.append(f"{table.name}: no file is deleted: {found.why_not}")
            if found.needs_checkpoint:
                self._note("checkpoint", table.name, found.tail)
                if not dry_run:
                    lake.delta(table.name).create_checkpoint()
            self._delete("log", table.name, found.log)
            self._delete("vacuum", table.name, found.files)
        self._delete("vacuum", f"{SOURCES.name}/_forgotten", self._lists())
        if lake.has(SEGMENTS):
            self._delete("vacuum", "vectors", self._vectors())

    def _delete(self, step: str, of: str, found: list[vacuum.Seen]) -> None:
        self._note(step, of, len(found), sum(each.size for each in found))
        if not self._result.dry_run:
            vacuum.delete(self._lake, found)

    def _lists(self) -> list[vacuum.Seen]:
        """Return the lists of what is to be forgotten that no decision names."""
        never = time.time() - max(self._keep, vacuum.LEAST)
        lists = vacuum.listed(self._lake, f"{self._lake.table_path(SOURCES.name)}/_forgotten")
        old = [(match[1], each) for each in lists if each.at < never and (match := _LIST.fullmatch(each.name))]
        if not old:
            return []
        named = set(self._lake.read(SOURCES.name, ["unit"])["unit"].to_pylist())
        return [each for name, each in old if name not in named]

    def _vectors(self) -> list[vacuum.Seen]:
        """Return the files of segments of vectors that no segment has."""
        from index.vectors.files import FOLDER

        never = time.time() - max(self._keep, vacuum.LEAST)
        root = self._lake.table_path(FOLDER)
        old = [(match[1], each) for each in vacuum.below(self._lake, root)
               if each.at < never and (match := _VECTORS.fullmatch(each.name))]  # fmt: skip
        if not old:
            return []
        named = set(self._lake.read(SEGMENTS.name, ["name"])["name"].to_pylist())
        return [each for name, each in old if name not in named]


def _tidy_machine(keep: float, keep_caches: float, result: MaintainResult) -> None:
    """Delete scratch folders of killed commands, and caches that nobody uses, of this user on this machine."""
    for folder in leftovers.scratch(keep):
        result.done.append(Upkeep("scratch", str(folder.path), folder.files, folder.size))
        if not result.dry_run:
            leftovers.delete(folder)
    store = os.environ.get("LOWBACKGROUND_SCRATCH", "")
    for address in shared.stale(store, keep) if is_s3(store) else ():
        result.done.append(Upkeep("scratch", address, 1, 0))
        if not result.dry_run:
            shared.discard(address)
    for cache in leftovers.caches(keep_caches):
        size = sum(each.size for each in cache.old)
        result.caches[cache.kind] = cache.size - size
        if cache.old:
            result.done.append(Upkeep("cache", cache.kind, len(cache.old), size))
        if not result.dry_run:
            for each in cache.old:
                leftovers.delete(each)
