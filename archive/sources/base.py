"""What a source is: it lists the files that a SOURCE argument names, and opens them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Protocol

from archive.errors import SourceError
from archive.registry import Registry
from archive.sources.take import Take
from archive.storage import local_or_store

#: One source or several: a path, a pattern, `s3://…` or `https://…`.
Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

#: Called with a file or folder that cannot be looked at, and why.
Unreadable = Callable[[str, str], None]


class Spent(NamedTuple):
    """What a process has spent so far on a server that is asked at a certain rate."""

    requests: int = 0
    waited: float = 0.0  #: seconds until they could leave
    held: float = 0.0  #: of these, seconds behind the answer of a busy server
    refusals: int = 0  #: answers of a busy server, and requests without an answer
    received: int = 0  #: bytes

    def since(self, before: Spent) -> Spent:
        """Return what was spent since then."""
        return Spent(
            self.requests - before.requests,
            self.waited - before.waited,
            self.held - before.held,
            self.refusals - before.refusals,
            self.received - before.received,
        )


class Through(Protocol):
    """Another way to a file than its address: a mirror of it, or fewer requests. Workers get it as it is."""

    def open(self, uri: str, take: Take, start: int = 0, stop: int | None = None) -> BinaryIO:
        """Open a file, of which only what is wanted can be read; it seeks, and streams.

        Args:
            start: the reading goes on at this byte; of what is in front of it, only the head of the file is read.
            stop: from this byte on, no more is read than the rest of a record; None for the end of the file.

        Raises:
            SourceError: it cannot be read.
        """

    @property
    def is_origin(self) -> bool:
        """Whether it gives the files as their maker has them: else a file may be a copy that is not whole."""

    def spent(self) -> Spent:
        """Return what this process has spent so far."""

    def length(self, uri: str) -> int | None:
        """Return how long a file is of which something was read; None if nothing said so."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file of a source: its address, its length, and what tells this state of it from another."""

    uri: str
    size: int | None
    version: str
    name: str = ""  #: its path below the folder, or below the fixed part of the pattern, that the source names
    kind: str = ""  #: what reads it (a name in `READERS`), so that a plan need not open it; empty: its bytes show it
    take: Take | None = None  #: what is wanted of it; None for all of it
    through: Through | None = None  #: how it is opened; None for its address
    start: int = 0  #: what is opened begins at this byte of the file


class Source(Protocol):
    """The files of one scheme."""

    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        """Yield the files that a SOURCE argument names, in a fixed order.

        Args:
            unreadable: called for each file and folder among them that cannot be looked at.

        Raises:
            SourceError: nothing is there.
        """

    def open(self, uri: str) -> BinaryIO:
        """Open a listed file as a seekable binary file that streams.

        Raises:
            SourceError, OSError: it is not there, or may not be read.
        """


#: Each scheme's source. A location without a scheme is a file.
SCHEMES = Registry(
    "sources",
    {
        "file": "archive.sources.files:SOURCE",
        "s3": "archive.sources.s3:SOURCE",
        "http": "archive.sources.http:SOURCE",
        "https": "archive.sources.http:SOURCE",
        "cc": "archive.commoncrawl.source:SOURCE",
    },
)
#: The schemes that must have `//`.
_BUILTIN = frozenset({"file", "s3", "http", "https"})
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):(//)?", re.IGNORECASE)


def scheme_of(location: str) -> str:
    """Return the scheme of a location, which has an entry in `SCHEMES`; `file` for a path.

    Raises:
        SourceError: the scheme (`gs://…`) has no entry.
    """
    match = _SCHEME.match(location)
    if not match:
        return "file"
    scheme = match[1].lower()
    # only a scheme that was added may do without `//`
    if SCHEMES.has(scheme) and (match[2] or (scheme not in _BUILTIN and not os.path.lexists(location))):
        return scheme
    if match[2]:
        local_or_store(location)  # raises: no scheme that is known
    return "file"


def location_of(source: str) -> str:
    """Return a source as files are cited: without `file://`, and with its scheme in lower case.

    Raises:
        SourceError: the scheme has no entry, or it names no bucket.
    """
    scheme = scheme_of(source)
    if scheme in {"file", "s3"}:
        return local_or_store(source)
    return scheme + source[len(scheme) :]


def source_names(sources: Sources) -> list[str]:
    """Return the sources as strings. A single one is one source, and not its letters.

    Raises:
        SourceError: one has no name, as where a variable of a shell was not set.
    """
    names = [os.fspath(each) for each in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    if not all(name.strip() for name in names):
        raise SourceError("a source without a name: '' is no file and no folder")
    return names


def _raise(path: str, why: str) -> None:
    raise SourceError(f"{path}: {why}")


def list_files(source: str, unreadable: Unreadable = _raise) -> Iterator[Listed]:
    """Yield the files that one SOURCE argument names, in a fixed order.

    A file names itself, a folder or S3 prefix all files below it, and `*`, `?`, `[…]` or `**` a set.

    Args:
        unreadable: called for each file and folder among them that cannot be looked at; by default the first one
            raises.

    Raises:
        SourceError: nothing is there.
    """
    location = location_of(source)
    lister: Source = SCHEMES.load(scheme_of(location))
    yield from lister.list(location, unreadable)


def require_same(listed: Listed) -> None:
    """Check that a file is still as it was when it was listed: what was read of it in parts is then one state of it.

    Raises:
        SourceError: it has changed meanwhile, or is gone.
    """
    now = {each.version for each in list_files(listed.uri) if each.uri == listed.uri}
    if now and listed.version not in now:
        raise SourceError(f"{listed.uri}: changed while it was read; run the same command again when nobody writes it")


def open_bytes(uri: str) -> BinaryIO:
    """Open a file for reading. It streams, and seeks by reconnecting.

    Raises:
        SourceError: it is not there, or may not be read.
    """
    opener: Source = SCHEMES.load(scheme_of(uri))
    return opener.open(uri)


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256 of an open file from where it is, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    while data := file.read(1 << 20):
        digest.update(data)
    return digest.hexdigest()
