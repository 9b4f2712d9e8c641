"""The files of a set, in a folder of this machine or below an `s3://` prefix."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from archive import storage
from archive.errors import SourceError
from archive.objects import MissingObjectError, Prefix

#: Objects that are asked for one by one: a hostile set may name a million. Bytes of the longest name of one.
_ASKED, _LONGEST = 1000, 800


@dataclass(frozen=True, slots=True)
class SetFiles:
    """Where a set is. Workers get it as it is."""

    location: str

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> SetFiles:
        """
        Raises:
            SourceError: the scheme of the address is unknown, or it names no bucket.
        """
        location = storage.local_or_store(os.fspath(path))
        if storage.is_http(location):
            raise SourceError(f"{location}: a set is a folder or an s3:// prefix, and not on a web server")
        return cls(location.rstrip("/") if storage.is_s3(location) else location)

    def __str__(self) -> str:
        return self.location if self.is_stored else str(Path(self.location))

    @property
    def is_stored(self) -> bool:
        """Whether it is in a store of objects."""
        return storage.is_s3(self.location)

    @property
    def path(self) -> Path:
        """The folder, where it is one."""
        return Path(self.location)

    def shown(self, name: str) -> str:
        """Return the name of a file with that of the set."""
        return f"{self.location}/{name}" if self.is_stored else str(self.path / name)

    def sizes(self, expected: Collection[str]) -> dict[str, int]:
        """Return the bytes of each object, by name.

        A listing may lag behind what was written and deleted. Where it differs from what is expected, the objects
        themselves are asked for.

        Raises:
            StoreError: the store cannot be read.
        """
        prefix = Prefix(self.location)
        found = dict(prefix.names())
        for name in islice(filter(_can_be_key, sorted(found.keys() ^ set(expected))), _ASKED):
            if (head := prefix.head(name)) is None:
                found.pop(name, None)
            else:
                found[name] = head.size
        return found

    def read(self, name: str, most: int = 1 << 30) -> bytes:
        """Return the content of a file.

        Raises:
            FileNotFoundError: there is none.
            OSError, ValueError: it cannot be read, is no regular file, or has more than `most` bytes.
            StoreError: the store cannot be read.
        """
        if self.is_stored:
            content = Prefix(self.location).read(name, most)
            if content is None:
                raise FileNotFoundError(2, "there is no such object", self.shown(name))
            return content
        with open(os.open(self.path / name, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("is no regular file")
            if status.st_size > most:
                raise ValueError(f"has {status.st_size:,} bytes; a manifest of more than {most:,} is not read")
            return opened.read(most)

    @contextlib.contextmanager
    def here(self, names: Iterable[str], scratch: str | os.PathLike[str] | None = None) -> Iterator[Path]:
        """Yield a folder of this machine that has these files, under their names. Those of a store are copied to a
        temporary folder, which goes away.

        Args:
            scratch: the folder to make it in; by default that for temporary files.

        Raises:
            OSError: the disk is full. (A file that is not there is not in the folder either.)
            StoreError: the store cannot be read.
        """
        if not self.is_stored:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="lowbackground-", dir=scratch) as folder:
            for name in filter(_is_below, names):
                path = Path(folder, name)
                with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    try:
                        Prefix(self.location).fetch(name, path)
                    except MissingObjectError:
                        path.unlink()
            yield Path(folder)

    @contextlib.contextmanager
    def heads(self, sizes: dict[str, int], most: int) -> Iterator[Path]:
        """Yield a folder with files of the sizes of these, which have their first bytes only, and zeros behind them.

        Args:
            most: bytes of each that are copied.
        """
        with tempfile.TemporaryDirectory(prefix="lowbackground-") as folder:
            for name, size in sizes.items():
                if not _is_below(name):
                    continue
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "wb") as file:
                    for part in Prefix(self.location).stream(name, 0, min(most, size)):
                        file.write(part)
                    file.truncate(size)
            yield Path(folder)


def _can_be_key(name: str) -> bool:
    return _is_below(name) and storage.is_text(name) and len(name.encode()) <= _LONGEST


def _is_below(name: str) -> bool:
    """Return whether a name of an object is that of a file below a folder: a key may be `../x`."""
    return not name.startswith("/") and "\0" not in name and ".." not in name.split("/")
