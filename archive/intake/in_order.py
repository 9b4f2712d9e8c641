"""The tasks of an ingest: the spans of each file are handed on in their order, whenever they end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from archive.engine import Engine, Failed, Tasks
from archive.intake.part import Part, Tally
from archive.intake.unit import Batch, Settings, SpanEnd
from archive.intake.work import Job, work
from archive.lake import Lake
from archive.progress import Reporter


@dataclass(slots=True)
class _OpenFile:
    """A file whose spans are committed one after the other."""

    index: int  #: of the next span to commit
    reached: SpanEnd  #: where the span before it ended
    waiting: dict[int, tuple[Batch, Part]] = field(default_factory=dict)  #: index -> a span that is done too early


class InOrder:
    """Runs batches. A subclass says what becomes of each that is done (`_commit`), or cannot be (`_give_up`)."""

    _tasks: Tasks[Job]

    def __init__(self, lake: Lake, settings: Settings, reporter: Reporter, span: int) -> None:
        self._lake, self._settings, self._reporter, self._span = lake, settings, reporter, span
        self._now = datetime.now(UTC)
        self._open: dict[str, _OpenFile] = {}  # by the version of the file
        self._files_to_do = self._files_done = 0
        self._left: set[str] = set()  # versions of files that are planned again when all else is done

    def _commit(self, batch: Batch, part: Part) -> None:
        raise NotImplementedError

    def _finish(self) -> bool:
        """Deal with what was put off until no task is left; return whether that may have added tasks."""
        return False

    def _give_up(self, file: str, error: str) -> None:
        raise NotImplementedError

    def _work(self, jobs: Iterable[Job], engine: Engine) -> None:
        self._tasks = Tasks(jobs)
        while True:
            # isolated: a page may crash the process that extracts it
            for end in engine.run(work, self._tasks, progress=self._advance, isolated=True):
                if isinstance(end, Failed):
                    self._failed(end.task.batch, end.error)
                else:
                    self._done(end.task.batch, end.result)
            if not self._finish():
                return

    def _advance(self, records: int, size: int) -> None:
        """Hand on the progress of the workers. It is called twice a second at least, also where nothing comes."""
        self._reporter.advance(records, size)

    def _opened(self, batch: Batch, reached: SpanEnd) -> Job:
        """Return the job of a batch that is planned.

        Args:
            reached: where the span before it ended.
        """
        first = batch.units[0]
        # a piece of a file is planned when the one before it is committed
        if (first.after or not first.last) and not first.is_piece:
            self._open.setdefault(first.version, _OpenFile(first.index, reached))
        return self._job(batch)

    def _job(self, batch: Batch) -> Job:
        return Job(self._lake.location, batch, self._now)

    def _failed(self, batch: Batch, error: str) -> None:
        if len(batch.units) > 1:  # one bad file must not hold up the others
            for unit in batch.units:
                self._tasks.submit(self._job(Batch((unit,))))
        else:
            self._give_up(batch.units[0].file, error)

    def _done(self, batch: Batch, part: Part) -> None:
        unit = batch.units[0]
        if unit.version in self._left and unit.take is None:
            self._lake.discard(part.files)
            return
        opened = self._open.get(unit.version)
        if opened is None:
            self._commit(batch, part)
            return
        opened.waiting[unit.index] = (batch, part)
        while opened.index in opened.waiting:
            if not self._commit_span(opened, *opened.waiting.pop(opened.index)):
                return

    def _commit_span(self, opened: _OpenFile, batch: Batch, part: Part) -> bool:
        """Commit the next span of a file if it begins where the span before ended; else do it again from there.

        A worker that begins in the middle of a file searches for the first record. It may have found a record inside
        the body of another one.

        Returns:
            whether the span is committed.
        """
        unit, tally, reached = batch.units[0], part.tallies[0], opened.reached
        again = replace(unit, begin=reached)
        searched_behind_damage = unit.begin is not None and unit.begin.recovered
        fits = tally.first_offset == reached.offset and searched_behind_damage == reached.recovered
        fits = fits and reached.infos in {None, tally.infos} and not reached.behind_info
        if unit.index and not fits and unit != again:
            self._lake.discard(part.files)
            end = unit.span.end
            if reached.offset is not None and (end is None or reached.offset < end):
                self._tasks.submit(self._job(Batch((again,))))
                return False
            # the last record of the span before reaches over all of this one
            tally = Tally(unit.key, reached=reached)
            part = Part(part.batch, [tally], [])
        self._commit(batch, part)
        opened.index += 1
        opened.reached = tally.reached
        return True

    def _leave(self, version: str) -> None:
        """Drop what is done of a file and not committed; `_finish` plans it again."""
        self._left.add(version)
        if (opened := self._open.pop(version, None)) is not None:
            for _, part in opened.waiting.values():
                self._lake.discard(part.files)

    def _note(self) -> None:
        self._reporter.note(f"{self._files_done:,}/{self._files_to_do:,} files")
