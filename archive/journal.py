"""The journal of a folder that a command writes into: which files the command wrote there.

Its first line names the command, with a random token that is in the names of unfinished files. Each further line names
a file, with its size and time, or a working folder. A line that a killed run left incomplete does not count.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archive.atomic import locked, move, write_nameless

JOURNAL = ".made-by-archive"
#: A journal that did not get its name, since its run was killed at the start.
_UNNAMED = re.compile(re.escape(JOURNAL) + r"\.([0-9a-f]{16})")

#: What every journal begins with; a file with less is somebody else's.
_BEGINS = b'{"archive": "'

#: Size in bytes, and nanoseconds of the last change.
Fingerprint = tuple[int, int]


def fingerprint(status: os.stat_result) -> Fingerprint:
    """Return what tells a file from another one of its name."""
    return status.st_size, status.st_mtime_ns


class Journal:
    """The journal of one command in one folder. Several processes may add to it."""

    def __init__(self, folder: Path, command: str) -> None:
        self.path = folder / JOURNAL
        self._command = command
        self._inode, self._read = -1, 0  #: of the journal that was read, and how many bytes of it
        self._files: dict[str, set[Fingerprint]] = {}
        self._folders: set[str] = set()

    def token(self) -> str | None:
        """Return the token; None where there is no journal of this command."""
        try:
            if not stat.S_ISREG(self.path.lstat().st_mode):
                return None
            with open(self.path, "rb") as file:
                header = json.loads(file.readline())
        except (OSError, ValueError):
            return None
        is_header = isinstance(header, dict) and header.keys() == {"archive", "token"}
        return str(header["token"]) if is_header and header["archive"] == self._command else None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the journal alone; begin one if there is none.

        Raises:
            BlockingIOError: another process holds it.
        """
        while True:
            self._begin()
            with contextlib.ExitStack() as stack:
                try:
                    stack.enter_context(locked(self.path))
                except FileNotFoundError:  # another process finished and removed it in the same moment
                    continue
                yield
                return

    def _begin(self) -> None:
        """Write a journal, whole, if there is none."""
        if os.path.lexists(self.path):
            return
        token = secrets.token_hex(8)
        with contextlib.suppress(FileExistsError):  # another process was first
            if write_nameless(self.path, self._header(token)):
                return
        unnamed = self.path.with_name(f"{JOURNAL}.{token}")
        unnamed.write_bytes(self._header(token))
        # another process was first; or it has the lock already, and took this file for one of a killed run
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            move(unnamed, self.path)
        unnamed.unlink(missing_ok=True)

    def _header(self, token: str) -> bytes:
        return (json.dumps({"archive": self._command, "token": token}) + "\n").encode()

    def is_unnamed(self, path: Path) -> bool:
        """Return whether a file is a journal, or the beginning of one, that did not get its name."""
        match = _UNNAMED.fullmatch(path.name)
        if match is None:
            return False
        try:
            content = path.read_bytes()[:1000] if stat.S_ISREG(path.lstat().st_mode) else b""
        except FileNotFoundError:  # it got its name just now
            return False
        return len(content) > len(_BEGINS) and self._header(match[1]).startswith(content)

    def entries(self) -> tuple[dict[str, set[Fingerprint]], set[str]]:
        """Return the fingerprints of each file, by name, and the working folders. It reads only what is new."""
        if self.token() is None:
            return {}, set()
        with open(self.path, "rb") as file:
            if (inode := os.fstat(file.fileno()).st_ino) != self._inode:
                self._inode, self._read, self._files, self._folders = inode, 0, {}, set()
            file.seek(self._read)
            lines = file.read().split(b"\n")
        for line in lines if self._read else lines[1:]:
            # the last line of a run that was killed, or a line that no command wrote
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                if "folder" in entry:
                    self._folders.add(entry["folder"])
                else:
                    self._files.setdefault(entry["name"], set()).add((entry["bytes"], entry["time"]))
        self._read += sum(len(line) + 1 for line in lines[:-1])  # the last one may not be complete yet
        return self._files, self._folders

    def add_file(self, name: str, status: os.stat_result) -> None:
        """Note a file that the command wrote."""
        size, time = fingerprint(status)
        self._add(name=name, bytes=size, time=time)

    def add_folder(self, name: str) -> None:
        """Note a working folder."""
        self._add(folder=name)

    def _add(self, **entry: Any) -> None:
        number = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        try:  # in one write, behind a line that may have been cut off
            os.write(number, ("\n" + json.dumps(entry)).encode())
            os.fsync(number)
        finally:
            os.close(number)

    def remove(self) -> None:
        """Delete the journal."""
        self.path.unlink(missing_ok=True)
