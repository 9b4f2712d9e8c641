"""Commit parts: make each visible exactly once, also with several writers and after a kill.

A part has files for four tables, and Delta Lake commits to one table at a time. So the ledger `sources` is first: its
row *decides* that a unit is in the lake, and lists the files that the other tables must get. They get the files right
after, each table in one transaction, which has the name of the batch and so happens once. If the process dies in
between, the next writer finds the decision and carries it out (`recover`).

Decisions have one order: each commit to the ledger also has the transaction `ledger`. Of two commits at the same time
one fails; it reads the ledger again, and drops the texts that the other commit brought.

Several parts share a commit where they come fast. Each still has its own decision, in the same file of the ledger. The
committer keeps its tables open and reads only what is new in their logs (`archive.intake.table_log`). The texts that it
knows outlive it (`archive.intake.known_texts`), with the versions of the ledger and the documents that have exactly
these: the next one reads what came since. Where anything does not fit, it reads all.
`archive.intake.decisions` describes decisions, and how a unit is taken out again.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from archive import bounds
from archive.arrow import plain
from archive.errors import ArchiveError, LakeError, error_line
from archive.files import parquet_options, write_parquet
from archive.intake import decisions
from archive.intake.decisions import FORGOTTEN, LEDGER, TRIES, Decision
from archive.intake.known_run import Damaged, Fingerprints
from archive.intake.known_texts import KnownTexts, fingerprints
from archive.intake.overlaps import Overlaps
from archive.intake.part import Part
from archive.intake.table_log import OpenTable, digest
from archive.intake.taken import Watch, ledger_value, transaction_of
from archive.intake.unit import Batch, Unit
from archive.lake import Lake, NewFile, statistics
from archive.tables import CAPTURES, DOCUMENTS, INDEX, SOURCES

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Committed:
    """How many different texts of a part were new to the lake, and how many it had."""

    new_texts: int
    known_texts: int


class TakenOut(ArchiveError):
    """A file was forgotten while it was ingested. To commit a later span would leave a hole in it."""


#: Content ids that are read at a time.
_IDS = 1 << 16
#: In place of what comes of a part that is about to be committed.
_COMES = Committed(-1, -1)


@dataclass(slots=True)
class _Group:
    """Parts that are committed together, with the numbers of the transactions of their units, and of files."""

    members: list[tuple[Batch, Part]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class Committer:
    """Commits parts to one lake. It knows which texts the lake has, and follows other writers."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known = KnownTexts(lake.location)
        self._opened: dict[str, OpenTable] = {}
        self._caught_up: tuple[int, int] | None = None  # the versions of ledger and documents that _known has
        self._has_restored = False  # what was kept is taken once: later it may be damaged
        self._ahead: set[str] = set()  # files in _known that `documents` did not have when they were read
        self._mine: set[str] = set()  # files of the ledger that this committer wrote
        self._watch = Watch(lake)
        self._overlaps = Overlaps(lake)
        self._forgotten = 0  # how many decisions to take texts out are carried out
        self._has_forgotten = False  # _known has not followed the last of them yet

    def close(self) -> None:
        """Keep the known texts for the next committer."""
        try:
            # what is kept must be what these versions of the tables have: no text that came behind them
            if self._caught_up is not None and self._follow(self._table(SOURCES.name)):
                self._keep()
        except (ArchiveError, DeltaError, OSError) as error:
            _log.info("known texts are not kept: %s", error)
        self._known.close()
        for table in self._opened.values():
            table.close()

    def recover(self) -> decisions.CarriedOut:
        """Carry out the decisions of processes that died before they could.

        Raises:
            LakeError: the lake cannot be written.
        """
        done = decisions.carry_out(self._lake)
        self._forgotten = self._lake.delta("sources").transaction_version(FORGOTTEN) or 0
        return done

    def begin(self) -> None:
        """Follow the ledger from here on: before it is read for a plan, so that nothing is missed behind it."""
        self._table(SOURCES.name)

    def _table(self, name: str) -> OpenTable:
        """Return a table in its newest version."""
        if name in self._opened:
            self._opened[name].update()
        else:
            self._opened[name] = OpenTable(self._lake, name)
        return self._opened[name]

    # -- known texts -------------------------------------------------------------------------------

    def _catch_up(self, ledger: OpenTable, has_texts: bool = True) -> None:
        """Add the texts that other writers have brought, or have decided to bring, since the last commit.

        Args:
            has_texts: the part that comes next may bring texts; else nobody needs to know those of the lake.
        """
        forgotten = ledger.transaction_version(FORGOTTEN) or 0
        if forgotten != self._forgotten:  # texts were taken out
            decisions.carry_out(self._lake)
            self._forgotten, self._has_forgotten = forgotten, True
        if not has_texts:
            return
        if self._caught_up is None and not self._has_restored:
            self._has_restored = True
            self._restore(ledger)
        for _ in range(TRIES):
            if (self._caught_up is not None and self._follow(ledger)) or self._read_all(ledger):
                break
        else:
            raise LakeError(f"{self._lake.location}: {decisions.MANY}")
        if self._known.is_changed:
            self._keep()

    def _distrust(self, error: Damaged) -> None:
        """Read the texts of the lake anew at the next commit, since those that were kept are damaged."""
        _log.info("known texts are read anew: %s", error)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._known.clear()
        self._caught_up, self._ahead, self._has_forgotten = None, set(), False

    def _restore(self, ledger: OpenTable) -> None:
        """Go on from the texts that were kept, if they are those of this lake at an earlier version."""
        state = self._known.restore()
        documents = self._table(DOCUMENTS.name)
        if state is None or state["lake"] != self._identity() or state["forgotten"] > self._forgotten:
            self._begin_anew()
            return
        for table, name in ((ledger, SOURCES.name), (documents, DOCUMENTS.name)):
            version, seen = state[name]
            if version > table.version or seen is None or seen != digest(self._lake, name, version):
                self._begin_anew()
                return
            table.changes, table.lost = [], False
            table.follow(version)
        self._has_forgotten = state["forgotten"] < self._forgotten
        self._ahead, self._caught_up = set(state["ahead"]), (state[SOURCES.name][0], state[DOCUMENTS.name][0])

    def _identity(self) -> list[str]:
        return [str(self._opened[name].delta.metadata().id) for name in (SOURCES.name, DOCUMENTS.name)]

    def _keep(self) -> None:
        if self._caught_up is None:
            return
        state: dict[str, Any] = {"lake": self._identity(), "forgotten": self._forgotten, "ahead": sorted(self._ahead)}
        for name, version in zip((SOURCES.name, DOCUMENTS.name), self._caught_up, strict=True):
            state[name] = [version, digest(self._lake, name, version)]
        try:
            self._known.keep(state)
        except OSError as error:  # the next committer reads them again
            _log.info("known texts are not kept: %s", error)

    def _follow(self, ledger: OpenTable) -> bool:
        """Add what is new in the ledger and the documents; False where all must be read anew."""
        entries = [path for path in ledger.added if path not in self._mine]
        try:
            decided = [Decision.of_json(text) for text in self._texts_of(entries)]
        except FileNotFoundError:  # merged with others meanwhile, and deleted
            return False
        # opened after the ledger, so that it holds what was carried out meanwhile
        documents = self._table(DOCUMENTS.name)
        if ledger.lost or documents.lost:
            return False
        arrived, has_removed = set(documents.added), documents.has_removed
        waiting = [each for each in decided if documents.transaction_version(each.batch) is None]
        brought = {file.path for each in waiting for file in each.files if file.table == DOCUMENTS.name}
        ahead = (self._ahead | brought) - arrived
        if ahead and (self._has_forgotten or ledger.has_removed):
            return False  # what was decided may have been taken out before it came
        for removed, added in documents.changes:
            if removed and not self._exchange(removed, added):
                return False
            # of texts that this committer brought, an earlier version may have taken out the same ones
            paths = [] if removed else [path for path in added if has_removed or path not in self._ahead]
            if not all(map(self._read, paths)):
                return False
        if not all(map(self._read, sorted(brought - arrived - self._ahead))):
            return False
        self._ahead, self._caught_up = ahead, (ledger.version, documents.version)
        self._mine -= set(ledger.added)
        ledger.changes, documents.changes, self._has_forgotten = [], [], False
        return True

    def _exchange(self, removed: Iterable[str], added: Iterable[str]) -> bool:
        """Follow a version that took texts out: the files that had them are there no more, others have the rest.

        Returns:
            False where a file is gone, or the texts are so many that it costs less to read the others.
        """
        try:
            out, rest = (self._texts_in(paths) for paths in (removed, added))
        except FileNotFoundError:
            return False
        return self._known.exchange(out, rest)

    def _texts_in(self, paths: Iterable[str]) -> Fingerprints:
        found = [ids for path in paths for ids in self._ids_in(path)]
        none = np.empty(0, np.uint64)
        high, low = zip(*found, strict=True) if found else ((none,), (none,))
        return np.concatenate(high), np.concatenate(low)

    def _ids_in(self, path: str) -> Iterator[Fingerprints]:
        """Yield the texts of a file of documents, some at a time."""
        uri = f"{self._lake.table_path(DOCUMENTS.name)}/{path}"
        with pq.ParquetFile(uri, filesystem=self._lake.filesystem) as file:
            for batch in file.iter_batches(_IDS, columns=["content_id"]):
                yield fingerprints(plain(pa.Table.from_batches([batch]))["content_id"])

    def _read_all(self, ledger: OpenTable) -> bool:
        """Read the texts of the lake anew; False where it changed meanwhile."""
        self._begin_anew()
        ledger.changes, ledger.lost = [], False
        waiting = list(decisions.open_decisions(self._lake))
        documents = self._opened[DOCUMENTS.name] = OpenTable(self._lake, DOCUMENTS.name)
        paths = set(self._lake.files_of(documents.delta))
        decided = [each for each in waiting if documents.transaction_version(each.batch) is None]
        self._ahead = {file.path for each in decided for file in each.files if file.table == DOCUMENTS.name} - paths
        for path in sorted(paths):
            if not self._read(path):
                return False
        for decision in decided:
            for file in decision.files:
                # it is lost, and will be taken out; or it came meanwhile, and was merged with others
                if file.table == DOCUMENTS.name and file.path in self._ahead and not self._read(file.path):
                    if self._lake.delta(DOCUMENTS.name).transaction_version(decision.batch) is not None:
                        return False
                    self._ahead.discard(file.path)
        self._caught_up = ledger.version, documents.version
        return True

    def _read(self, path: str) -> bool:
        """Add the texts of a file of documents; False where it is not there, and not in the table any more."""
        try:
            found = list(self._ids_in(path))  # all of them, or none
        except FileNotFoundError:
            # merging has moved its rows to another file; or the file is lost, and texts with it
            if path in self._lake.files(DOCUMENTS.name):
                raise LakeError(
                    f"{self._lake.table_uri('documents')}/{path}: is lost; put it back from a copy, or ingest the "
                    "sources into a new lake"
                ) from None
            return False
        for ids in found:
            self._known.add(ids)
        return True

    def _texts_of(self, entries: list[str]) -> Iterator[str]:
        """Yield the decisions in some files of the ledger, as JSON."""
        for table in self._lake.read_files("sources", entries, ["files"]):
            yield from (text for text in table.column("files").to_pylist() if text)

    # -- commits -----------------------------------------------------------------------------------

    def commit(self, batch: Batch, part: Part) -> Committed | None:
        """Make a part visible. Return None if another process has committed one of its units, or some of its
        records.

        Raises:
            TakenOut: the span before is not in the lake any more.
            LakeError: the lake cannot be written.
        """
        (end,) = self.commit_all([(batch, part)])
        if isinstance(end, TakenOut):
            raise end
        return end

    def commit_all(self, parts: Sequence[tuple[Batch, Part]]) -> list[Committed | TakenOut | None]:
        """Do the same with several parts in one transaction; return what `commit` returns or raises of each.

        Raises:
            LakeError: the lake cannot be written.
        """
        ends: list[Committed | TakenOut | None] = []
        with self._naming_failure():
            while len(ends) < len(parts):
                ends += self._commit(parts[len(ends) :])
        return ends

    @contextmanager
    def _naming_failure(self) -> Iterator[None]:
        """Name the lake in an error of the system: a full disk, a store that does not answer."""
        try:
            yield
        except OSError as error:
            raise LakeError(f"{self._lake.location}: {error_line(error)}; nothing is lost, "
                            "run the same command again when it is mended") from None  # fmt: skip

    def _commit(self, parts: Sequence[tuple[Batch, Part]]) -> list[Committed | TakenOut | None]:
        """Commit the first of some parts together; return what comes of these."""
        for _ in range(TRIES):
            ledger = self._table(SOURCES.name)
            ends, group = self._chosen(ledger, parts)
            if not group.members:
                return ends
            chosen_at = ledger.version
            self._catch_up(
                ledger, any(file.table == DOCUMENTS.name for _, part in group.members for file in part.files)
            )
            if ledger.version != chosen_at:  # it was opened anew: a commit would not notice what came in between
                self._overlaps.read_all()
                continue
            try:
                kept, fresh = self._without_known([part for _, part in group.members])
            except Damaged as error:
                self._distrust(error)
                continue
            rows, decided = [], []
            for (batch, part), (trimmed, new) in zip(group.members, kept, strict=True):
                # a batch that comes again after it was taken out needs another name: the tables have had the first one
                first = group.numbers[batch.units[0].key]
                name = part.batch if first == 1 else f"{part.batch}-{first}"
                decided.append(Decision(name, trimmed.files, [unit.key for unit in batch.units]))
                rows.append(_ledger_rows(batch, trimmed, new, decided[-1]))
            row = write_parquet(self._lake, SOURCES, pa.concat_tables(rows), f"unit-{parts[0][1].batch[:16]}")
            units = [unit for batch, _ in group.members for unit in batch.units]
            named = {**group.numbers, **_counted([part for _, part in group.members], units)}
            named |= {transaction_of(version): count + 1 for version, count in group.counts.items()}
            committed = self._lake.commit_to(ledger.delta, SOURCES, [row], named, checkpoint=False)
            # an object store may commit and lose the answer: look into the log
            if committed or row.path in self._lake.files("sources"):
                self._came([row.path], decided, fresh)
                for batch, part in group.members:
                    self._watch.committed(batch.units, group.counts, [tally.reached.offset for tally in part.tallies])
                decisions.apply(self._lake, decided, self._table)
                results = iter(kept)
                for at, end in enumerate(ends):
                    if end is not _COMES:
                        continue
                    part, (trimmed, new) = parts[at][1], next(results)
                    self._lake.discard([file for file in part.files if file not in trimmed.files])
                    ends[at] = Committed(new, sum(tally.texts for tally in part.tallies) - new)
                return ends
            written = [
                file
                for (_, part), (trimmed, _) in zip(group.members, kept, strict=True)
                for file in trimmed.files
                if file not in part.files
            ]
            self._lake.discard([row, *written])
        raise LakeError(f"{self._lake.location}: {decisions.MANY}")

    def _chosen(
        self, ledger: OpenTable, parts: Sequence[tuple[Batch, Part]]
    ) -> tuple[list[Committed | TakenOut | None], _Group]:
        """Choose the first of some parts that can be committed together; return what comes of these, or `_COMES`."""
        ends: list[Committed | TakenOut | None] = []
        group = _Group()
        self._overlaps.follow(ledger, self._mine)
        for batch, part in parts:
            numbers = decisions.next_numbers(ledger, [unit.key for unit in batch.units])
            counts = {unit.version: _times_taken(ledger, unit) for unit in batch.units if unit.take is not None}
            if counts.keys() & group.counts.keys():
                break  # it may bring records that one before it brings: look when that is in the ledger
            if (
                numbers.keys() & group.numbers.keys()
                or any(number % 2 == 0 for number in numbers.values())
                or any(self._overlaps.meets(ledger, unit) for unit in batch.units)
            ):
                ends.append(None)
            elif any(
                unit.after and unit.after not in group.numbers and not decisions.is_in(ledger, unit.after)
                for unit in batch.units
            ):
                ends.append(TakenOut("an earlier part of it was taken out meanwhile; run the same command again"))
            elif not self._watch.may_commit(batch.units, counts):
                ends.append(None)
            else:
                ends.append(_COMES)
                group.members.append((batch, part))
                group.numbers |= numbers
                group.counts |= counts
        return ends, group

    def _came(self, rows: Iterable[str], decided: Iterable[Decision], fresh: Fingerprints | None) -> None:
        """Note the texts of decisions that are in the ledger."""
        if fresh is None:
            return
        if self._caught_up is not None:
            self._known.add(fresh)
            self._ahead |= {file.path for each in decided for file in each.files if file.table == DOCUMENTS.name}
            self._mine |= set(rows)

    def replace(self, old: Mapping[str, int], parts: Sequence[tuple[Batch, Part]]) -> bool:
        """Make parts visible in place of what an older version of this program wrote for units, in one commit.

        Args:
            old: the units that are replaced, with the numbers of their transactions when they were read.
            parts: what comes in their place. Their units may have the same keys.

        Returns:
            False, with nothing changed, if another process took out or replaced one of the units meanwhile.

        Raises:
            LakeError: the lake cannot be written.
        """
        with self._naming_failure():
            return self._replace(old, parts)

    def _replace(self, old: Mapping[str, int], parts: Sequence[tuple[Batch, Part]]) -> bool:
        fresh_units = {unit.key for batch, _ in parts for unit in batch.units}
        for _ in range(TRIES):
            ledger = self._table(SOURCES.name)
            decisions.settle(self._lake)
            if any((ledger.transaction_version(unit) or 0) != number for unit, number in old.items()):
                return False
            if any(decisions.is_in(ledger, unit) for unit in fresh_units if unit not in old):
                return False
            numbers = decisions.numbers_of_replacement(ledger, old, fresh_units)
            chosen_at = ledger.version
            self._catch_up(ledger)
            if ledger.version != chosen_at:
                continue
            try:
                kept, fresh = self._without_known([part for _, part in parts])
            except Damaged as error:
                self._distrust(error)
                continue
            tables, decided = [], []
            for (batch, part), (trimmed, new) in zip(parts, kept, strict=True):
                name = f"{part.batch}-{numbers[batch.units[0].key]}"
                decided.append(Decision(name, trimmed.files, [unit.key for unit in batch.units]))
                tables.append(_ledger_rows(batch, trimmed, new, decided[-1]))
            arriving = [file for part, _ in kept for file in part.files if file.table == CAPTURES.name]
            out = decisions.replacement(self._lake, old, arriving)
            row = write_parquet(self._lake, SOURCES, pa.concat_tables([*tables, out.row]), "replaced")
            counted = _counted((part for part, _ in kept), (unit for batch, _ in parts for unit in batch.units))
            if out.orphans:
                counted[FORGOTTEN] = (ledger.transaction_version(FORGOTTEN) or 0) + 1
            before = {file.path for _, part in parts for file in part.files}
            after = {file.path for part, _ in kept for file in part.files}
            committed = self._lake.commit_to(ledger.delta, SOURCES, [row], {**numbers, **counted}, checkpoint=False)
            # an object store may commit and lose the answer: look into the log
            if committed or row.path in self._lake.files("sources"):
                self._came([row.path], decided, fresh)
                decisions.settle(self._lake)
                self._lake.discard([file for _, part in parts for file in part.files if file.path not in after])
                return True
            out.discard()
            self._lake.discard([row, *(file for part, _ in kept for file in part.files if file.path not in before)])
        raise LakeError(f"{self._lake.location}: {decisions.MANY}")

    def _without_known(self, parts: Sequence[Part]) -> tuple[list[tuple[Part, int]], Fingerprints | None]:
        """Leave out the texts that the lake has, or a part in front brings.

        Returns:
            the parts, each with the number of texts that are left, and all these texts; None where no part has a file
            of documents.
        """
        wanted: list[Fingerprints] = []
        for file in (file for part in parts for file in part.files if file.table == DOCUMENTS.name):
            path = f"{self._lake.table_path(DOCUMENTS.name)}/{file.path}"
            ids = pq.read_table(path, columns=["content_id"], filesystem=self._lake.filesystem)
            wanted.append(fingerprints(ids["content_id"]))
        if not wanted:
            return [(part, 0) for part in parts], None
        high, low = (np.concatenate(words) for words in zip(*wanted, strict=True))
        fresh = self._known.new((high, low))
        kept, at = [], 0
        sizes = iter([len(words) for words, _ in wanted])
        for part in parts:
            files: list[NewFile] = []
            new = 0
            for file in part.files:
                if file.table != DOCUMENTS.name:
                    files.append(file)
                    continue
                size = next(sizes)
                keep = np.flatnonzero(fresh[at : at + size])
                at, new = at + size, new + len(keep)
                if len(keep) == size:
                    files.append(file)
                elif len(keep):
                    files.append(self._rewrite(file.path, keep.tolist(), part.batch))
            kept.append((replace(part, files=files), new))
        return kept, (high[fresh], low[fresh])

    def _rewrite(self, path: str, keep: list[int], batch: str) -> NewFile:
        """Copy some rows of a file of documents to a new file, a row group at a time."""
        path = f"{self._lake.table_path(DOCUMENTS.name)}/{path}"
        name = f"part-{batch[:16]}-{uuid.uuid4().hex[:12]}.parquet"
        source = pq.ParquetFile(path, filesystem=self._lake.filesystem)
        first, rows = 0, 0
        with self._lake.filesystem.open_output_stream(f"{self._lake.table_path('documents')}/{name}") as sink:
            with pq.ParquetWriter(sink, DOCUMENTS.schema, **parquet_options(DOCUMENTS)) as writer:
                for group in range(source.num_row_groups):
                    table = plain(source.read_row_group(group))
                    inside = [at - first for at in keep if first <= at < first + table.num_rows]
                    first += table.num_rows
                    rows += len(inside)
                    if inside:
                        writer.write_table(table.take(pa.array(inside)).cast(DOCUMENTS.schema))
            size = sink.tell()
        return NewFile("documents", name, size, {}, statistics(rows))


def _times_taken(ledger: OpenTable, unit: Unit) -> int:
    return ledger.transaction_version(transaction_of(unit.version)) or 0


def _counted(parts: Iterable[Part], units: Iterable[Unit]) -> dict[str, int]:
    """Return the transactions that a commit has besides those of its units."""
    bounded = any(tally.bounded for part in parts for tally in part.tallies)
    indexes = any(unit.kind == INDEX for unit in units)
    return {LEDGER: 1, **({bounds.STORED: 1} if bounded else {}), **({INDEX: 1} if indexes else {})}


def _ledger_rows(batch: Batch, part: Part, new_texts: int, decision: Decision) -> pa.Table:
    """Make a row for each unit. The first row has the decision about the files of the whole batch."""
    now = datetime.now(UTC)
    rows = []
    for number, (unit, tally) in enumerate(zip(batch.units, part.tallies, strict=True)):
        rows.append(
            {
                "unit": unit.key,
                "file": unit.file,
                "version": unit.version,
                "size": tally.size if tally.size is not None else unit.size,
                "sha256": tally.sha256,
                "start": unit.span.start,
                "end": unit.span.end,
                "taken": ledger_value(unit),
                "next_offset": tally.reached.offset,
                "recovered": tally.reached.recovered,
                "floor": tally.reached.floor,
                "behind_info": tally.reached.behind_info,
                "infos": json.dumps([astuple(info) for info in tally.reached.infos or ()]),
                "limits": json.dumps(asdict(unit.settings.limits)),
                "operator": unit.settings.operator,
                "format": tally.format,
                "extractor": unit.settings.extractor,
                "records": tally.records,
                "captures": tally.captures,
                "dated": tally.captures - tally.problems.total(),
                "bounded": tally.bounded,
                "texts": tally.texts,
                "new_texts": new_texts if number == 0 else 0,
                "rejects": list(tally.rejects.items()),
                "skipped": list(tally.skipped.items()),
                "bytes": tally.bytes,
                "seconds": tally.seconds,
                "ingested_at": now,
                "files": decision.as_json() if number == 0 else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=SOURCES.schema)
