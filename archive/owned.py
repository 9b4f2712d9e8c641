"""A folder that a command writes into. The command changes and deletes only files that it wrote there itself.

The folder is empty at first, or holds a journal (`archive.journal`), which names each file that the command published,
with its size and time. A file that is not in the journal, or has changed since, is somebody else's: the command reports
it and does nothing. The names of unfinished files contain the journal's random token. So whatever somebody puts into
the folder stays as it is, also between a run that was killed and its repetition.

>>> owned = Owned("report", "collapse")     # doctest: +SKIP
>>> with owned.entered():                    # doctest: +SKIP
...     owned.write_file(Path("report/a.json"), b"{}")
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from archive.atomic import atomic_file, move
from archive.errors import ArchiveError
from archive.journal import JOURNAL, Journal, fingerprint

#: `s3://…`, also where `Path` has taken a slash away.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


class Owned:
    """A folder, and the files in it that the command wrote ("ours").

    Only one process at a time may be inside `entered`; its workers may call `atomic_file`, `publish` and the like too.
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
            command: the command that writes into the folder.
            inside: the names of files that the command itself writes below a working folder.
            error: raised where the folder is not ours.

        Raises:
            ArchiveError: `out` is the address of something else than a folder.
        """
        if _ADDRESS.match(str(out)):
            raise error(f"{out}: `archive {command}` writes into a folder of this machine; copy it when it is whole")
        self.out = Path(out)
        self._command, self._inside, self._error = command, inside, error
        self._journal = Journal(self.out, command)
        self._new_folders: list[Path] = []  #: those that this process made, in their order

    # -- entering ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Enter the folder alone. On leaving, folders that this process made and that are empty are removed.

        Raises:
            ArchiveError: it holds something that is not ours, or another process is at work in it.
            OSError: it cannot be written.
        """
        self.refuse()  # before anything is written
        self._make_out()
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
            while self._new_folders:
                with contextlib.suppress(OSError):
                    self._new_folders.pop().rmdir()  # only where it is empty

    def is_begun(self) -> bool:
        """Return whether the command has written something here, or begun to."""
        return self._journal.token() is not None

    def refuse(self) -> None:
        """Check that the folder is ours, empty, or not there.

        Raises:
            ArchiveError: it holds something that is not ours, or is no folder.
        """
        if not self.out.is_dir():
            if os.path.lexists(self.out):
                raise self._error(f"{self.out} is not a folder; name another one")
            return
        if (name := self.foreign()) is not None:
            raise self._other(name)

    def foreign(self) -> str | None:
        """Return the first file that is not ours, by its name below the folder; a link is never ours."""
        files, folders = self._journal.entries()
        for name, status in self._files():
            if name == JOURNAL and self.is_begun():
                continue
            if "/" not in name and self._journal.is_unnamed(self.out / name):
                continue
            if not stat.S_ISREG(status.st_mode):
                return name
            working = next((folder for folder in folders if name.startswith(f"{folder}/")), None)
            if working is not None and self._inside.fullmatch(name.removeprefix(f"{working}/")):
                continue
            if fingerprint(status) not in files.get(name, ()) and not self._is_draft(name):
                return name
        return None

    def _make_out(self) -> None:
        for folder in [*reversed(self.out.parents), self.out]:
            if not folder.is_dir():
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                    self._new_folders.append(folder)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._journal.locked())
            except BlockingIOError:
                raise self._error(f"{self.out}: another process is at work in it") from None
            yield

    def _sweep(self) -> None:
        """Delete what a killed run left unfinished."""
        for name, _ in list(self._files()):
            if self._is_draft(name) or ("/" not in name and self._journal.is_unnamed(self.out / name)):
                (self.out / name).unlink(missing_ok=True)
        for folder in [path for path in self.out.rglob(f".*.{self.token}.part") if path.is_dir()]:
            self._remove_empty(folder)

    # -- files -------------------------------------------------------------------------------------

    @cached_property
    def token(self) -> str:
        """The journal's token, which the names of unfinished files contain."""
        token = self._journal.token()
        if token is None:
            raise self._other(JOURNAL)
        return token

    def draft(self, path: Path) -> Path:
        """Return where to write a file, or a folder, that becomes `path` when it is finished."""
        return path.with_name(f".{path.name}.{self.token}.part")

    def publish(self, draft: Path, path: Path) -> None:
        """Rename a finished file of ours to its name, which nothing has, or an older file of ours.

        Raises:
            ArchiveError: something else has the name.
        """
        name = self._name(path)
        self.make_folder(path.parent)
        self._journal.add_file(name, draft.lstat())
        if os.path.lexists(path):
            if os.path.samefile(draft, path):  # killed between the two steps of `move`
                draft.unlink()
                return
            if not self.is_ours(path):
                raise self._other(name)
            os.replace(draft, path)
            return
        try:
            move(draft, path)
        except FileExistsError:
            raise self._other(name) from None

    @contextlib.contextmanager
    def atomic_file(self, path: Path) -> Iterator[Path]:
        """Yield a path to write a file to, which then becomes `path`; after an error, what was there stays."""
        self.make_folder(path.parent)
        with atomic_file(path, self.draft(path), self.publish) as part:
            yield part

    def write_file(self, path: Path, data: bytes) -> None:
        """Write a file, or leave what was there."""
        with self.atomic_file(path) as part:
            part.write_bytes(data)

    def remove(self, path: Path) -> None:
        """Delete a file of ours; one of somebody else's stays."""
        if os.path.lexists(path) and self.is_ours(path):
            path.unlink()

    def is_ours(self, path: Path) -> bool:
        """Return whether we wrote a file, and it is unchanged."""
        status = path.lstat()
        files, _ = self._journal.entries()
        return stat.S_ISREG(status.st_mode) and fingerprint(status) in files.get(self._name(path), ())

    # -- folders -----------------------------------------------------------------------------------

    def make_folder(self, folder: Path) -> None:
        """Make a folder inside ours, through no link.

        Raises:
            ArchiveError: something else has its name.
        """
        path = self.out
        for part in folder.relative_to(self.out).parts:
            path /= part
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                self._new_folders.append(path)
            if path.is_symlink() or not path.is_dir():
                raise self._other(self._name(path))

    def work_in(self, folder: Path) -> None:
        """Make a working folder: from now on the files in it that match `inside` are ours.

        Raises:
            ArchiveError: it is there already, and not ours.
        """
        name = self._name(folder)
        if name not in self._journal.entries()[1]:
            if os.path.lexists(folder):
                raise self._other(name)
            self._journal.add_folder(name)  # first: after a kill in between, the folder that is made counts as ours
        self.make_folder(folder)

    @contextlib.contextmanager
    def atomic_folder(self, path: Path) -> Iterator[Path]:
        """Yield an empty folder to fill, which then becomes `path`; nothing may have that name."""
        self.make_folder(path.parent)
        part = self.draft(path)
        self.clear(part)
        part.mkdir()
        yield part
        for file in sorted(each for each in part.rglob("*") if not each.is_dir()):
            self._journal.add_file(self._name(path / file.relative_to(part)), file.lstat())
        try:
            os.rename(part, path)
        except OSError:
            raise self._other(self._name(path)) from None

    def clear(self, folder: Path) -> None:
        """Delete a folder of ours, if it is there.

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
        """Delete the journal: from now on everything here is the user's."""
        self._journal.remove()

    @staticmethod
    def _remove_empty(folder: Path) -> None:
        for root, _, _ in os.walk(folder, topdown=False):
            os.rmdir(root)

    # -- looking -----------------------------------------------------------------------------------

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield everything but folders, in the order of the names. Links are not followed."""
        for root, folders, files in os.walk(self.out, onerror=_raise):
            folders.sort()
            links = [name for name in folders if os.path.islink(os.path.join(root, name))]
            for name in sorted([*files, *links]):
                path = Path(root, name)
                with contextlib.suppress(FileNotFoundError):  # a worker has finished or removed it
                    yield self._name(path), path.lstat()

    def _names(self) -> set[str]:
        return {name for name, _ in self._files()} - {JOURNAL}

    def _is_draft(self, name: str) -> bool:
        """Return whether a name is that of an unfinished file, or of a file of ours in an unfinished folder."""
        if not self.is_begun():
            return False
        parts = name.split("/")
        for number, part in enumerate(parts):
            if part.startswith(".") and part.endswith(f".{self.token}.part"):
                rest = "/".join(parts[number + 1 :])
                return not rest or self._inside.fullmatch(rest) is not None
        return False

    def _name(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()

    def _other(self, name: str) -> ArchiveError:
        return self._error(
            f"{self.out} holds {name}, which `archive {self._command}` did not make; move that away, or name another "
            "folder"
        )


def _raise(error: OSError) -> None:
    raise error
