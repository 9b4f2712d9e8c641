"""What a web server answers in place of a file, in words, and what shows that it is no file."""

from __future__ import annotations

import contextlib
import http.client
import re
import time
import urllib.error
import zlib

from archive.commoncrawl.gate import BUSY, Gate
from archive.errors import SourceError
from archive.sources.take import GZIP

#: Bytes a second below which a connection is given up, and another one is tried.
SLOWEST = 1000


class Missing(SourceError):
    """Raised where a mirror has no file of this name.

    Attributes:
        body: the first bytes of what the server said.
    """

    def __init__(self, message: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.body = body


class EndsBefore(SourceError):
    """Raised where a file ends in front of the last byte that was asked for."""

    def __init__(self, file: str, length: int, stop: int) -> None:
        super().__init__(f"{file}: ends at byte {length:,}, not behind {stop - 1:,}; is this copy whole?")
        self.length = length


class Pace:
    """Reads answers, and requires that bytes come, and not only now and then one.

    Args:
        seconds: for which a connection may be slow.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._waited, self._count = seconds, 0.0, 0

    def read(self, response: http.client.HTTPResponse, count: int) -> bytes:
        """Return some bytes of an answer, at most `count`; none at its end.

        Raises:
            TimeoutError: too few came for too long.
        """
        began = time.monotonic()
        data = response.read1(count)
        self._waited += time.monotonic() - began
        self._count += len(data)
        if self._waited > self._seconds:
            if self._count < SLOWEST * self._waited:
                raise TimeoutError(f"fewer than {SLOWEST:,} bytes a second came")
            self._waited, self._count = 0.0, 0
        return data


def require_plain(url: str, response: http.client.HTTPResponse) -> None:
    """Check that nobody on the way compressed a file. What is a compressed file itself, is looked into.

    Raises:
        ValueError: somebody did.
    """
    coding = (response.headers.get("Content-Encoding") or "identity").strip().lower()
    if coding != "identity" and not url.endswith(".gz"):
        raise ValueError(f"the server sent it with Content-Encoding: {coding[:40]}, which nobody asked for")


def require_kind(path: str, data: bytes) -> None:
    """Check that a compressed file begins as one.

    Raises:
        ValueError: it does not; the text says what it is.
    """
    if not path.endswith(".gz"):
        return
    if not data.startswith(GZIP):
        raise ValueError(f"{_kind(data)} came in place of a gzip file")
    with contextlib.suppress(zlib.error):  # whoever unpacks it says what is wrong with it
        if zlib.decompressobj(31).decompress(data[:4096], 2) == GZIP:
            raise ValueError("the file came compressed once more (Content-Encoding: gzip)")


def _kind(data: bytes) -> str:
    head = data[:512].lstrip()
    if match := re.search(rb"<Code>(\w+)</Code>", data[:2048]):
        return f"an error of the store ({match[1].decode()})"
    if head[:1] == b"<":
        return "a page of HTML" if b"html" in head[:200].lower() or len(data) < 20 else "a text in XML"
    return "nothing" if not data else "something else"


def refusal(gate: Gate, sent: float, url: str, error: urllib.error.HTTPError) -> str:
    """Report an answer that is an error to the gate, and return it in words.

    Raises:
        SourceError: it will not be another one later.
    """
    body = b""
    with contextlib.suppress(OSError, http.client.HTTPException):
        body = error.read(4096)
    error.close()
    code = re.search(rb"<Code>(\w+)</Code>", body)
    words = f"the server answered {error.code} {code[1].decode() if code else error.reason}"
    gate.answered(sent, error.code, error.headers.get("Retry-After"))
    if error.code == 404:
        raise Missing(f"{url}: {words}; there is no such file", body) from None
    if error.code not in BUSY:
        raise SourceError(f"{url}: {words}") from None
    return words


def in_words(error: Exception, timeout: float) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(error, http.client.IncompleteRead):
        missing = f" of {len(error.partial) + error.expected:,}" if error.expected is not None else ""
        return f"the connection ended after {len(error.partial):,}{missing} bytes"
    if isinstance(reason, ConnectionResetError):
        return "the server reset the connection"
    if isinstance(reason, TimeoutError):
        return str(reason) if "bytes a second" in str(reason) else f"no byte came for {timeout:g} s"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the server closed the connection without an answer"
    return str(reason) or type(error).__name__
