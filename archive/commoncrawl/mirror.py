"""Mirrors of Common Crawl: web servers, S3 buckets, folders. A file is the same file wherever its bytes come from.

A web server is asked through the gate of its host. Whatever it answers is checked before a byte is handed out: the
status, the part of the file, the length, and that a compressed file begins as one. What is wrong is tried again, and
after so many times it is an error that names it; no wrong byte gets any further.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, cast

from archive.commoncrawl.answers import EndsBefore, Missing, Pace, in_words, refusal, require_kind, require_plain
from archive.commoncrawl.cache import Cache, cache_folder
from archive.commoncrawl.gate import FIRST_WAIT, Gate, Refused, Watch
from archive.commoncrawl.paths import OWN, OWN_BUCKET, OWN_INDEX, require_path
from archive.commoncrawl.store import StoreMirror
from archive.errors import SourceError
from archive.program import program_version
from archive.sources.base import Spent
from archive.sources.http import HttpFile, WrongPart, length_of, require_part
from archive.storage import TIMEOUT, is_http, local_or_store

#: Requests a second: for files, and of the server of the list of crawls.
RATE, INDEX_RATE = 1.0, 0.5
#: How often a part of a file is asked for, and how often a whole file, before it is an error.
RANGE_ATTEMPTS, FILE_ATTEMPTS = 20, 1000
#: How often an answer may be no answer to the question: that does not mend itself.
_WRONG_ANSWERS = 3
#: Bytes behind the end of a piece of a file that are asked for with it: most records have less.
_BEHIND = 1 << 18
#: How often the index server is asked about an address, and what it says where it has none.
_QUESTIONS = 2
_NO_CAPTURES = b"No Captures found"
#: Bytes of the largest list: those of files have 2 MB.
_LARGEST = 256 << 20
_BUFFER = 1 << 18
#: What a name of this program shows as it is.
_PRINTED = "".join(map(chr, range(0x20, 0x7F)))


_Result = TypeVar("_Result")


class Mirror(Protocol):
    """Where bytes come from. All paths are those of Common Crawl."""

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Return the bytes [start, stop) of a file, all of them.

        Raises:
            EndsBefore: the file is not that long.
            SourceError: it is not there, or the server keeps giving something else.
        """

    def tail(self, path: str, count: int) -> tuple[bytes, int]:
        """Return the last bytes of a file, at most `count`, and its length.

        Raises:
            SourceError: as `read`.
        """

    def start(self, path: str, count: int) -> bytes:
        """Return the first bytes of a file, `count` or all of it.

        Raises:
            SourceError: as `read`.
        """

    def read_all(self, path: str) -> bytes:
        """Return all bytes of a small file.

        Raises:
            SourceError: as `read`.
        """

    def open(self, path: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        """Open a file that is read from a byte of it on.

        Args:
            stop: where reading is about to end; what is behind it can be read too, and costs more requests.

        Raises:
            SourceError: as `read`.
        """

    def size(self, path: str) -> int:
        """Return the length of a file, without its bytes.

        Raises:
            SourceError: as `read`.
        """

    def length(self, path: str) -> int | None:
        """Return the length of a file as an answer for it has stated it; None if none has."""

    def collinfo(self) -> bytes:
        """Return the list of crawls.

        Raises:
            SourceError: as `read`.
        """

    def captures(self, crawl: str, url: str) -> bytes | None:
        """Return what an index server has of one address, a line of JSON for each capture; None without an answer.

        Raises:
            Refused: it takes no more requests.
        """

    def spent(self) -> Spent:
        """Return what this process has spent so far."""


@dataclass(frozen=True, slots=True)
class Access:
    """How Common Crawl is read. Workers get it as it is, and open it in their own process.

    Args:
        mirror: `https://…`, `http://…`, `s3://…`, or a folder.
        rate: requests a second, of all processes of all machines together.
        machines: among which the rate is divided.
        streams: whole files that are read at once by this machine.
        contact: an address of the user, for the people who run the server.
        cache: the folder of caches.
        range_attempts: how often a part of a file, or a small file, is asked for before that is an error.
        file_attempts: how often a whole file is.
        first_wait: seconds that all wait after a first 503; doubled after each further one.
        timeout: seconds without a byte, or with fewer than `SLOWEST` a second, after which a connection is given up.
    """

    mirror: str = OWN
    rate: float = RATE
    machines: int = 1
    streams: int = 2
    contact: str | None = None
    cache: str | None = None
    range_attempts: int = RANGE_ATTEMPTS
    file_attempts: int = FILE_ATTEMPTS
    first_wait: float = FIRST_WAIT
    timeout: float = TIMEOUT

    @property
    def is_own(self) -> bool:
        """Whether it is Common Crawl's own host or bucket."""
        return self.mirror.rstrip("/") in {OWN, OWN_BUCKET}

    def open(self, watch: Watch | None = None) -> Mirror:
        """Open the mirror.

        Args:
            watch: hears what requests wait for.

        Raises:
            SourceError: it has no address that is known, or the rate is no rate.
        """
        location = local_or_store(self.mirror).rstrip("/")
        if is_http(location):
            return WebMirror(location, self, watch)
        return StoreMirror(location)

    def open_cache(self) -> Cache:
        """Return the cache of what this mirror has."""
        base = Path(self.cache) / "commoncrawl" if self.cache else None
        return Cache(base, "" if self.is_own else self.mirror.rstrip("/"))

    def gate(self, address: str, watch: Watch | None = None) -> Gate:
        """Return the gate of a web server."""
        folder = Path(self.cache or cache_folder()) / "gates"
        rate = self.rate if not address.startswith(OWN_INDEX) else min(self.rate, INDEX_RATE)
        parts = urllib.parse.urlsplit(address)  # one host is one budget, however it is written
        host = parts.hostname or address
        if parts.port not in {None, 80, 443}:
            host += f":{parts.port}"
        return Gate(folder, host, rate / self.machines, self.streams, first_wait=self.first_wait, watch=watch)

    @property
    def agent(self) -> str:
        """The name by which servers know this program and whom to ask about it."""
        contact = self.contact or os.environ.get("LOWBACKGROUND_CONTACT") or "no contact given"
        # a header has ASCII only
        shown = urllib.parse.quote(" ".join(contact.split()), safe=_PRINTED)
        return f"lowbackground/{program_version()} (+{shown})"


class WebMirror:
    """A web server with files at the paths of Common Crawl."""

    def __init__(self, base: str, access: Access, watch: Watch | None = None) -> None:
        self._base, self._access = base, access
        self.gate = access.gate(base, watch)
        self._index = OWN_INDEX if access.is_own else base
        self.index_gate = access.gate(OWN_INDEX, watch) if access.is_own else self.gate
        self._gates = {self.gate, self.index_gate}
        self.received = 0
        self._headers = {"User-Agent": access.agent, "Accept-Encoding": "identity"}
        self._lengths: dict[str, int] = {}

    def read(self, path: str, start: int, stop: int) -> bytes:
        def take(response: http.client.HTTPResponse) -> bytes:
            length = self._noted(path, require_part(response, start, stop))
            if length is not None and length < stop:
                raise EndsBefore(self._url(path), length, stop)
            return self._body(response, stop - start)

        return self._ask(self.gate, self._url(path), take, {"Range": f"bytes={start}-{stop - 1}"})

    def tail(self, path: str, count: int) -> tuple[bytes, int]:
        def take(response: http.client.HTTPResponse) -> tuple[bytes, int]:
            stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range") or "")
            start, size = (int(stated[1]), int(stated[2])) if stated else (0, count)
            if start != max(size - count, 0):
                raise ValueError(
                    f"the server sent {stated and stated[0]} in answer to a request for the last {count} bytes"
                )
            self._noted(path, require_part(response, start, size))
            return self._body(response, size - start), size

        return self._ask(self.gate, self._url(path), take, {"Range": f"bytes=-{count}"})

    def start(self, path: str, count: int) -> bytes:
        def take(response: http.client.HTTPResponse) -> bytes:
            size = self._noted(path, require_part(response, 0, count))
            data = self._body(response, min(count, size or count))
            require_kind(path, data)
            return data

        return self._ask(self.gate, self._url(path), take, {"Range": f"bytes=0-{count - 1}"})

    def read_all(self, path: str) -> bytes:
        def take(response: http.client.HTTPResponse) -> bytes:
            data = self._body(response, None)
            require_kind(path, data)
            return data

        return self._ask(self.gate, self._url(path), take)

    def size(self, path: str) -> int:
        def take(response: http.client.HTTPResponse) -> int:
            length = require_part(response, 0, 1)
            if length is None:
                raise ValueError("the server does not say how long the file is")
            self._noted(path, length)
            return length

        # not HEAD: to that, a page of HTML has a length too
        return self._ask(self.gate, self._url(path), take, {"Range": "bytes=0-0"})

    def length(self, path: str) -> int | None:
        return self._lengths.get(path)

    def collinfo(self) -> bytes:
        return self._ask(self.index_gate, f"{self._index}/collinfo.json", lambda response: self._body(response, None))

    def captures(self, crawl: str, url: str) -> bytes | None:
        question = f"{self._index}/{crawl}-index?{urllib.parse.urlencode({'url': url, 'output': 'json'})}"
        try:
            return self._ask(self.index_gate, question, self._lines, attempts=_QUESTIONS) or None
        except Refused:
            raise
        except Missing as error:
            return b"" if _NO_CAPTURES in error.body else None
        except SourceError:
            return None

    def spent(self) -> Spent:
        gates = self._gates
        return Spent(
            sum(gate.requests for gate in gates),
            sum(gate.waited for gate in gates),
            sum(gate.held for gate in gates),
            sum(gate.refusals for gate in gates),
            self.received,
        )

    def open(self, path: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        url = self._url(path)
        until = None if stop is None else max(start, stop) + _BEHIND

        stack = contextlib.ExitStack()
        stack.enter_context(self.gate.stream())
        try:
            for _ in range(_WRONG_ANSWERS):
                stream = _Stream(url, self, self._headers, self._access, start, until, partial(self._noted, path))
                file = _Buffered(stream, stack)
                try:
                    require_kind(path, file.peek(4096))
                    self._noted(path, stream.size)
                except ValueError as error:
                    last = error
                    stream.close()
                    continue
                return cast(BinaryIO, file)
            raise SourceError(f"{url}: {last}")
        except BaseException:
            stack.close()
            raise

    def _noted(self, path: str, length: int | None) -> int | None:
        """Note how long a file is, and return it.

        Raises:
            ValueError: it was another length in an answer before.
        """
        if length is not None and self._lengths.setdefault(path, length) != length:
            raise ValueError(f"the file has {length:,} bytes in one answer and {self._lengths[path]:,} in another")
        return length

    def _lines(self, response: http.client.HTTPResponse) -> bytes:
        """Return the lines of an answer that can be seen to be all of it.

        Raises:
            ValueError: it may be cut.
        """
        if response.headers.get("Content-Length") is None and not response.chunked:
            raise ValueError("the server does not say how long its answer is")
        data = self._body(response, None)
        if not data.endswith(b"\n"):
            raise ValueError("the last line of the answer does not end")
        return data

    def _url(self, path: str) -> str:
        return f"{self._base}/{urllib.parse.quote(require_path(path), safe='/=+,:@!$&()*;~')}"

    def _ask(
        self,
        gate: Gate,
        url: str,
        take: Callable[[http.client.HTTPResponse], _Result],
        headers: dict[str, str] | None = None,
        attempts: int | None = None,
    ) -> _Result:
        request = urllib.request.Request(url, headers={**self._headers, **(headers or {})})
        tried, wrong, last = 0, 0, ""
        while tried < (attempts or self._access.range_attempts):
            tried += 1
            sent = gate.wait()
            try:
                with _OPENER.open(request, timeout=self._access.timeout) as response:
                    require_plain(url, response)
                    result = take(response)
            except urllib.error.HTTPError as error:
                if error.code == 416 and (length := length_of(error)) is not None:
                    gate.answered(sent, 200)
                    raise EndsBefore(
                        url, length, int(request.get_header("Range", "").rpartition("-")[2] or 0)
                    ) from None
                last = refusal(gate, sent, url, error)
            except ValueError as error:
                gate.answered(sent, 200)
                last, wrong = str(error), wrong + 1
                if wrong == _WRONG_ANSWERS:
                    break
            except (OSError, http.client.HTTPException) as error:
                gate.answered(sent, 0)
                last = in_words(error, self._access.timeout)
            else:
                gate.answered(sent, 200)
                return result
        raise SourceError(f"{url}: {last} ({tried} attempts); nothing of it was taken in")

    def _body(self, response: http.client.HTTPResponse, expected: int | None) -> bytes:
        """Return the body of an answer, all of it.

        Raises:
            http.client.IncompleteRead: it ends before that.
            ValueError: it does not end there, or at no size that a list has.
            TimeoutError: it comes too slowly.
        """
        parts, count, pace = list[bytes](), 0, Pace(self._access.timeout)
        most = _LARGEST if expected is None else expected
        while data := pace.read(response, 1 << 20):
            parts.append(data)
            count += len(data)
            self.received += len(data)
            if count > most:
                raise ValueError(f"the server sends more than {most:,} bytes")
        body = b"".join(parts)
        missing = response.length or (0 if expected is None else expected - count)
        if missing:
            raise http.client.IncompleteRead(body, missing)
        return body


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the same host only. Another one may be anybody, and its requests would be in no budget."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        if urllib.parse.urlsplit(newurl)[:2] != urllib.parse.urlsplit(req.full_url)[:2]:
            raise SourceError(
                f"{req.full_url}: the server answered {code} and sends us to {newurl[:200]}, which is another host; "
                "name it with --mirror if it has the files"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_SameHost)


class _Buffered(io.BufferedReader):
    """A stream that gives its slot back when it is closed."""

    def __init__(self, raw: io.RawIOBase, slot: contextlib.ExitStack) -> None:
        super().__init__(raw, _BUFFER)
        self._slot = slot

    def close(self) -> None:
        super().close()
        self._slot.close()


class _Stream(HttpFile):
    """A file, or a piece of it. Each connection waits at the gate, and a lost one goes on where it was.

    Args:
        until: the byte up to which the first request asks; None for the end of the file.
        note: called with the length of the file; raises ValueError where it was another one.
    """

    def __init__(
        self,
        url: str,
        mirror: WebMirror,
        headers: dict[str, str],
        access: Access,
        at: int,
        until: int | None,
        note: Callable[[int], object],
    ) -> None:
        self._mirror, self._gate, self._own, self._most = mirror, mirror.gate, headers, access.file_attempts
        self._until, self._note = until, note
        self._asked = self._wrong = 0
        attempts = min(access.range_attempts, access.file_attempts)
        super().__init__(url, attempts, access.timeout, _OPENER, at=at)

    def _pause(self, attempt: int) -> None:
        """The gate has the pauses."""

    def _request(self) -> http.client.HTTPResponse:
        if self._until is not None and self._at < self._until:
            self._ahead = self._until - self._at
        self._asked += 1
        if self._asked > self._most:
            raise SourceError(f"{self.url}: the connection broke {self._most:,} times, at last at byte {self._at:,}")
        self._pace = Pace(self.timeout)
        sent = self._gate.wait()
        try:
            response = super()._request()
            try:
                self._require(response)
            except BaseException:
                response.close()
                raise
        except urllib.error.HTTPError as error:
            if error.code == 416 and self._ends_here(error):
                self._gate.answered(sent, 200)
            else:
                refusal(self._gate, sent, self.url, error)
            raise
        except (ValueError, WrongPart) as error:
            self._gate.answered(sent, 200)
            self._wrong += 1
            if self._wrong >= _WRONG_ANSWERS:
                raise SourceError(f"{self.url}: {error}") from None
            raise http.client.HTTPException(str(error)) from None
        except (OSError, http.client.HTTPException):
            self._gate.answered(sent, 0)
            raise
        self._gate.answered(sent, response.status)
        return response

    def _require(self, response: http.client.HTTPResponse) -> None:
        """Check an answer before a byte of it is used.

        Raises:
            ValueError, WrongPart: it is not what was asked for.
        """
        require_plain(self.url, response)
        if self._at or response.status == 206:
            require_part(response, self._at, self._asked_to)
        length = response.headers.get("Content-Length")
        if response.status == 200 and None not in {length, self.size} and length != str(self.size):
            raise ValueError(f"the server announces {length} bytes of a file that has {self.size:,}")
        if response.status == 206 and self.size is not None:
            self._note(self.size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        before, found = self._at, super().seek(offset, whence)
        self._asked -= found != before  # to ask from another place on is no break
        return found

    def _receive(self, response: http.client.HTTPResponse, view: memoryview) -> int:
        data = self._pace.read(response, len(view))
        view[: len(data)] = data
        return len(data)

    def _pass(self, response: http.client.HTTPResponse, count: int) -> None:
        """Read nothing: a server that gives no parts of a file is an error."""

    def _fields(self) -> dict[str, str]:
        return self._own

    def readinto(self, buffer: object) -> int:
        count = super().readinto(buffer)
        self._mirror.received += count
        return count
