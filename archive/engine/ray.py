"""The engine of a Ray cluster: tasks run on all its machines.

Ray finds a free processor, and a share of a GPU for a task that needs one; there, one process of the local engine does
the task (`OneProcess`), so that a task that ends its process is treated as on one machine, and Ray's threads are not in
it. Only the task and its result travel, and the totals of the progress: no variable of the environment does. Each
machine has its own credentials.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import pickle
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from itertools import count as count_from
from typing import Any, Generic

from archive import interrupt, logs, storage
from archive.engine.base import Done, Failed, Progress, Result, Task, Tasks, Work, no_progress
from archive.engine.local import IDLE, OneProcess, cores
from archive.engine.scratch import Mirror, Stored, discard, folder, name
from archive.errors import ArchiveError, error_line
from archive.extras import require
from archive.program import program_version

#: The variable that names a folder that all machines of a cluster see, or a prefix of a store of objects.
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
#: Seconds that a task has to end that was ended.
_ENDING = 10.0
#: Bytes of Ray's store of objects on a machine where this process starts Ray; nothing large goes through it.
_STORE = 200 << 20
_log = logging.getLogger(__name__)


def open_ray(rest: str) -> RayEngine:
    """Open the engine of a cluster.

    Args:
        rest: what follows `ray:`. Nothing: the cluster that runs on this machine, or else one that is started here and
            ends with this process. A number: the same, with so many tasks at once. `//host:10001`: Ray's client of a
            cluster elsewhere. Another address: that of a cluster that this machine belongs to. `?gpus=0.5` at the end
            gives two tasks a GPU that they share.

    Raises:
        ArchiveError: Ray is not installed, or there is no such cluster.
    """
    require("--engine ray", "ray", "ray")
    rest, _, options = rest.partition("?")
    share = _share(options) if options else 1.0
    count = int(rest) if rest.isdecimal() else None
    if count == 0:
        raise ArchiveError("'0' workers: write a number above 0")
    _connect("" if count else f"ray:{rest}" if rest.startswith("//") else rest, count)
    return RayEngine(count, share)


def _share(options: str) -> float:
    """Return what `gpus=` says.

    Raises:
        ArchiveError: it is no share of a GPU.
    """
    key, _, value = options.partition("=")
    with contextlib.suppress(ValueError):
        if key == "gpus" and 0.01 <= float(value) <= 1:
            return float(value)
    raise ArchiveError(f"--engine ray:…?{options}: write ?gpus=X, the share of a GPU for a task, from 0.01 to 1")


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
        share: of a GPU, for a task that needs one.
    """

    def __init__(self, count: int | None = None, share: float = 1.0) -> None:
        self._count, self._share = count, share
        self._mirrors: dict[str, Mirror] = {}  # by folder
        self._numbers = count_from(1)  # of tasks
        self._own_board: Any = None  # started for the first run that wants progress: that takes seconds

    @property
    def workers(self) -> int:
        """How many tasks it runs at once, at the moment."""
        return self._count or max(_resource("CPU"), 1)

    @property
    def gpus(self) -> int:
        """How many GPUs it hands out, at the moment."""
        return _resource("GPU")

    def board(self) -> Any:
        """Return the board of all runs, on this machine if it belongs to the cluster. It ends with this process."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        if self._own_board is None:
            here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
            how = {"num_cpus": 0, "max_restarts": -1, "scheduling_strategy": here}
            self._own_board = ray.remote(Board).options(**how).remote()
        return self._own_board

    def next_number(self) -> int:
        """Return the number of the next task, by which the board knows it."""
        return next(self._numbers)

    def at_most(self, at_once: int | None, gpus: float) -> int:
        """Return how many tasks Ray gets at a time; more than it runs, unless a number is asked for."""
        if gpus:
            return self._count or max(int(self.gpus / gpus), 1) * _SLACK
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
        gpus: float = 0.0,
    ) -> Iterator[Done[Task, Result] | Failed[Task]]:
        """Run each task (see `Engine`). A task whose machine is lost is begun again; that does not count as an attempt.

        Raises:
            ArchiveError: the tasks need a GPU, and no machine has one; or scratch cannot be stored.
        """
        gpus *= self._share
        if gpus and not self.gpus:
            raise ArchiveError("no machine of the cluster has a GPU (`ray status` lists what Ray found)")
        tasks = tasks if isinstance(tasks, Tasks) else Tasks(tasks)
        mirror = self._mirrors.get(scratch or "")
        if mirror is not None:
            mirror.store()
        run = _Run(self, work, tasks, progress, mirror or scratch, at_once, gpus)
        try:
            yield from run.ends()
        finally:
            run.stop()

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """Make a temporary folder whose files all workers see (see `Engine`).

        It is in `$LOWBACKGROUND_SCRATCH`, which several machines need. Where that is a prefix of a store of objects,
        the folder is one of this machine, and its files go through the store.

        Raises:
            ArchiveError: there are several machines, or another one, and the variable names nothing; or it names a
                folder that is not there.
        """
        shared = storage.local_or_store(os.environ.get(SCRATCH, ""))
        if not shared and _hosts() - {platform.node()}:
            raise ArchiveError(
                f"this needs files that all machines of the cluster see: set ${SCRATCH} to a folder, as on NFS, or to "
                "s3://bucket/prefix"
            )
        with contextlib.ExitStack() as stack:
            try:
                path = stack.enter_context(folder(None if storage.is_s3(shared) else shared or None))
            except OSError as error:
                raise ArchiveError(f"${SCRATCH}: {error_line(error)}") from None
            if storage.is_s3(shared):
                address = f"{shared.rstrip('/')}/{name()}"
                stack.enter_context(interrupt.scratch(address, discard))
                stack.callback(_discard, address)
                self._mirrors[path] = Mirror(address, path)
                stack.callback(self._mirrors.pop, path)
            yield path


def _discard(address: str) -> None:
    """Delete what is in the store, when workers have deleted their copies: this process may end, and they with it."""
    time.sleep(2 * IDLE)
    try:
        discard(address)
    except ArchiveError as error:  # the result does not depend on it
        _log.warning("scratch is left: %s", error)


def _resource(kind: str) -> int:
    """Return how much of a resource the cluster has: `CPU`, `GPU`."""
    import ray

    return int(ray.cluster_resources().get(kind, 0))


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
        scratch: Mirror | str | None,
        at_once: int | None,
        gpus: float,
    ) -> None:
        import ray

        self._ray, self._engine, self._tasks, self._progress = ray, engine, tasks, progress
        self._at_once, self._gpus = at_once, gpus
        self._work = f"{work.__module__}:{work.__qualname__}"
        self._mirror = scratch if isinstance(scratch, Mirror) else None
        # each run has copies of its own
        shared = Stored(scratch.address, name()) if isinstance(scratch, Mirror) else scratch
        self._sent = (self._work, shared, os.getcwd(), os.environ.get(logs.VARIABLE))
        self._again: deque[_Flight[Task]] = deque()  # to be begun again
        self._flying: dict[Any, _Flight[Task]] = {}
        self._limit, self._counted_at = 0, -_COUNT_AGAIN
        # one try: Ray does not know what counts as an attempt
        needs = {"num_cpus": 1, "num_gpus": gpus, "max_retries": 0}
        self._serve = ray.remote(serve).options(**needs, scheduling_strategy="SPREAD")
        self._board = None if progress is no_progress else engine.board()
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
            if self._mirror is not None and self._flying:  # before the caller deletes what they write
                self._ray.wait(list(self._flying), num_returns=len(self._flying), timeout=_ENDING)
                time.sleep(_BEAT)  # the process of a worker ends a little later

    def _send(self) -> None:
        """Give Ray tasks, up to the limit."""
        if time.monotonic() - self._counted_at >= _COUNT_AGAIN:
            self._counted_at = time.monotonic()
            self._limit = self._engine.at_most(self._at_once, self._gpus)
        while len(self._flying) < self._limit:
            if self._again:
                flight = self._again.popleft()
            elif (task := self._tasks.take()) is not None:
                flight = _Flight(0, task, 1, 0)
            else:
                return
            flight.number, flight.reported = self._engine.next_number(), (0, 0)
            sent = pickle.dumps((flight.task, flight.attempt, *self._sent))
            self._flying[self._serve.remote(_versions(), sent, flight.number, self._board)] = flight

    def _listen(self) -> None:
        """Hand on the progress that has come since the last time, if that is long ago."""
        if self._board is None or time.monotonic() - self._asked_at < _BEAT:
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
            kind, value, total, stored = self._ray.get(ref)
        except (errors.NodeDiedError, errors.ObjectLostError):
            yield from self._lost(flight)
        except errors.RayTaskError as error:  # before the work began: this package cannot be imported there
            yield Failed(flight.task, f"a worker of the cluster cannot begin: {error_line(error.cause or error)}")
        except errors.RayError as error:
            yield from self._died(flight, error)
        else:
            if self._mirror is not None:
                self._mirror.fetch(stored)
            self._report(flight, total)
            yield Done(flight.task, value) if kind == "done" else Failed(flight.task, value)

    def _lost(self, flight: _Flight[Task]) -> Iterator[Failed[Task]]:
        self._report(flight, (0, 0))
        flight.losses += 1
        _log.warning("a machine was lost, the %dth time for this task of %s", flight.losses, self._work)
        if flight.losses > _LOSSES:
            yield Failed(flight.task, f"the machines that worked on it were lost, {flight.losses} times")
        else:
            self._again.append(flight)

    def _died(self, flight: _Flight[Task], error: Exception) -> Iterator[Failed[Task]]:
        self._report(flight, (0, 0))
        why = "not enough memory" if isinstance(error, self._ray.exceptions.OutOfMemoryError) else error_line(error)
        _log.warning("a worker died at attempt %d of %s (%s)", flight.attempt, self._work, why)
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
        if self._board is not None and time.monotonic() - self._at >= _BEAT:
            self._at = time.monotonic()
            self._board.tell.remote(self._number, self.total)


_process: OneProcess | None = None  # of the work that this worker of Ray had last …
_of: tuple[Any, ...] = ()  # … with the GPU that it had
_copies: dict[Stored, Stored] = {}  # scratch in a store, as it was sent -> with the folder that has the copies here


def serve(expected: str, sent: bytes, number: int, board: Any) -> tuple[str, Any, tuple[int, int], list[str]]:
    """Do a task in a process of this machine, as a worker of Ray.

    Args:
        expected: the versions that the caller has. What it sent is not unpickled where this machine has others.
        sent: the task, the attempt, the work as `module:function`, the scratch, the folder of the caller, where
            relative paths begin, and the level of its log.

    Returns:
        `done` with the result, or `failed` with the line of the error; the items and bytes that were done; and the
        names of the files that were stored.
    """
    global _process, _of
    if _versions() != expected:
        line = f"{platform.node()} has {_versions()}, this machine {expected}; all need the same versions"
        return "failed", line, (0, 0), []
    task, attempt, work, scratch, cwd, level = pickle.loads(sent)
    if isinstance(scratch, str) and not os.path.isdir(scratch):
        line = f"{platform.node()} does not see the folder {scratch}; all machines of a cluster must share it"
        return "failed", line, (0, 0), []
    with contextlib.suppress(OSError):  # a caller that uses absolute paths needs no such folder
        os.chdir(cwd)
    if level is None:
        os.environ.pop(logs.VARIABLE, None)
    else:
        os.environ[logs.VARIABLE] = level
    logs.set_up()
    # a process keeps the GPU that it began with
    wanted = work, os.environ.get("CUDA_VISIBLE_DEVICES")
    if _process is None or _of != wanted:
        if _process is not None:
            _process.stop()
        _process, _of = OneProcess(work), wanted
    teller = _Teller(board, number)
    kind, value, stored = _process.do(task, attempt, _copies_of(scratch), teller)
    return kind, value, teller.total, stored


def _copies_of(scratch: Stored | str | None) -> Stored | str | None:
    """Return scratch in a store with a folder for the copies of this process; those of another run are deleted."""
    if not isinstance(scratch, Stored):
        return scratch
    if scratch not in _copies:
        _forget_copies()
        path = os.path.join(tempfile.gettempdir(), name())
        os.mkdir(path, 0o700)
        _copies[scratch] = Stored(scratch.address, path)
    return _copies[scratch]


@atexit.register
def _forget_copies() -> None:
    while _copies:
        shutil.rmtree(_copies.popitem()[1].folder, ignore_errors=True)


@cache
def _versions() -> str:
    """Return the versions on which it depends what a task is, and what comes of it."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"lowbackground {program_version()}, Python {python}, pyarrow {version('pyarrow')}"
