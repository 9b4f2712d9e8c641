"""Makes parts visible, each exactly once, whoever else is writing and whatever is killed.

A part touches four tables, and Delta Lake commits one at a time. So the ledger `sources` goes first: its
row *decides* that a unit is in the lake, and lists the files that the other tables must get. They get
them right after, each in a transaction that is named by the batch, so that it happens once. If
the process dies in between, whoever opens the lake for writing next finds the decision and carries it out
(`recover`).

All decisions stand in one order: each ledger commit also carries the name `ledger`, so that of two at
the same time one fails, looks again, and drops the texts that the other one has just brought.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import LakeError
from archive.known import KnownTexts
from archive.lake import Lake, NewFile, statistics
from archive.part import Part, parquet_options, write_parquet
from archive.tables import DATA_TABLES, DOCUMENTS, SOURCES, TABLES
from archive.unit import Batch

_TRIES = 500


@dataclass(frozen=True, slots=True)
class Committed:
    """What a commit added: different texts that the lake did not hold, and ones that it did."""

    new_texts: int
    known_texts: int


class Committer:
    """Commits parts to one lake. Holds which texts the lake has, kept up with other writers."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._known = KnownTexts()
        self._seen: set[str] = set()  # document files whose ids are in _known, or were looked at
        self._entries: set[str] = set()  # files of the ledger that were looked at

    def close(self) -> None:
        self._known.close()

    # -- what is there -----------------------------------------------------------------------------

    def recover(self) -> int:
        """Carry out decisions of processes that died before they could. Returns how many batches."""
        ledger = self._lake.read("sources", ["unit", "files"])
        pending = [row["files"] for row in ledger.to_pylist() if row["files"]]
        done = 0
        deltas = {table.name: self._lake.delta(table.name) for table in DATA_TABLES}
        for text in pending:
            decision = json.loads(text)
            batch = decision["batch"]
            tables = [table.name for table in DATA_TABLES if decision["files"].get(table.name)]
            # the tables get their files in a fixed order, so the last one tells of all
            if tables and deltas[tables[-1]].transaction_version(batch) is None:
                self._apply(batch, _files_of(decision))
                done += 1
        return done

    def _catch_up(self) -> None:
        """Learn the texts that stand in the lake or are decided to, as far as they are not known yet."""
        paths = set(self._lake.files("documents"))
        entries = set(self._lake.files("sources")) - self._entries
        for entry in self._lake.read_files("sources", sorted(entries), ["files"]):
            for text in entry.column("files").to_pylist():
                if text:
                    decision = json.loads(text)
                    paths.update(file["path"] for file in decision["files"].get("documents", []))
        self._entries |= entries
        fresh = sorted(paths - self._seen)
        for path in fresh:
            try:
                for table in self._lake.read_files("documents", [path], ["content_id"]):
                    self._known.add(table)
            except FileNotFoundError:
                pass  # compacted: its rows stand in another file that the table names
        self._seen.update(fresh)

    # -- commit ------------------------------------------------------------------------------------

    def commit(self, batch: Batch, part: Part) -> Committed | None:
        """Make a part visible. None if another process has committed one of its units before.

        Raises:
            LakeError: the lake cannot be written.
        """
        try:
            return self._commit(batch, part)
        except OSError as error:  # a full disk, a store that stays away
            raise LakeError(f"{self._lake.location}: {error.strerror or error}; nothing of this batch is lost, "
                            "run the same command again when it is mended") from None  # fmt: skip

    def _commit(self, batch: Batch, part: Part) -> Committed | None:
        for _ in range(_TRIES):
            ledger = self._lake.delta("sources")
            if any(ledger.transaction_version(unit.key) is not None for unit in batch.units):
                return None
            self._catch_up()
            trimmed, new = self._without_known(part)
            row = write_parquet(self._lake, SOURCES, _ledger_rows(batch, trimmed, new), f"unit-{part.batch[:16]}")
            names = [unit.key for unit in batch.units] + ["ledger"]
            committed = self._lake.commit_to(ledger, SOURCES, [row], names)
            # an object store may carry out a commit and lose the answer: the log has the last word
            if committed or row.path in self._lake.files("sources"):
                self._apply(part.batch, trimmed.files)
                self._lake.discard([file for file in part.files if file not in trimmed.files])
                return Committed(new, sum(tally.texts for tally in part.tallies) - new)
            self._lake.discard([row, *(file for file in trimmed.files if file not in part.files)])
        raise LakeError(f"{self._lake.location}: too many others are writing; run the same command again")

    def _apply(self, batch: str, files: Iterable[NewFile]) -> None:
        """Add the files of a decided batch to their tables."""
        files = list(files)
        for table in DATA_TABLES:
            mine = [file for file in files if file.table == table.name]
            if not mine:
                continue
            for _ in range(_TRIES):
                if self._lake.commit(table, mine, [batch]):
                    break
                if self._lake.delta(table.name).transaction_version(batch) is not None:
                    break  # somebody recovered it in the meantime
            else:
                raise LakeError(f"{self._lake.location}: too many others are writing; run the same command again")

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
        import uuid

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


def _files_of(decision: dict[str, dict[str, list[dict[str, object]]]]) -> list[NewFile]:
    return [
        NewFile(table=table, **file)  # type: ignore[arg-type]
        for table, files in decision["files"].items()
        if table in TABLES
        for file in files
    ]


def _ledger_rows(batch: Batch, part: Part, new_texts: int) -> pa.Table:
    """A row for each unit; the first carries the decision about the files of the whole batch."""
    listed: dict[str, list[dict[str, object]]] = {}
    for file in part.files:
        entry = file.as_json()
        listed.setdefault(entry.pop("table"), []).append(entry)
    decision = json.dumps({"batch": part.batch, "files": listed})
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
                "next_offset": tally.next_offset,
                "recovered": tally.recovered,
                "floor": tally.floor,
                "format": tally.format,
                "extractor": unit.settings.extractor,
                "records": tally.records,
                "captures": tally.captures,
                "texts": tally.texts,
                "new_texts": new_texts if number == 0 else 0,
                "rejects": list(tally.rejects.items()),
                "skipped": list(tally.skipped.items()),
                "bytes": tally.bytes,
                "seconds": tally.seconds,
                "ingested_at": now,
                "files": decision if number == 0 else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=SOURCES.schema)
