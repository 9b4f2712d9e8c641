"""The folder of an export: unfinished work in `.work`, finished files where they belong."""

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
from archive.errors import ArchiveError, ExportError, error_line
from archive.owned import Owned
from query.dataset import MANIFEST, Manifest, load

#: The files of `.work`, by their names in it: nothing else there is touched. Some are of older versions.
_STEM = r"\w+-\d{5}[-.\w]*"
_INSIDE = re.compile(
    r"(identity\.json|plan\.json|planned|finished\.json)(\.part)?"
    r"|(tmp_)?(selected|rows|positions|places|to_filter|to_screen)\.parquet|(evaluation|benchmark)-\d+\.npy"
    r"|items\.(npy|parquet)|(earlier|alike)\.parquet|compared/\d{8}\.(parquet|json(\.part)?)"
    r"|(filtered|screened)/\d{8}\.(parquet|json(\.part)?)|spill/\d{8}\.(arrow|json(\.part)?)|done/\d+\.json(\.part)?"
    r"|scratch/(signatures\.npy|duckdb_temp_[-.\w]*)"
    rf"|parts/\d+/{_STEM}|set/(\d{{4}}(-\d\d)?/)?\w+/({_STEM}|index\.json)"
    r"|set/(README\.md|distribution\.svg|manifest\.json)(\.part)?"
)


class Workplace:
    """The folder of an export. All is made in `.work`, from which finished files move to their places at the end.

    `.work` is deleted when that is done. Until then nothing in it is part of the set.
    """

    def __init__(self, out: str | Path) -> None:
        self.out = Path(out)
        self.work = self.out / ".work"
        self.set = self.work / "set"  #: the set as it will be in `out`
        self.selected = self.work / "selected.parquet"
        self.to_filter = self.work / "to_filter.parquet"
        self.filtered = self.work / "filtered"
        self.earlier = self.work / "earlier.parquet"  #: texts from before a benchmark was published
        self.compared = self.work / "compared"  #: the cosines of all texts with its items
        self.alike = self.work / "alike.parquet"  #: what they say of the chosen rows
        self.rows = self.work / "rows.parquet"  #: a row group for each shard
        self.positions = self.work / "positions.parquet"  #: the shard and position of each row of `documents`
        self.spill = self.work / "spill"
        self.done = self.work / "done"
        self.parts = self.work / "parts"
        self.scratch = self.work / "scratch"
        self._owned = Owned(out, "export", _INSIDE, ExportError)

    @contextlib.contextmanager
    def open(self, identity: dict[str, Any]) -> Iterator[bool]:
        """Enter the folder, and keep other processes out. Yields whether the same export was planned here before.

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
                for folder in (self.parts, self.scratch) if planned else (self.work,):
                    self._owned.clear(folder)
                for folder in (self.set, self.filtered, self.compared, self.spill, self.done, self.parts, self.scratch):
                    folder.mkdir(parents=True, exist_ok=True)
                if not planned:
                    self.write("identity.json", identity)
                yield planned
            finally:
                if self.work.exists() and not (self.work / "planned").exists():
                    self._owned.clear(self.work)

    def write(self, name: str, value: Any) -> None:
        """Write a file of the work folder, completely or not at all."""
        write_file(self.work / name, json.dumps(value).encode())

    def read(self, name: str) -> Any:
        """Read a file of the work folder."""
        return json.loads((self.work / name).read_bytes())

    def _read(self, name: str) -> Any:
        try:
            return self.read(name)
        except FileNotFoundError:
            return None

    def published(self) -> Manifest | None:
        """Return the manifest of an export that was killed after its last step, and delete what is left of its work.

        Raises:
            ExportError: the folder holds something else too.
        """
        if not (self.out / MANIFEST).exists() or not self._owned.is_begun():
            return None
        with self._owned.entered():
            manifest = load(self.out).manifest
            self.finish()
        return manifest

    def finished(self) -> Manifest | None:
        """Return the manifest of an export that is done, except that its files are still in `.work`."""
        stated = self._read("finished.json")
        return Manifest.from_json(stated) if stated else None

    def check(self, hashes: Mapping[str, str]) -> None:
        """Check that the files that an earlier run left are still those that it wrote.

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
        """Move finished files to their places, in this order, and delete `.work`. It may be killed and done again.

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
        """Delete `.work`."""
        self._owned.clear(self.work)
        self._owned.close()


@contextlib.contextmanager
def disk_errors(path: Path | str) -> Iterator[None]:
    """Raise what goes wrong in a unit of work as an error of one line.

    Raises:
        ArchiveError: a file cannot be read, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise ExportError(disk_error_line(error, path)) from None
    except pa.ArrowException as error:
        raise ArchiveError(f"{path}: {error_line(error)}") from None
