"""Connections of a server, bounded in number and in the time that one may keep silent, which uvicorn leaves open."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: Seconds until the head of a request must be there, and for which nobody may refuse to read an answer.
SECONDS = 20.0
#: Seconds for which the body is read on, and thrown away, of a request that has its answer: who is cut while it sends
#: may not read the answer.
_LINGER = 1.0
#: So many may be open; of more, the one that has been idle longest is closed.
MOST = 64


class BoundedProtocol(H11Protocol):
    """A connection that is cut where it says nothing, says it too slowly, or does not take what it asked for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._idle_since = self.loop.time()
        self._for_head: asyncio.TimerHandle | None = None
        self._for_reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        others = [each for each in self.connections if isinstance(each, BoundedProtocol) and each.is_idle]
        if len(self.connections) > MOST and others:
            min(others, key=lambda each: each._idle_since).transport.abort()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._for_head, self._for_reader):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        if self.conn.their_state is h11.SEND_BODY:  # the answer did not wait for the body, which may never end
            self.loop.call_later(_LINGER, self._cut_body, self.cycle)
        self._await_head()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._for_reader = self.loop.call_later(SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._for_reader is not None:
            self._for_reader.cancel()

    @property
    def is_idle(self) -> bool:
        """Whether it has no request that is worked on."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._idle_since = self.loop.time()
        if self._for_head is not None:
            self._for_head.cancel()
        self._for_head = self.loop.call_later(SECONDS, self._cut_idle)

    def _cut_body(self, cycle: object) -> None:
        if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY:
            self.transport.abort()

    def _cut_idle(self) -> None:
        if self.is_idle:
            self.transport.abort()
