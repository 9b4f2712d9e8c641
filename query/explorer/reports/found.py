"""Which folders of this machine hold a report, and what it says in one line."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from archive.errors import ArchiveError, cause_line, error_line
from archive.journal import Journal
from index.certify.result import MANIFEST as CERTIFIED
from query.dataset import MANIFEST as EXPORTED
from query.explorer.reports import certified, collapsed, exported, shared
from query.explorer.reports.bounded import WRONG

#: So many entries of a folder are looked at, and so many reports are listed.
_ENTRIES, _REPORTS = 1000, 200
#: The file by which a report is known -> its kind, and what reads it.
_KINDS = {
    CERTIFIED: ("certify", certified.read),
    EXPORTED: ("export", exported.read),
    collapsed.RESULTS: ("collapse", collapsed.read),
    shared.RESULT: ("share", shared.read),
}


@dataclass(frozen=True, slots=True)
class Report:
    """A report of this machine."""

    id: str  #: its name in addresses: no path comes from a browser
    folder: str
    kind: str  #: export, certify, collapse or share
    headline: str | None  #: null where it cannot be read
    problem: str | None  #: why


def find(folders: Iterable[Path]) -> Iterator[Report]:
    """Yield the reports in folders, and in the folders that are directly inside, at most 200."""
    found = (each for folder in folders for each in _inside(folder))
    yield from islice(found, _REPORTS)


def find_one(folders: Iterable[Path], id_: str) -> tuple[Report, Any] | None:
    """Return a report with all that it states, which is None where it cannot be read; None where there is no such."""
    for folder in (each for given in folders for each in _folders(given)):
        for file, (kind, read) in _KINDS.items():
            if _id(folder, kind) == id_ and _is_file(folder / file):
                return _read(folder, file, kind, read)
    return None


def check(folders: Iterable[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """Return the folders that somebody named.

    Raises:
        ArchiveError: one is no folder.
    """
    paths = tuple(Path(os.path.abspath(each)) for each in folders)
    for path in paths:
        if not path.is_dir():
            raise ArchiveError(f"--reports {path}: there is no such folder")
    return paths


def _inside(folder: Path) -> Iterator[Report]:
    for each in _folders(folder):
        for file, (kind, read) in _KINDS.items():
            if _is_file(each / file):
                yield _read(each, file, kind, read)[0]
        if _is_unfinished(each):
            yield Report(_id(each, "export"), str(each), "export", None, "it was begun and is not finished")


def _folders(folder: Path) -> Iterator[Path]:
    """Yield a folder and those directly inside, in the order of their names."""
    yield folder
    try:
        with os.scandir(folder) as entries:
            names = sorted(each.name for each in islice(entries, _ENTRIES) if each.is_dir(follow_symlinks=False))
    except OSError:
        return
    yield from (folder / name for name in names if not name.startswith("."))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_unfinished(folder: Path) -> bool:
    return not _is_file(folder / EXPORTED) and Journal(folder, "export").token() is not None


def _id(folder: Path, kind: str) -> str:
    return hashlib.sha256(f"{kind} {folder}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _read(folder: Path, file: str, kind: str, read: Any) -> tuple[Report, Any]:
    problem: str
    try:
        headline, stated = read(folder)
        return Report(_id(folder, kind), str(folder), kind, headline, None), stated
    except ArchiveError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{folder / file}: {cause_line(error)}"
    except KeyError as error:
        problem = f"{folder / file}: is no result of `archive {kind}` (no {error_line(error)})"
    except WRONG as error:
        problem = f"{folder / file}: is no result of `archive {kind}` that can be read ({error_line(error)})"
    return Report(_id(folder, kind), str(folder), kind, None, problem), None
