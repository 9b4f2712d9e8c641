"""The engine of a Ray cluster: tasks run on all its machines.

Ray finds a free processor; there, one process of the local engine does the task (`OneProcess`), so that a task that
ends its process is treated as on one machine, and Ray's threads are not in it. Only the task and its result travel, and
the totals of the progress: no variable of the environment does. Each machine has its own credentials.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Generic

from archive import logs
from archive.engine.base import Done, Failed, Progress, Result, Task, Tasks, Work, no_progress
from archive.engine.local import OneProcess, cores
from archive.errors import ArchiveError, error_line
from archive.extras import require

#: The variable that names a folder that all machines of a cluster see.
SCRATCH = "LOWBACKGROUND_SCRATCH"
#: Seconds between two reports of progress, of a worker and to the caller.
_BEAT = 0.5
#: Seconds that the caller waits for the answer of the board.
_ANSWER = 0.05
#: Tasks that Ray has for each processor: one runs while another waits for its turn.
_SLACK = 2
#: Seconds after which the processors are counted again: machines come and go.
_COUNT_AGAIN = 5.0
#: How often a task is begun again because its machine was lost.
_LOSSES = 20
#: Bytes of Ray's store of objects on a machine where this process starts Ray; nothing large goes through it.
_STORE = 200 << 20
_log = logging.getLogger(__name__)


def open_ray(rest: str) -> RayEngine:
    """Open the engine of a cluster.

    Args:
        rest: what follows `ray:`. Nothing: the cluster that runs on this machine, or else one that is started here and
            ends with this process. A number: the same, with so many tasks at once. `//host:10001`: Ray's client of a
            cluster elsewhere. Another address: that of a cluster that this machine belongs to.

    Raises:
        ArchiveError: Ray is not installed, or there is no such cluster.
    """
    require("--engine ray", "ray", "ray")
    count = int(rest) if rest.isdecimal() else None
    if count == 0:
        raise ArchiveError("'0' workers: write a number above 0")
    _connect("" if count else f"ray:{rest}" if rest.startswith("//") else rest, count)
    return RayEngine(count)


def _connect(address: str, count: int | None) -> None:
    """Connect this process to a cluster, unless it is connected already."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would send what it counts to its makers
    import ray

    if ray.is_initialized():
        return
    _quieten()
    if address:
        _knock(address)
    # the lines of workers are only of use to who asked for them
    how: dict[str, Any] = {"log_to_driver": bool(os.environ.get(logs.VARIABLE)), "logging_level": logging.ERROR}
    try:
        try:
            ray.init(address or "auto", **how)
        except ConnectionError:
            if address:
                raise
            ray.init(
                "local", num_cpus=count or cores(), include_dashboard=False, object_store_memory=_STORE, **how
            )  # fmt: skip
            where = "Ray was started on this machine, for this command"
        else:
            where = f"the Ray cluster at {address or ray.get_runtime_context().gcs_address}"
    except Exception as error:  # of many types: Ray's own, of gRPC, of the system
        what = f"at {address}" if address else "on this machine"
        raise ArchiveError(f"no Ray cluster {what}: {error_line(error)}") from None
    line = f"{where}: {int(ray.cluster_resources().get('CPU', 0))} processors, {len(_hosts())} machines"
    _log.info("%s", line)
    if sys.stderr.isatty():
        print(line, file=sys.stderr)


def _knock(address: str) -> None:
    """Find out in seconds that nobody is at an address; Ray tries for minutes.

    Raises:
        ArchiveError: nobody is, or it is no address.
    """
    host, _, port = address.removeprefix("ray://").partition("/")[0].rpartition(":")
    if not host or not port.isdecimal():
        raise ArchiveError(f"--engine ray:{address.removeprefix('ray:')}: write ray, ray://HOST:10001 or ray:HOST:6379")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ArchiveError(f"no Ray cluster at {address}: {error_line(error)}") from None


def _quieten() -> None:
    """Have Ray print nothing to standard output, which is the result's: its own news, and the lines of workers."""
    import ray._private.worker as printing

    def write(data: dict[str, Any], *_: Any, **__: Any) -> None:
        lines = [str(line) for line in data.get("lines", ())]
        if data.get("pid") in {"raylet", "autoscaler"}:
            _log.debug("Ray: %s", " ".join(lines).split("\n", 1)[0])
            return
        for line in lines:
            sys.stderr.write(f"{data.get('ip')}: {line}\n")

    if hasattr(printing, "print_to_stdstream"):  # there is no public way
        printing.print_to_stdstream = write


def _hosts() -> set[str]:
    """Return the names of the machines of the cluster."""
    import ray

    return {node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}


class RayEngine:
    """Runs tasks on the cluster that this process is connected to.

    Args:
        count: most tasks at once; None for one on each processor.
    """

    def __init__(self, count: int | None = None) -> None:
        self._count = count

    @property
    def workers(self) -> int:
        """How many tasks it runs at once, at the moment."""
        import ray

        return self._count or max(int(ray.cluster_resources().get("CPU", 1)), 1)

    def at_most(self, at_once: int | None) -> int:
        """Return how many tasks Ray gets at a time; more than it runs, unless a number is asked for."""
        if at_once is not None:
            return max(min(self.workers, at_once), 1)
        return self._count or self.workers * _SLACK

    def run(
        self,
        work: Work[Task, Result],
        tasks: Iterable[Task] | Tasks[Task],
        *,
        progress: Progress = no_progress,
        scratch: str | None = None,
        isolated: bool = False,
        at_once: int | None = None,
    ) -> Iterator[Done[Task, Result] | Failed[Task]]:
        """Run each task (see `Engine`). A task whose machine is lost is begun again; that does not count as an attempt.

        A task that needs a GPU is not sent to a machine that has one: with `at_once`, too, it needs a processor only.
        """
        tasks = tasks if isinstance(tasks, Tasks) else Tasks(tasks)
        run = _Run(self, work, tasks, progress, scratch, at_once)
        try:
            yield from run.ends()
        finally:
            run.stop()

    def scratch(self) -> AbstractContextManager[str]:
        """Make a temporary folder that all workers see: in `$LOWBACKGROUND_SCRATCH`, which several machines need.

        Raises:
            ArchiveError: there are several machines, or another one, and the variable names no folder.
        """
        shared = os.environ.get(SCRATCH)
        if not shared and _hosts() - {platform.node()}:
            raise ArchiveError(
                f"this needs a folder that all machines of the cluster see: set ${SCRATCH} to one, as on NFS"
            )
        try:
            return tempfile.TemporaryDirectory(prefix="lowbackground-", dir=shared or None)
        except OSError as error:
            raise ArchiveError(f"${SCRATCH}: {error_line(error)}") from None


# -- in the process of the caller ------------------------------------------------------------------


@dataclass(slots=True)
class _Flight(Generic[Task]):
    """A task that Ray has."""

    number: int
    task: Task
    attempt: int
    losses: int
    reported: tuple[int, int] = (0, 0)  #: its progress so far


class _Run(Generic[Task, Result]):
    """The tasks of one run that Ray has."""

    def __init__(
        self,
        engine: RayEngine,
        work: Work[Task, Result],
        tasks: Tasks[Task],
        progress: Progress,
        scratch: str | None,
        at_once: int | None,
    ) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._ray, self._engine, self._tasks, self._progress, self._at_once = ray, engine, tasks, progress, at_once
        self._sent = (f"{work.__module__}:{work.__qualname__}", scratch, os.getcwd(), os.environ.get(logs.VARIABLE))
        self._again: deque[_Flight[Task]] = deque()  # to be begun again
        self._flying: dict[Any, _Flight[Task]] = {}
        self._number, self._limit, self._counted_at = 0, 0, -_COUNT_AGAIN
        # one try: Ray does not know what counts as an attempt
        self._serve = ray.remote(serve).options(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self._board = ray.remote(Board).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
        self._asked: Any = None
        self._asked_at = time.monotonic()

    def ends(self) -> Iterator[Done[Task, Result] | Failed[Task]]:
        while True:
            self._send()
            if not self._flying:
                return
            ready, _ = self._ray.wait(list(self._flying), num_returns=1, timeout=_BEAT)
            if ready:  # all that have ended, at once
                ready, _ = self._ray.wait(list(self._flying), num_returns=len(self._flying), timeout=0)
            self._listen()
            ends = [end for ref in ready for end in self._end(ref)]
            self._send()  # nobody waits while the caller deals with what ended
            yield from ends

    def stop(self) -> None:
        """End what runs still. Nobody waits for it."""
        with contextlib.suppress(Exception):  # the cluster may be gone
            for ref in self._flying:
                self._ray.cancel(ref, force=True)
            self._ray.kill(self._board)

    def _send(self) -> None:
        """Give Ray tasks, up to the limit."""
        if time.monotonic() - self._counted_at >= _COUNT_AGAIN:
            self._counted_at = time.monotonic()
            self._limit = self._engine.at_most(self._at_once)
        while len(self._flying) < self._limit:
            if self._again:
                flight = self._again.popleft()
            elif (task := self._tasks.take()) is not None:
                flight = _Flight(0, task, 1, 0)
            else:
                return
            self._number += 1
            flight.number, flight.reported = self._number, (0, 0)
            work, *rest = self._sent
            ref = self._serve.remote(
                work, flight.task, flight.attempt, *rest, _version(), flight.number, self._board
            )  # fmt: skip
            self._flying[ref] = flight

    def _listen(self) -> None:
        """Hand on the progress that has come since the last time, if that is long ago."""
        if time.monotonic() - self._asked_at < _BEAT:
            return
        self._progress(0, 0)
        self._asked = self._asked or self._board.take.remote()
        if not self._ray.wait([self._asked], timeout=_ANSWER)[0]:
            return
        news: dict[int, tuple[int, int]] = {}
        with contextlib.suppress(self._ray.exceptions.RayError):  # its machine is gone; the totals come again
            news = self._ray.get(self._asked)
        self._asked, self._asked_at = None, time.monotonic()
        for flight in self._flying.values():
            if flight.number in news:
                self._report(flight, news[flight.number])

    def _report(self, flight: _Flight[Task], total: tuple[int, int]) -> None:
        more = total[0] - flight.reported[0], total[1] - flight.reported[1]
        flight.reported = total
        if any(more):
            self._progress(*more)

    def _end(self, ref: Any) -> Iterator[Done[Task, Result] | Failed[Task]]:
        flight, errors = self._flying.pop(ref), self._ray.exceptions
        try:
            kind, value, total = self._ray.get(ref)
        except (errors.NodeDiedError, errors.ObjectLostError):
            yield from self._lost(flight)
        except errors.RayTaskError as error:  # before the work began: this package cannot be imported there
            yield Failed(flight.task, f"a worker of the cluster cannot begin: {error_line(error.cause or error)}")
        except errors.RayError as error:
            yield from self._died(flight, error)
        else:
            self._report(flight, total)
            yield Done(flight.task, value) if kind == "done" else Failed(flight.task, value)

    def _lost(self, flight: _Flight[Task]) -> Iterator[Failed[Task]]:
        self._report(flight, (0, 0))
        flight.losses += 1
        _log.warning("a machine was lost, the %dth time for this task of %s", flight.losses, self._sent[0])
        if flight.losses > _LOSSES:
            yield Failed(flight.task, f"the machines that worked on it were lost, {flight.losses} times")
        else:
            self._again.append(flight)

    def _died(self, flight: _Flight[Task], error: Exception) -> Iterator[Failed[Task]]:
        self._report(flight, (0, 0))
        why = "not enough memory" if isinstance(error, self._ray.exceptions.OutOfMemoryError) else error_line(error)
        _log.warning("a worker died at attempt %d of %s (%s)", flight.attempt, self._sent[0], why)
        if flight.attempt > 1:
            yield Failed(flight.task, f"the process that worked on it died twice ({why})")
        else:
            flight.attempt = 2
            self._again.append(flight)


# -- in the cluster --------------------------------------------------------------------------------


class Board:
    """An actor with the newest totals of the tasks that run."""

    def __init__(self) -> None:
        self._totals: dict[int, tuple[int, int]] = {}

    def tell(self, number: int, total: tuple[int, int]) -> None:
        self._totals[number] = total

    def take(self) -> dict[int, tuple[int, int]]:
        """Return what has come since the last call."""
        totals, self._totals = self._totals, {}
        return totals


class _Teller:
    """Adds up the progress of a task, and tells the board of it twice a second at most."""

    def __init__(self, board: Any, number: int) -> None:
        self._board, self._number, self._at = board, number, time.monotonic()
        self.total = (0, 0)

    def __call__(self, items: int, size: int) -> None:
        self.total = self.total[0] + items, self.total[1] + size
        if time.monotonic() - self._at >= _BEAT:
            self._at = time.monotonic()
            self._board.tell.remote(self._number, self.total)


_process: OneProcess | None = None  # of the work that this worker of Ray had last


def serve(
    work: str, task: Any, attempt: int, scratch: str | None, folder: str, level: str | None, expected: str,
    number: int, board: Any,
) -> tuple[str, Any, tuple[int, int]]:  # fmt: skip
    """Do a task in a process of this machine, as a worker of Ray.

    Args:
        work: `module:function`.
        folder: that of the caller, where relative paths begin.
        level: of the log.
        expected: the version of this package that the caller has.

    Returns:
        `done` with the result, or `failed` with the line of the error; and the items and bytes that were done.
    """
    global _process
    if _version() != expected:
        line = f"{platform.node()} has lowbackground {_version()}, this machine {expected}; all need the same version"
        return "failed", line, (0, 0)
    if scratch is not None and not os.path.isdir(scratch):
        line = f"{platform.node()} does not see the folder {scratch}; all machines of a cluster must share it"
        return "failed", line, (0, 0)
    with contextlib.suppress(OSError):  # a caller that uses absolute paths needs no such folder
        os.chdir(folder)
    if level is None:
        os.environ.pop(logs.VARIABLE, None)
    else:
        os.environ[logs.VARIABLE] = level
    logs.set_up()
    if _process is None or _process.work != work:
        if _process is not None:
            _process.stop()
        _process = OneProcess(work)
    teller = _Teller(board, number)
    kind, value = _process.do(task, attempt, scratch, teller)
    return kind, value, teller.total


@cache
def _version() -> str:
    return version("lowbackground")
