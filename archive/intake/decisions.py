"""Decisions in the ledger: files that the tables must get, and units that they must lose.

A row of `sources` decides that a unit is in the lake, and lists the files that the other tables get right after. A row
with the name `forget-…` decides that units are out of the lake, and their rows are deleted right after. One with the
name `forget-replaced-…` decides that what an older version of this program wrote for units is out; rows in the same
commit bring the units anew. If a process is killed in between, the next writer carries the decision out: first it
deletes, then it adds.

The log of the ledger has a transaction with the key of each unit. Its number is odd while the unit is in the lake, and
even, or absent, while it is not.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from deltalake import WriterProperties
from deltalake.exceptions import CommitFailedError, DeltaError
from pyarrow import fs as pafs

from archive.errors import LakeError
from archive.files import write_parquet
from archive.intake.table_log import OpenTable, transactions
from archive.lake import Lake, NewFile, properties
from archive.ledger import is_below
from archive.tables import CAPTURES, DATA_TABLES, DOCUMENTS, REJECTS, SOURCES, TABLES, Table

TRIES = 500
#: The transaction of every decision: of two decisions at once one fails, and reads the ledger again.
LEDGER = "ledger"
#: The transaction that counts decisions to take something out. A writer that holds known texts reads them again.
FORGOTTEN = "forgotten"
_FORGET = "forget-"
_REPLACED = f"{_FORGET}replaced-"
_DECISION = rf"^{_FORGET}(replaced-)?[0-9a-f]{{32}}$"
#: What tells the rows of units that are replaced from those that replace them: an older version had no such columns.
_OLDER = {CAPTURES.name: " AND grade IS NULL", SOURCES.name: " AND bounded IS NULL"}
#: A folder below that of the ledger. Delta Lake ignores folders whose names begin with an underscore.
_LISTS = "_forgotten"
#: How often a table is opened again when its files were gone before they were read.
_OPENED_ANEW = 5
#: Rows of the ledger that are read at a time.
_ROWS = 10_000
#: Keys in one condition.
_KEYS = 20_000
MANY = "too many others are writing; run the same command again"


@dataclass(frozen=True, slots=True)
class Decision:
    """The files of a batch. Each table gets its files in one transaction, which is named `batch`."""

    batch: str
    files: list[NewFile]
    units: list[str]

    def as_json(self) -> str:
        listed: dict[str, list[dict[str, Any]]] = {}
        for file in self.files:
            entry = file.as_json()
            listed.setdefault(entry.pop("table"), []).append(entry)
        return json.dumps({"batch": self.batch, "files": listed, "units": self.units})

    @classmethod
    def of_json(cls, text: str) -> Decision:
        stated = json.loads(text)
        files = [
            NewFile(table=table, **file)
            for table, listed in stated["files"].items()
            if table in TABLES
            for file in listed
        ]
        if strange := [file.path for file in files if not is_below(file.path)]:
            raise ValueError(f"{strange[0]}: no file below the folder of a table")
        return cls(stated["batch"], files, stated.get("units", []))

    @property
    def last_table(self) -> str | None:
        """The table that gets its files last: when it has them, all tables have theirs."""
        named = {file.table for file in self.files}
        return next((table.name for table in reversed(DATA_TABLES) if table.name in named), None)


class Log(Protocol):
    """What knows the transactions of a table: the table, or `archive.intake.table_log.OpenTable`."""

    def transaction_version(self, name: str, /) -> int | None:
        """Return the number of a transaction; None where there is none of this name."""


def is_in(ledger: Log, unit: str) -> bool:
    """Tell whether a unit is in the lake."""
    return (ledger.transaction_version(unit) or 0) % 2 == 1


def next_numbers(ledger: Log, units: Iterable[str]) -> dict[str, int]:
    """Return the next transaction number of each unit: an odd number brings it in, an even one takes it out."""
    return {unit: (ledger.transaction_version(unit) or 0) + 1 for unit in units}


def numbers_of_replacement(ledger: Log, old: Iterable[str], fresh: Collection[str]) -> dict[str, int]:
    """Return the transaction numbers of units that replace others, which may be the same: odd for those that stay."""
    numbers = {unit: ledger.transaction_version(unit) or 0 for unit in {*old, *fresh}}
    return {unit: number + 2 - (number % 2 != (unit in fresh)) for unit, number in numbers.items()}


# -- carrying out ----------------------------------------------------------------------------------


@dataclass(slots=True)
class CarriedOut:
    """What was decided earlier, and is now done."""

    decisions: int = 0
    lost: list[str] = field(default_factory=list)  #: source files that must be ingested again


def carry_out(lake: Lake) -> CarriedOut:
    """Do what is decided and not done yet.

    If files of a decision are gone, because somebody deleted files that no table names, its units are taken out
    instead, with the units whose texts were in these files.
    """
    done = CarriedOut(_finish_forgotten(lake))
    opened = list(open_decisions(lake))
    there = {decision.batch for decision in opened if _are_there(lake, decision)}
    if there:
        apply(lake, [decision for decision in opened if decision.batch in there])
    done.decisions += len(opened)
    if lost := [unit for decision in opened if decision.batch not in there for unit in decision.units]:
        done.lost = _files_of(lake, lost)
        take_out(lake, lost)
        if textless := _textless(lake):
            done.lost = sorted({*done.lost, *_files_of(lake, textless)})
            take_out(lake, textless)
    return done


def _files_of(lake: Lake, units: Collection[str]) -> list[str]:
    rows = lake.read("sources", ["unit", "file"]).to_pylist()
    return sorted({row["file"] for row in rows if row["unit"] in set(units) and row["file"]})


def _textless(lake: Lake) -> list[str]:
    """Return the units with a capture whose text is in no document, because another decision was to bring it."""
    with _scratch_database() as db:
        db.register("captures", lake.dataset(CAPTURES.name))
        db.register("documents", lake.dataset(DOCUMENTS.name))
        found = db.sql("""
            SELECT DISTINCT unit FROM captures ANTI JOIN documents USING (content_id) WHERE content_id IS NOT NULL
        """).fetchall()
    return [unit for (unit,) in found]


@contextlib.contextmanager
def _scratch_database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB with bounded memory, and a folder to spill to."""
    with (
        tempfile.TemporaryDirectory(prefix="lowbackground-") as folder,
        duckdb.connect(config={"memory_limit": "1GB", "temp_directory": folder}) as db,
    ):
        yield db


def open_decisions(lake: Lake) -> Iterator[Decision]:
    """Yield the decisions whose files are not in all their tables yet."""
    ledger = lake.dataset("sources")  # opened before the tables
    batches = {table.name: _Batches(lake, table) for table in DATA_TABLES}
    for rows in ledger.to_batches(columns=["files", "ingested_at"], batch_size=_ROWS, batch_readahead=2):
        waiting = rows.filter(pa.array(~_seem_done(rows.column("files"), batches)))
        for text, at in zip(*(waiting.column(name).to_pylist() for name in ("files", "ingested_at")), strict=True):
            if not text:
                continue
            decision = Decision.of_json(text)
            last = decision.last_table
            if last is not None and decision.batch not in batches[last]:
                # older versions did not write the units of a decision; their rows have the same time
                yield replace(decision, units=decision.units or _brought_at(lake, at))


def _seem_done(texts: pa.Array, batches: Mapping[str, _Batches]) -> npt.NDArray[np.bool_]:
    """Tell which decisions, as JSON, are carried out; of a form that is not known, none.

    It reads no JSON: a ledger has one for each part, and nearly all of them are carried out.
    """
    texts = texts.cast(pa.string())
    names = pc.struct_field(pc.extract_regex(texts, r'^\{"batch": "(?P<batch>[^"\\]+)", "files": \{'), "batch")
    done, later = np.zeros(len(texts), np.bool_), np.zeros(len(texts), np.bool_)
    for table in reversed(DATA_TABLES):
        is_named = pc.fill_null(pc.match_substring(texts, f'"{table.name}": ['), False).to_numpy(zero_copy_only=False)
        at = np.flatnonzero(is_named & ~later)  # it is the last table of these
        done[at] = batches[table.name].has(names.take(pa.array(at)))
        later |= is_named
    return done


def _brought_at(lake: Lake, at: datetime) -> list[str]:
    rows = lake.read("sources", ["unit", "ingested_at"]).to_pylist()
    return [row["unit"] for row in rows if row["ingested_at"] == at]


class _Batches:
    """The names of the decisions that a table has carried out."""

    def __init__(self, lake: Lake, table: Table) -> None:
        self._delta = lake.delta(table.name)
        self._names = transactions(lake, table.name, self._delta)

    def __contains__(self, batch: str) -> bool:
        return self._delta.transaction_version(batch) is not None if self._names is None else batch in self._names

    def has(self, batches: pa.Array) -> npt.NDArray[np.bool_]:
        """Tell which are here, as far as that is known without asking the table."""
        return np.zeros(len(batches), np.bool_) if self._names is None else self._names.has(batches)


def apply(lake: Lake, decided: Sequence[Decision], table_of: Callable[[str], OpenTable] | None = None) -> None:
    """Add the files of decisions to their tables, all to each in one transaction.

    Args:
        table_of: returns a table that is open, in its newest version.
    """
    for table in DATA_TABLES:
        left = [each for each in decided if any(file.table == table.name for file in each.files)]
        for attempt in range(TRIES):
            if not left:
                break
            opened = table_of(table.name) if table_of else OpenTable(lake, table.name)
            # another process may have carried some out meanwhile
            left = [each for each in left if opened.transaction_version(each.batch) is None]
            files = [file for each in left for file in each.files if file.table == table.name]
            try:
                if not left or lake.commit(table, files, [each.batch for each in left], opened.delta):
                    break
            except OSError:  # a store that fails now and then; the names of the batches show what it did
                if attempt >= _OPENED_ANEW:
                    raise
        else:
            raise LakeError(f"{lake.location}: {MANY}")


def _are_there(lake: Lake, decision: Decision) -> bool:
    """Tell whether the files of a decision exist, except those that their table has had already."""
    for name in {file.table for file in decision.files}:
        paths = [f"{lake.table_path(name)}/{file.path}" for file in decision.files if file.table == name]
        gone = any(info.type != pafs.FileType.File for info in lake.filesystem.get_file_info(paths))
        # asked after the files were looked for: by now they may be applied, compacted and deleted
        if gone and lake.delta(name).transaction_version(decision.batch) is None:
            return False
    return True


# -- taking out ------------------------------------------------------------------------------------


def take_out(lake: Lake, units: Collection[str]) -> int:
    """Take units out of a lake: their captures and rejects, and the texts that no other unit has.

    Returns:
        the number of texts that were deleted.

    Raises:
        LakeError: the lake cannot be written.
    """
    units = sorted(set(units))
    for _ in range(TRIES):
        ledger = lake.delta("sources")
        # earlier decisions must be in the tables first: else their texts would seem to be in no capture
        settle(lake)
        going = [unit for unit in units if is_in(ledger, unit)]
        if not going:
            return 0
        name = f"{_FORGET}{uuid.uuid4().hex}"
        orphans = _orphans(lake, going)
        _write_lists(lake, name, going, orphans)
        row = write_parquet(lake, SOURCES, _row(name), "forget")
        counted = {FORGOTTEN: (ledger.transaction_version(FORGOTTEN) or 0) + 1, LEDGER: 1}
        committed = lake.commit_to(ledger, SOURCES, [row], {**next_numbers(ledger, going), **counted})
        # an object store may commit and lose the answer: look into the log
        if committed or row.path in lake.files("sources"):
            _finish_forgotten(lake)
            return len(orphans)
        lake.discard([row])
        _remove_lists(lake, name)
    raise LakeError(f"{lake.location}: {MANY}")


def settle(lake: Lake) -> None:
    """Do what is decided and not done yet, but for decisions whose files are gone."""
    _finish_forgotten(lake)
    if there := [decision for decision in open_decisions(lake) if _are_there(lake, decision)]:
        apply(lake, there)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A decision, not written yet, that what an older version wrote for units is out."""

    lake: Lake
    name: str
    row: pa.Table  #: of the ledger; it must be committed with the rows that bring the units anew
    orphans: int  #: texts that go with it

    def discard(self) -> None:
        """Delete what was written for it."""
        _remove_lists(self.lake, self.name)


def replacement(lake: Lake, units: Collection[str], arriving: Iterable[NewFile]) -> Replacement:
    """Prepare to take out what an older version wrote for units, in the commit that brings these files of captures.

    Raises:
        LakeError: the lake cannot be written.
    """
    name = f"{_REPLACED}{uuid.uuid4().hex}"
    orphans = _orphans(lake, sorted(units), arriving)
    _write_lists(lake, name, sorted(units), orphans)
    return Replacement(lake, name, _row(name), len(orphans))


def _finish_forgotten(lake: Lake) -> int:
    """Delete what is decided to be out; return the number of decisions."""
    names = _forgotten(lake)
    for name in names:
        units = _read_list(lake, f"{name}-units")
        orphans = _read_list(lake, name)
        if units is None or orphans is None:
            if name in _forgotten(lake):
                raise LakeError(f"{_list_path(lake, name)}: is lost, and with it what is to be forgotten; restore it")
            continue  # another process has just finished it
        older = _OLDER if name.startswith(_REPLACED) else {}
        for table in (CAPTURES, REJECTS):
            _delete(lake, table, units, name, older.get(table.name, ""))
        _delete(lake, DOCUMENTS, orphans, name)
        _delete(lake, SOURCES, units, name, older.get(SOURCES.name, ""))
        _remove_lists(lake, name)
    return len(names)


def _forgotten(lake: Lake) -> list[str]:
    units = lake.read("sources", ["unit"])["unit"]
    # any other name is none of ours, and might name a file elsewhere
    names: list[str] = units.filter(pc.match_substring_regex(units, _DECISION)).to_pylist()
    return names


def _delete(lake: Lake, table: Table, keys: pa.Table, name: str, more: str = "") -> None:
    """Delete the rows with these keys, once. A second time could delete what was ingested since.

    Args:
        more: a further condition, ` AND …`.

    `merge` would delete them in one step, but deltalake 1.6 then holds the texts of the whole table in memory.
    """
    column = keys.column(0)
    for number, start in enumerate(range(0, len(column), _KEYS)):
        wanted = ", ".join(f"'{key}'" for key in column[start : start + _KEYS].to_pylist())
        _delete_where(lake, table, f"{keys.column_names[0]} IN ({wanted}){more}", f"{name}-{number}")


def _delete_where(lake: Lake, table: Table, condition: str, name: str) -> None:
    for attempt in range(TRIES):
        delta = lake.delta(table.name)
        if delta.transaction_version(name) is not None:
            return
        try:
            delta.delete(
                condition,
                commit_properties=properties([name]),
                writer_properties=WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=8192),
            )
            return
        except CommitFailedError:
            continue  # another process wrote to the table meanwhile
        except DeltaError:  # … or deleted its older files
            if attempt >= _OPENED_ANEW:
                raise
    raise LakeError(f"{lake.location}: {MANY}")


def _orphans(lake: Lake, units: list[str], arriving: Iterable[NewFile] = ()) -> pa.Array:
    """Return the texts that only these units have, and none of the files of captures that are arriving."""
    paths = [f"{lake.table_path(file.table)}/{file.path}" for file in arriving]
    ids = pads.dataset(paths, filesystem=lake.filesystem, format="parquet") if paths else None
    with _scratch_database() as db:
        db.register("captures", lake.dataset(CAPTURES.name))
        db.register("going", pa.table({"unit": units}))
        db.register("arriving", ids or pa.table({"content_id": pa.array([], pa.string())}))
        found = db.sql("""
            SELECT DISTINCT content_id FROM captures SEMI JOIN going USING (unit) WHERE content_id IS NOT NULL
            EXCEPT SELECT content_id FROM captures ANTI JOIN going USING (unit)
            EXCEPT SELECT content_id FROM arriving
        """).to_arrow_table()
    return found["content_id"].combine_chunks()


def _row(name: str) -> pa.Table:
    """Make a row of the ledger that describes no file and no record."""
    counts = dict.fromkeys(("records", "captures", "texts", "new_texts", "bytes", "size", "start"), 0)
    row = {"unit": name, "format": "forget", "rejects": [], "skipped": [], "seconds": 0.0, **counts}
    return pa.Table.from_pylist([row], schema=SOURCES.schema)


def _list_path(lake: Lake, name: str) -> str:
    return f"{lake.table_path(SOURCES.name)}/{_LISTS}/{name}.parquet"


def _write_lists(lake: Lake, name: str, units: list[str], orphans: pa.Array) -> None:
    _write_list(lake, name, "content_id", orphans)
    _write_list(lake, f"{name}-units", "unit", pa.array([*units, name]))


def _write_list(lake: Lake, name: str, column: str, keys: pa.Array) -> None:
    path = _list_path(lake, name)
    if isinstance(lake.filesystem, pafs.LocalFileSystem):
        lake.filesystem.create_dir(path.rpartition("/")[0], recursive=True)
    with lake.filesystem.open_output_stream(path) as sink:
        pq.write_table(pa.table({column: keys.cast(pa.string())}), sink)


def _read_list(lake: Lake, name: str) -> pa.Table | None:
    try:
        return pq.read_table(_list_path(lake, name), filesystem=lake.filesystem)
    except FileNotFoundError:
        return None


def _remove_lists(lake: Lake, name: str) -> None:
    for each in (name, f"{name}-units"):
        try:
            lake.filesystem.delete_file(_list_path(lake, each))
        except OSError:
            continue
