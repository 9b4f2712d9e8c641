"""The folder of an export: unfinished work in `.work`, and what is whole in its place."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from archive.atomic import disk_error_line, write_file
from archive.errors import ArchiveError, ExportError
from archive.owned import Owned
from query.dataset import MANIFEST

#: What DuckDB may hold of a step, unless somebody says otherwise: a process comes to some hundred megabytes more.
MEMORY = "1GB"


#: The files of `.work`, by their names in it: nothing else there is touched.
_STEM = r"\w+-\d{5}[-.\w]*"
_INSIDE = re.compile(
    r"(identity\.json|plan\.json|planned|finished\.json)(\.part)?"
    r"|(tmp_)?(selected|rows|places|to_screen)\.parquet|evaluation-\d+\.npy"
    r"|screened/\d{8}\.(parquet|json(\.part)?)|spill/\d{8}\.(arrow|json(\.part)?)|done/\d+\.json(\.part)?"
    r"|scratch/(signatures\.npy|duckdb_temp_[-.\w]*)"
    rf"|parts/\d+/{_STEM}|set/(\d{{4}}(-\d\d)?/)?\w+/({_STEM}|index\.json)"
    r"|set/(README\.md|distribution\.svg|manifest\.json)(\.part)?"
)


class Workplace:
    """Where an export is made: all of it in `.work`, from which whole files move to their places at the end.

    `.work` goes when that is done; until then nothing in it is part of the set.
    """

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)
        self.work = self.out / ".work"
        self.set = self.work / "set"  #: the set as it will stand in `out`
        self.selected = self.work / "selected.parquet"
        self.screened = self.work / "screened"
        self.rows = self.work / "rows.parquet"  #: a row group for each shard
        self.places = self.work / "places.parquet"
        self.spill = self.work / "spill"
        self.done = self.work / "done"
        self.parts = self.work / "parts"
        self.scratch = self.work / "scratch"
        self._owned = Owned(out, "export", _INSIDE, ExportError)

    @contextlib.contextmanager
    def open(self, identity: dict[str, Any]) -> Iterator[bool]:
        """Enter the folder alone. Gives True where the same export was planned here and not finished.

        An export that fails before it is planned leaves nothing behind.

        Raises:
            ExportError: the folder holds something else, or another process exports into it.
        """
        if (self.out / MANIFEST).exists() and not self._owned.is_begun():
            raise ExportError(f"{self.out} holds a finished export; name another folder")
        with self._owned.entered():
            self._owned.work_in(self.work)
            planned = (self.work / "planned").exists()
            stated = self._read("identity.json")
            if planned and stated != identity:
                differing = ", ".join(key for key in identity if (stated or {}).get(key) != identity[key])
                raise ExportError(
                    f"{self.out} holds an unfinished export with other values of: {differing}; "
                    "run that again, or delete the folder"
                )
            try:
                for place in (self.parts, self.scratch) if planned else (self.work,):
                    self._owned.clear(place)
                for folder in (self.set, self.screened, self.spill, self.done, self.parts, self.scratch):
                    folder.mkdir(parents=True, exist_ok=True)
                if not planned:
                    self.write("identity.json", identity)
                yield planned
            finally:
                if self.work.exists() and not (self.work / "planned").exists():
                    self._owned.clear(self.work)

    def write(self, name: str, value: Any) -> None:
        """Write a file of the work folder, whole or not at all."""
        write_file(self.work / name, json.dumps(value).encode())

    def _read(self, name: str) -> Any:
        try:
            return json.loads((self.work / name).read_bytes())
        except FileNotFoundError:
            return None

    def read(self, name: str) -> Any:
        return json.loads((self.work / name).read_bytes())

    def whole(self) -> dict[str, Any] | None:
        """The manifest of an export that was killed behind its last step; what is left of the work goes.

        Raises:
            ExportError: the folder holds something else too.
        """
        if not (self.out / MANIFEST).exists() or not self._owned.is_begun():
            return None
        with self._owned.entered():
            made: dict[str, Any] = json.loads((self.out / MANIFEST).read_bytes())
            self.finish()
        return made

    def finished(self) -> dict[str, Any] | None:
        """The manifest of an export of which all is done but that its files are in their places."""
        made: dict[str, Any] | None = self._read("finished.json")
        return made

    def check(self, hashes: Mapping[str, str]) -> None:
        """Look whether the files that an earlier run left are still those that it made.

        Raises:
            ExportError: one is another file by now.
        """
        for name, expected in hashes.items():
            path = self.set / name
            if os.path.lexists(path):
                with open(path, "rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                        raise ExportError(f"{path} is not the file that this export wrote; delete {self.out}")

    def publish(self, names: Iterable[str]) -> None:
        """Move whole files to their places, in this order, and take away what was needed to make them. Killed, it may
        be done again.

        Raises:
            ExportError: something else is in a place.
        """
        for name in names:
            if os.path.lexists(self.set / name):
                self._owned.publish(self.set / name, self.out / name)
            elif not os.path.lexists(self.out / name) or not self._owned.is_ours(self.out / name):
                raise ExportError(f"{self.out / name} is gone, or is another file by now; delete the folder")
        self.finish()

    def finish(self) -> None:
        self._owned.clear(self.work)
        self._owned.close()


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
    return ExportError(disk_error_line(error, place))
