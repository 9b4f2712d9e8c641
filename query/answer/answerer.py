"""Questions to the process that answers them (`query.answer.child`)."""

from __future__ import annotations

import os
import shutil
import signal

from archive.engine.sandbox import ChildDied, ChildRaised, ChildTooLate, Sandbox
from archive.errors import QueryError


class Answerer:
    """Has questions answered in a process that is locked and bounded in memory. One that was ended is started anew.

    Args:
        location: of the lake.
        memory: how much DuckDB may use (`4GB`).
        spill: an empty folder for temporary files. It is emptied when the process ends.
        out: the descriptor of the open file to which rows are written.
        fork: see `Sandbox`.
    """

    def __init__(self, location: str, memory: str, spill: str, out: int, fork: bool = False) -> None:
        self._spill = spill
        self._child = Sandbox("query.answer.child:serve", location, memory, spill, out, keep=(out,), fork=fork)

    def __enter__(self) -> Answerer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process, and wait until the lake is open.

        Raises:
            QueryError: there is no lake, or it cannot be opened.
        """
        try:
            self._child.start()
        except ChildRaised as error:
            raise QueryError(str(error)) from None
        except ChildDied as error:
            raise QueryError(_why(error)) from None

    def ask(self, sql: str, format_: str, seconds: float | None = None) -> None:
        """Have the rows of one question written.

        Args:
            format_: `arrow` (the stream format of Arrow IPC), or one of `query.answer.target.FORMATS`.

        Raises:
            QueryError: it cannot be answered, or took longer than `seconds`.
            BrokenPipeError: the reader of the rows went away.
        """
        try:
            sql.encode()
        except UnicodeEncodeError:
            raise QueryError("this question is not UTF-8") from None
        self.start()
        try:
            self._child.call({"sql": sql, "format": format_}, seconds)
        except ChildRaised as error:
            if error.kind == BrokenPipeError.__name__:
                raise BrokenPipeError from None
            raise QueryError(str(error)) from None
        except ChildTooLate:
            self._empty()
            raise QueryError(f"this question took longer than {seconds:g} s; narrow it, or --timeout") from None
        except ChildDied as error:
            self._empty()
            raise QueryError(_why(error)) from None
        except BaseException:
            self._empty()
            raise

    def stop(self) -> None:
        """End the process, if it runs."""
        self._child.stop()
        self._empty()

    def _empty(self) -> None:
        for entry in os.scandir(self._spill):
            shutil.rmtree(entry.path, ignore_errors=True) if entry.is_dir() else os.unlink(entry.path)


def _why(died: ChildDied) -> str:
    if died.status == -signal.SIGKILL:
        return "the system ended this question, most often for want of memory; narrow it, or lower --memory"
    return f"DuckDB crashed at this question (exit code {died.status})"
