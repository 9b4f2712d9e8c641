"""The folder of a run: where its files are, which run it belongs to, and that one process at a time works in it."""

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

#: Version of the files in the folder.
LAYOUT = 4
_RUN, _DATA, _STEPS = "run.json", "data", "steps"
#: The files in an unfinished folder: of `data`, or of a checkpoint.
_INSIDE = re.compile(r"[-.\w]+\.(npy|json|safetensors|jinja|model)|(vocab|merges)\.txt")


def owned(out: str | Path) -> Owned:
    """Return which files in the folder belong to the run."""
    return Owned(out, "collapse", _INSIDE, CollapseError)


def blocks(out: str | Path) -> Path:
    """Return the folder of the run's blocks (`collapse.run.blocks`)."""
    return Path(out) / _DATA


def steps(out: str | Path) -> Path:
    """Return the folder of the generations' finished steps."""
    return Path(out) / _STEPS


def is_run(folder: Path) -> bool:
    """Return whether a folder holds a run."""
    return _identity(folder) is not None


@contextlib.contextmanager
def entered(out: Path, identity: dict[str, Any]) -> Iterator[None]:
    """Work in the folder of a run as the only process.

    Args:
        identity: all that the numbers depend on.

    Raises:
        CollapseError: it holds another run, or something else, or another process works in it, or it cannot be written.
    """
    own = owned(out)
    try:
        if is_run(out) and not own.is_begun():
            raise CollapseError(f"{out} holds a run of an older version; name another folder")
        with own.entered():
            _claim(out, json.loads(json.dumps(identity)), own)
            try:
                yield
            finally:
                if not blocks(out).exists():
                    own.remove(out / _RUN)  # the run did not get so far: leave no folder
    except OSError as error:
        raise CollapseError(disk_error_line(error, out)) from None


def _identity(folder: Path) -> dict[str, Any] | None:
    """Read what run a folder holds, if any."""
    try:
        identity = json.loads((folder / _RUN).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return identity if isinstance(identity, dict) and {"version", "sources", "recipe"} <= identity.keys() else None


def _claim(out: Path, identity: dict[str, Any], own: Owned) -> None:
    """Write into the folder which run it holds. A run of which no step is done may be replaced.

    Raises:
        CollapseError: the folder holds another run, of which some step is done.
    """
    stated = _identity(out)
    if stated == identity:
        return
    if stated is not None:
        if _begun(out):
            if stated.get("layout") != LAYOUT:
                raise CollapseError(f"{out} holds a run of another version; name another folder")
            differing = ", ".join(key for key in identity if stated.get(key) != identity[key])
            raise CollapseError(f"{out} holds a run with another {differing}; run that again, or name another folder")
        own.clear(blocks(out))  # first, so that no run ever has another's blocks
    own.write_file(out / _RUN, json.dumps(identity, indent=2).encode())


def _begun(out: Path) -> bool:
    """Return whether any step of a run is done."""
    return any(path.is_file() and path.suffix != ".part" for path in steps(out).rglob("*"))
