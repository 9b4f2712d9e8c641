"""Where bytes lie: a local path, an S3 object, or a file on a web server.

Everything above sees the same: `open_bytes` gives a seekable binary file that streams. Broken connections are
taken up again where they broke.
"""

from __future__ import annotations

import io
import os
import re
import urllib.parse
from functools import lru_cache
from typing import BinaryIO, cast

from pyarrow import fs as pafs

from archive.errors import SourceError, cause_line, store_line
from archive.http_file import TIMEOUT, HttpFile

#: A scheme in front of a location: `gs://`, `hdfs://`. (One letter is a Windows drive.)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def is_s3(uri: str) -> bool:
    return uri.startswith("s3://")


def is_http(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def local_or_store(location: str) -> str:
    """A location without `file://`; what has another scheme than the known ones is not a path.

    Raises:
        SourceError: the scheme is not one that can be read, or it names no bucket.
    """
    found = _SCHEME.match(location)
    if not found or is_http(location):
        return location
    scheme = found[1].lower()
    if scheme == "file":
        return urllib.parse.unquote(location[found.end() :])
    if scheme != "s3":
        raise SourceError(f"{location}: {scheme}:// is not known; a location is a path, s3://bucket/… or https://…")
    if not location[found.end() :].strip("/"):
        raise SourceError(f"{location}: names no bucket; write it as s3://bucket/prefix")
    return "s3://" + location[found.end() :]


@lru_cache(maxsize=8)
def _s3(
    endpoint: str | None, region: str | None, _key: str | None, anonymous: bool, attempts: int
) -> pafs.S3FileSystem:
    scheme, _, host = (endpoint or "").rpartition("://")
    return pafs.S3FileSystem(
        region=region,
        scheme=scheme or "https",
        endpoint_override=host or None,
        anonymous=anonymous,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=attempts),
        connect_timeout=20,
        request_timeout=TIMEOUT,
    )


def s3_filesystem(attempts: int = 10) -> pafs.S3FileSystem:
    """The S3 client that the usual environment variables describe (AWS_ENDPOINT_URL, AWS_REGION, …).

    Args:
        attempts: at each request; ten take over a minute where nobody answers.
    """
    env = os.environ
    return _s3(
        env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL"),
        env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1",
        env.get("AWS_ACCESS_KEY_ID"),
        env.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true"},
        attempts,
    )


def filesystem(uri: str) -> tuple[pafs.FileSystem, str]:
    """The Arrow file system of a local path or S3 URI, and the path inside it."""
    if is_s3(uri):
        return s3_filesystem(), uri.removeprefix("s3://").rstrip("/")
    return pafs.LocalFileSystem(), uri


def open_bytes(uri: str) -> BinaryIO:
    """Open a file for reading. It streams, and seeks by reconnecting.

    Raises:
        SourceError: it is not there, or may not be read.
    """
    try:
        if is_http(uri):
            return cast(BinaryIO, io.BufferedReader(HttpFile(uri), 1 << 18))
        if is_s3(uri):
            system, path = filesystem(uri)
            return cast(BinaryIO, io.BufferedReader(_ArrowRaw(system.open_input_file(path)), 1 << 20))
        return open(uri, "rb", buffering=1 << 17)
    except OSError as error:
        raise SourceError(f"{uri}: {store_line(error) if is_s3(uri) else cause_line(error)}") from None


class _ArrowRaw(io.RawIOBase):
    """An Arrow file as a raw Python file."""

    def __init__(self, file: object) -> None:
        self._file = cast(BinaryIO, file)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self._file.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
