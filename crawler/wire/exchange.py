"""One request and what came back for it: the bytes of the wire, both ways, and what went wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crawler.wire.message import Message


@dataclass(slots=True)
class Exchange:
    """The bytes of a request and of its response, exactly as they were on the wire.

    `truncated` is a value of WARC-Truncated: `length`, `time` or `disconnect`; empty where the response is complete.
    """

    url: str
    limit: int  #: bytes of a response that are kept
    at: datetime = field(default_factory=lambda: datetime.now(UTC))  #: when the request was begun
    request: bytearray = field(default_factory=bytearray)
    response: bytearray = field(default_factory=bytearray)
    ip: str = ""
    tls: str = ""  #: version of TLS, as `TLSv1.3`
    cipher: str = ""
    certificate: str = ""  #: SHA-256 of the server's, hexadecimal. It is not verified
    truncated: str = ""
    error: str = ""  #: what went wrong, for people
    started: float = field(default_factory=time.monotonic)
    sent: float | None = None  #: seconds from the start until the request was sent
    first: float | None = None  #: seconds from the start until the first byte of the response
    seconds: float = 0.0  #: seconds from the start until the end
    protocol: Any = field(default=None, repr=False)  #: that exchanges the bytes
    cancel: Any = field(default=None, repr=False)  #: ends the connecting
    message: Message | None = field(default=None, repr=False)  #: what the response says
    heard: float = field(default_factory=time.monotonic)  #: when the last byte came, or the request was sent

    def begin(self, ip: str) -> None:
        """Forget what came before on a connection that the server had already closed, and begin again."""
        self.request.clear()
        self.response.clear()
        self.at, self.ip = datetime.now(UTC), ip
        self.tls = self.cipher = self.certificate = ""
        self.heard = time.monotonic()
        self.sent, self.first = self.heard - self.started, None

    def received(self, data: bytes) -> bool:
        """Keep some bytes of the response; return whether it is within its limit."""
        self.heard = time.monotonic()
        if self.first is None:
            self.first = self.heard - self.started
        room = self.limit - len(self.response)
        self.response += data if len(data) <= room else data[: max(room, 0)]
        if len(data) > room:
            self.truncated = self.truncated or "length"
        return len(data) <= room

    def end(self) -> None:
        """Note when everything was over."""
        self.seconds = time.monotonic() - self.started

    def stop(self) -> None:
        """Hang up, whatever has come by then."""
        if self.protocol is not None:
            self.protocol.hang_up()
        elif self.cancel is not None:
            self.cancel()
