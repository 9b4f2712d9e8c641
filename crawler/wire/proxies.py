"""Requests through a proxy that a middleware of the user's own chose.

Only the proxy knows which server it connects to. So the records then have no WARC-IP-Address; their metadata name the
proxy.
"""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from scrapy.core.downloader.handlers.http11 import _TunnelingAgent
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.web.client import URI, Agent
from twisted.web.http_headers import Headers

from crawler.wire.addresses import Guard, lookup

_AUTHORIZATION = b"Proxy-Authorization"


class _ProxyAgent(Agent):
    """Asks a proxy for http URLs."""

    def __init__(self, address: str, port: int, *rest: Any) -> None:
        super().__init__(*rest)  # type: ignore[no-untyped-call]
        self._address = address, port

    def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> Any:  # noqa: N803
        from twisted.internet import reactor

        key = (b"http-proxy", *self._address)
        endpoint = TCP4ClientEndpoint(reactor, *self._address, self._endpointFactory._connectTimeout)
        asked: Any = self._requestWithEndpoint
        return asked(key, endpoint, method, URI.fromBytes(uri), headers, bodyProducer, uri)


async def agent_for(
    proxy: str, url: str, headers: Headers, guard: Guard, context: Any, timeout: float, pool: Any
) -> tuple[Agent, str]:
    """Return an agent that asks a proxy, and how records name the proxy.

    The user chose the proxy, so its address may be private. That of the site may not: it is looked up here too.

    Args:
        headers: of the request; a password for the proxy is taken out where only the proxy gets it.

    Raises:
        OSError: the proxy has no address, or the site a private one.
        ValueError: the proxy is none, or the record of the request would hold its password.
    """
    from twisted.internet import reactor

    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    host, port = parts.hostname or "", parts.port or 80
    if parts.scheme != "http" or not host:
        raise ValueError(f"{parts.scheme}://{host}: a proxy is asked by http://")
    if parts.username is not None:
        raise ValueError("a proxy with a password in its URL: let HttpProxyMiddleware take it from there")
    found = [address for family, address in await lookup(host, port) if family == socket.AF_INET]
    if not found:
        raise OSError(0, f"the proxy {host} has no IPv4 address")
    site = urlsplit(url)
    await guard.look(site.hostname or "", site.port or 80)
    if address := guard.refused(site.hostname or ""):
        raise OSError(0, f"{site.hostname} has the address {address}, which is not public")
    name = f"{host}:{port} ({found[0]})"
    passwords = headers.getRawHeaders(_AUTHORIZATION)
    headers.removeHeader(_AUTHORIZATION)
    if site.scheme == "https":
        tunnel = _TunnelingAgent(
            reactor=reactor,
            proxyConf=(found[0], port, passwords[0] if passwords else None),
            contextFactory=context,
            connectTimeout=timeout,
            bindAddress=None,
            pool=pool,
        )
        return tunnel, name
    if passwords:
        raise ValueError("a proxy with a password is used for https only: the request's record would hold the password")
    return _ProxyAgent(found[0], port, reactor, context, timeout, None, pool), name
