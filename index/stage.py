"""A stage adds to each text of a lake what can be computed from that text alone: signatures, quality, embeddings.

Like everything that writes to a lake it has three parts. `pending` finds the files of documents with texts that the
stage has not seen. `work` reads these texts, has the stage compute its rows, and writes them as a file, in any
process. `commit` adds that file to the table of the stage and marks the file of documents as done, in one
transaction. So a stage can be killed at any moment, run again, and run by several processes at once.

A new stage is a frozen dataclass with a table and `compute`; tests/index/test_stage.py has one of 20 lines.
"""

from __future__ import annotations

import contextlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from archive.arrow import plain
from archive.compact import compact
from archive.damage import error_of, naming_damage
from archive.engine import Context, Engine, Failed
from archive.errors import LakeError
from archive.files import parquet_options, write_parts
from archive.lake import MAX_TRIES, Lake, NewFile
from archive.progress import Reporter
from archive.tables import DOCUMENTS, Table
from index import ids
from index.ids import Ids

_log = logging.getLogger(__name__)

#: Rows of a row group, where a stage has no number of its own.
_ROW_GROUP = 1 << 20
#: Transactions of the table of a stage: one that all commits share, and one that counts how often the rows of forgotten
#: texts were removed. Each partition has its own, with its folder in front.
TURN, SWEPT = "turn", "swept"
#: Which rows of a file are pending; None: all.
Rows = npt.NDArray[np.bool_] | None


@dataclass(frozen=True)
class Stage(ABC):
    """What is computed for each text, and the table that keeps it.

    A stage goes to the workers with each task. It must be a class at the top level of a module, with plain values
    as fields. Its fields and its `version` decide what it computes: nothing else may.
    """

    name: ClassVar[str]  #: shown with the progress
    table: ClassVar[Table]  #: keyed by `content_id`; a text may have several rows
    version: ClassVar[int] = 1  #: of the procedure; rows of different versions are never mixed
    parquet_options: ClassVar[Mapping[str, Any]] = {}  #: as `archive.files.write_parquet` takes them

    @property
    def partition(self) -> dict[str, str]:
        """The partition of the table that this stage writes, as where each encoder has one of its own."""
        return {}

    @property
    def at_once(self) -> int | None:
        """How many tasks may run at a time, as where all use one GPU; None: as many as there are workers."""
        return None

    @property
    def gpus(self) -> float:
        """The share of a GPU that a task needs."""
        return 0.0

    @property
    def written_with(self) -> dict[str, Any]:
        """The options of `archive.files.write_parts`."""
        return {"row_group_size": _ROW_GROUP, **(self.parquet_options or parquet_options(self.table))}

    def open(self) -> None:  # noqa: B027
        """Load what `compute` needs, so that it fails before the work begins. Called once in the main process.

        Raises:
            ArchiveError: something that it needs is missing.
        """

    def description(self) -> dict[str, Any]:
        """Return what the table is described by in the lake. An existing table must have the same description."""
        return {"version": self.version}

    @abstractmethod
    def compute(self, texts: pa.Table) -> pa.Table:
        """Compute the rows of some texts. Runs on any machine, on one row group of documents at a time.

        Args:
            texts: `content_id` and `text`, both without nulls, in one chunk.
        """

    def computed(self, texts: pa.Table, done: Callable[[int], None]) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield some of the texts and the rows of these, as soon as they are computed. By default all at once.

        A stage whose rows are large yields them part by part: no more than a part is in memory.

        Args:
            texts: as `compute` gets them.
            done: is called with the number of texts that were computed since the last call. A stage that takes long
                calls it often, so that the progress is shown.
        """
        rows = self.compute(texts)
        done(texts.num_rows)
        yield texts, rows

    def write(self, lake: Lake, parts: Iterable[pa.Table]) -> NewFile | None:
        """Write what was computed for one file of documents, as one file of the table; None where there is nothing.

        A stage of segments, whose rows refer to each other, has its own `write`, `without` and `compact`.
        """
        return write_parts(lake, self.table, parts, self.table.name, self.partition, **self.written_with)

    def without(self, lake: Lake, file: NewFile, texts: Ids) -> NewFile | None:
        """Write a file that `write` wrote once more, without some texts; None where nothing is left.

        Args:
            texts: their content ids, sorted.
        """

        def left() -> Iterator[pa.Table]:
            path = f"{lake.table_path(file.table)}/{file.path}"
            with pq.ParquetFile(path, filesystem=lake.filesystem) as parquet:
                for group in range(parquet.num_row_groups):
                    rows = plain(parquet.read_row_group(group))
                    yield rows.filter(pa.array(ids.positions(texts, ids.parse(rows["content_id"])) < 0))

        return self.write(lake, left())

    def is_new(self, lake: Lake, files: list[str]) -> Callable[[Ids], npt.NDArray[np.bool_]]:
        """Return a function that tells which texts have no row in some files of the table."""
        done = [
            ids.parse(table["content_id"].drop_null())
            for table in lake.read_files(self.table.name, files, ["content_id"])
        ]
        ordered = np.concatenate([np.empty((0, 4), np.uint64), *done])
        ordered = ordered[ids.sort(ordered)]
        return lambda wanted: ids.positions(ordered, wanted) < 0

    def compact(self, lake: Lake) -> None:
        """Merge small files of the table, where there are many."""
        compact(lake, self.table, options=self.written_with)

    def create(self, lake: Lake) -> None:
        """Create the table if it is missing.

        Raises:
            LakeError: the lake has rows that another version of the stage computed.
        """
        lake.create([self.table], json.dumps(self.description()))
        self.check(lake)

    def check(self, lake: Lake) -> None:
        """Raise LakeError if the lake has rows of this stage that were computed with another description."""
        stored = json.loads(lake.delta(self.table.name).metadata().description)
        if stored != self.description():
            old, new = (", ".join(f"{key} {each[key]}" for key in each) for each in (stored, self.description()))
            raise LakeError(
                f"{lake.table_uri(self.table.name)}: has rows of {old}, this program computes {new}; they are not "
                "comparable. Remove this table to compute it again"
            )

    def transaction(self, file: str) -> str:
        """Return the name of the transaction that marks a file of documents as done."""
        return self.folder + file

    @property
    def folder(self) -> str:
        """The folder of the partition inside the table's folder, as `key=value/`."""
        return "".join(f"{key}={value}/" for key, value in self.partition.items())


@dataclass(frozen=True, slots=True)
class StageTask:
    """A file of documents with pending texts."""

    location: str
    file: str
    rows: Rows
    stage: Stage


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage computed for a file of documents."""

    texts: int
    file: NewFile | None


def pending(stage: Stage, lake: Lake) -> Iterator[StageTask]:
    """Yield a task for each file of documents with texts that a stage has not seen.

    A file that compaction wrote holds the texts of several older files, of which some may be done.
    """
    delta = lake.delta(stage.table.name)
    files = [
        file
        for file in sorted(lake.files(DOCUMENTS.name))
        if delta.transaction_version(stage.transaction(file)) is None
    ]
    stored = [path for path in lake.files(stage.table.name) if path.startswith(stage.folder)] if files else []
    is_new = stage.is_new(lake, stored)
    for file in files:
        rows = None
        if stored:
            (table,) = lake.read_files(DOCUMENTS.name, [file], ["content_id"])
            rows = is_new(ids.parse(table["content_id"]))
        yield StageTask(lake.location, file, rows, stage)


def read_texts(lake: Lake, file: str, rows: Rows) -> Iterator[pa.Table]:
    """Yield `content_id` and `text` of the chosen rows of a file of documents, one row group at a time."""
    first = 0
    with pq.ParquetFile(f"{lake.table_path(DOCUMENTS.name)}/{file}", filesystem=lake.filesystem) as parquet:
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            chosen = None if rows is None else rows[first : first + count]
            first += count
            if chosen is not None and not chosen.any():
                continue
            texts = plain(parquet.read_row_group(group, columns=["content_id", "text"]))
            yield (texts if chosen is None else texts.filter(pa.array(chosen))).combine_chunks()


def work(task: StageTask, ctx: Context) -> StageResult:
    """Compute the rows of the pending texts of a file, and write them as a file. Runs on any machine."""
    lake, stage = Lake(task.location), task.stage
    texts = 0

    def reported(size: int) -> Callable[[int], None]:
        return lambda count: ctx.progress(count, count * size)

    def parts() -> Iterator[pa.Table]:
        nonlocal texts
        for group in read_texts(lake, task.file, task.rows):
            for some, rows in stage.computed(group, reported(group["text"].nbytes // max(group.num_rows, 1))):
                yield rows
                texts += some.num_rows

    file = stage.write(lake, parts())
    return StageResult(texts, file)


class Others:
    """The texts that others have added to the table of a stage since a run began.

    Those of a file of documents are marked with it. But where the files of documents were merged meanwhile, another
    run has the same texts in another file.
    """

    def __init__(self, stage: Stage, lake: Lake) -> None:
        self._stage, self._lake = stage, lake
        delta = lake.delta(stage.table.name)
        self._known = self._files(delta)
        self._swept = delta.transaction_version(stage.folder + SWEPT)
        self._texts = np.empty((0, 4), np.uint64)  # sorted
        self.must_plan_again = False  #: a text may have been left out of a task since it had rows then

    def are_swept(self, delta: DeltaTable) -> bool:
        """Return whether the rows of forgotten texts were removed from the table since the run began.

        A text that comes in again while these are removed may have had rows when the run was planned, and none now.
        """
        return delta.transaction_version(self._stage.folder + SWEPT) != self._swept

    def _files(self, delta: DeltaTable) -> set[str]:
        return {path for path in self._lake.files_of(delta) if path.startswith(self._stage.folder)}

    def ours(self, file: NewFile) -> None:
        """Note that a file is of this run."""
        self._known.add(file.path)

    def without(self, file: NewFile, delta: DeltaTable) -> NewFile | None:
        """Return a file without the texts that others have added; the same file where there are none.

        Args:
            file: not committed yet; deleted where another one takes its place.
            delta: the table as it is now.
        """
        fresh = sorted(self._files(delta) - self._known)
        self._known.update(fresh)
        if fresh:
            texts = np.concatenate([self._texts, *self._texts_of(fresh)])
            self._texts = texts[ids.sort(texts)]
        if not len(self._texts):
            return file
        (own,) = self._texts_of([file.path])
        if (ids.positions(self._texts, own) < 0).all():
            return file
        rest = self._stage.without(self._lake, file, self._texts)
        self._lake.discard([file])
        return rest

    def _texts_of(self, files: list[str]) -> Iterator[Ids]:
        for table in self._lake.read_files(self._stage.table.name, files, ["content_id"]):
            yield ids.parse(table["content_id"].drop_null())


def commit(
    stage: Stage,
    lake: Lake,
    source: str,
    file: NewFile | None,
    others: Others | None = None,
    has_skipped: bool = False,
) -> bool:
    """Add what a stage computed for a file of documents, and mark that file as done.

    Args:
        source: the file of documents.
        file: the rows; None where there are none.
        others: made before the plan. Texts that others have added since are left out.
        has_skipped: texts of `source` had rows when this was planned.

    Returns:
        False if another process has done the same, or removed rows that were skipped; `file` is deleted then.

    Raises:
        LakeError: too many others are writing.
    """
    transaction, turn = stage.transaction(source), stage.folder + TURN
    for _ in range(MAX_TRIES):
        delta = lake.delta(stage.table.name)
        if delta.transaction_version(transaction) is not None:
            lake.discard([file] if file else [])
            return False
        if others and has_skipped and others.are_swept(delta):
            lake.discard([file] if file else [])
            others.must_plan_again = True
            return False
        if file and others:
            file = others.without(file, delta)
        # all commits to this partition have the name `turn`: none comes between the question and the answer
        number = (delta.transaction_version(turn) or 0) + 1
        if lake.commit_to(delta, stage.table, [file] if file else [], {transaction: 1, turn: number}):
            if file and others:
                others.ours(file)
            return True
    raise LakeError(f"{lake.location}: too many others are writing; run the same command again")


def run(stage: Stage, lake: Lake, engine: Engine, reporter: Reporter | None = None) -> int:
    """Run a stage on all texts that it has not seen; return how many these were.

    Raises:
        LakeError: there is no lake, it has rows of another version, a file of documents cannot be read, or the lake
            cannot be written.
        ArchiveError: something that the stage needs is missing.
    """
    reporter = reporter or Reporter()
    lake.delta(DOCUMENTS.name)  # raises if there is no lake
    stage.open()
    stage.create(lake)
    reporter.stage(stage.name, lake.rows(DOCUMENTS.name))
    count, others = 0, Others(stage, lake)
    while True:
        tasks = pending(stage, lake)
        for end in engine.run(work, tasks, progress=reporter.advance, at_once=stage.at_once, gpus=stage.gpus):
            if isinstance(end, Failed):
                raise error_of(lake, DOCUMENTS, end.task.file, end.error)
            has_skipped = end.task.rows is not None and not end.task.rows.all()
            if commit(stage, lake, end.task.file, end.result.file, others, has_skipped):
                count += end.result.texts
                _log.debug("%s: %d texts of %s", stage.name, end.result.texts, end.task.file)
            else:
                _log.info("%s: another process has done %s, or swept the table", stage.name, end.task.file)
        if not others.must_plan_again:
            break
        others = Others(stage, lake)
    stage.compact(lake)
    _log.info("%s: %d new texts in %s", stage.name, count, lake.location)
    return count


@contextlib.contextmanager
def lake_errors(lake: Lake) -> Iterator[None]:
    """Raise errors of Arrow and of the system that occur inside as one line, which names the file if one is damaged.

    Raises:
        LakeError: a file of the lake is lost or damaged, or something could not be read or written.
    """
    try:
        with naming_damage(lake):
            yield
    except pa.ArrowInvalid as error:
        raise LakeError(f"{lake.location}: a file of the lake is damaged ({str(error).splitlines()[0]})") from None
    except OSError as error:
        raise LakeError(f"{error.filename or lake.location}: {error.strerror or error}; what was committed stays, "
                        "run the same command again when it is mended") from None  # fmt: skip
