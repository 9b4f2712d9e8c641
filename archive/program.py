"""Which version of the program this is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_NAME = "lowbackground"
_PROJECT = Path(__file__).parent.parent / "pyproject.toml"


@cache
def program_version() -> str:
    """Return the version that is installed, or that of the source tree that runs without being installed.

    A copy of the folders alone, without `pyproject.toml`, is `0+unknown`: a valid version that no release has.
    """
    from importlib.metadata import PackageNotFoundError, version  # takes 30 ms, which few commands need

    try:
        return version(_NAME)
    except PackageNotFoundError:
        return _of_the_tree(_PROJECT)


def _of_the_tree(path: Path) -> str:
    import tomllib

    try:
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        return "0+unknown"
    return str(project["version"]) if project.get("name") == _NAME else "0+unknown"
