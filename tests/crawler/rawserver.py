"""A server on loopback that answers each path with exactly the bytes that a test gives, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Answer:
    """The bytes of an answer, in pieces; what happens behind them: `close`, `keep`, `reset` or `hang`."""

    pieces: list[bytes]
    then: str = "close"
    wait: float = 0.02  #: seconds between two pieces


@dataclass
class Server:
    port: int = 0
    host: str = "127.0.0.1"
    scheme: str = "http"
    asked: list[tuple[float, bytes]] = field(default_factory=list)  #: the time and the bytes of each request

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    def paths(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [request.split(b" ", 2)[1].decode() for _, request in self.asked]

    def times(self, but: tuple[str, ...] = ()) -> list[float]:
        """When each request came."""
        return [at for at, request in self.asked if request.split(b" ", 2)[1].decode() not in but]


def page(body: bytes | str, *fields: str, status: str = "200 OK") -> Answer:
    """A plain answer with a length, on a connection that stays open."""
    body = body.encode() if isinstance(body, str) else body
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(fields or ["Content-Type: text/html"])])
    return Answer([head.encode() + b"\r\n\r\n" + body], "keep")


def missing() -> Answer:
    return page("not here", status="404 Not Found")


@contextlib.contextmanager
def serving(
    answer: Callable[[str, bytes], Answer], host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Serve what a function returns for a path and the bytes of a request."""
    listener = socket.create_server((host, port), backlog=64)
    server = Server(listener.getsockname()[1], host, "http" if tls is None else "https")
    over = threading.Event()

    def talk(connection: socket.socket) -> None:
        waiting = b""
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            connection.settimeout(30)
            stack.enter_context(connection)
            if tls is not None:
                connection = stack.enter_context(tls.wrap_socket(connection, server_side=True))
            while not over.is_set():
                while b"\r\n\r\n" not in waiting:
                    data = connection.recv(65536)
                    if not data:
                        return
                    waiting += data
                request, _, waiting = waiting.partition(b"\r\n\r\n")
                server.asked.append((time.monotonic(), request + b"\r\n\r\n"))
                given = answer(request.split(b" ", 2)[1].decode(), request)
                for number, piece in enumerate(given.pieces):
                    if number:
                        time.sleep(given.wait)
                    connection.sendall(piece)
                if given.then == "hang":
                    over.wait(20)
                if given.then == "reset":
                    time.sleep(given.wait)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if given.then != "keep":
                    return

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)
