"""Files of a local disk that are there whole or not at all, and what to say when it takes no more."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place for a file that, once written, takes that of `path`, whole and on the disk; or what was there stays."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def replace(path: Path, data: bytes) -> None:
    """Put a file in its place, whole, or leave what was there."""
    with whole(path) as part:
        part.write_bytes(data)


def trouble(error: Exception, place: Path | str) -> str:
    """What went wrong with a disk, and what to do, in one line.

    Args:
        error: an `OSError`, or what numpy or safetensors make of one, which name no number and say it in words.
        place: where, if the error does not say it.
    """
    text = " ".join(str(error).split())
    number = getattr(error, "errno", None)
    if number == errno.ENOSPC or (number is None and ("No space left" in text or "requested and" in text)):
        return f"{place}: the disk is full; free some space and run the same command again, it goes on"
    name, what = getattr(error, "filename", None), getattr(error, "strerror", None)
    return f"{name or place}: {what or text}; when that is mended, the same command goes on"
