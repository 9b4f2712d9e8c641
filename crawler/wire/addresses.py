"""Which addresses may be connected to: public ones only, checked after each resolution of a name.

A page may link to, redirect to, or (by DNS rebinding) resolve to an address inside of the network that the crawler runs
in. So the check is where Twisted gets the addresses that it connects to, and nowhere else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from zope.interface import implementer

#: NAT64, 6to4 and Teredo addresses contain an IPv4 address that a gateway connects to.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: Seconds that a resolution may take, and that its result is used.
_PATIENCE, _KEPT = 30.0, 300.0
_MOST = 10_000  #: names whose addresses are kept


def is_public(address: str) -> bool:
    """Return whether an address is of a host on the Internet.

    >>> [is_public(each) for each in ("93.184.215.14", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1")]
    [True, False, False, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if found.is_site_local:
            return False
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


async def lookup(host: str, port: int) -> list[tuple[int, str]]:
    """Return the addresses of a name, each with its family; raise OSError where there are none."""
    found = await asyncio.wait_for(
        asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM), _PATIENCE
    )
    return list(dict.fromkeys((int(family), str(address[0])) for family, _, _, _, address in found))


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """Go on: the result is kept for the next one who asks."""


@implementer(IHostnameResolver)
class Guard:
    """Resolves names for Twisted, and withholds addresses that are not public.

    Args:
        allow_private: withhold none.
    """

    def __init__(self, allow_private: bool = False) -> None:
        self.allow_private = allow_private
        self._kept: dict[str, tuple[float, list[tuple[int, str]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: dict[str, str] = {}

    def refused(self, host: str) -> str:
        """Return the address for which a host was refused when it was last resolved; empty where it was not."""
        return self._refused.get(host.strip("[]").lower(), "")

    async def look(self, host: str, port: int) -> None:
        """Look a host up, so that `refused` knows of it."""
        await self._addresses(host.strip("[]"), port)

    def resolveHostName(  # noqa: N802
        self,
        receiver: Any,
        host: str,
        port: int = 0,
        addressTypes: Any = None,  # noqa: N803
        transportSemantics: str = "TCP",  # noqa: N803
        portNumber: int | None = None,  # noqa: N803
    ) -> Any:
        """Give a receiver the addresses of a host (`IHostnameResolver`)."""
        resolution = _Resolution(host)
        receiver.resolutionBegan(resolution)
        task = asyncio.get_running_loop().create_task(self._resolve(receiver, host, portNumber or port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return resolution

    async def _resolve(self, receiver: Any, host: str, port: int) -> None:
        try:
            for family, address in await self._addresses(host, port):
                kind = IPv6Address if family == socket.AF_INET6 else IPv4Address
                receiver.addressResolved(kind("TCP", address, port))
        finally:
            receiver.resolutionComplete()

    async def _addresses(self, host: str, port: int) -> list[tuple[int, str]]:
        now = time.monotonic()
        until, found = self._kept.get(host, (0.0, []))
        if until < now:
            try:
                found = await lookup(host, port)
            except (OSError, UnicodeError, TimeoutError):
                found = []
            if len(self._kept) >= _MOST:
                self._kept.clear()
                self._refused.clear()
            if found:
                self._kept[host] = now + _KEPT, found
        if self.allow_private:
            return found
        public = [each for each in found if is_public(each[1])]
        self._refused.pop(host.lower(), None)
        if found and not public:
            self._refused[host.lower()] = found[0][1]
        return public
