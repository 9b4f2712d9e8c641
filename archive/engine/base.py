"""The protocol that every engine follows, and the context that it gives to the functions that it calls."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from archive.engine.scratch import Stored
from archive.errors import ArchiveError

Task = TypeVar("Task")
Result = TypeVar("Result")
#: Called with the items and the bytes of input that were done since the last call; negative where they must be redone.
#: Zeros say that the work goes on.
Progress = Callable[[int, int], None]


def no_progress(items: int, size: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a `work` function knows of the run that called it.

    Attributes:
        attempt: 1, or 2 where the worker that had this task first has died.
        progress: reports finished items and bytes.
        scratch: what the caller and all workers share: a folder, or what stands for one in a store of objects; None
            where the caller named none.
        wrote: the names of the files of it that the function wrote.
    """

    attempt: int = 1
    progress: Progress = no_progress
    scratch: str | Stored | None = None
    wrote: list[str] = field(default_factory=list)

    @property
    def folder(self) -> str | None:
        """The folder of this machine for the scratch; None for that of temporary files."""
        return self.scratch.folder if isinstance(self.scratch, Stored) else self.scratch

    def read(self, name: str) -> str:
        """Return the path of a file of the scratch folder, which the caller or another task wrote.

        Raises:
            ArchiveError: the caller named no such folder, or the file cannot be fetched.
        """
        scratch = self._shared()
        return f"{scratch}/{name}" if isinstance(scratch, str) else scratch.fetch(name)

    def write(self, name: str) -> str:
        """Return the path where to write a file of the scratch folder; when the task has ended, all see it.

        Each file is written by one task.

        Raises:
            ArchiveError: the caller named no such folder.
        """
        scratch = self._shared()
        path = f"{scratch if isinstance(scratch, str) else scratch.folder}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.wrote.append(name)
        return path

    def _shared(self) -> str | Stored:
        if self.scratch is None:
            raise ArchiveError("this work needs a scratch folder that all workers share")
        return self.scratch


#: A pure function that a worker can import by name. It raises ArchiveError where its task cannot be done.
Work = Callable[[Task, Context], Result]


@dataclass(frozen=True, slots=True)
class Done(Generic[Task, Result]):
    """A task and its result."""

    task: Task
    result: Result


@dataclass(frozen=True, slots=True)
class Failed(Generic[Task]):
    """A task that could not be done, and why, in one line."""

    task: Task
    error: str


class Tasks(Generic[Task]):
    """The tasks of a run. An engine takes one whenever a worker is free; the caller may add more meanwhile."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._added: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        """Add a task; it is taken before those that are waiting."""
        self._added.append(task)

    def take(self) -> Task | None:
        """Return the next task; None where there is none at the moment."""
        return self._added.popleft() if self._added else next(self._tasks, None)


class Engine(Protocol):
    """Runs functions, in processes of this machine or elsewhere."""

    @property
    def workers(self) -> int:
        """How many tasks it runs at once."""

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
        """Run each task, and yield what comes of it, in the order in which they end.

        A task whose worker dies is given to another worker once more, with `attempt` 2.

        Args:
            scratch: a folder that all workers must see, or one that `scratch()` gave, whose files they must. Named by a
                caller whose `work` reads or writes there; without it the tasks can run on any machine.
            isolated: never call `work` in this process, not even where there is only one task: it may crash.
            at_once: run no more tasks than this at a time.
            gpus: the share of a GPU that each task needs. An engine that finds GPUs itself runs as many tasks as these
                allow, whatever `at_once` is.
        """

    def scratch(self) -> AbstractContextManager[str]:
        """Make a temporary folder whose files all workers see, through `Context.read`.

        The files that the caller writes there before a run are seen in it, and those that a task wrote are there when
        it has ended; but for those in a folder named `spill`, which are the caller's own.

        Raises:
            ArchiveError: the engine has none.
        """


def gpus_of(engine: Engine) -> int | None:
    """Return how many GPUs an engine hands out to tasks that ask for them; None: a task uses those of this machine."""
    gpus: int | None = getattr(engine, "gpus", None)
    return gpus


def succeed(ends: Iterable[Done[Task, Result] | Failed[Task]]) -> Iterator[tuple[Task, Result]]:
    """Yield each task with its result, for a caller that can use nothing if one of them fails.

    Raises:
        ArchiveError: one did.
    """
    for end in ends:
        if isinstance(end, Failed):
            # what the work itself reports names its file; what the engine reports does not know it
            named = str(getattr(end.task, "name", None) or getattr(end.task, "file", None) or "")
            raise ArchiveError(end.error if named in end.error else f"{named}: {end.error}")
        yield end.task, end.result
