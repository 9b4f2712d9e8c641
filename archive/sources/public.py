"""Files at addresses that somebody else wrote: only public servers are asked, for so long, and for so much."""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import time
import urllib.request
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
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if not is_public(str(address[0])):
            raise NotPublic(f"{host} is {address[0]}, which is no public address")
    # to the address itself, not the name, which may have another one by now
    return socket.create_connection((str(found[0][4][0]), port), timeout)


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet.

    >>> is_public("127.0.0.1"), is_public("10.1.2.3"), is_public("::ffff:192.168.0.1"), is_public("8.8.8.8")
    (False, False, False, True)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return ip.is_global and not ip.is_multicast


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = connect_public(self.host, self.port, self.timeout)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        plain = connect_public(self.host, self.port, self.timeout)
        self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Plain, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Secure, req)


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows nothing but HTTP: no file, no FTP, no proxy, wherever a server redirects to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        _PlainHandler(),
        _SecureHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _Bounded(HttpFile):
    """A file on a public server, of which only so much is read."""

    def __init__(self, url: str) -> None:
        self._left, self._until = BYTES, time.monotonic() + SECONDS
        super().__init__(url, _ATTEMPTS, _TIMEOUT, _opener())

    def readinto(self, buffer: object) -> int:
        if self._left <= 0 or time.monotonic() > self._until:
            raise SourceError(f"{self.url}: more than {BYTES >> 30} GiB, or {SECONDS:.0f} s; fetch it, and use --moved")
        count = super().readinto(buffer)
        self._left -= count
        return count


def open_public(url: str) -> BinaryIO:
    """Open a file on a public web server as `archive.sources.open_bytes` does.

    Raises:
        SourceError: the server is not public, refuses, or keeps failing.
    """
    try:
        return cast(BinaryIO, io.BufferedReader(_Bounded(url), _BUFFER))
    except OSError as error:
        raise SourceError(f"{url}: {cause_line(error)}") from None
