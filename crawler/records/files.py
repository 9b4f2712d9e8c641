"""The WARC files of a crawl: appended to, synced, cut back after a kill, closed with their hash and their index.

While a file is written its name ends with `.open`. `manifest.jsonl` has a line for each closed file, with its SHA-256;
next to each is its index (`.cdxj`), and `index.cdxj` is that of all.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import json
import logging
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from crawler.frontier.frontier import Frontier
from crawler.frontier.rows import File
from crawler.records.warc import Written

_log = logging.getLogger(__name__)

MANIFEST, INDEX = "manifest.jsonl", "index.cdxj"
#: The index of mementos by the addresses and times of their pages, so that replay tools show them there.
BY_ORIGINAL = "original.cdxj"
_INDEXED, _BY_ORIGINAL = ".cdxj", ".original.cdxj"
OPEN = ".open"
#: Of a time stamp, behind the name of its file.
TOKEN = ".tsr"
_ENDING = ".warc.gz"
_BUFFER = 1 << 20
#: Files that are open at once while indexes are merged.
_MERGED = 100
#: A file that a crawl writes. Other crawlers end the names of theirs with `.open` too.
_OURS = re.compile(rf".+-\d{{17}}-\d{{5,}}{re.escape(_ENDING + OPEN)}")


def is_ours(name: str) -> bool:
    """Return whether a file of this name is one that a crawl was writing."""
    return _OURS.fullmatch(name) is not None


class Delivery(Protocol):
    """Takes closed files to somewhere else."""

    def add(self, file: File) -> None:
        """Take a closed file."""

    def read(self, file: File, offset: int, size: int) -> bytes:
        """Return bytes of a file that was taken, from where it is now.

        Raises:
            OSError: it cannot be read.
        """


class Files:
    """Writes the files of a folder. Only what was committed to the frontier is in them after a kill.

    Args:
        size: bytes from which on a file is closed.
        info: makes the warcinfo record of a file of this name.
        delivery: takes each file that is closed, and reads those that are no longer in the folder.
        elsewhere: names of closed files that need not be in the folder.

    Attributes:
        problems: which closed files are missing, or are not as long as they were.
    """

    def __init__(
        self,
        folder: Path,
        frontier: Frontier,
        name: str,
        size: int,
        info: Callable[[str], Written],
        delivery: Delivery | None = None,
        elsewhere: Collection[str] = (),
    ) -> None:
        self.problems: list[str] = []
        self.folder, self._frontier, self._name, self._size, self._info = folder, frontier, name, size, info
        self._delivery = delivery
        self._file: File | None = None
        self._descriptor = -1
        self._hash = hashlib.sha256()
        self._synced = True
        self._recover(elsewhere)

    def _recover(self, elsewhere: Collection[str]) -> None:
        """Make the folder as it was at the last commit."""
        files = {each.name: each for each in self._frontier.files()}
        for path in self.folder.glob(f"*{_ENDING}{OPEN}"):
            known = files.get(path.name.removesuffix(OPEN))
            if known is None:
                if is_ours(path.name):  # begun, and nothing of it committed
                    path.unlink()
            elif known.closed:
                path.rename(self.folder / known.name)
                self._frontier.forget_lines(known.id)
            elif path.stat().st_size > known.length:  # a shorter one would be filled with zeros
                os.truncate(path, known.length)
        for known in files.values():
            if not known.closed:
                self._reopen(known)
                break
        self._write_manifest()
        for known in files.values():
            if known.closed and (known.name in elsewhere or self._is_there(known)) and self._delivery is not None:
                self._delivery.add(known)

    def _is_there(self, file: File) -> bool:
        """Return whether a closed file is as long as it was. What only it holds is not known any more if it is not."""
        path = self.folder / file.name
        size = path.stat().st_size if path.exists() else None
        if size == file.length:
            return True
        state = "is missing" if size is None else f"has {size:,} bytes, not the {file.length:,} that were written"
        self.problems.append(f"{path} {state}; put it back, or fetch its pages with --again")
        _log.warning("%s", self.problems[-1])
        self._frontier.forget_payloads(file.id)
        return False

    def _reopen(self, file: File) -> None:
        path = self.folder / (file.name + OPEN)
        closed = self.folder / file.name
        if not path.exists() and closed.exists():  # the power failed before the disk had that it was closed
            path.with_name(file.name + TOKEN).unlink(missing_ok=True)  # of what it was then
            closed.rename(path)
            if path.stat().st_size > file.length:
                os.truncate(path, file.length)
        if path.stat().st_size < file.length:
            raise OSError(0, f"is shorter than the {file.length} bytes that were written to it", str(path))
        self._file, self._hash = file, hashlib.sha256()
        with path.open("rb") as stream:
            while part := stream.read(_BUFFER):
                self._hash.update(part)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)

    def current(self) -> File:
        """Return the file that the next record goes to; begin one where there is none."""
        if self._file is None:
            self._begin()
        assert self._file is not None
        return self._file

    def append(self, record: Written) -> tuple[File, int, int]:
        """Append a record; return the file, where in it the record begins, and how many bytes it has there."""
        file = self.current()
        offset = file.length
        self._write(record)
        return file, offset, file.length - offset

    def _begin(self) -> None:
        files = self._frontier.files()
        number = files[-1].id + 1 if files else 1
        now = datetime.now(UTC)
        name = f"{self._name}-{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03}-{number:05}{_ENDING}"
        self._descriptor = os.open(
            self.folder / (name + OPEN), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644
        )
        _sync_folder(self.folder)
        info = self._info(name)
        self._file, self._hash = File(number, name, info.id, self._frontier.crawl.id, 0, 0), hashlib.sha256()
        self._write(info)

    def _write(self, record: Written) -> None:
        file = self._file
        assert file is not None
        self._synced = False
        for data in record.pieces():
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            self._hash.update(data)
            file.length += len(data)
        file.records += 1

    def sync(self) -> list[File]:
        """Bring what was written to the disk; return the files of which the frontier must know the length."""
        if self._file is None or self._synced:
            return []
        os.fsync(self._descriptor)
        self._synced = True
        return [self._file]

    @property
    def is_full(self) -> bool:
        """Whether the file should be closed. Between two commits it may be."""
        return self._file is not None and self._file.length >= self._size

    def end_file(self) -> None:
        """Close the file that is written, if there is one; everything in it must be committed."""
        file = self._file
        if file is None:
            return
        assert self._synced
        os.close(self._descriptor)
        self._file, self._descriptor = None, -1
        file.closed, file.sha256 = True, self._hash.hexdigest()
        self._write_index(file)
        self._frontier.commit([file], 0.0)
        (self.folder / (file.name + OPEN)).rename(self.folder / file.name)
        _sync_folder(self.folder)
        self._frontier.forget_lines(file.id)
        self._write_manifest()
        _log.info("closed %s: %d records, %d bytes, SHA-256 %s", file.name, file.records, file.length, file.sha256)
        if self._delivery is not None:
            self._delivery.add(file)

    def abandon(self) -> None:
        """Let go of the file without closing it, as after an error."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _write_index(self, file: File) -> None:
        for number, ending, needed in ((file.id, _INDEXED, True), (-file.id, _BY_ORIGINAL, False)):
            lines = "".join(f"{line}\n" for line in self._frontier.lines(number))
            if lines or needed:
                _replace(self.folder / (file.name.removesuffix(_ENDING) + ending), [lines])

    def _write_manifest(self) -> None:
        closed = [each for each in self._frontier.files() if each.closed]
        if closed:
            lines = (
                json.dumps(
                    {"name": f.name, "bytes": f.length, "records": f.records, "sha256": f.sha256, "crawl": f.crawl}
                )
                for f in closed
            )
            _replace(self.folder / MANIFEST, (f"{line}\n" for line in lines))

    def write_joint_index(self) -> None:
        """Write the index of all closed files; where there are mementos, also the one by original address and time."""
        for ending, name, needed in ((_INDEXED, INDEX, True), (_BY_ORIGINAL, BY_ORIGINAL, False)):
            closed = [each.name.removesuffix(_ENDING) for each in self._frontier.files() if each.closed]
            paths = [self.folder / (each + ending) for each in closed]
            there = [path for path in paths if path.exists()]
            if needed and (missing := set(paths) - set(there)):
                self.problems += [f"{path} is missing: {name} is without it" for path in sorted(missing)]
            if there or needed:
                with tempfile.TemporaryDirectory(dir=self.folder, prefix="index-") as folder:
                    _replace(self.folder / name, _merged(there, Path(folder)))

    def block(self, file: int, offset: int, size: int) -> bytes:
        """Return the block of a record: of one that was written here, by its file, offset and size."""
        known = next((each for each in self._frontier.files() if each.id == file), None)
        if known is None:
            raise FileNotFoundError(2, "No such file in this crawl", str(file))
        for name in (known.name, known.name + OPEN):
            with contextlib.suppress(FileNotFoundError), (self.folder / name).open("rb") as stream:
                stream.seek(offset)
                return _block(stream.read(size))
        if self._delivery is None or not known.closed:
            raise FileNotFoundError(2, "No such file or directory", str(self.folder / known.name))
        return _block(self._delivery.read(known, offset, size))


def next_to(path: Path) -> list[Path]:
    """Return the indexes of a closed file."""
    base = path.name.removesuffix(_ENDING)
    return [each for ending in (_INDEXED, _BY_ORIGINAL) if (each := path.with_name(base + ending)).exists()]


def _block(member: bytes) -> bytes:
    """Return the block of a record, from its gzip member."""
    return zlib.decompress(member, 31).partition(b"\r\n\r\n")[2].removesuffix(b"\r\n\r\n")


def _merged(paths: list[Path], folder: Path) -> Iterator[str]:
    """Yield the lines of sorted files in order. More files than may be open at once are merged in rounds.

    Args:
        folder: for what the rounds write.
    """
    number = 0
    while len(paths) > _MERGED:
        first, paths = paths[:_MERGED], paths[_MERGED:]
        number += 1
        with (folder / str(number)).open("w", encoding="utf-8") as stream:
            stream.writelines(_merged(first, folder))
        paths.append(folder / str(number))
        for path in first:
            if path.parent == folder:
                path.unlink()
    with contextlib.ExitStack() as stack:
        yield from heapq.merge(*[stack.enter_context(path.open(encoding="utf-8")) for path in paths])


def _replace(path: Path, lines: Iterable[str]) -> None:
    """Write a file so that it is there as a whole, or as it was."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as stream:
        stream.writelines(lines)
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
