"""Where an answer goes, and in which format: standard output, or a file that appears when all of it is written."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from archive.atomic import move
from archive.errors import QueryError

FORMATS = ("table", "csv", "json", "jsonl", "parquet")
_STDOUT = 1


def format_of(format_: str | None, out: str, on_terminal: bool) -> str:
    """Return the format of an answer: the one named, or that of the file's ending, or what suits standard output.

    Raises:
        QueryError: the name and the ending contradict each other, or neither gives a format.
    """
    if out == "-":
        if format_ == "parquet" and on_terminal:
            raise QueryError("Parquet is not for a terminal; --out FILE, or pipe it")
        return format_ or ("table" if on_terminal else "csv")
    ending = Path(out).suffix.lower()
    by_ending = ending[1:] if ending[1:] in FORMATS[1:] else None
    if format_ is None and by_ending is None:
        ends = ", ".join(f".{name}" for name in FORMATS[1:])
        raise QueryError(f"{out}: its ending names no format ({ends}); name it by --format")
    if format_ and by_ending and format_ != by_ending:
        raise QueryError(f"{out}: --format {format_} contradicts the ending {ending}; leave one out, or change it")
    return str(format_ or by_ending)


@contextlib.contextmanager
def open_target(out: str, overwrite: bool) -> Iterator[int]:
    """Give a descriptor to write to. A file gets its name at the end; after an error there is none.

    Raises:
        QueryError: the file cannot be written, or exists and is not to be replaced.
    """
    if out == "-":
        yield _STDOUT
        return
    path = os.path.realpath(out)
    if os.path.isdir(path):
        raise QueryError(f"{out}: is a folder; name a file in it")
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        yield from _device(out)
        return
    _refuse_existing(out, path, overwrite)
    try:
        number, part = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}-")
    except OSError as error:
        raise QueryError(f"{out}: cannot be written ({error.strerror})") from None
    try:
        yield number
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(number, 0o666 & ~umask)
        if overwrite:
            os.replace(part, path)
        else:
            _refuse_existing(out, path, overwrite)
            move(Path(part), Path(path))
    except FileExistsError:
        raise QueryError(f"{out}: exists already; --overwrite replaces it") from None
    except OSError as error:
        raise QueryError(f"{out}: cannot be written ({error.strerror})") from None
    finally:
        os.close(number)
        Path(part).unlink(missing_ok=True)


def _device(out: str) -> Iterator[int]:
    """Open a pipe or a device, which is written to directly."""
    try:
        number = os.open(out, os.O_WRONLY)
    except OSError as error:
        raise QueryError(f"{out}: cannot be written ({error.strerror})") from None
    try:
        yield number
    finally:
        os.close(number)


def _refuse_existing(out: str, path: str, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise QueryError(f"{out}: exists already; --overwrite replaces it")
