"""Files at addresses that somebody else wrote: only public servers are asked, for so long, and for so much."""

from __future__ import annotations

import contextlib
import http.client
import io
import ipaddress
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from archive.errors import SourceError, cause_line
from archive.sources.http import HttpFile

#: The most that is read of one file, in bytes and in seconds.
BYTES, SECONDS = 1 << 30, 600.0
_ATTEMPTS, _TIMEOUT = 3, 30.0
_BUFFER = 1 << 18


class NotPublic(SourceError):
    """Raised where an address leads into this machine or its network."""


def connect_public(host: str, port: int, timeout: float | None) -> socket.socket:
    """Connect to a server, if all its addresses are public ones.

    Raises:
        NotPublic: one is loopback, private, link-local or reserved.
        OSError: there is no such server, or no connection to it.
    """
    # to the address itself, not the name, which may have another one by now
    return socket.create_connection((_require_public(host, port), port), timeout)


def _require_public(host: str, port: int) -> str:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if not is_public(str(address[0])):
            raise NotPublic(f"{host} is {address[0]}, which is no public address")
    return str(found[0][4][0])


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet.

    >>> is_public("127.0.0.1"), is_public("10.1.2.3"), is_public("::ffff:192.168.0.1"), is_public("8.8.8.8")
    (False, False, False, True)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_global and not ip.is_multicast


_Met = Callable[[socket.socket], object]


class _PlainHandler(urllib.request.HTTPHandler):
    """Opens http:// at public servers.

    Args:
        met: called with each connection.
    """

    def __init__(self, met: _Met) -> None:
        super().__init__()
        self._met = met

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._connection, req)

    def _connection(self, host: str, **options: Any) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(host, **options)
        connection.connect = lambda: _connect(connection, self._met)  # type: ignore[method-assign]
        return connection


class _SecureHandler(urllib.request.HTTPSHandler):
    """Opens https:// at public servers."""

    def __init__(self, met: _Met) -> None:
        super().__init__()
        self._met = met

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(self._connection, req)

    def _connection(self, host: str, **options: Any) -> http.client.HTTPConnection:
        connection = http.client.HTTPSConnection(host, **options)
        connection.connect = lambda: _connect(connection, self._met, secure=True)  # type: ignore[method-assign]
        return connection


def _connect(connection: http.client.HTTPConnection, met: _Met, secure: bool = False) -> None:
    connection.sock = connect_public(connection.host, connection.port, connection.timeout)
    met(connection.sock)
    if secure:
        connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=connection.host)
        met(connection.sock)


def _opener(met: _Met) -> urllib.request.OpenerDirector:
    """Return an opener that knows nothing but HTTP: no file, no FTP, no proxy, wherever a server redirects to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        _PlainHandler(met),
        _SecureHandler(met),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _Bounded(HttpFile):
    """A file on a public server, of which only so much is read.

    A server that sends a byte now and then keeps within the time of each read, so a timer hangs up in the end.
    """

    def __init__(self, url: str) -> None:
        self._left, self._until = BYTES, time.monotonic() + SECONDS
        self._watch = threading.Timer(SECONDS, self._stop)
        self._watch.daemon = True
        self._open_sockets: list[socket.socket] = []
        self._watch.start()
        try:
            super().__init__(url, _ATTEMPTS, _TIMEOUT, _opener(self._open_sockets.append))
        except BaseException:
            self._watch.cancel()
            raise

    def _stop(self) -> None:
        for each in self._open_sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _check(self) -> None:
        if self._left <= 0 or time.monotonic() > self._until:
            raise SourceError(f"{self.url}: more than {BYTES >> 20:,} MiB, or {SECONDS:g} s; fetch it, and use --moved")

    def _request(self) -> http.client.HTTPResponse:
        self._check()
        del self._open_sockets[:-1]
        try:
            return super()._request()
        except (OSError, http.client.HTTPException):
            self._check()  # hung up
            raise

    def _pass(self, response: http.client.HTTPResponse, count: int) -> None:
        if count > self._left:
            raise SourceError(f"{self.url}: the server gives no parts of a file; fetch it, and use --moved")
        self._left -= count
        super()._pass(response, count)

    def readinto(self, buffer: object) -> int:
        self._check()
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = super().readinto(view[: max(self._left, 1)])
        self._left -= count
        if time.monotonic() > self._until:
            self._check()
        return count

    def close(self) -> None:
        self._watch.cancel()
        super().close()


class _Near(urllib.request.HTTPRedirectHandler):
    """Follows redirects to public servers, and on the server that the user named."""

    def __init__(self, url: str) -> None:
        self._named = urllib.parse.urlsplit(url).netloc

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str) -> Any:
        parts = urllib.parse.urlsplit(newurl)
        if parts.netloc != self._named:
            _require_public(parts.hostname or "", parts.port or 80)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_public(url: str, chosen: bool = False) -> BinaryIO:
    """Open a file on a public web server as `archive.sources.open_bytes` does.

    Args:
        chosen: the user named the server, which may be anywhere and have as much as it has. It leads to public servers
            only.

    Raises:
        SourceError: the server is not public, refuses, or keeps failing.
    """
    try:
        if chosen:
            return cast(
                BinaryIO, io.BufferedReader(HttpFile(url, opener=urllib.request.build_opener(_Near(url))), _BUFFER)
            )
        return cast(BinaryIO, io.BufferedReader(_Bounded(url), _BUFFER))
    except OSError as error:
        raise SourceError(f"{url}: {cause_line(error)}") from None
