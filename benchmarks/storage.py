"""Reading a WARC over HTTP and from S3: this project's sources against obstore.

    python benchmarks/storage.py [--size 200] [--rounds 3]

Both read the same file record by record from servers on loopback, in turn. Below the speeds it prints which of the
faults that `tests/archive/sources` has (no ranges, broken connections, 503s, a file that changes) each one survives.
obstore is no dependency of this project; `pip install obstore` brings it.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.server
import io
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import boto3
import obstore  # type: ignore[import-not-found,unused-ignore]
from obstore.store import HTTPStore, S3Store  # type: ignore[import-not-found,unused-ignore]

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers import flaky_proxy, s3_server, served  # type: ignore[import-untyped,import-not-found,unused-ignore]

from archive.records import RecordReader
from archive.sources import open_bytes

Open = Callable[[str], BinaryIO]
_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


def _store(uri: str) -> tuple[Any, str]:
    if uri.startswith("s3://"):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        options = {"endpoint": os.environ["AWS_ENDPOINT_URL"], "client_options": {"allow_http": True}}
        return S3Store(bucket, **options), key  # type: ignore[arg-type]
    parts = urlsplit(uri)
    base = f"{parts.scheme}://{parts.netloc}"
    return HTTPStore.from_url(base, client_options={"allow_http": True}), parts.path.lstrip("/")


def by_ranges(uri: str) -> BinaryIO:
    """obstore's seekable file: a request for each MiB."""
    return cast(BinaryIO, io.BufferedReader(_Raw(obstore.open_reader(*_store(uri), buffer_size=1 << 20)), 1 << 20))


class _Raw(io.RawIOBase):
    """obstore's reader as a raw Python file."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Stream(io.RawIOBase):
    """obstore's stream, which cannot seek but to where it is: only for speed."""

    def __init__(self, uri: str) -> None:
        self._store = _store(uri)
        self._chunks: Iterator[Any] | None = None
        self._left = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if offset:
            raise OSError("a stream does not seek")
        self._chunks, self._left = iter(obstore.get(*self._store).stream(min_chunk_size=1 << 18)), b""
        return 0

    def readinto(self, buffer: Any) -> int:
        if self._chunks is None:
            self.seek(0)
        assert self._chunks is not None
        if not self._left:
            self._left = bytes(next(self._chunks, b""))
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def as_stream(uri: str) -> BinaryIO:
    """obstore's stream: one request."""
    return cast(BinaryIO, io.BufferedReader(_Stream(uri), 1 << 18))


OURS, RANGES, STREAM = "ours", "obstore, ranges", "obstore, stream"
WAYS: dict[str, Open] = {OURS: open_bytes, RANGES: by_ranges, STREAM: as_stream}


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one file: with or without ranges, in pieces, or another state of it at each request."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, path: Path, ranges: bool = True, cut: int = 1 << 40, changes: bool = False) -> None:
        self.file, self.ranges, self.cut, self.changes = path, ranges, cut, changes
        super().__init__(*args)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        size = self.file.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if self.ranges else None
        start = int(asked[1]) if asked else 0
        end = min(int(asked[2]) + 1, size) if asked and asked[2] else size
        if start >= size:
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", f'"{random.random() if self.changes else 1}"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2015 00:00:00 GMT")
        self.end_headers()
        left = min(end - start, self.cut) if body else 0
        with open(self.file, "rb") as file, contextlib.suppress(ConnectionError):
            file.seek(start)
            while left and (data := file.read(min(left, 1 << 18))):
                self.wfile.write(data)
                left -= len(data)
        if body and end - start > self.cut:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


def make_warc(path: Path, size: int) -> None:
    """Write gzip members of one record each, of numbers that compress like text, until the file has `size` bytes."""
    noise = random.Random(1)
    with open(path, "wb") as file:
        number = 0
        while file.tell() < size:
            words = " ".join(str(noise.randrange(1 << 40)) for _ in range(3000)).encode()
            block = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + words
            head = (
                f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://e.example/{number}\r\n"
                f"WARC-Date: 2015-01-01T00:00:00Z\r\nContent-Length: {len(block)}\r\n\r\n"
            )
            member = gzip.compress(head.encode() + block + b"\r\n\r\n", 1)
            for _ in range(20):  # making them is not what is measured
                file.write(member)
            number += 1


@contextlib.contextmanager
def _in_a_process(path: Path) -> Iterator[str]:
    """Serve a file from another process, whose Python does not hold up ours."""
    server = subprocess.Popen([sys.executable, __file__, "--serve", str(path)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    with server:
        yield server.stdout.readline().strip()
        server.kill()


def records(open_it: Open, uri: str) -> tuple[int, float]:
    """Return how many sound records a file has, and how many seconds it took to read them."""
    started = time.perf_counter()
    with open_it(uri) as file:
        count = sum(not record.problem for record in RecordReader(file))
    return count, time.perf_counter() - started


def speeds(place: str, uri: str, size: int, rounds: int) -> None:
    """Read in turn, and print MB/s, each way's best, and the median ratio to ours of one round."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, open_it in WAYS.items():
            seconds[name].append(records(open_it, uri)[1])
    for name, taken in seconds.items():
        ratio = statistics.median(ours / other for ours, other in zip(seconds[OURS], taken, strict=True))
        print(f"{place:6} {name:16} {size / min(taken) / 1e6:7.0f} MB/s   {ratio:5.2f}")


def survives(open_it: Open, uri: str, count: int) -> str:
    """Say what comes of a faulty server."""
    try:
        found, _ = records(open_it, uri)
    except Exception as error:
        return f"fails: {' '.join(str(error).split())[:90]}"
    return "reads all" if found == count else f"reads {found} of {count} records"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=200, help="MB of the file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        with served(partial(Server, path=args.serve)) as address:
            print(address, flush=True)
            threading.Event().wait()
    os.environ |= _KEYS
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        large, small = Path(folder, "large.warc.gz"), Path(folder, "small.warc.gz")
        make_warc(large, args.size * 1_000_000)
        make_warc(small, 3_000_000)
        count = records(open_bytes, str(small))[0]
        address = stack.enter_context(_in_a_process(large))
        s3 = stack.enter_context(s3_server())
        os.environ["AWS_ENDPOINT_URL"] = s3
        client = boto3.client("s3", endpoint_url=s3)
        client.create_bucket(Bucket="bucket")
        for path in (large, small):
            client.upload_file(str(path), "bucket", path.name)
        print(f"{args.size} MB, {args.rounds} rounds in turn: the best, and the median ratio to ours")
        speeds("http", f"{address}/large.warc.gz", large.stat().st_size, args.rounds)
        speeds("s3", "s3://bucket/large.warc.gz", large.stat().st_size, args.rounds)
        faults: dict[str, dict[str, Any]] = {
            "a server without ranges": {"ranges": False},
            "each answer breaks off after 200 kB": {"cut": 200_000},
            "each answer has another ETag, and breaks off": {"cut": 200_000, "changes": True},
        }
        for fault, options in faults.items():
            with served(partial(Server, path=small, **options)) as faulty:
                for name, open_it in WAYS.items():
                    print(f"{fault}: {name}: {survives(open_it, f'{faulty}/small.warc.gz', count)}")
        with served(partial(Server, path=small)) as sound:
            for name, open_it in WAYS.items():
                with flaky_proxy(sound, 0.4) as proxy:
                    print(f"HTTP, 40 % 503s and resets: {name}: {survives(open_it, f'{proxy}/small.warc.gz', count)}")
        for name, open_it in WAYS.items():
            with flaky_proxy(s3, 0.4) as proxy:
                os.environ["AWS_ENDPOINT_URL"] = proxy
                print(f"S3, 40 % 503s and resets: {name}: {survives(open_it, 's3://bucket/small.warc.gz', count)}")


if __name__ == "__main__":
    main()
