"""Packages that only some commands need, and the extras that install them."""

from __future__ import annotations

from importlib.util import find_spec

from archive.errors import ArchiveError


def require(what: str, extra: str, *packages: str) -> None:
    """Check that packages are installed, without importing them.

    Args:
        what: the command or option that needs them, as a user types it.
        extra: the extra that installs them.

    Raises:
        ArchiveError: one is not installed.
    """
    for package in packages:
        if not is_installed(package):
            raise missing(what, extra, package)


def missing(what: str, extra: str, package: str | None) -> ArchiveError:
    """Return the error for a package that is not installed.

    >>> print(missing("--near", "index", "numba"))
    --near needs numba, which is not installed: pip install 'lowbackground[index]'
    """
    name = (package or "").partition(".")[0]
    return ArchiveError(f"{what} needs {name}, which is not installed: pip install 'lowbackground[{extra}]'")


def is_installed(package: str) -> bool:
    """Return whether a package can be imported, without importing it.

    A folder of its name on the path is none: Python takes one without `__init__.py` for a package without contents,
    and `python -m archive` in `/tmp`, where Ray keeps its logs in `ray`, would find that.
    """
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # hidden from this process; `sys.modules` has None for it
        return False
    return spec is not None and spec.origin is not None
