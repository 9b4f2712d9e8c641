"""A child process for work that may hang, crash or take all memory: extraction, and SQL that somebody else wrote.

The caller's process is never changed: limits are set in the child, and the child is killed when it takes too long.
Requests and answers are JSON, so that a child that was taken over cannot send its parent code.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TextIO

from archive.errors import ArchiveError

_log = logging.getLogger(__name__)

#: Seconds that a child may take to import what it needs.
_START = 300
#: Seconds of the longest wait; the system takes no larger number.
_LONGEST = 1e6
_PR_SET_PDEATHSIG = 1
#: Characters of an error.
_LINE = 2000
#: Starts a child in a new process, which imports from the same folders as this one.
_MAIN = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from archive.engine.sandbox import main; main()"


class ChildRaised(ArchiveError):
    """The child could not answer; it goes on.

    Attributes:
        kind: the name of the class of its error.
    """

    def __init__(self, line: str, kind: str) -> None:
        super().__init__(line)
        self.kind = kind


class ChildTooLate(ArchiveError):
    """The child took longer than it may, and was killed."""


class ChildDied(ArchiveError):
    """The child ended by itself, or the system killed it.

    Attributes:
        status: its exit code; below 0, the number of the signal that ended it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the process died (exit code {status})")
        self.status = status


@dataclass(frozen=True, slots=True)
class Service:
    """What a child does, once it is ready.

    Attributes:
        answer: takes a request and returns the answer, both JSON values. What it raises becomes `ChildRaised`.
        memory: bytes that the child may allocate beyond what it has when it is ready; None for no limit.
    """

    answer: Callable[[Any], Any]
    memory: int | None = None


class Sandbox:
    """A child process that answers one request after another. One that was ended is started anew when it is called.

    The child ends with the thread that started it, on Linux however that ends.

    Args:
        service: `"module:function"`; the child imports it and calls it with `args`. The function returns a `Service`.
        args: JSON values.
        keep: descriptors of open files that the child gets, under the same numbers. It gets no others, except
            standard error (and, with `fork`, standard output).
        fork: fork this process in place of starting a new one. That takes no time, but is only safe while this process
            has one thread. The child has a copy of all that is in memory here.
    """

    def __init__(self, service: str, *args: Any, keep: Sequence[int] = (), fork: bool = False) -> None:
        self._service, self._args, self._keep, self._fork = service, args, keep, fork
        self._child: _Forked | subprocess.Popen[bytes] | None = None
        self._requests = self._answers = -1

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the child, and wait until it is ready; nothing where it runs already.

        Raises:
            ChildRaised, ChildTooLate, ChildDied: it does not become ready.
        """
        if self._child is not None:
            return
        (theirs, self._requests), (self._answers, answers) = os.pipe(), os.pipe()
        _log.debug("%s: %s a child", self._service, "fork" if self._fork else "start")
        start = _fork if self._fork else _spawn
        try:
            self._child = start(self._service, self._args, theirs, answers, self._keep)
        except BaseException:
            os.close(self._requests)
            os.close(self._answers)
            raise
        finally:
            os.close(theirs)
            os.close(answers)
        try:
            self._answer(_START)
        except ChildRaised:
            self.stop()
            raise

    def call(self, request: Any, seconds: float | None = None) -> Any:
        """Return the child's answer to a request.

        Args:
            seconds: after these the child is killed. The time that it takes to start does not count.

        Raises:
            ChildRaised: it cannot answer.
            ChildTooLate: it took too long.
            ChildDied: it died.
        """
        self.start()
        with contextlib.suppress(BrokenPipeError), open(self._requests, "wb", closefd=False) as file:
            file.write(_line(request))  # a child that died is noticed below
        return self._answer(seconds)

    def _answer(self, seconds: float | None) -> Any:
        """Wait for the answer. Whatever interrupts this kills the child, which may not listen."""
        if seconds is not None and not seconds > 0:  # NaN is none
            raise ArchiveError(f"{seconds} seconds: a time limit is a number above 0")
        try:
            answer = json.loads(self._read(None if seconds is None else time.monotonic() + min(seconds, _LONGEST)))
        except BaseException:
            self.stop()
            raise
        if "error" in answer:
            raise ChildRaised(answer["error"], answer["kind"])
        return answer["answer"]

    def _read(self, deadline: float | None) -> bytes:
        poll, line = select.poll(), bytearray()
        poll.register(self._answers, select.POLLIN)
        while not line.endswith(b"\n"):
            left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
            if not poll.poll(left):
                _log.info("%s: took too long, is killed", self._service)
                raise ChildTooLate("it took too long")
            part = os.read(self._answers, 1 << 16)
            if not part:
                status = self.stop()
                _log.info("%s: died, exit code %d", self._service, status)
                raise ChildDied(status)
            line += part
        return bytes(line)

    def stop(self) -> int:
        """Kill the child, if it runs; returns its exit code, below 0 the number of a signal."""
        if self._child is None:
            return 0
        child, self._child = self._child, None
        child.kill()
        status = child.wait()
        os.close(self._requests)
        os.close(self._answers)
        return status


# -- starting a child ------------------------------------------------------------------------------


class _Forked:
    """A fork of this process, with two methods of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def _fork(service: str, args: Sequence[Any], requests: int, answers: int, keep: Sequence[int]) -> _Forked:
    sys.stdout.flush()  # or both would write what is buffered
    sys.stderr.flush()
    parent = os.getpid()
    if pid := os.fork():
        return _Forked(pid)
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _close_others(requests, answers, *keep)
        _serve(service, args, requests, answers, parent)
    finally:
        os._exit(0)  # without ending what the parent still runs


def _close_others(*keep: int) -> None:
    """Close all descriptors but the standard ones and these."""
    low = 3
    for number in sorted({*keep, os.sysconf("SC_OPEN_MAX")} - {0, 1, 2}):
        os.closerange(low, number)
        low = number + 1


def _spawn(
    service: str, args: Sequence[Any], requests: int, answers: int, keep: Sequence[int]
) -> subprocess.Popen[bytes]:
    words = [service, args, requests, answers, os.getpid()]
    return subprocess.Popen(
        [sys.executable, "-c", _MAIN, json.dumps([str(path) for path in sys.path]), json.dumps(words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[requests, answers, *keep],
        process_group=0,  # a terminal does not send it Ctrl-C
    )


def main() -> None:
    """Be a child that was started anew."""
    service, args, requests, answers, parent = json.loads(sys.argv[2])
    _serve(service, args, requests, answers, parent)


# -- in the child ----------------------------------------------------------------------------------


def _serve(service: str, args: Sequence[Any], requests: int, answers: int, parent: int) -> None:
    """Answer until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _die_with(parent)
    status = _open_status()  # now, since the service may lock this process
    with open(requests, "rb") as lines, open(answers, "wb") as out:
        try:
            module, _, name = service.partition(":")
            ready: Service = getattr(import_module(module), name)(*args)
            if ready.memory is not None:
                _bound_memory(ready.memory, status)
        except Exception as error:
            out.write(_error(error))
            return
        out.write(_line({"answer": None}))
        out.flush()
        with contextlib.suppress(BrokenPipeError):
            for line in lines:
                try:
                    answer = _line({"answer": ready.answer(json.loads(line))})
                except Exception as error:
                    answer = _error(error)
                out.write(answer)
                out.flush()


def _open_status() -> TextIO | None:
    """Open what the system knows of this process; None where it has no such file, as on macOS."""
    try:
        return open("/proc/self/status")
    except OSError:
        return None


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _error(error: Exception) -> bytes:
    line = str(error) if isinstance(error, ArchiveError) else f"{type(error).__name__}: {error}"
    return _line({"error": " ".join(line.split())[:_LINE], "kind": type(error).__name__})


def _die_with(parent: int) -> None:
    """End this process when its parent ends, however that ends. (On Linux.)

    Args:
        parent: its process id, as it was before this process was started.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _bound_memory(size: int, status: TextIO | None) -> None:
    """Have the system refuse this process more than `size` bytes beyond what it has."""
    used = 0
    if status:
        with status:
            used = int(status.read().partition("VmData:")[2].split()[0]) << 10
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = used + size if hard == resource.RLIM_INFINITY else min(used + size, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
