"""Real servers on loopback for the tests: S3 (moto), and one that fails now and then in front of another."""

from __future__ import annotations

import contextlib
import gc
import http.client
import http.server
import json
import logging
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class _Flaky(http.server.BaseHTTPRequestHandler):
    """Passes requests on; of some, answers 503, drops the connection or breaks off in the middle of the body.

    It can note each request: method, path, range, status, bytes of the answer's body.
    """

    protocol_version = "HTTP/1.1"

    def __init__(
        self,
        *args: Any,
        target: str,
        share: float,
        seed: random.Random,
        faults: tuple[str, ...] = ("503", "reset"),
        log: Any = None,
        **kwargs: Any,
    ) -> None:
        self._target, self._share, self._random, self._faults, self._log = target, share, seed, faults, log
        super().__init__(*args, **kwargs)

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def _pass_on(self) -> None:
        body = self._body()
        fault = self._random.choice(self._faults) if self._random.random() < self._share else ""
        if fault == "503":
            self.send_response(503, "Slow Down")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, no goodbye
            self.connection.close()
            self.close_connection = True
            return
        target = urlsplit(self._target)
        upstream = http.client.HTTPConnection(target.hostname or "", target.port, timeout=600)
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {"connection", "transfer-encoding", "expect"}
        }
        headers["Content-Length"] = str(len(body))
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        data = answer.read()
        self.send_response(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "server", "date"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if fault == "cut":
            data = data[: len(data) // 2]
            self.close_connection = True
        if self._log is not None:
            row = [self.command, self.path, self.headers.get("Range", ""), answer.status, len(data)]
            self._log.write(json.dumps(row) + "\n")
        self.wfile.write(data)
        upstream.close()

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, by ranges where they are asked for; keeps what was asked."""

    def __init__(self, *args: Any, folder: Path, asked: list[str], **kwargs: Any) -> None:
        self._folder, self._asked = folder, asked
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        path = self._folder / self.path.lstrip("/")
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        asked = self.headers.get("Range", "")
        self._asked.append(asked)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, stop = int(first or 0), min(int(last) + 1 if last else len(data), len(data))
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(stop - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # who asked may hang up when it has enough
            self.wfile.write(data[start:stop])

    def log_message(self, *_: Any) -> None:
        pass


def ranges(folder: Path, asked: list[str]) -> Any:
    """A handler that serves a folder by ranges."""
    return partial(_Ranges, folder=folder, asked=asked)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(handler: Any) -> Iterator[str]:
    """An HTTP server with this request handler, in a thread; yields its address."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# The S3 client of Delta Lake holds Python's lock while it waits, so its servers are processes of their own.


@contextlib.contextmanager
def _process(*args: str) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, __file__, *args], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()  # it keeps nothing
        process.wait()
        process.stdout.close()


def s3_server() -> contextlib.AbstractContextManager[str]:
    """moto's S3 server; yields its address."""
    return _process("s3")


def flaky_proxy(
    target: str, share: float, seed: int = 1, faults: str = "503,reset", log: Path | str = ""
) -> contextlib.AbstractContextManager[str]:
    """A proxy to `target` that fails this share of the requests.

    Args:
        faults: how: `503`, `reset`, `cut` (the body ends in its middle).
        log: a file that gets a line of JSON for each request that was passed on.
    """
    return _process("proxy", target, str(share), str(seed), faults, str(log))


def _main(kind: str, *args: str) -> None:
    if kind == "s3":
        from moto.server import ThreadedMotoServer

        logging.disable()
        gc.freeze()  # or each collection looks through all of moto
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
        threading.Event().wait()
    target, share, seed, faults, log = args
    handler = partial(
        _Flaky,
        target=target,
        share=float(share),
        seed=random.Random(int(seed)),
        faults=tuple(faults.split(",")),
        log=open(log, "a", buffering=1) if log else None,  # noqa: SIM115
    )
    with served(handler) as address:
        print(address, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    _main(*sys.argv[1:])
