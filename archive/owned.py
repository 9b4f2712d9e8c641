"""A folder that a command writes into: it changes and deletes only what it made there itself.

The folder is empty at first, or holds a journal, `.made-by-archive`. That names each file that the command gave its
place, with its size and time; a file that is not in it, or is another one by now, is somebody else's, and the command
says so and does nothing. Unfinished files have the journal's token, which is random, in their names. So whatever
somebody puts into the folder, also between a run that was killed and its repetition, stays as it is.

>>> owned = Owned("report", "collapse")     # doctest: +SKIP
>>> with owned.entered():                    # doctest: +SKIP
...     owned.replace(Path("report/a.json"), b"{}")
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from archive.errors import ArchiveError

JOURNAL = ".made-by-archive"
#: A journal that did not get its name: the start was killed.
_BEGUN = re.compile(re.escape(JOURNAL) + r"\.([0-9a-f]{16})")
#: `s3://…`, also where `Path` has taken a slash away.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
#: File systems that know no hard links say one of these.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

#: Size in bytes, and nanoseconds of the last change.
Print = tuple[int, int]


class Owned:
    """A folder, and what in it is ours.

    Only one process at a time may be inside `entered`; its workers may call `whole`, `replace` and the like too.
    """

    def __init__(
        self,
        out: str | Path,
        command: str,
        inside: re.Pattern[str] = re.compile(r"(?!)"),
        error: type[ArchiveError] = ArchiveError,
    ) -> None:
        """
        Args:
            command: whose folder it is.
            inside: names of files, below a working folder, that the command itself gives there.
            error: what is raised where the folder is not ours.

        Raises:
            ArchiveError: `out` is the address of something else than a folder.
        """
        if _ADDRESS.match(str(out)):
            raise error(f"{out}: `archive {command}` writes into a folder of this machine; copy it when it is whole")
        self.out = Path(out)
        self._command, self._inside, self._error = command, inside, error
        self._made: list[Path] = []  #: folders, in their order
        self._journal, self._read = -1, 0  #: the journal that was read, and so many bytes of it
        self._prints: dict[str, set[Print]] = {}
        self._folders: set[str] = set()

    # -- entering ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Enter the folder alone. One in which nothing was made goes again, if it was not there before.

        Raises:
            ArchiveError: it holds something that is not ours, or another process is at work in it.
            OSError: it cannot be written.
        """
        self.refuse()  # before anything is made
        self._make_folders()
        try:
            with self._locked():
                self.refuse()
                self._sweep()
                try:
                    yield
                finally:
                    if self.is_begun():
                        self._sweep()
                    if not self._names():
                        self.close()
        finally:
            while self._made:
                with contextlib.suppress(OSError):
                    self._made.pop().rmdir()  # only where it is empty

    def is_begun(self) -> bool:
        """Whether the command made something here, or began to."""
        return self._header() is not None

    def refuse(self) -> None:
        """
        Raises:
            ArchiveError: the folder holds something that is not ours, or is none.
        """
        if not self.out.is_dir():
            if os.path.lexists(self.out):
                raise self._error(f"{self.out} is not a folder; name another one")
            return
        if (name := self.foreign()) is not None:
            raise self._other(name)

    def foreign(self) -> str | None:
        """The first file that is not ours, by its name below the folder; a link is never ours."""
        prints, folders = self._journalled()
        for name, found in self._files():
            top = next((folder for folder in folders if name.startswith(f"{folder}/")), None)
            if name == JOURNAL and self.is_begun():
                continue
            if _BEGUN.fullmatch(name) and self._is_header_begun(name):
                continue
            if not stat.S_ISREG(found.st_mode):
                return name
            if top is not None and self._inside.fullmatch(name.removeprefix(f"{top}/")):
                continue
            if _print(found) not in prints.get(name, ()) and not self._is_draft(name):
                return name
        return None

    def _make_folders(self) -> None:
        for folder in [*reversed(self.out.parents), self.out]:
            if not folder.is_dir():
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                    self._made.append(folder)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        while True:
            self._begin()
            try:
                number = os.open(self.out / JOURNAL, os.O_RDWR | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue  # another process was done with it in the same moment
            with open(number, "rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise self._error(f"{self.out}: another process is at work in it") from None
                try:
                    if not os.path.samestat(os.fstat(number), os.lstat(self.out / JOURNAL)):
                        continue
                except FileNotFoundError:
                    continue
                yield
                return

    def _begin(self) -> None:
        """Lay a journal there, whole, if there is none."""
        path = self.out / JOURNAL
        if os.path.lexists(path):
            return
        token = secrets.token_hex(8)
        begun = path.with_name(f"{JOURNAL}.{token}")
        begun.write_bytes(self._first_line(token))
        with contextlib.suppress(FileExistsError):
            move(begun, path)
        begun.unlink(missing_ok=True)

    def _first_line(self, token: str) -> bytes:
        return (json.dumps({"archive": self._command, "token": token}) + "\n").encode()

    def _is_header_begun(self, name: str) -> bool:
        """Whether a file is what a killed `_begin` left."""
        begun = _BEGUN.fullmatch(name)
        path = self.out / name
        if begun is None or not stat.S_ISREG(path.lstat().st_mode):
            return False
        return self._first_line(begun[1]).startswith(path.read_bytes()[:1000])

    def _sweep(self) -> None:
        """Remove what a killed run left unfinished."""
        for name, _ in list(self._files()):
            if self._is_draft(name) or _BEGUN.fullmatch(name):
                (self.out / name).unlink()
        for folder in [path for path in self.out.rglob(f".*.{self.token}.part") if path.is_dir()]:
            self._remove_empty(folder)

    # -- the journal -------------------------------------------------------------------------------

    @cached_property
    def token(self) -> str:
        """In the names of unfinished files."""
        header = self._header()
        if header is None:
            raise self._other(JOURNAL)
        return str(header["token"])

    def _header(self) -> dict[str, Any] | None:
        try:
            if not stat.S_ISREG((self.out / JOURNAL).lstat().st_mode):
                return None
            with open(self.out / JOURNAL, "rb") as file:
                said = json.loads(file.readline())
        except (OSError, ValueError):
            return None
        whole = isinstance(said, dict) and said.keys() == {"archive", "token"}
        return said if whole and said["archive"] == self._command else None

    def _journalled(self) -> tuple[dict[str, set[Print]], set[str]]:
        """What each of our files is, by name, and the working folders. What was read before is not read again."""
        if not self.is_begun():
            return {}, set()
        with open(self.out / JOURNAL, "rb") as file:
            if (inode := os.fstat(file.fileno()).st_ino) != self._journal:
                self._journal, self._read, self._prints, self._folders = inode, 0, {}, set()
            file.seek(self._read)
            lines = file.read().split(b"\n")
        for line in lines if self._read else lines[1:]:
            with contextlib.suppress(ValueError):  # the last of a run that was killed
                said = json.loads(line)
                if "folder" in said:
                    self._folders.add(said["folder"])
                else:
                    self._prints.setdefault(said["name"], set()).add((said["bytes"], said["time"]))
        self._read += sum(len(line) + 1 for line in lines[:-1])  # the last one may not be whole yet
        return self._prints, self._folders

    def _note(self, **said: Any) -> None:
        number = os.open(self.out / JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        try:  # in one go, behind a line that may have been cut off
            os.write(number, ("\n" + json.dumps(said)).encode())
            os.fsync(number)
        finally:
            os.close(number)

    # -- files -------------------------------------------------------------------------------------

    def draft(self, path: Path) -> Path:
        """Where a file, or a folder, is made that will be `path`."""
        return path.with_name(f".{path.name}.{self.token}.part")

    def publish(self, made: Path, path: Path) -> None:
        """Give a whole file of ours its place, in which nothing is, or an older one of ours.

        Raises:
            ArchiveError: there is something else.
        """
        name = self._name(path)
        self.make_folder(path.parent)
        found = made.lstat()
        self._note(name=name, bytes=found.st_size, time=found.st_mtime_ns)
        if os.path.lexists(path):
            if os.path.samefile(made, path):  # killed between the two steps of `move`
                made.unlink()
                return
            if not self.is_ours(path):
                raise self._other(name)
            os.replace(made, path)
            return
        try:
            move(made, path)
        except FileExistsError:
            raise self._other(name) from None

    @contextlib.contextmanager
    def whole(self, path: Path) -> Iterator[Path]:
        """A place for a file that, once written, becomes `path`, whole and on the disk; or what was there stays."""
        self.make_folder(path.parent)
        part = self.draft(path)
        try:
            yield part
            with open(part, "rb") as file:
                os.fsync(file.fileno())
            self.publish(part, path)
        finally:
            part.unlink(missing_ok=True)

    def replace(self, path: Path, data: bytes) -> None:
        """Put a file in its place, whole, or leave what was there."""
        with self.whole(path) as part:
            part.write_bytes(data)

    def remove(self, path: Path) -> None:
        """Take a file of ours away; one of somebody else's stays."""
        if os.path.lexists(path) and self.is_ours(path):
            path.unlink()

    def is_ours(self, path: Path) -> bool:
        """Whether a file is one that we made, unchanged."""
        found = path.lstat()
        prints, _ = self._journalled()
        return stat.S_ISREG(found.st_mode) and _print(found) in prints.get(self._name(path), ())

    # -- folders -----------------------------------------------------------------------------------

    def make_folder(self, folder: Path) -> None:
        """Make a folder inside ours, through no link.

        Raises:
            ArchiveError: something else has its name.
        """
        place = self.out
        for part in folder.relative_to(self.out).parts:
            place /= part
            with contextlib.suppress(FileExistsError):
                place.mkdir()
                self._made.append(place)
            if place.is_symlink() or not place.is_dir():
                raise self._other(self._name(place))

    def work_in(self, folder: Path) -> None:
        """Make a folder to work in: from now on the files of the pattern `inside` in it are ours.

        Raises:
            ArchiveError: it is there already, and not ours.
        """
        name = self._name(folder)
        if name in self._journalled()[1]:
            self.make_folder(folder)
            return
        self.make_folder(folder)
        if any(folder.iterdir()):
            raise self._other(f"{name}/{next(folder.iterdir()).name}")
        self._note(folder=name)

    @contextlib.contextmanager
    def whole_folder(self, path: Path) -> Iterator[Path]:
        """An empty folder that, once filled, becomes `path`, which is not there yet."""
        self.make_folder(path.parent)
        part = self.draft(path)
        self.clear(part)
        part.mkdir()
        yield part
        for file in sorted(each for each in part.rglob("*") if not each.is_dir()):
            found = file.lstat()
            name = self._name(path / file.relative_to(part))
            self._note(name=name, bytes=found.st_size, time=found.st_mtime_ns)
        try:
            os.rename(part, path)
        except OSError:
            raise self._other(self._name(path)) from None

    def clear(self, folder: Path) -> None:
        """Take a folder of ours away, if it is there.

        Raises:
            ArchiveError: it holds something that is not ours, which stays.
        """
        if not os.path.lexists(folder):
            return
        self.refuse()
        for root, _, files in os.walk(folder):
            for name in files:
                Path(root, name).unlink()
        self._remove_empty(folder)

    def close(self) -> None:
        """Take the journal away: what is there now is the user's."""
        (self.out / JOURNAL).unlink(missing_ok=True)

    @staticmethod
    def _remove_empty(folder: Path) -> None:
        for root, _, _ in os.walk(folder, topdown=False):
            os.rmdir(root)

    # -- looking -----------------------------------------------------------------------------------

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Everything but folders, in the order of the names; links are not followed."""
        for root, folders, files in os.walk(self.out, onerror=_raise):
            folders.sort()
            links = [name for name in folders if os.path.islink(os.path.join(root, name))]
            for name in sorted([*files, *links]):
                path = Path(root, name)
                with contextlib.suppress(FileNotFoundError):  # a worker was done with it
                    yield self._name(path), path.lstat()

    def _names(self) -> set[str]:
        """Our files that are there."""
        return {name for name, _ in self._files()} - {JOURNAL}

    def _is_draft(self, name: str) -> bool:
        """Whether a name is that of an unfinished file, or of a file of the pattern in an unfinished folder."""
        if not self.is_begun():
            return False
        parts = name.split("/")
        for place, part in enumerate(parts):
            if part.startswith(".") and part.endswith(f".{self.token}.part"):
                rest = "/".join(parts[place + 1 :])
                return not rest or self._inside.fullmatch(rest) is not None
        return False

    def _name(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()

    def _other(self, name: str) -> ArchiveError:
        return self._error(
            f"{self.out} holds {name}, which `archive {self._command}` did not make; move that away, or name another "
            "folder"
        )


def _print(found: os.stat_result) -> Print:
    return found.st_size, found.st_mtime_ns


def move(made: Path, path: Path) -> None:
    """Rename a file to a name that nothing has.

    Raises:
        FileExistsError: something has it.
    """
    try:
        os.link(made, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists", str(path)) from None
        os.rename(made, path)
        return
    made.unlink()


def _raise(error: OSError) -> None:
    raise error
