"""A prefix of a bucket that a command writes to: `archive.owned` for objects.

A store has no locks and no renaming. So the command first puts a claim there, which no two can make: an object that
states what is being made, with a random token. Each object that the command writes carries the token in its metadata,
and its SHA-256. What does not is somebody else's, and stays. Two commands that make the same thing at once share a
claim, and write the same bytes; one that would make something else is refused.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from archive.errors import ArchiveError
from archive.journal import JOURNAL
from archive.objects import Head, Prefix, StoreError

#: Requests that are on their way at once.
_AT_ONCE = 8
#: Names in the metadata of an object.
_TOKEN, _SHA256 = "archive-token", "archive-sha256"
#: Bytes of a claim that is read.
_LARGEST = 1 << 24


class OwnedPrefix:
    """The objects below a prefix that a command wrote ("ours")."""

    def __init__(self, location: str, command: str, error: type[ArchiveError] = ArchiveError) -> None:
        """
        Args:
            command: the command that writes there.
            error: raised where the prefix is not ours.
        """
        self.prefix = Prefix(location)
        self._command, self._error = command, error
        self._token = ""
        self._adopted: set[str] = set()

    def adopt(self, names: Iterable[str]) -> None:
        """Take objects for ours that have no token: an older version of the command wrote them."""
        self._adopted.update(names)

    def claim(self) -> dict[str, Any] | None:
        """Return what an unfinished run of the command claimed this prefix for; None where there is no claim.

        Raises:
            ArchiveError: another command claimed it, or the store cannot be read.
        """
        content = self.prefix.read(JOURNAL, _LARGEST)
        if content is None:
            return None
        try:
            stated = json.loads(content)
            if stated["archive"] != self._command or not stated["token"]:
                raise ValueError
            self._token = str(stated["token"])
            return dict(stated["for"])
        except (ValueError, KeyError, TypeError):
            raise self._other(JOURNAL) from None

    def is_claimed(self) -> bool:
        """Return whether the command has begun something here and not finished it."""
        try:
            return self.claim() is not None
        except StoreError:
            raise
        except self._error:
            return False

    def make_claim(self, what: Mapping[str, Any]) -> dict[str, Any]:
        """Claim the prefix, unless it is claimed already. Returns what it is claimed for.

        Raises:
            ArchiveError: another command claimed it, it holds something else, or the store cannot be written.
        """
        token = secrets.token_hex(16)
        self.prefix.put(JOURNAL, json.dumps({"archive": self._command, "token": token, "for": what}).encode())
        stated = self.claim()  # of two that came at once, the one that is there now
        if stated is None:
            raise self._error(f"{self.prefix.location}: another run finished here at this moment; look at it first")
        if self._token == token:
            try:
                self.refuse()  # whoever had the claim before may have finished since this run looked
            except self._error:
                self.close()
                raise
        return stated

    def refuse(self) -> None:
        """Check that each object is ours.

        Raises:
            ArchiveError: one is somebody else's.
        """
        names = [name for name, _ in self.prefix.names() if name != JOURNAL]
        for name, is_foreign in zip(names, self._each(self._is_foreign, names), strict=True):
            if is_foreign:
                raise self._other(name)

    def _is_foreign(self, name: str) -> bool:
        head = self.prefix.head(name)  # a listing that lags has what is deleted by now
        return head is not None and not self._has_token(name, head)

    def is_ours(self, name: str) -> bool:
        """Return whether an object is there, and we wrote it."""
        if not self._token and name not in self._adopted:
            return False
        head = self.prefix.head(name)
        return head is not None and self._has_token(name, head)

    def _has_token(self, name: str, head: Head) -> bool:
        token = head.metadata.get(_TOKEN)
        return token == self._token if token else name in self._adopted

    def put(self, name: str, content: bytes | Path, replace: bool = False) -> None:
        """Write an object of ours; where it is there with the same bytes, nothing is sent.

        Args:
            replace: an object of ours that has other bytes.

        Raises:
            ArchiveError: something else has the name, or the store cannot be written.
            OSError: the file cannot be read.
        """
        digest = _sha256(content)
        about = {_TOKEN: self._token, _SHA256: digest}
        # asked first: where it is there already, the bytes are not sent; and not every store knows `If-None-Match`
        there = self._is_there(name, digest, replace)
        if there is None:
            there = self.prefix.put(name, content, about) or self._is_there(name, digest, replace)
        if there is False:
            self.prefix.put(name, content, about, replace=True)

    def _is_there(self, name: str, digest: str, replace: bool) -> bool | None:
        """Return whether these bytes are there; False where other bytes of ours are, None where nothing is.

        Raises:
            ArchiveError: something else is there.
        """
        head = self.prefix.head(name)
        if head is None:
            return None
        if self._has_token(name, head) and (replace or head.metadata.get(_SHA256) == digest):
            return head.metadata.get(_SHA256) == digest
        raise self._other(name)

    def put_all(self, files: Mapping[str, Path], sent: Callable[[int], None]) -> None:
        """Write several objects, some at once.

        Args:
            sent: called with the bytes of each that is there.

        Raises:
            ArchiveError: as `put` does; what was not begun is left.
        """

        def one(name: str) -> int:
            self.put(name, files[name])
            return files[name].stat().st_size

        for size in self._each(one, list(files)):
            sent(size)

    def remove(self, name: str) -> None:
        """Delete an object of ours; one of somebody else's stays."""
        if self.is_ours(name):
            self.prefix.delete(name)

    def close(self) -> None:
        """Delete the claim: from now on everything here is the user's. The claim of another run stays."""
        token = self._token
        if self.is_claimed() and self._token == token:
            self.prefix.delete(JOURNAL)

    def _each(self, function: Callable[[str], Any], names: list[str]) -> Iterable[Any]:
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="archive-objects")
        try:
            yield from pool.map(function, names)
        finally:
            pool.shutdown(cancel_futures=True)

    def _other(self, name: str) -> ArchiveError:
        return self._error(
            f"{self.prefix.location} holds {name}, which `archive {self._command}` did not make; move that away, or "
            "name another prefix"
        )


def _sha256(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with open(content, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
