"""Packages that only some commands need: the extra of this distribution that brings them."""

from __future__ import annotations

from importlib.util import find_spec

from archive.errors import ArchiveError


def require(what: str, extra: str, *packages: str) -> None:
    """
    Args:
        what: that needs the packages, as a user calls it.

    Raises:
        ArchiveError: one is not installed.
    """
    for package in packages:
        if not _is_there(package):
            raise missing(what, extra, package)


def missing(what: str, extra: str, package: str | None) -> ArchiveError:
    """What to say where an import failed, in one line.

    >>> print(missing("--near", "index", "numba"))
    --near needs numba, which is not installed: pip install 'lowbackground[index]'
    """
    name = (package or "").partition(".")[0]
    return ArchiveError(f"{what} needs {name}, which is not installed: pip install 'lowbackground[{extra}]'")


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # somebody put None in its place
        return False
