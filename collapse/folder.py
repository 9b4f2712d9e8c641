"""The folder of a run: what lies where in it, whose it is, and that one process at a time is at work there."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archive.atomic import disk_error_line
from archive.errors import CollapseError
from archive.owned import Owned

#: Of the files in the folder; another number where they come to hold something else.
LAYOUT = 3
_RUN, _DATA, _STEPS = "run.json", "data", "steps"
#: The files of an unfinished folder: of `data`, or of a checkpoint.
_INSIDE = re.compile(r"[-.\w]+\.(npy|json|safetensors|jinja|model)|(vocab|merges)\.txt")


def owned(out: str | Path) -> Owned:
    """What in the folder is the run's own."""
    return Owned(out, "collapse", _INSIDE, CollapseError)


def blocks(out: str | Path) -> Path:
    """Where `collapse.run.blocks` keeps the run's blocks."""
    return Path(out) / _DATA


def steps(out: str | Path) -> Path:
    """Where what is done of the generations lies."""
    return Path(out) / _STEPS


def is_one(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return _said(folder) is not None


@contextlib.contextmanager
def entered(out: Path, identity: dict[str, Any]) -> Iterator[None]:
    """Enter the folder of a run as the only process.

    Args:
        identity: all that the numbers depend on.

    Raises:
        CollapseError: it holds another run, or something else, or another process is at it, or it cannot be written.
    """
    place = owned(out)
    try:
        if is_one(out) and not place.is_begun():
            raise CollapseError(f"{out} holds a run of an older version; name another folder")
        with place.entered():
            _claim(out, json.loads(json.dumps(identity)), place)
            try:
                yield
            finally:
                if not blocks(out).exists():
                    place.remove(out / _RUN)  # nothing was made: the folder goes again
    except OSError as error:
        raise CollapseError(disk_error_line(error, out)) from None


def _said(folder: Path) -> dict[str, Any] | None:
    try:
        said = json.loads((folder / _RUN).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return said if isinstance(said, dict) and {"version", "sources", "recipe"} <= said.keys() else None


def _claim(out: Path, identity: dict[str, Any], place: Owned) -> None:
    """Say in the folder what its run is. While no step of one is done, another may take its place.

    Raises:
        CollapseError: the folder holds another run, of which something is done.
    """
    stated = _said(out)
    if stated == identity:
        return
    if stated is not None:
        if _begun(out):
            differing = ", ".join(key for key in identity if stated.get(key) != identity[key])
            raise CollapseError(f"{out} holds a run with another {differing}; run that again, or name another folder")
        place.clear(blocks(out))  # before the name changes: never one run's blocks under another's name
    place.write_file(out / _RUN, json.dumps(identity, indent=2).encode())


def _begun(out: Path) -> bool:
    """Whether any step of a run is done."""
    return any(path.is_file() and path.suffix != ".part" for path in steps(out).rglob("*"))
