"""A prefix of a bucket to which a crawl uploads its closed files.

`archive-crawl.json` names the crawl that the prefix belongs to, so that no crawl writes over the objects of another.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pyarrow import fs as pafs

from archive.errors import CrawlError, store_line
from archive.storage import s3_filesystem

#: The object that names the crawl to which a prefix belongs.
MARK = "archive-crawl.json"
#: Bytes of a part of an upload; of those that may be on their way at once; of a part that is read back.
_PART, _FLIGHT = 10 << 20, 64 << 20
#: Of each request; the crawl itself tries again later.
_ATTEMPTS = 3


class AnotherCrawlError(CrawlError):
    """An object of another crawl has the name of one that this crawl would write."""


class Store:
    """Writes objects and reads them back.

    Args:
        location: `s3://bucket/prefix`.
    """

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        self._prefix = self.location.removeprefix("s3://")
        self._system = s3_filesystem(attempts=_ATTEMPTS)

    def claim(self, crawl: str, shared: tuple[str, ...], uploaded: int = 0) -> None:
        """Take a prefix for a crawl, or see that it is still taken for it.

        Args:
            crawl: an id that no other crawl has.
            shared: names of objects that every crawl has; where one is there already, somebody else wrote it.
            uploaded: how many files the crawl has brought there.

        Raises:
            CrawlError: the prefix belongs to another crawl, or the store cannot be reached.
        """
        try:
            if self.owner() is None:
                if uploaded:
                    raise AnotherCrawlError(
                        f"{self.location}: {MARK} is missing, and the {uploaded:,} files of this crawl may be too; put "
                        "them back, or begin a new crawl elsewhere"
                    )
                for name in shared:
                    if self.size(name) is not None:
                        raise AnotherCrawlError(
                            f"{self.location}: holds a {name} of somebody else; name another prefix"
                        )
                self.write(MARK, json.dumps({"crawl": crawl, "software": "lowbackground"}).encode())
            self.check(crawl)
        except OSError as error:
            raise CrawlError(f"{self.location}: {store_line(error)}") from None

    def check(self, crawl: str) -> None:
        """See that the prefix belongs to a crawl.

        Raises:
            AnotherCrawlError: it does not.
            OSError: the store cannot be reached.
        """
        if self.owner() != crawl:
            raise AnotherCrawlError(f"{self.location}: holds the files of another crawl; name another prefix")

    def owner(self) -> str | None:
        """Return the id of the crawl that the prefix belongs to; None where it belongs to none."""
        size = self.size(MARK)
        if size is None:
            return None
        try:
            return str(json.loads(self.range(MARK, 0, size))["crawl"])
        except (ValueError, KeyError, TypeError):
            return ""

    def size(self, name: str) -> int | None:
        """Return the bytes of an object; None where there is none."""
        info = self._system.get_file_info(self._path(name))
        return int(info.size) if info.type == pafs.FileType.File else None

    def range(self, name: str, offset: int, size: int) -> bytes:
        """Return some bytes of an object."""
        with self._system.open_input_file(self._path(name)) as file:
            return bytes(file.read_at(size, offset))

    def sha256(self, name: str) -> str:
        """Read an object, and return its SHA-256 in hexadecimal."""
        digest = hashlib.sha256()
        with self._system.open_input_stream(self._path(name), compression=None) as stream:
            while part := stream.read(_PART):
                digest.update(part)
        return digest.hexdigest()

    def write(self, name: str, data: bytes) -> None:
        """Write a small object."""
        with self._open(name) as stream:
            stream.write(data)

    def upload(self, path: Path, name: str, sha256: str) -> None:
        """Write a file to an object, and read it back.

        An object is there only when all of it was sent.

        Raises:
            OSError: the file or the store failed, or what is there has another SHA-256 than the one given.
        """
        digest, sent = hashlib.sha256(), 0
        with path.open("rb") as file:
            stream = self._open(name)
            try:
                while part := file.read(_PART):
                    stream.write(part)
                    digest.update(part)
                    sent += len(part)
                    if sent % _FLIGHT < _PART:
                        stream.flush()  # what was written waits in memory until it is sent
                if digest.hexdigest() != sha256:
                    raise OSError(0, "is not what the crawl wrote", str(path))
            except BaseException:
                self._discard(stream, name)
                raise
            stream.close()
        if self.sha256(name) != sha256:
            self._system.delete_file(self._path(name))
            raise OSError(0, "the store holds other bytes than were sent", f"{self.location}/{name}")

    def _discard(self, stream: pafs.NativeFile, name: str) -> None:
        """End an upload that failed: what was sent is an object once the stream is closed."""
        try:
            stream.close()
        finally:
            if self.size(name) is not None:
                self._system.delete_file(self._path(name))

    def _open(self, name: str) -> pafs.NativeFile:
        """Begin an object; without `compression=None`, Arrow would compress what goes to a name that ends with .gz."""
        return self._system.open_output_stream(self._path(name), compression=None)

    def _path(self, name: str) -> str:
        return f"{self._prefix}/{name}"
