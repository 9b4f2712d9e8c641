"""Scrapy's HTTP/1.1 handler with a tee: it keeps what went over the wire, byte for byte, both ways.

Scrapy's `Response` does not have it: the case and order of fields, the reason phrase, chunks and trailers are gone from
it. Here the bytes are copied where Twisted's protocol gets them (after TLS). What Twisted's parser refuses is kept too:
the protocol then reads on without it until the server ends, or falls silent.
"""

from __future__ import annotations

import errno
import os
import time
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
)
from scrapy.crawler import Crawler
from scrapy.http import Headers as ScrapyHeaders
from scrapy.http import Response
from scrapy.responsetypes import responsetypes
from scrapy.utils.defer import maybe_deferred_to_future
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone
from twisted.web.http import PotentialDataLoss, _DataLoss
from twisted.web.http_headers import Headers

from crawler.wire.addresses import Guard
from crawler.wire.exchange import Exchange
from crawler.wire.message import Message, decoded, is_header_cut, parse
from crawler.wire.proxies import agent_for
from crawler.wire.spill import Spills

#: The longest line of a header, as Twisted counts it; its default of 16 KiB is less than what servers send.
_LONGEST_LINE = 1 << 20
#: Seconds without a byte after which a response that cannot be parsed counts as ended.
_SILENCE = 5.0
#: Seconds that a connection to a host is kept for its next request; there may be thousands of hosts.
_IDLE_CONNECTION = 10
#: Bytes of a decoded body that middlewares and spiders get.
_LONGEST_BODY = 64_000_000
#: Header fields that no middleware may change: who asks, and what a 304 would be the answer to.
_FIXED = ("User-Agent", "From", "If-None-Match", "If-Modified-Since")
#: Header fields that announce a body, or another protocol. A server would wait for it.
_OF_BODIES = ("Content-Length", "Transfer-Encoding", "Expect", "Upgrade")
#: The process has, or the system, no room for a further connection.
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE})


class _Headers(Headers):
    """Header fields that know which exchange they begin, since the agent hands only them to the protocol."""

    exchange: Exchange


class _Recorded:
    """A transport that keeps what is written to it."""

    def __init__(self, transport: Any, exchange: Exchange) -> None:
        self._transport, self._exchange = transport, exchange

    def write(self, data: bytes) -> None:
        self._exchange.request += data
        self._transport.write(data)

    def writeSequence(self, parts: Any) -> None:  # noqa: N802
        self.write(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class TeeProtocol(_LenientHTTP11ClientProtocol):
    """Copies the bytes of each exchange, and reads on where the parser gives up."""

    exchange: Exchange | None = None
    unparsable = False

    def request(self, request: Any) -> Deferred[Any]:
        transport: Any = self.transport
        exchange = self.exchange = request.headers.exchange
        exchange.protocol, self.unparsable = self, False
        exchange.begin(transport.getPeer().host)
        recorded: Any = _Recorded(transport, exchange)
        self.transport = recorded
        try:
            sent = super().request(request)
        finally:
            self.transport = transport
        if self._parser is not None:
            self._parser.MAX_LENGTH = _LONGEST_LINE
        return sent

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        transport: Any = self.transport
        if self.exchange is None or self._parser is None:  # nobody asked: bytes behind the end of a response
            transport.loseConnection()
            return
        if self.exchange.first is None:  # before that, the handshake may not be over
            self.exchange.tls, self.exchange.cipher, self.exchange.certificate = _tls(transport)
        if not self.exchange.received(data):
            if self.exchange.fault is None:
                self.exchange.error = self.exchange.error or f"longer than {self.exchange.limit:,} bytes"
            self.hang_up()
            return
        if self.unparsable:
            return
        try:
            self._parser.dataReceived(data)
        except Exception as error:
            self.unparsable = True
            self.exchange.error = f"not HTTP as it should be: {_line(error)}"
            transport.resumeProducing()

    def _finishResponse(self, rest: bytes) -> None:  # noqa: N802
        if rest and self._currentRequest is not None:  # nobody may take these bytes for the next response
            self._currentRequest.persistent = False
        super()._finishResponse(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        exchange = self.exchange
        if exchange is not None and self._parser is not None and not reason.check(ConnectionDone):
            exchange.error = exchange.error or _line(reason.value)  # type: ignore[arg-type]
            exchange.truncated = exchange.truncated or "disconnect"
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def end_if_late(self, idle: float, total: float) -> None:
        """End the exchange where it takes too long."""
        exchange = self.exchange
        if exchange is None or self._parser is None:
            return
        now = time.monotonic()
        quiet = now - exchange.heard
        if self.unparsable and quiet > min(_SILENCE, idle):
            self.hang_up()
        elif quiet > idle or now - exchange.started > total:
            exchange.truncated = exchange.truncated or "time"
            late = f"no byte for {idle:g} s" if quiet > idle else f"longer than {total:g} s"
            exchange.error = exchange.error or late
            self.hang_up()

    def hang_up(self) -> None:
        """Close the connection, and end the request with what has come."""
        if self._parser is None:
            return
        transport: Any = self.transport
        transport.abortConnection()
        error = Failure(CancelledError())  # of this one the pool makes no second try
        self._disconnectParser(error)  # type: ignore[no-untyped-call]
        self._state = "CONNECTION_LOST"

    def _connectionLost_CONNECTION_LOST(self, reason: Failure) -> None:  # noqa: N802
        """Do nothing: `hang_up` did it."""


class _Factory(_LenientHTTP11ClientFactory):
    """Builds the protocols of the pool."""

    def buildProtocol(self, addr: Any) -> TeeProtocol:  # noqa: N802
        return TeeProtocol(self._quiescentCallback)  # type: ignore[no-untyped-call]


class _Body(Protocol):
    """Takes the body of a response, which the tee has already, and tells when it is over."""

    def __init__(self) -> None:
        self.over: Deferred[BaseException] = Deferred()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        pass

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802
        self.over.callback(reason.value)  # type: ignore[arg-type]


class NoResponseError(Exception):
    """No byte of a response came. The exchange is in `request.meta["exchange"]`."""


class PrivateAddressError(Exception):
    """The host has no public address."""


class WireHandler(HTTP11DownloadHandler):
    """Scrapy's handler for http and https, with the tee.

    It needs the settings `CRAWL_BYTES` (of the longest response that is kept), `CRAWL_IDLE` and `CRAWL_TIMEOUT`
    (seconds without a byte, seconds of the whole exchange). With `CRAWL_ALLOW_PRIVATE` it connects to any address.
    `request.meta["exchange"]` has the bytes. A response that cannot be parsed has the status 0. In the
    folder `CRAWL_FOLDER` large responses are kept while they come. With `CRAWL_RESPONSES`
    responses have their bodies, decoded, for middlewares and spiders of the user's own; else they have none.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        from twisted.internet import reactor

        self._pool._factory = _Factory
        self._pool.cachedConnectionTimeout = _IDLE_CONNECTION
        settings = crawler.settings
        shared: Any = crawler  # one guard for the handlers of both schemes
        if not hasattr(shared, "guard"):
            shared.guard = Guard(settings.getbool("CRAWL_ALLOW_PRIVATE"))
            shared.spills = Spills(settings.get("CRAWL_FOLDER"))
        self._guard: Guard = shared.guard
        self._spills: Spills = shared.spills
        installs: Any = reactor
        installs.installNameResolver(self._guard)
        self._limit = settings.getint("CRAWL_BYTES", 32_000_000)
        self._idle = settings.getfloat("CRAWL_IDLE", 30.0)
        self._total = settings.getfloat("CRAWL_TIMEOUT", 300.0)
        self._responses = settings.getbool("CRAWL_RESPONSES")

    async def download_request(self, request: Request) -> Response:
        from twisted.internet import reactor

        url = request.url.partition("#")[0]
        exchange = request.meta["exchange"] = Exchange(url, self._limit, spills=self._spills)
        if (step := request.meta.get("step")) is not None:
            step.exchange = exchange
        if self._responses and step is not None:
            self._settle(request, step.headers)
        headers = _Headers(dict(request.headers))
        headers.exchange = exchange
        headers.setRawHeaders(b"Host", [_host(url)])
        agent, proxy = Agent(reactor, self._contextFactory, self._idle, None, self._pool), ""
        if request.meta.get("proxy"):
            try:
                agent, proxy = await agent_for(
                    request.meta["proxy"], url, headers, self._guard, self._contextFactory, self._idle, self._pool
                )
            except (OSError, ValueError) as error:
                exchange.error = _line(error)
                raise NoResponseError(exchange.error) from error
            if step is not None:
                step.notes.append(("proxy", proxy))
        asked = agent.request(request.method.encode(), url.encode("ascii"), headers, None)
        exchange.cancel = asked.cancel
        watch = LoopingCall(self._watch, exchange)
        watch.clock = reactor
        watch.start(min(1.0, self._idle / 4), now=False)
        try:
            answer: Any = await maybe_deferred_to_future(asked)
            if answer.length != 0:
                body = _Body()
                answer.deliverBody(body)
                reason = await maybe_deferred_to_future(body.over)
                if not isinstance(reason, ResponseDone | PotentialDataLoss):
                    exchange.truncated = exchange.truncated or "disconnect"
                    exchange.error = exchange.error or _line(reason)
        except Exception as error:
            if (number := getattr(error, "osError", None)) in _NO_ROOM:  # no fault of the host
                exchange.fault = OSError(number, f"{os.strerror(number)}: fewer --connections, or a larger ulimit -n")
            if not exchange.size:
                host = urlsplit(url).hostname or ""
                if address := self._guard.refused(host):
                    raise PrivateAddressError(f"{host} has the address {address}, which is not public") from error
                exchange.error = exchange.error or _line(error)
                raise NoResponseError(exchange.error) from error
            if not exchange.error:
                exchange.error = _line(error)
        finally:
            watch.stop()
            exchange.end()
            if proxy:  # the address of the server is not known
                exchange.ip = ""
            if exchange.protocol is not None:  # the pool may keep it; it needs the bytes no longer
                exchange.protocol.exchange = exchange.protocol = None
            exchange.cancel = None
        message = exchange.message = parse(exchange.response)
        if message is None:
            if is_header_cut(exchange.response):
                exchange.truncated = exchange.truncated or "disconnect"
            return Response(url, status=0)
        if not message.complete:
            exchange.truncated = exchange.truncated or "disconnect"
        if self._responses:
            return _decoded(url, message)
        return Response(url, status=message.status, headers=_for_scrapy(message.fields))

    def _settle(self, request: Request, headers: dict[str, str]) -> None:
        """Have a request sent as the crawl needs it, whatever middlewares made of it."""
        if request.method != "GET" or request.body:
            raise NoResponseError(f"a middleware asked for a {request.method}; only GET is sent")
        for name in _FIXED:
            if name in headers:
                request.headers[name] = headers[name]
            else:
                request.headers.pop(name, None)
        for name in _OF_BODIES:
            request.headers.pop(name, None)

    def _watch(self, exchange: Exchange) -> None:
        if exchange.protocol is not None:
            exchange.protocol.end_if_late(self._idle, self._total)


def _host(url: str) -> bytes:
    netloc = url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]
    default = ":443" if url.startswith("https:") else ":80"
    return netloc.removesuffix(default).encode("ascii")


def _decoded(url: str, message: Message) -> Response:
    """Return a response with its body, as Scrapy's own handlers and its decompression would give it."""
    headers = ScrapyHeaders(_for_scrapy(message.fields))
    body = decoded(message, _LONGEST_BODY)
    if body or not message.body:
        headers.pop("Content-Encoding", None)
    kind = responsetypes.from_args(headers=headers, url=url, body=body)
    response: Response = kind(url, status=message.status, headers=headers, body=body)
    return response


def _for_scrapy(fields: list[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def _tls(transport: Any) -> tuple[str, str, str]:
    """Return the version of TLS, the cipher suite, and the SHA-256 of the server's certificate; empty without TLS."""
    handle: Any = getattr(transport, "getHandle", lambda: None)()
    if not hasattr(handle, "get_protocol_version_name"):
        return "", "", ""
    certificate = handle.get_peer_certificate()
    fingerprint = certificate.digest("sha256").decode().replace(":", "").lower() if certificate is not None else ""
    return handle.get_protocol_version_name() or "", handle.get_cipher_name() or "", fingerprint


def _line(error: BaseException) -> str:
    """Return what went wrong in one line; Twisted wraps the cause."""
    for reason in getattr(error, "reasons", None) or ():
        inner = getattr(reason, "value", reason)
        if not isinstance(inner, ConnectionDone) or len(error.reasons) == 1:  # type: ignore[attr-defined]
            return _line(inner)
    if isinstance(error, _DataLoss):
        return "the connection ended before the response did"
    text = " ".join(str(error).split()).rstrip(".")
    return (text or type(error).__name__)[:300]
