"""The one place that knows how work is run: in local processes.

A worker that dies (a crash in native code, the alarm of `archive.engine.sandbox`, the kernel's memory killer) costs
nothing but time: its task is given to a fresh worker that works carefully.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import connection, forkserver, resource_tracker
from typing import Any, Generic, Protocol, TypeVar

from archive.errors import ArchiveError, error_line

Task = TypeVar("Task")
Result = TypeVar("Result")
#: `work(task, careful, progress) -> result`; must be importable by name.
Work = Callable[[Task, bool, Callable[[int, int], None]], Result]


@dataclass(frozen=True, slots=True)
class Done(Generic[Task, Result]):
    task: Task
    result: Result


@dataclass(frozen=True, slots=True)
class Failed(Generic[Task]):
    """A task that could not be done, also not by a careful worker; `error` is one line."""

    task: Task
    error: str


class Context(Protocol):
    """What makes workers: a context of `multiprocessing`, or what stands for one."""

    def Pipe(self) -> tuple[Any, Any]: ...  # noqa: N802

    def Process(self, *, target: Any, args: tuple[Any, ...], daemon: bool) -> Any: ...  # noqa: N802


def fork_server(*modules: str) -> Context:
    """Start the server process that workers fork from; it has no threads, and loads the modules meanwhile."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    # a terminal sends Ctrl-C to all processes: the server, and so each worker, never sees it, and the parent decides
    resource_tracker.ensure_running()  # where the server starts it, that undoes the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return context


#: Where all workers of this process come from; another function may be put here before the first engine is made.
workers_from: Callable[..., Context] = fork_server


def preload(*modules: str) -> Context:
    """Make ready for workers that will need these modules."""
    return workers_from(*modules)


def run_all(
    work: Work[Task, Result],
    tasks: Iterable[Task],
    workers: int,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Iterator[Done[Task, Result] | Failed[Task]]:
    """Run tasks that need no isolation: with one worker, or where there is only one task, in this process."""
    tasks = iter(tasks)
    first = list(islice(tasks, 2))
    if workers > 1 and len(first) > 1:
        yield from Engine(work, workers, progress).run(chain(first, tasks))
        return
    for task in chain(first, tasks):
        try:
            yield Done(task, work(task, False, progress))
        except ArchiveError as error:
            yield Failed(task, str(error))


def results(
    work: Work[Task, Result],
    tasks: Iterable[Task],
    workers: int,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Iterator[tuple[Task, Result]]:
    """`run_all` where no task may fail.

    Raises:
        ArchiveError: one did.
    """
    for end in run_all(work, tasks, workers, progress):
        if isinstance(end, Failed):
            raise ArchiveError(end.error)
        yield end.task, end.result


class Engine(Generic[Task, Result]):
    """Runs tasks in `workers` processes and yields what comes of them, in the order in which they end.

    Tasks are taken from the iterator only as workers become free, and `submit` adds one in front.
    """

    def __init__(self, work: Work[Task, Result], workers: int, progress: Callable[[int, int], None]) -> None:
        self._work = work
        self._count = max(workers, 1)
        self._progress = progress
        self._again: deque[tuple[Task, bool]] = deque()
        self._workers: list[_Worker] = []
        self._context = preload(work.__module__)

    def submit(self, task: Task) -> None:
        self._again.append((task, False))

    def run(self, tasks: Iterator[Task]) -> Iterator[Done[Task, Result] | Failed[Task]]:
        try:
            while True:
                self._assign(tasks)
                busy = [worker for worker in self._workers if worker.task is not None]
                if not busy:
                    return
                ends = list(self._wait(busy))
                self._assign(tasks)  # nobody waits while the caller deals with what ended
                yield from ends
        finally:
            for worker in self._workers:
                worker.stop()

    def _assign(self, tasks: Iterator[Task]) -> None:
        """Give every free worker a task, as far as there are any."""
        idle = [worker for worker in self._workers if worker.task is None]
        while idle or len(self._workers) < self._count:
            if self._again:
                task, careful = self._again.popleft()
            else:
                try:
                    task, careful = next(tasks), False
                except StopIteration:
                    return
            (idle.pop() if idle else self._hire()).give(task, careful)

    def _hire(self) -> _Worker:
        worker = _Worker(self._context, self._work)
        self._workers.append(worker)
        return worker

    def _wait(self, busy: list[_Worker]) -> Iterator[Done[Task, Result] | Failed[Task]]:
        ready = connection.wait([worker.pipe for worker in busy] + [worker.process.sentinel for worker in busy], 1.0)
        for worker in busy:
            if worker.pipe not in ready and worker.process.sentinel not in ready:
                continue
            try:
                if not worker.pipe.poll():
                    raise EOFError
                kind, value = worker.pipe.recv()
            except (EOFError, OSError):
                yield from self._bury(worker)
                continue
            if kind == "progress":
                worker.told = (worker.told[0] + value[0], worker.told[1] + value[1])
                self._progress(*value)
                continue
            task, worker.task = worker.task, None
            if kind == "done":
                yield Done(task, value)
            else:
                yield Failed(task, value)

    def _bury(self, worker: _Worker) -> Iterator[Failed[Task]]:
        """A worker died at its task: take back the progress it told, and try once more with care."""
        self._workers.remove(worker)
        worker.process.join()
        task, careful, code = worker.task, worker.careful, worker.process.exitcode
        self._progress(-worker.told[0], -worker.told[1])
        if careful:
            yield Failed(task, f"the process that worked on it died twice (exit code {code})")
        else:
            self._again.append((task, True))


class _Worker:
    """A process and the task it has."""

    def __init__(self, context: Any, work: Any) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work), daemon=False)
        self.process.start()
        theirs.close()
        self.task: Any = None
        self.careful = False
        self.told = (0, 0)  # the progress of this task so far

    def give(self, task: Any, careful: bool) -> None:
        self.task, self.careful, self.told = task, careful, (0, 0)
        self.pipe.send((task, careful, dict(os.environ)))

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self.pipe.close()
        if self.task is not None:
            self.process.kill()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()


def _serve(pipe: connection.Connection, work: Any) -> None:
    """The life of a worker: tasks until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _die_with_parent()
    gc.disable()  # records make no cycles, and looking for them in a part's rows costs more than it finds
    gc.freeze()  # nor what was imported, which each collection below would look through
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            task, careful, environment = pipe.recv()
            if environment != dict(os.environ):  # that of the server process is as old as the first engine
                os.environ.clear()
                os.environ.update(environment)
            try:
                answer = ("done", work(task, careful, lambda *done: pipe.send(("progress", done))))
            except ArchiveError as error:
                answer = ("failed", str(error))
            except Exception as error:
                answer = ("failed", _unforeseen(error))
            pipe.send(answer)
            gc.collect()


def _unforeseen(error: Exception) -> str:
    """An error that the work does not know, with where it was raised: in one line."""
    if os.environ.get("ARCHIVE_TRACEBACK"):
        traceback.print_exc()
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error_line(error)} ({os.path.basename(frame.filename)}, line {frame.lineno})"


def _die_with_parent() -> None:
    """A worker whose parent was killed must not go on writing for nobody."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
