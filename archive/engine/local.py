"""The engine of this machine: worker processes, forked from a server that has no threads.

A worker that dies (a crash in native code, the alarm of `archive.intake.extraction`, the kernel's memory killer) costs
nothing but time: its task is given to a fresh worker, with `attempt` 2.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import chain, islice
from multiprocessing import connection, forkserver, resource_tracker
from types import ModuleType
from typing import Any, Generic, Protocol

from archive import logs
from archive.engine.base import Context, Done, Failed, Progress, Result, Task, Tasks, Work, no_progress
from archive.engine.scratch import Stored, folder
from archive.errors import ArchiveError, error_line
from archive.registry import load

#: Seconds without news of the workers, after which a run reports that it goes on.
_BEAT = 0.5
#: Seconds without a task after which a worker deletes its copies of scratch in a store: the run may be at its end.
IDLE = 0.5
_log = logging.getLogger(__name__)


class Processes(Protocol):
    """What starts workers: a context of `multiprocessing`, or an object with the same two methods."""

    def Pipe(self) -> tuple[Any, Any]: ...  # noqa: N802

    def Process(self, *, target: Any, args: tuple[Any, ...], daemon: bool) -> Any: ...  # noqa: N802


def fork_server(*modules: str) -> Processes:
    """Start the server process that workers fork from; it has no threads, and loads the modules meanwhile."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["archive.engine.first", *modules])
    # a terminal sends Ctrl-C to all processes: the server, and so each worker, never sees it, and the parent decides
    resource_tracker.ensure_running()  # where the server starts it, that undoes the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return context


#: Where all workers of this process come from; another function may be put here before the first engine is made.
workers_from: Callable[..., Processes] = fork_server


def preload(*modules: str) -> Processes:
    """Make ready for workers that will need these modules."""
    return workers_from(*modules)


def open_local(count: str) -> LocalEngine:
    """Open the engine of this machine.

    Args:
        count: of processes, in digits; empty for one on each core that this process may use.

    Raises:
        ArchiveError: it is no number above 0.
    """
    if count and not (count.isdecimal() and int(count)):
        raise ArchiveError(f"{count!r} workers: write a number above 0")
    return LocalEngine(int(count) if count else cores())


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalEngine:
    """Runs tasks in processes of this machine, which share its temporary folder."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(
        self,
        work: Work[Task, Result],
        tasks: Iterable[Task] | Tasks[Task],
        *,
        progress: Progress = no_progress,
        scratch: str | None = None,
        isolated: bool = False,
        at_once: int | None = None,
        gpus: float = 0.0,
    ) -> Iterator[Done[Task, Result] | Failed[Task]]:
        """Run each task (see `Engine`). One worker, or one task, needs no other process, unless it must be isolated."""
        workers = self.workers if at_once is None else min(self.workers, at_once)
        several = workers > 1
        if not isinstance(tasks, Tasks):
            first = list(islice(tasks := iter(tasks), 2))
            several = several and len(first) > 1
            tasks = Tasks(chain(first, tasks))
        if isolated or several:
            yield from _Run(work, tasks, workers, progress, scratch).ends()
            return
        while (task := tasks.take()) is not None:
            try:
                yield Done(task, work(task, Context(1, progress, scratch)))
            except ArchiveError as error:
                yield Failed(task, str(error))

    def scratch(self) -> AbstractContextManager[str]:
        """Make a temporary folder (see `Engine`)."""
        return folder()


class _Run(Generic[Task, Result]):
    """The workers of one run, and the tasks that they have."""

    def __init__(
        self, work: Work[Task, Result], tasks: Tasks[Task], workers: int, progress: Progress, scratch: str | None
    ) -> None:
        self._work, self._tasks, self._count = work, tasks, max(workers, 1)
        self._progress, self._scratch = progress, scratch
        self._second: deque[Task] = deque()  # tasks whose first worker died
        self._workers: list[_Worker] = []
        self._processes = preload(work.__module__)

    def ends(self) -> Iterator[Done[Task, Result] | Failed[Task]]:
        try:
            while True:
                self._assign()
                busy = [worker for worker in self._workers if worker.task is not None]
                if not busy:
                    return
                ends = list(self._wait(busy))
                self._assign()  # nobody waits while the caller deals with what ended
                yield from ends
        finally:
            for worker in self._workers:
                worker.stop()

    def _assign(self) -> None:
        """Give every free worker a task, as far as there are any."""
        idle = [worker for worker in self._workers if worker.task is None]
        while idle or len(self._workers) < self._count:
            attempt = 2 if self._second else 1
            task = self._second.popleft() if self._second else self._tasks.take()
            if task is None:
                return
            (idle.pop() if idle else self._hire()).give(task, attempt, self._scratch)

    def _hire(self) -> _Worker:
        worker = _Worker(self._processes, self._work)
        self._workers.append(worker)
        return worker

    def _wait(self, busy: list[_Worker]) -> Iterator[Done[Task, Result] | Failed[Task]]:
        ready = connection.wait([worker.pipe for worker in busy] + [worker.process.sentinel for worker in busy], _BEAT)
        if not ready:
            self._progress(0, 0)
        for worker in busy:
            if worker.pipe not in ready and worker.process.sentinel not in ready:
                continue
            if (answer := worker.answer()) is None:
                yield from self._bury(worker)
                continue
            kind, value = answer
            if kind == "progress":
                self._progress(*value)
                continue
            task, worker.task = worker.task, None
            if kind == "done":
                yield Done(task, value)
            else:
                yield Failed(task, value)

    def _bury(self, worker: _Worker) -> Iterator[Failed[Task]]:
        """Take back the progress that a dead worker reported, and give its task away once more."""
        self._workers.remove(worker)
        code = worker.buried(self._work.__module__, self._progress)
        if worker.attempt > 1:
            yield Failed(worker.task, _died_twice(code))
        else:
            self._second.append(worker.task)


class OneProcess:
    """A process that does one task after the other, for an engine whose workers are on other machines.

    Args:
        work: `module:function`.
    """

    def __init__(self, work: str) -> None:
        self.work, self._function = work, load(work)
        self._worker: _Worker | None = None
        atexit.register(self.stop)  # before multiprocessing waits for its children

    def do(
        self, task: Any, attempt: int, scratch: str | Stored | None, progress: Progress
    ) -> tuple[str, Any, list[str]]:
        """Return `done` with the result, or `failed` with the line of the error; and the names of the stored files.

        Where the process dies at attempt 1, another one does the task.
        """
        stored: list[str] = []
        while True:
            worker = self._worker = self._worker or self._hire()
            worker.give(task, attempt, scratch)
            while (answer := worker.answer(wait=True)) is not None:
                kind, value = answer
                if kind == "progress":
                    progress(*value)
                elif kind == "stored":
                    stored = value
                else:
                    worker.task = None
                    return kind, value, stored
            self._worker = None
            code = worker.buried(self.work, progress)
            if attempt > 1:
                return "failed", _died_twice(code), []
            attempt = 2

    def stop(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _hire(self) -> _Worker:
        # the program of this process is none that a worker should import: it is that of the other engine
        program, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            return _Worker(preload(self._function.__module__), self._function)
        finally:
            sys.modules["__main__"] = program


class _Worker:
    """A process and the task it has."""

    def __init__(self, processes: Processes, work: Any) -> None:
        self.pipe, theirs = processes.Pipe()
        self.process = processes.Process(target=_serve, args=(theirs, work), daemon=False)
        self.process.start()
        theirs.close()
        self.task: Any = None
        self.attempt = 1
        self.reported = (0, 0)  # the progress of this task so far

    def give(self, task: Any, attempt: int, scratch: str | Stored | None) -> None:
        self.task, self.attempt, self.reported = task, attempt, (0, 0)
        with contextlib.suppress(OSError):  # it died while it had nothing to do: who waits for it finds that out
            self.pipe.send((task, attempt, scratch, dict(os.environ)))

    def answer(self, wait: bool = False) -> tuple[str, Any] | None:
        """Return `progress`, `done` or `failed` with what belongs to it; None where the process has died.

        Args:
            wait: until there is an answer; without it, one must be there, or the process be dead.
        """
        if wait:
            connection.wait([self.pipe, self.process.sentinel])
        try:
            if not self.pipe.poll():
                return None
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            return None
        if kind == "progress":
            self.reported = (self.reported[0] + value[0], self.reported[1] + value[1])
        return kind, value

    def buried(self, work: str, progress: Progress) -> int | None:
        """Take back the progress that a dead process reported; return its exit code."""
        self.process.join()
        progress(-self.reported[0], -self.reported[1])
        code: int | None = self.process.exitcode
        _log.warning("a worker died at attempt %d of %s (exit code %s)", self.attempt, work, code)
        return code

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.pipe.close()
        if self.task is not None:
            self.process.kill()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()


def _died_twice(code: int | None) -> str:
    return f"the process that worked on it died twice (exit code {code})"


def _serve(pipe: connection.Connection, work: Any) -> None:
    """Do tasks until the pipe closes: the life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    copies: list[str] = []
    _die_with_parent(copies)
    gc.disable()  # records make no cycles, and looking for them in a part's rows costs more than it finds
    gc.freeze()  # nor what was imported, which each collection below would look through
    logs.set_up()
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            if copies and not pipe.poll(IDLE):
                _delete(copies)
            task, attempt, scratch, environment = pipe.recv()
            copies[:] = [scratch.folder] if isinstance(scratch, Stored) else []
            if environment != dict(os.environ):  # that of the server process is as old as the first engine
                os.environ.clear()
                os.environ.update(environment)
                logs.set_up()
            _log.debug("%s begins, attempt %d", work.__module__, attempt)
            try:
                context = Context(attempt, lambda *done: pipe.send(("progress", done)), scratch)
                answer = ("done", work(task, context))
                if isinstance(scratch, Stored):
                    pipe.send(("stored", scratch.store(context.wrote)))
            except ArchiveError as error:
                answer = ("failed", str(error))
            except Exception as error:
                answer = ("failed", _unforeseen(error))
            try:
                pipe.send(answer)
            except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
                pipe.send(("failed", f"its result cannot be sent: {error_line(error)}"))
            gc.collect()
    _delete(copies)  # the parent may have been killed


def _unforeseen(error: Exception) -> str:
    """An error that the work does not know, with where it was raised: in one line."""
    if os.environ.get("ARCHIVE_TRACEBACK"):
        traceback.print_exc()
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error_line(error)} ({os.path.basename(frame.filename)}, line {frame.lineno})"


def _die_with_parent(folders: list[str]) -> None:
    """A worker whose parent was killed must not go on writing for nobody, nor leave its copies of scratch."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        _delete(folders)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _delete(folders: list[str]) -> None:
    for each in folders:
        shutil.rmtree(each, ignore_errors=True)
