"""What a set names on the network is read from public servers alone, and only so much of it, for so long."""

from __future__ import annotations

import contextlib
import http.server
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from servers import served

from archive.errors import SourceError
from archive.sources import public
from archive.sources.public import open_public

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that answers so; its address, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            with contextlib.suppress(OSError):
                answer(self)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with served(Handler) as address:
        yield address, asked


@pytest.fixture(autouse=True)
def one_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address of loopback counts as public here; all others do not."""
    monkeypatch.setattr(public, "is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(public, "SECONDS", 1.5)
    monkeypatch.setattr(public, "BYTES", 1 << 20)


def endless(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b"x" * 65536)


def dripping(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 30))
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def dripping_header(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X: y\r\n" if handler.path == "/lines" else b"x")
        time.sleep(0.2)


def redirecting(to: str) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


def read_all(address: str, offset: int = 0) -> None:
    with open_public(address) as file:
        file.seek(offset)
        while file.read(1 << 16):
            pass


@pytest.mark.parametrize("answer", [endless, dripping, dripping_header])
def test_a_server_that_never_ends_is_left(answer: Answer) -> None:
    started = time.monotonic()
    with answering(answer) as (address, _), pytest.raises(SourceError, match="fetch it, and use --moved"):
        read_all(address)
    assert time.monotonic() - started < 60


def test_bytes_in_front_of_a_record_are_not_read_where_a_server_gives_no_parts() -> None:
    with answering(endless) as (address, _), pytest.raises(SourceError, match="no parts of a file"):
        read_all(address, 1 << 50)


@pytest.mark.parametrize(
    "where", ["http://127.0.0.2:9/", "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/"]
)
def test_a_redirect_to_what_is_not_public_is_not_followed(where: str) -> None:
    with answering(redirecting(where)) as (address, _):
        with pytest.raises(SourceError, match="no public address"):
            open_public(address)
        with pytest.raises(SourceError, match="no public address"):
            open_public(address, chosen=True)


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_a_redirect_to_what_is_no_web_server_is_not_followed(where: str) -> None:
    with answering(redirecting(where)) as (address, _), pytest.raises(SourceError):
        open_public(address)


def test_redirects_in_a_circle_end() -> None:
    with answering(redirecting("/again")) as (address, asked), pytest.raises(SourceError):
        open_public(address)
    assert len(asked) < 50


def test_a_name_of_loopback_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with answering(endless) as (address, asked), pytest.raises(SourceError, match="no public address"):
        open_public(address.replace("127.0.0.1", "localhost"))
    assert not asked


def test_a_server_that_the_user_named_may_redirect_to_itself() -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.path != "/there":
            return redirecting("/there")(handler)
        handler.send_response(200)
        handler.send_header("Content-Length", "3")
        handler.end_headers()
        handler.wfile.write(b"abc")
        return None

    with answering(answer) as (address, _), open_public(f"{address}/here", chosen=True) as file:
        assert file.read() == b"abc"
