"""One request and what came back for it: the bytes of the wire, both ways, and what went wrong."""

from __future__ import annotations

import mmap
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from crawler.wire.message import Block, Message
from crawler.wire.spill import Spill, Spills


@dataclass(slots=True)
class Exchange:
    """The bytes of a request and of its response, exactly as they were on the wire.

    `truncated` is a value of WARC-Truncated: `length`, `time` or `disconnect`; empty where the response is complete.
    """

    url: str
    limit: int  #: bytes of a response that are kept
    at: datetime = field(default_factory=lambda: datetime.now(UTC))  #: when the request was begun
    request: bytearray = field(default_factory=bytearray)
    response: Block = field(default_factory=bytearray)  #: all of it only when the exchange is over
    spills: Spills = field(default_factory=Spills, repr=False)  #: where a large response is kept
    size: int = 0  #: bytes of the response
    fault: OSError | None = None  #: the disk did not take the response
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
    _spill: Spill | None = field(default=None, repr=False)
    _counted: int = 0  #: bytes in memory that `spills` counts

    def begin(self, ip: str) -> None:
        """Forget what came before on a connection that the server had already closed, and begin again."""
        self.request.clear()
        self.forget()
        self.at, self.ip = datetime.now(UTC), ip
        self.tls = self.cipher = self.certificate = ""
        self.heard = time.monotonic()
        self.sent, self.first = self.heard - self.started, None

    def received(self, data: bytes) -> bool:
        """Keep some bytes of the response; return whether it is within its limit."""
        self.heard = time.monotonic()
        if self.first is None:
            self.first = self.heard - self.started
        room = self.limit - self.size
        kept = data if len(data) <= room else data[: max(room, 0)]
        try:
            self._keep(kept)
        except OSError as error:
            self.fault = error
            return False
        if len(data) > room:
            self.truncated = self.truncated or "length"
        return len(data) <= room

    def _keep(self, data: bytes) -> None:
        """Keep some bytes in memory, or in a file where there are many."""
        self.size += len(data)
        if self._spill is None:
            assert isinstance(self.response, bytearray)
            self.response += data
            self._counted += len(data)
            if self.spills.take(len(data), self.size):
                spill = self.spills.begin()
                spill.write(self.response)
                self._spill, self.response = spill, bytearray()
                self._give_back()
        else:
            self._spill.write(data)

    def _give_back(self) -> None:
        self.spills.give_back(self._counted)
        self._counted = 0

    def forget(self) -> None:
        """Forget the bytes of the response."""
        self._give_back()
        self.response, self._spill, self.size = bytearray(), None, 0

    def let_go(self) -> None:
        """Let the system take the memory of a response that is in a file. It can still be read."""
        if isinstance(self.response, mmap.mmap):
            self.response.madvise(mmap.MADV_DONTNEED)

    def end(self) -> None:
        """Note when everything was over; from now on the response can be read."""
        self.seconds = time.monotonic() - self.started
        if self._spill is not None:
            try:
                self.response = self._spill.mapped()
            except OSError as error:
                self.fault = self.fault or error
            self._spill = None
        self._give_back()

    def stop(self) -> None:
        """Hang up, whatever has come by then."""
        if self.protocol is not None:
            self.protocol.hang_up()
        elif self.cancel is not None:
            self.cancel()
