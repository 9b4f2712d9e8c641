"""Where bytes lie: a local path, an S3 object, or a file on a web server.

Everything above sees the same three things: `open_bytes` (a seekable binary file that streams),
`list_files` and `fingerprint`. Broken connections are taken up again where they broke.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import http.client
import io
import json
import os
import re
import socket
import stat
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, cast

from pyarrow import fs as pafs

from archive.errors import SourceError, store_line

#: How often a broken connection is taken up again without any byte arriving in between.
ATTEMPTS = 8
#: Seconds before a silent server counts as gone.
TIMEOUT = 60.0
_SAMPLE = 1 << 13
_SHOWN = r"(?!\.)"
_NOT_REGULAR = "is no regular file (a pipe or a device cannot be read twice)"
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}
#: A scheme in front of a location: `gs://`, `hdfs://`. (One letter is a Windows drive.)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


#: One source or several: a path, a pattern, `s3://…` or `https://…`.
Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def named(sources: Sources) -> list[str]:
    """The sources as strings. A single one is one source, and not its letters.

    Raises:
        SourceError: one has no name, as where a variable of a shell was not set.
    """
    names = [os.fspath(each) for each in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    if not all(name.strip() for name in names):
        raise SourceError("a source without a name: '' is no file and no folder")
    return names


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


class HttpFile(io.RawIOBase):
    """A file on a web server, read as a stream; a lost connection is resumed with a range request.

    Raises:
        SourceError: the server refuses, keeps failing, or the file changed under the reader.
    """

    def __init__(self, url: str, attempts: int = ATTEMPTS, timeout: float = TIMEOUT) -> None:
        self.url = url
        self.attempts = attempts
        self.timeout = timeout
        self.size: int | None = None
        self.etag: str | None = None
        self._at = 0
        self._response: http.client.HTTPResponse | None = None
        self._connect()

    def _connect(self) -> None:
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(min(0.1 * 2**attempt, 10))
            try:
                self._response = self._request()
                return
            except urllib.error.HTTPError as error:
                if error.code == 416:  # nothing lies behind the end
                    self._response = None
                    return
                if error.code not in _TRANSIENT_STATUS:
                    raise SourceError(f"{self.url}: the server answered {error.code} {error.reason}") from None
                last: Exception = error
            except (http.client.InvalidURL, ValueError) as error:
                raise SourceError(f"{self.url}: no address of a file on a web server ({error})") from None
            except (OSError, http.client.HTTPException) as error:
                last = error
                if self._is_nowhere(error, attempt):
                    break
        raise SourceError(f"{self.url}: no answer after {attempt + 1} attempts ({getattr(last, 'reason', last)})")

    def _is_nowhere(self, error: Exception, attempt: int) -> bool:
        """Whether there is no such server, as far as a few seconds can tell. One that was there may come back."""
        if self.size is not None or self._at:
            return False
        reason = getattr(error, "reason", error)
        return isinstance(reason, str) or (isinstance(reason, socket.gaierror | ConnectionRefusedError) and attempt > 2)

    def _request(self) -> http.client.HTTPResponse:
        headers = {"User-Agent": "lowbackground", "Accept-Encoding": "identity"}
        if self._at:
            headers["Range"] = f"bytes={self._at}-"
        request = urllib.request.Request(self.url, headers=headers)
        response = cast(http.client.HTTPResponse, urllib.request.urlopen(request, timeout=self.timeout))
        etag = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if self._at and self.etag and etag and etag != self.etag:
            response.close()
            raise SourceError(f"{self.url}: the file changed while it was read")
        self.etag = self.etag or etag
        length = response.headers.get("Content-Length")
        ranged = response.status == 206
        if self.size is None and length and length.isdigit():
            self.size = int(length) + (self._at if ranged else 0)
        if self._at and not ranged:  # the server knows no ranges: read up to where we were
            left = self._at
            while left and (data := response.read(min(left, 1 << 20))):
                left -= len(data)
        return response

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._at
        elif whence == io.SEEK_END:
            if self.size is None:
                raise SourceError(f"{self.url}: the server does not say how long the file is")
            offset += self.size
        if offset != self._at:
            self._hang_up()
            self._at = offset
        return offset

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self.size is not None and self._at >= self.size:
            return 0
        for _ in range(self.attempts):
            if self._response is None:
                self._connect()
                if self._response is None:
                    return 0
            try:
                count = self._response.readinto(view)
            except (OSError, http.client.HTTPException):
                count = -1
            if count > 0:
                self._at += count
                return count
            if count == 0 and (self.size is None or self._at >= self.size):
                return 0
            self._hang_up()  # cut off before the end: go on from here
        raise SourceError(f"{self.url}: the connection keeps breaking at byte {self._at}")

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def close(self) -> None:
        self._hang_up()
        super().close()


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
        raise SourceError(f"{uri}: {store_line(error) if is_s3(uri) else _reason(error)}") from None


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


@dataclass(frozen=True, slots=True)
class Listed:
    """A source file that was found: where, how long, and what tells this state of it from another."""

    uri: str
    size: int | None
    version: str
    name: str = ""  #: its path below the folder, or the fixed part of the pattern, that was named


#: Hears of a file or folder that cannot be looked at, and why.
Unreadable = Callable[[str, str], None]


def _raise(place: str, why: str) -> None:
    raise SourceError(f"{place}: {why}")


def list_files(source: str, unreadable: Unreadable = _raise) -> Iterator[Listed]:
    """The files that one SOURCE argument names, in a fixed order.

    A file names itself, a folder or S3 prefix all files below it, and `*`, `?`, `[…]` or `**` a set.

    Args:
        unreadable: hears of each file and folder among them that cannot be looked at; by default the first one raises.

    Raises:
        SourceError: nothing is there.
    """
    source = local_or_store(source)
    if is_http(source):
        yield _listed_http(source)
    elif is_s3(source):
        yield from _list_s3(source)
    else:
        yield from _list_local(source, unreadable)


def _list_local(source: str, unreadable: Unreadable) -> Iterator[Listed]:
    if os.path.isdir(source):
        paths = sorted({*_walk(source, unreadable)} - _beside_shards(source))
    elif os.path.lexists(source):
        paths = [source]
    else:
        paths = sorted(path for path in glob.glob(source, recursive=True) if not os.path.isdir(path))
        if not paths:
            raise SourceError(f"{source}: no such file or folder, and nothing matches it as a pattern")
    folder = source if os.path.isdir(source) else _fixed_folder(source)
    for path in paths:
        try:
            yield _listed_local(os.path.realpath(path), os.path.relpath(path, folder or "."))
        except OSError as error:
            unreadable(path, _reason(error))


def _beside_shards(folder: str) -> set[str]:
    """Where a folder is one that `archive export` wrote, its manifest, card and picture: they are no captures."""
    try:
        with open(os.path.join(folder, "manifest.json"), "rb") as file:
            stated = json.load(file)
        if not {"merkle_root", "arguments"} <= stated.keys():
            return set()
        return {os.path.join(folder, name) for name in ("manifest.json", *(each["name"] for each in stated["files"]))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def _walk(folder: str, unreadable: Unreadable) -> Iterator[str]:
    """Every file below a folder. Links to folders are not followed, so that no walk is endless."""

    def failed(error: OSError) -> None:
        unreadable(str(error.filename or folder), _reason(error))

    for place, folders, names in os.walk(folder, onerror=failed):
        for name in sorted(folders):
            if os.path.islink(os.path.join(place, name)):
                unreadable(os.path.join(place, name), "a link to a folder is not followed; name it as a source")
        for name in names:
            path = os.path.join(place, name)
            if os.path.islink(path) and not os.path.exists(path):
                unreadable(path, "a link that leads nowhere")
            elif os.path.isfile(path):
                yield path
            elif not os.access(path, os.F_OK):
                unreadable(path, "may not be looked at")  # a folder that may be listed and not entered
            else:
                unreadable(path, _NOT_REGULAR)


def _fixed_folder(pattern: str) -> str:
    """The folder in front of the first wildcard."""
    return re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]


def _listed_local(path: str, name: str) -> Listed:
    """A small local file is known by its content, so that a copy is the same; a larger one by samples and its time."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, _NOT_REGULAR)
    size = status.st_size
    digest = hashlib.sha256(b"%d" % size)
    if size > 16 * _SAMPLE:
        digest.update(b"%d" % status.st_mtime_ns)
    with open(path, "rb") as file:
        for part in range(16):  # 16 blocks of 8 KiB, the first and the last among them
            file.seek(max(size - _SAMPLE, 0) * part // 15)
            digest.update(file.read(_SAMPLE))
    return Listed(path, size, digest.hexdigest(), name)


def _list_s3(source: str) -> Iterator[Listed]:
    # whether the store is there at all shows soon; reading is more patient
    system, path = s3_filesystem(attempts=4), source.removeprefix("s3://").rstrip("/")
    try:
        head = re.split(r"[*?[]", path, maxsplit=1)[0]
        if head != path:
            selector = pafs.FileSelector(head.rpartition("/")[0], recursive=True, allow_not_found=True)
            infos = [info for info in system.get_file_info(selector) if matches(info.path, path)]
        else:
            info = system.get_file_info(path)
            infos = (
                [info]
                if info.type == pafs.FileType.File
                else system.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
            )
    except OSError as error:
        raise SourceError(f"{source}: {store_line(error)}") from None
    files = sorted((info for info in infos if info.type == pafs.FileType.File), key=lambda info: info.path)
    if not files:
        raise SourceError(f"{source}: no object has this name or prefix")
    exact = len(files) == 1 and files[0].path == path
    folder = _fixed_folder(path) if exact or head != path else path
    for info in files:
        version = f"s3://{info.path} {info.size} {info.mtime_ns}"
        yield Listed(f"s3://{info.path}", info.size, version, info.path[len(folder) :].lstrip("/"))


def matches(path: str, pattern: str) -> bool:
    """Whether a path is one that `glob` finds for a pattern: `*` and `?` stay in one folder, `**` crosses folders, and
    hidden names are found by patterns that begin with a dot."""
    return re.fullmatch(_expression(pattern), path) is not None


@lru_cache(maxsize=64)
def _expression(pattern: str) -> str:
    parts = pattern.split("/")
    made = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            made.append(f"(?:{_SHOWN}[^/]*/)*" + (f"{_SHOWN}[^/]+" if last else ""))
            continue
        inside = fnmatch.translate(part).removeprefix("(?s:").removesuffix(")\\Z").replace(".*", "[^/]*")
        made.append((_SHOWN if part[:1] in "*?[" else "") + inside + ("" if last else "/"))
    return "(?s:" + "".join(made) + ")"


def _listed_http(url: str) -> Listed:
    with HttpFile(url) as file:
        name = urllib.parse.urlsplit(url).path.rpartition("/")[2]
        return Listed(url, file.size, f"{url} {file.size} {file.etag}", name or "data")


def _reason(error: OSError) -> str:
    return error.strerror or str(error).split("\n", 1)[0]
