"""Files of web servers as sources."""

from __future__ import annotations

import http.client
import io
import re
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from archive.errors import SourceError, cause_line
from archive.sources.base import Listed, Unreadable
from archive.storage import TIMEOUT

#: How often a connection may break without a byte arriving.
ATTEMPTS = 8
_BUFFER = 1 << 18
#: Bytes of the first request behind a seek, and of the largest: each asks for twice as much as the one before.
_FIRST, _LARGEST = 1 << 18, 1 << 23
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}


class Web:
    """One file at `http://…` or `https://…`."""

    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        with HttpFile(source) as file:
            name = urllib.parse.urlsplit(source).path.rpartition("/")[2]
            yield Listed(source, file.size, f"{source} {file.size} {file.etag}", name or "data")

    def open(self, uri: str) -> BinaryIO:
        try:
            return cast(BinaryIO, io.BufferedReader(HttpFile(uri), _BUFFER))
        except OSError as error:
            raise SourceError(f"{uri}: {cause_line(error)}") from None


SOURCE = Web()


def require_part(response: http.client.HTTPResponse, start: int, stop: int | None) -> int | None:
    """Check that an answer is the part of the file that was asked for, before a byte of it is used.

    Args:
        stop: behind the last byte; None for the rest of the file.

    Returns:
        The length of the file; None if the server does not say it.

    Raises:
        ValueError: it is another part, or no part; the text says what the server sent.
    """
    asked = f"bytes {start}-{'' if stop is None else stop - 1}"
    if response.status != 206:
        raise ValueError(f"the server answered {response.status} and not 206 to a request for {asked}")
    stated = response.headers.get("Content-Range") or ""
    match = _CONTENT_RANGE.fullmatch(stated.strip())
    if not match:
        raise ValueError(
            f"the server names no bytes in its answer to a request for {asked} (Content-Range: {stated!r})"
        )
    total = None if match[3] == "*" else int(match[3])
    expected = total if stop is None else min(stop, total or stop)
    if int(match[1]) != start or (expected is not None and int(match[2]) + 1 != expected):
        raise ValueError(f"the server sent {stated} in answer to a request for {asked}")
    length = response.headers.get("Content-Length")
    if length is not None and length != str(int(match[2]) + 1 - start):
        raise ValueError(f"the server announces {length} bytes of {stated}")
    return total


class HttpFile(io.RawIOBase):
    """A file on a web server as a raw file. It resumes a lost connection with a range request.

    Until somebody seeks, one request asks for all of it. Behind a seek, each request asks for twice as much as the one
    before, so that not much more is sent than is read.

    Args:
        at: where to begin.

    Raises:
        SourceError: the server refuses or keeps failing, or the file changed meanwhile.
    """

    def __init__(
        self,
        url: str,
        attempts: int = ATTEMPTS,
        timeout: float = TIMEOUT,
        opener: urllib.request.OpenerDirector | None = None,
        at: int = 0,
    ) -> None:
        self.url = url
        self._opener = opener
        self.attempts = attempts
        self.timeout = timeout
        self.size: int | None = None
        self.etag: str | None = None
        self._at = at
        self._ahead: int | None = None  # bytes of the next request; None for the rest of the file
        self._asked_to: int | None = None  # where the answer ends that is read now; None for the end of the file
        self._response: http.client.HTTPResponse | None = None
        self._connect()

    def _connect(self) -> None:
        for attempt in range(self.attempts):
            if attempt:
                self._pause(attempt)
            try:
                self._response = self._request()
                return
            except urllib.error.HTTPError as error:
                if error.code == 416:  # at the end of the file
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
        if isinstance(last, urllib.error.HTTPError):
            what = f"the server answered {last.code} {last.reason}"
        else:
            what = f"no answer: {getattr(last, 'reason', last)}"
        raise SourceError(f"{self.url}: {what} ({attempt + 1} attempts)")

    def _pause(self, attempt: int) -> None:
        """Wait before another attempt."""
        time.sleep(min(0.1 * 2**attempt, 10))

    def _is_nowhere(self, error: Exception, attempt: int) -> bool:
        """Return whether there is no such server, after a few seconds. A server that has answered may come back."""
        if self.size is not None or self._at:
            return False
        reason = getattr(error, "reason", error)
        return isinstance(reason, str) or (isinstance(reason, socket.gaierror | ConnectionRefusedError) and attempt > 2)

    def _request(self) -> http.client.HTTPResponse:
        headers = {**self._fields(), "Accept-Encoding": "identity"}
        self._asked_to = None
        if self._ahead is not None and (self.size is None or self._at + self._ahead < self.size):
            self._asked_to = self._at + self._ahead
            self._ahead = min(2 * self._ahead, _LARGEST)
        if self._at or self._asked_to is not None:
            headers["Range"] = f"bytes={self._at}-{'' if self._asked_to is None else self._asked_to - 1}"
        request = urllib.request.Request(self.url, headers=headers)
        response = cast(http.client.HTTPResponse, self._open(request))
        etag = response.headers.get("ETag") or response.headers.get("Last-Modified")
        if self._at and self.etag and etag and etag != self.etag:
            response.close()
            raise SourceError(f"{self.url}: the file changed while it was read")
        self.etag = self.etag or etag
        length = response.headers.get("Content-Length")
        ranged = response.status == 206
        stated = _CONTENT_RANGE.fullmatch((response.headers.get("Content-Range") or "").strip()) if ranged else None
        if stated and int(stated[1]) != self._at:
            response.close()
            raise SourceError(f"{self.url}: the server sent {stated[0]} in answer to a request from byte {self._at} on")
        if not ranged:
            self._asked_to = None
        if self.size is None:
            if stated and stated[3] != "*":
                self.size = int(stated[3])
            elif length and length.isdigit() and self._asked_to is None:
                self.size = int(length) + (self._at if ranged else 0)
        if self._at and not ranged:  # the server does not support ranges: read up to where we were
            self._pass(response, self._at)
        return response

    def _fields(self) -> dict[str, str]:
        """Return the fields of a request that say who asks."""
        return {"User-Agent": "lowbackground"}

    def _pass(self, response: http.client.HTTPResponse, count: int) -> None:
        """Read bytes of an answer that nobody asked for."""
        while count and (data := response.read(min(count, 1 << 20))):
            count -= len(data)

    def _open(self, request: urllib.request.Request) -> Any:
        open_ = self._opener.open if self._opener else urllib.request.urlopen
        return open_(request, timeout=self.timeout)

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
            self._at, self._ahead = offset, _FIRST
        return offset

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if self.size is not None and self._at >= self.size:
            return 0
        attempts = self.attempts
        while attempts:
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
            if self._asked_to is not None and self._at >= self._asked_to:
                self._hang_up()
                continue
            if count == 0 and self._asked_to is None and (self.size is None or self._at >= self.size):
                return 0
            attempts -= 1
            self._hang_up()  # cut off before the end: continue from here
        raise SourceError(f"{self.url}: the connection keeps breaking at byte {self._at}")

    def _hang_up(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def close(self) -> None:
        self._hang_up()
        super().close()
