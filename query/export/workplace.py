"""The folder of an export: finished shards in their folders, unfinished work in `.work`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from archive.disk import replace, trouble
from archive.errors import ArchiveError, ExportError

MANIFEST = "manifest.json"
#: What DuckDB may hold of a step, unless somebody says otherwise: a process comes to some hundred megabytes more.
MEMORY = "1GB"


class Workplace:
    """Where an export is made. `.work` goes when it is done; until then nothing in it is part of the set."""

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)
        self.work = self.out / ".work"
        self.selected = self.work / "selected.parquet"
        self.screened = self.work / "screened"
        self.rows = self.work / "rows.parquet"  #: a row group for each shard
        self.places = self.work / "places.parquet"
        self.spill = self.work / "spill"
        self.done = self.work / "done"
        self.parts = self.work / "parts"
        self.scratch = self.work / "scratch"

    @contextlib.contextmanager
    def open(self, identity: dict[str, Any]) -> Iterator[bool]:
        """Enter the folder alone. Gives True where the same export was planned here and not finished.

        Raises:
            ExportError: the folder holds something else, or another process exports into it.
        """
        if (self.out / MANIFEST).exists():
            raise ExportError(f"{self.out} holds a finished export; name another folder")
        if self.out.is_dir() and not self.work.is_dir() and any(self.out.iterdir()):
            raise ExportError(f"{self.out} is not empty; name another folder")
        if self.out.exists() and not self.out.is_dir():
            raise ExportError(f"{self.out} is not a folder")
        self.work.mkdir(parents=True, exist_ok=True)
        with open(self.work / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ExportError(f"{self.out}: another process is exporting into it") from None
            planned = (self.work / "planned").exists()
            stated = self._read("identity.json")
            if planned and stated is not None and stated != identity:
                differing = ", ".join(key for key in identity if stated.get(key) != identity[key])
                raise ExportError(
                    f"{self.out} holds an unfinished export with other values of: {differing}; "
                    "run that again, or delete the folder"
                )
            if not planned:
                for path in self.work.iterdir():
                    if path.name != "lock":
                        _remove(path)
                self.write("identity.json", identity)
            _remove(self.parts)
            _remove(self.scratch)
            for folder in (self.screened, self.spill, self.done, self.parts, self.scratch):
                folder.mkdir(exist_ok=True)
            yield planned

    def write(self, name: str, value: Any) -> None:
        """Write a file of the work folder, whole or not at all."""
        replace(self.work / name, json.dumps(value).encode())

    def _read(self, name: str) -> Any:
        try:
            return json.loads((self.work / name).read_bytes())
        except FileNotFoundError:
            return None

    def read(self, name: str) -> Any:
        return json.loads((self.work / name).read_bytes())

    def whole(self) -> dict[str, Any] | None:
        """The manifest of an export that was killed behind its last step; what is left of the work goes."""
        if not (self.out / MANIFEST).exists() or not self.work.is_dir():
            return None
        self.finish()
        made: dict[str, Any] = json.loads((self.out / MANIFEST).read_bytes())
        return made

    def finish(self) -> None:
        shutil.rmtree(self.work)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def saying(place: Path | str) -> Iterator[None]:
    """What goes wrong in a unit of work, as one line.

    Raises:
        ArchiveError: a file cannot be read, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise said(error, place) from None
    except pa.ArrowException as error:
        raise ArchiveError(f"{place}: {str(error).splitlines()[0]}") from None


def said(error: OSError, place: Path | str) -> ExportError:
    """What went wrong with a disk, and what to do."""
    return ExportError(trouble(error, place))
