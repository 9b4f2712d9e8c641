"""The folder of a run: what lies where in it, whose it is, and that one process at a time is at work there."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archive.disk import discard, replace, trouble
from archive.errors import CollapseError

#: Of the files in the folder; another number where they come to hold something else.
LAYOUT = 2
_RUN, _LOCK, _DATA, _STEPS = "run.json", ".lock", "data", "steps"


def blocks(out: str | Path) -> Path:
    """Where `collapse.data` keeps the run's blocks."""
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
    try:
        _stated(out)
        out.mkdir(parents=True, exist_ok=True)
        with open(out / _LOCK, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise CollapseError(f"{out}: another process is at work in it") from None
            _claim(out, json.loads(json.dumps(identity)))
            yield
    except OSError as error:
        raise CollapseError(trouble(error, out)) from None


def _stated(out: Path) -> dict[str, Any] | None:
    """What the run in a folder says that it is; nothing where there is no more than a start killed early leaves.

    Raises:
        CollapseError: it is no folder, or one of something else.
    """
    if not out.exists():
        return None
    if out.is_dir() and not (out / _RUN).exists() and {path.name for path in out.iterdir()} <= {_LOCK, _RUN + ".part"}:
        return None
    stated = _said(out)
    if stated is None:
        raise CollapseError(f"{out} is no folder of a collapse test; name another one")
    return stated


def _said(folder: Path) -> dict[str, Any] | None:
    try:
        said = json.loads((folder / _RUN).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return said if isinstance(said, dict) and {"version", "sources", "recipe"} <= said.keys() else None


def _claim(out: Path, identity: dict[str, Any]) -> None:
    """Say in the folder what its run is. While no step of one is done, another may take its place.

    Raises:
        CollapseError: the folder holds another run, of which something is done.
    """
    stated = _stated(out)
    if stated == identity:
        return
    if stated is not None:
        if _begun(out):
            differing = ", ".join(key for key in identity if stated.get(key) != identity[key])
            raise CollapseError(f"{out} holds a run with another {differing}; run that again, or name another folder")
        discard(blocks(out))  # before the name changes: never one run's blocks under another's name
    replace(out / _RUN, json.dumps(identity, indent=2).encode())


def _begun(out: Path) -> bool:
    """Whether any step of a run is done."""
    return any(path.is_file() and path.suffix != ".part" for path in steps(out).rglob("*"))
