"""Commit parts: make each visible exactly once, also with several writers and after a kill.

A part has files for four tables, and Delta Lake commits to one table at a time. So the ledger `sources` is first: its
row *decides* that a unit is in the lake, and lists the files that the other tables must get. They get the files right
after, each table in one transaction, which has the name of the batch and so happens once. If the process dies in
between, the next writer finds the decision and carries it out (`recover`).

Decisions have one order: each commit to the ledger also has the transaction `ledger`. Of two commits at the same time
one fails; it reads the ledger again, and drops the texts that the other commit brought.
`archive.intake.decisions` describes decisions, and how a unit is taken out again.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from archive import bounds
from archive.arrow import plain
from archive.errors import ArchiveError, LakeError, error_line
from archive.files import parquet_options, write_parquet
from archive.intake import decisions
from archive.intake.decisions import FORGOTTEN, LEDGER, TRIES, Decision
from archive.intake.known_texts import KnownTexts
from archive.intake.part import Part
from archive.intake.taken import Watch, ledger_value, transaction_of
from archive.intake.unit import Batch, Unit
from archive.lake import Lake, NewFile, statistics
from archive.tables import CAPTURES, DOCUMENTS, INDEX, SOURCES


@dataclass(frozen=True, slots=True)
class Committed:
    """How many different texts of a part were new to the lake, and how many it had."""

    new_texts: int
    known_texts: int


class TakenOut(ArchiveError):
    """A file was forgotten while it was ingested. To commit a later span would leave a hole in it."""


class Committer:
    """Commits parts to one lake. It knows which texts the lake has, and follows other writers."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known = KnownTexts()
        self._seen: set[str] = set()  # files of documents whose ids are in _known
        self._entries: set[str] = set()  # files of the ledger that were read
        self._watch = Watch(lake)
        self._forgotten = 0  # how many decisions to take texts out _known has followed

    def close(self) -> None:
        self._known.close()

    def recover(self) -> decisions.CarriedOut:
        """Carry out the decisions of processes that died before they could.

        Raises:
            LakeError: the lake cannot be written.
        """
        done = decisions.carry_out(self._lake)
        self._forgotten = self._lake.delta("sources").transaction_version(FORGOTTEN) or 0
        return done

    def _catch_up(self, ledger: DeltaTable, has_texts: bool = True) -> None:
        """Add the texts that other writers have brought, or have decided to bring, since the last commit.

        Args:
            has_texts: the part that comes next may bring texts; else nobody needs to know those of the lake.
        """
        forgotten = ledger.transaction_version(FORGOTTEN) or 0
        if forgotten != self._forgotten:  # texts were taken out: begin anew
            decisions.carry_out(self._lake)
            self._begin_anew(forgotten)
        if not has_texts:
            return
        entries = set(self._lake.files("sources")) - self._entries
        decided = [Decision.of_json(text) for text in self._texts_of(entries)]
        documents = self._lake.delta(
            "documents"
        )  # opened after the ledger, so that it holds what was carried out meanwhile
        paths = set(self._lake.files_of(documents))
        for decision in decided:
            brought = {file.path for file in decision.files if file.table == DOCUMENTS.name}
            if not brought <= paths and documents.transaction_version(decision.batch) is None:
                paths |= brought
        self._entries |= entries
        for path in sorted(paths - self._seen):
            try:
                for table in self._lake.read_files("documents", [path], ["content_id"]):
                    self._known.add(table)
            except FileNotFoundError:
                # compaction has moved its rows to another file; or the file is lost, and texts with it
                if path in self._lake.files("documents"):
                    raise LakeError(
                        f"{self._lake.table_uri('documents')}/{path}: is lost; put it back from a copy, or ingest the "
                        "sources into a new lake"
                    ) from None
        self._seen |= paths

    def _begin_anew(self, forgotten: int) -> None:
        self._known.close()
        self._known, self._seen, self._entries, self._forgotten = KnownTexts(), set(), set(), forgotten

    def _texts_of(self, entries: set[str]) -> Iterator[str]:
        """Yield the decisions in some files of the ledger, as JSON."""
        for table in self._lake.read_files("sources", sorted(entries), ["files"]):
            yield from (text for text in table.column("files").to_pylist() if text)

    def commit(self, batch: Batch, part: Part) -> Committed | None:
        """Make a part visible. Return None if another process has committed one of its units, or one of its records.

        Raises:
            TakenOut: the span before is not in the lake any more.
            LakeError: the lake cannot be written.
        """
        with self._naming_failure():
            return self._commit(batch, part)

    @contextmanager
    def _naming_failure(self) -> Iterator[None]:
        """Name the lake in an error of the system: a full disk, a store that does not answer."""
        try:
            yield
        except OSError as error:
            raise LakeError(f"{self._lake.location}: {error_line(error)}; nothing is lost, "
                            "run the same command again when it is mended") from None  # fmt: skip

    def _commit(self, batch: Batch, part: Part) -> Committed | None:
        for _ in range(TRIES):
            ledger = self._lake.delta("sources")
            numbers = decisions.next_numbers(ledger, [unit.key for unit in batch.units])
            if any(number % 2 == 0 for number in numbers.values()):
                return None
            if any(unit.after and not decisions.is_in(ledger, unit.after) for unit in batch.units):
                raise TakenOut("an earlier part of it was taken out meanwhile; run the same command again")
            counts = {unit.version: _times_taken(ledger, unit) for unit in batch.units if unit.take is not None}
            if not self._watch.may_commit(batch.units, counts):
                return None
            self._catch_up(ledger, any(file.table == DOCUMENTS.name for file in part.files))
            trimmed, new = self._without_known(part)
            # a batch that comes again after it was taken out needs another name: the tables have had the first one
            first = numbers[batch.units[0].key]
            name = part.batch if first == 1 else f"{part.batch}-{first}"
            decision = Decision(name, trimmed.files, [unit.key for unit in batch.units])
            rows = _ledger_rows(batch, trimmed, new, decision)
            row = write_parquet(self._lake, SOURCES, rows, f"unit-{part.batch[:16]}")
            named = {**numbers, **_counted([part], batch.units)}
            named |= {transaction_of(version): count + 1 for version, count in counts.items()}
            committed = self._lake.commit_to(ledger, SOURCES, [row], named)
            # an object store may commit and lose the answer: look into the log
            if committed or row.path in self._lake.files("sources"):
                self._watch.committed(batch.units, counts, [tally.reached.offset for tally in part.tallies])
                decisions.apply(self._lake, decision)
                self._lake.discard([file for file in part.files if file not in trimmed.files])
                return Committed(new, sum(tally.texts for tally in part.tallies) - new)
            self._lake.discard([row, *(file for file in trimmed.files if file not in part.files)])
        raise LakeError(f"{self._lake.location}: {decisions.MANY}")

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
        fresh = {unit.key for batch, _ in parts for unit in batch.units}
        for _ in range(TRIES):
            ledger = self._lake.delta("sources")
            decisions.settle(self._lake)
            if any((ledger.transaction_version(unit) or 0) != number for unit, number in old.items()):
                return False
            if any(decisions.is_in(ledger, unit) for unit in fresh if unit not in old):
                return False
            numbers = decisions.numbers_of_replacement(ledger, old, fresh)
            self._catch_up(ledger)
            tables, trimmed = [], []
            for batch, part in parts:
                kept, new = self._without_known(part)
                self._know(kept)  # the next part brings no text that this one brings
                name = f"{part.batch}-{numbers[batch.units[0].key]}"
                decision = Decision(name, kept.files, [unit.key for unit in batch.units])
                tables.append(_ledger_rows(batch, kept, new, decision))
                trimmed.append(kept)
            arriving = [file for part in trimmed for file in part.files if file.table == CAPTURES.name]
            out = decisions.replacement(self._lake, old, arriving)
            row = write_parquet(self._lake, SOURCES, pa.concat_tables([*tables, out.row]), "replaced")
            counted = _counted(trimmed, (unit for batch, _ in parts for unit in batch.units))
            if out.orphans:
                counted[FORGOTTEN] = (ledger.transaction_version(FORGOTTEN) or 0) + 1
            before = {file.path for _, part in parts for file in part.files}
            after = {file.path for part in trimmed for file in part.files}
            committed = self._lake.commit_to(ledger, SOURCES, [row], {**numbers, **counted})
            # an object store may commit and lose the answer: look into the log
            if committed or row.path in self._lake.files("sources"):
                decisions.settle(self._lake)
                self._lake.discard([file for _, part in parts for file in part.files if file.path not in after])
                return True
            out.discard()
            self._lake.discard([row, *(file for part in trimmed for file in part.files if file.path not in before)])
            self._begin_anew(self._forgotten)  # it knows texts that did not come
        raise LakeError(f"{self._lake.location}: {decisions.MANY}")

    def _know(self, part: Part) -> None:
        paths = [file.path for file in part.files if file.table == DOCUMENTS.name]
        for table in self._lake.read_files(DOCUMENTS.name, paths, ["content_id"]):
            self._known.add(table)
        self._seen |= set(paths)

    def _without_known(self, part: Part) -> tuple[Part, int]:
        """Return the part without the texts that the lake has, and the number of texts that are left."""
        files: list[NewFile] = []
        new = 0
        for file in part.files:
            if file.table != DOCUMENTS.name:
                files.append(file)
                continue
            path = f"{self._lake.table_path(DOCUMENTS.name)}/{file.path}"
            ids = pq.read_table(path, columns=["content_id"], filesystem=self._lake.filesystem)
            keep = self._known.new_rows(ids)
            new += len(keep)
            if len(keep) == ids.num_rows:
                files.append(file)
            elif keep:
                files.append(self._rewrite(path, keep, part.batch))
        return replace(part, files=files), new

    def _rewrite(self, path: str, keep: list[int], batch: str) -> NewFile:
        """Copy some rows of a file of documents to a new file, a row group at a time."""
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


def _times_taken(ledger: DeltaTable, unit: Unit) -> int:
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
