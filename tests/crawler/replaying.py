"""A real pywb on loopback that shows WARC files, where one is installed."""

from __future__ import annotations

import gzip
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from replay_site import Page


def wayback() -> str | None:
    """Return the program of pywb: as the variable WAYBACK says, next to this Python, or on the path."""
    return os.environ.get("WAYBACK") or shutil.which("wayback", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))  # fmt: skip


@dataclass
class Shown:
    """An answer of pywb."""

    status: int
    fields: http.client.HTTPMessage
    body: bytes

    def get(self, name: str) -> str:
        return str(self.fields.get(name, ""))


@dataclass
class Replay:
    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, **fields: str) -> Shown:
        """Ask for a path as it is, and follow no redirect."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest("GET", path, skip_accept_encoding=True)
        for name, value in fields.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        found = Shown(answer.status, answer.headers, answer.read())
        connection.close()
        return found

    def shows(self, collection: str, url: str, stamp: str, page: Page) -> bool:
        """Whether the raw replay of a capture has the status, the bytes and the time of it, or leads where it led."""
        shown = self.get(f"/{collection}/{stamp}id_/{url}")
        if shown.status != int(page.status[:3]):
            return False
        if page.location:
            led = urldefrag(urljoin(url, shown.get("Location")))[0]
            return led.endswith(urldefrag(urljoin(url, page.location))[0])
        body = gzip.decompress(shown.body) if shown.get("Content-Encoding") == "gzip" else shown.body
        at = shown.get("Memento-Datetime")
        return body == page.body and bool(at) and f"{parsedate_to_datetime(at):%Y%m%d%H%M%S}" == stamp


@contextmanager
def replaying(program: str, home: Path, collections: Mapping[str, Path]) -> Iterator[Replay]:
    """Start pywb.

    Args:
        home: a folder for its settings and its log.
        collections: the index of each collection, by its name; the WARC files are in the folder of the index.
    """
    home.mkdir(exist_ok=True)
    lines = [f"  {name}:\n    index_paths: {path}\n    archive_paths: {path.parent}/\n" for name, path in collections.items()]  # fmt: skip
    (home / "config.yaml").write_text("collections:\n" + "".join(lines))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (home / "log").open("wb") as log:
        words = [program, "-b", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(words, cwd=home, stdout=log, stderr=log, env=environment)
        try:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
                    if process.poll() is not None:
                        raise RuntimeError((home / "log").read_text()[-2000:]) from None
            yield Replay(port, process)
        finally:
            process.terminate()
            process.wait(30)
