"""The environment of a process that runs the source tree on a machine where the program is not installed."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path(__file__).parents[1]
#: Python imports this in each process, before anything else.
_HIDES = """
from importlib import metadata

found = metadata.Distribution.from_name.__func__


def from_name(cls, name):
    if name == "lowbackground":
        raise metadata.PackageNotFoundError(name)
    return found(cls, name)


metadata.Distribution.from_name = classmethod(from_name)
"""


def not_installed(folder: Path) -> dict[str, str]:
    """Return an environment in which no process finds the installed program, only the source tree."""
    (folder / "sitecustomize.py").write_text(_HIDES)
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{_ROOT}"}
