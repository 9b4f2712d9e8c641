"""Makes parts visible, each exactly once, whoever else is writing and whatever is killed.

A part touches four tables, and Delta Lake commits one at a time. So the ledger `sources` goes first: its
row *decides* that a unit is in the lake, and lists the files that the other tables must get. They get
them right after, each in a transaction that is named by the batch, so that it happens once. If
the process dies in between, whoever opens the lake for writing next finds the decision and carries it out
(`recover`).

All decisions stand in one order: each ledger commit also carries the name `ledger`, so that of two at
the same time one fails, looks again, and drops the texts that the other one has just brought.
`archive.intake.decisions` says what a decision is, how it is carried out, and how a unit is taken out again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from archive.errors import ArchiveError, LakeError, error_line
from archive.files import parquet_options, write_parquet
from archive.intake import decisions
from archive.intake.decisions import FORGOTTEN, LEDGER, TRIES, Decision
from archive.intake.known_texts import KnownTexts
from archive.intake.part import Part
from archive.intake.unit import Batch
from archive.lake import Lake, NewFile, statistics
from archive.tables import DOCUMENTS, SOURCES


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit added: different texts that the lake did not hold, and ones that it did."""

    new_texts: int
    known_texts: int


class TakenOut(ArchiveError):
    """A file was forgotten while it was brought in: a span without those before it would leave a hole."""


class Committer:
    """Commits parts to one lake. Holds which texts the lake has, kept up with other writers."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known = KnownTexts()
        self._seen: set[str] = set()  # document files whose ids are in _known
        self._entries: set[str] = set()  # files of the ledger that were looked at
        self._forgotten = 0  # decisions to take texts out that _known follows

    def close(self) -> None:
        self._known.close()

    def recover(self) -> decisions.CarriedOut:
        """Carry out decisions of processes that died before they could.

        Raises:
            LakeError: the lake cannot be written.
        """
        done = decisions.carry_out(self._lake)
        self._forgotten = self._lake.delta("sources").transaction_version(FORGOTTEN) or 0
        return done

    def _catch_up(self, ledger: DeltaTable) -> None:
        """Learn the texts that are in the lake or are decided to be, as far as they are not known yet."""
        forgotten = ledger.transaction_version(FORGOTTEN) or 0
        if forgotten != self._forgotten:  # texts went: what is known is no longer true
            decisions.carry_out(self._lake)
            self._known.close()
            self._known, self._seen, self._entries, self._forgotten = KnownTexts(), set(), set(), forgotten
        entries = set(self._lake.files("sources")) - self._entries
        decided = [Decision.of_json(text) for text in self._texts_of(entries)]
        documents = self._lake.delta("documents")  # after the ledger: what was done meanwhile is in it
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
                # compaction has put its rows into another file; or it is lost, and with it texts
                if path in self._lake.files("documents"):
                    raise LakeError(
                        f"{self._lake.table_uri('documents')}/{path}: is lost; put it back from a copy, or ingest the "
                        "sources into a new lake"
                    ) from None
        self._seen |= paths

    def _texts_of(self, entries: set[str]) -> Iterator[str]:
        """The decisions in some files of the ledger, as they are written."""
        for table in self._lake.read_files("sources", sorted(entries), ["files"]):
            yield from (text for text in table.column("files").to_pylist() if text)

    def commit(self, batch: Batch, part: Part) -> Committed | None:
        """Make a part visible. None if another process has committed one of its units before.

        Raises:
            TakenOut: the span before this one is not in the lake any more.
            LakeError: the lake cannot be written.
        """
        try:
            return self._commit(batch, part)
        except OSError as error:  # a full disk, a store that stays away
            raise LakeError(f"{self._lake.location}: {error_line(error)}; nothing of this batch is lost, "
                            "run the same command again when it is mended") from None  # fmt: skip

    def _commit(self, batch: Batch, part: Part) -> Committed | None:
        for _ in range(TRIES):
            ledger = self._lake.delta("sources")
            numbers = decisions.next_numbers(ledger, [unit.key for unit in batch.units])
            if any(number % 2 == 0 for number in numbers.values()):
                return None
            if any(unit.after and not decisions.is_in(ledger, unit.after) for unit in batch.units):
                raise TakenOut("an earlier part of it was taken out meanwhile; run the same command again")
            self._catch_up(ledger)
            trimmed, new = self._without_known(part)
            # a batch that was taken out and comes again has another name: the tables know the first one
            first = numbers[batch.units[0].key]
            name = part.batch if first == 1 else f"{part.batch}-{first}"
            decision = Decision(name, trimmed.files, [unit.key for unit in batch.units])
            rows = _ledger_rows(batch, trimmed, new, decision)
            row = write_parquet(self._lake, SOURCES, rows, f"unit-{part.batch[:16]}")
            committed = self._lake.commit_to(ledger, SOURCES, [row], {**numbers, LEDGER: 1})
            # an object store may carry out a commit and lose the answer: the log has the last word
            if committed or row.path in self._lake.files("sources"):
                decisions.apply(self._lake, decision)
                self._lake.discard([file for file in part.files if file not in trimmed.files])
                return Committed(new, sum(tally.texts for tally in part.tallies) - new)
            self._lake.discard([row, *(file for file in trimmed.files if file not in part.files)])
        raise LakeError(f"{self._lake.location}: {decisions.MANY}")

    def _without_known(self, part: Part) -> tuple[Part, int]:
        """The part without the texts that the lake has, and how many it brings."""
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
        """A copy of a documents file with some of its rows, made a row group at a time."""
        name = f"part-{batch[:16]}-{uuid.uuid4().hex[:12]}.parquet"
        source = pq.ParquetFile(path, filesystem=self._lake.filesystem)
        first, rows = 0, 0
        with self._lake.filesystem.open_output_stream(f"{self._lake.table_path('documents')}/{name}") as sink:
            with pq.ParquetWriter(sink, DOCUMENTS.schema, **parquet_options(DOCUMENTS)) as writer:
                for group in range(source.num_row_groups):
                    table = source.read_row_group(group)
                    inside = [at - first for at in keep if first <= at < first + table.num_rows]
                    first += table.num_rows
                    rows += len(inside)
                    if inside:
                        writer.write_table(table.take(pa.array(inside)).cast(DOCUMENTS.schema))
            size = sink.tell()
        return NewFile("documents", name, size, {}, statistics(rows))


def _ledger_rows(batch: Batch, part: Part, new_texts: int, decision: Decision) -> pa.Table:
    """A row for each unit; the first carries the decision about the files of the whole batch."""
    now = datetime.now(UTC)
    rows = []
    for number, (unit, tally) in enumerate(zip(batch.units, part.tallies, strict=True)):
        rows.append(
            {
                "unit": unit.key,
                "file": unit.file,
                "version": unit.version,
                "size": unit.size,
                "start": unit.span.start,
                "end": unit.span.end,
                "next_offset": tally.reached.offset,
                "recovered": tally.reached.recovered,
                "floor": tally.reached.earliest_trusted,
                "format": tally.format,
                "extractor": unit.settings.extractor,
                "records": tally.records,
                "captures": tally.captures,
                "dated": tally.captures - tally.problems.total(),
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
