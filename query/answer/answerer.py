"""The process that answers: it opens the lake, locks itself, and then runs SQL of anybody's.

It is forked before DuckDB is loaded, so it costs nothing, and it is a process of its own so that it can be locked for
good (`query.answer.sandbox`), bounded in memory, and killed: DuckDB does not always stop when it is told to.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

from archive.errors import ArchiveError, QueryError
from query.answer import sandbox

_STDOUT = 1


class Answerer:
    """The process that answers, as seen from the one that asks. One that was stopped is started anew when asked.

    Args:
        location: of the lake.
        memory: how much DuckDB may use (`4GB`).
        spill: an empty folder for temporary files, which may be emptied at any time.
        out: the descriptor of the open file to which rows are written.
    """

    def __init__(self, location: str, memory: str, spill: str, out: int = _STDOUT) -> None:
        self._location, self._memory, self._spill, self._out = location, memory, spill, out
        self._process = 0
        self._ask = self._hear = -1

    def __enter__(self) -> Answerer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until the lake is open.

        Raises:
            QueryError: there is no lake, or it cannot be opened.
        """
        if self._process:
            return
        sys.stdout.flush()  # or both would write what is held
        sys.stderr.flush()
        (theirs, self._ask), (self._hear, answers) = os.pipe(), os.pipe()
        parent = os.getpid()
        self._process = os.fork()
        if not self._process:
            _serve(self._location, self._memory, self._spill, self._out, theirs, answers, parent)
        os.close(theirs)
        os.close(answers)
        self._answer(None, "")

    def ask(self, sql: str, form: str, seconds: float | None = None) -> None:
        """Have the rows of one question written.

        Raises:
            QueryError: it cannot be answered, or took longer than so many seconds.
            BrokenPipeError: the reader of the rows went away.
        """
        try:
            sql.encode()
        except UnicodeEncodeError:
            raise QueryError("this question is not UTF-8") from None
        self.start()
        with contextlib.suppress(BrokenPipeError):  # it has died: `_answer` says so
            os.write(self._ask, json.dumps({"sql": sql, "form": form}).encode() + b"\n")
        late = f"this question took longer than {seconds:g} s; narrow it, or --timeout" if seconds else ""
        self._answer(seconds, late)

    def _answer(self, seconds: float | None, late: str) -> None:
        """Wait for its answer. Whatever interrupts this ends the process: it may not listen."""
        try:
            said = self._line(None if seconds is None else time.monotonic() + seconds)
            if said is None:
                raise QueryError(late)
        except BaseException:
            self.stop()
            raise
        if said.get("gone"):
            raise BrokenPipeError
        if "error" in said:
            raise QueryError(said["error"])

    def _line(self, deadline: float | None) -> dict[str, Any] | None:
        """What it answers; None where that takes too long."""
        poll, held = select.poll(), b""
        poll.register(self._hear, select.POLLIN)
        while not held.endswith(b"\n"):
            left = None if deadline is None else max(deadline - time.monotonic(), 0) * 1000
            if not poll.poll(left):
                return None
            part = os.read(self._hear, 65536)
            if not part:
                return {"error": self._why_it_died()}
            held += part
        said: dict[str, Any] = json.loads(held)
        return said

    def _why_it_died(self) -> str:
        status = self.stop()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return "the system ended this question, most often for want of memory; narrow it, or lower --memory"
        return f"DuckDB crashed at this question (status {status})"

    def stop(self) -> int:
        """End it, if it runs, and empty its folder for temporary files; its status as `waitpid` gives it."""
        if not self._process:
            return 0
        os.kill(self._process, signal.SIGKILL)
        status = os.waitpid(self._process, 0)[1]
        self._process = 0
        os.close(self._ask)
        os.close(self._hear)
        for entry in os.scandir(self._spill):
            shutil.rmtree(entry.path, ignore_errors=True) if entry.is_dir() else os.unlink(entry.path)
        return status


def _serve(location: str, memory: str, spill: str, out: int, requests: int, answers: int, parent: int) -> None:
    """Be the process that answers, until there are no more questions."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the one that asks decides
        sandbox.die_with_parent(parent)
        _keep_only(out, requests, answers)
        with open(answers, "wb", buffering=0) as reply:
            for said in _answers(location, memory, spill, out, requests):
                reply.write(json.dumps(said).encode() + b"\n")
    finally:
        os._exit(0)  # without taking down what the one that asks still runs


def _keep_only(*kept: int) -> None:
    """Close what was open in the process before, but for standard output and error; standard input is empty."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    low = 3
    for number in sorted({*kept, os.sysconf("SC_OPEN_MAX")} - {0, 1, 2}):
        os.closerange(low, number)
        low = number + 1


def _answers(location: str, memory: str, spill: str, out: int, requests: int) -> Iterator[dict[str, Any]]:
    """One answer when the lake is open, and one to each question."""
    nowhere = os.open(os.devnull, os.O_WRONLY)  # while that can be opened
    try:
        from query.answer.behind import open_lake

        ask = open_lake(location, memory, spill)
    except ArchiveError as error:
        yield {"error": str(error)}
        return
    except Exception as error:
        yield {"error": f"{location}: {_line(error)}"}
        return
    yield {}
    with open(requests, "rb") as lines:
        for line in lines:
            question = json.loads(line)
            try:
                ask(question["sql"], question["form"], out)
                yield {}
            except BrokenPipeError:
                os.dup2(nowhere, _STDOUT)  # what Python still holds for it
                yield {"gone": True}
            except OSError as error:
                os.dup2(nowhere, _STDOUT)
                yield {"error": f"the answer cannot be written: {(error.strerror or str(error)).lower()}"}
            except ArchiveError as error:
                yield {"error": str(error)}
            except Exception as error:
                yield {"error": f"this question failed: {_line(error)}"}


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
