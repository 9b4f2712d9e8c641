"""Crawls in processes of their own, that a test may kill. They are forked, so that what they import is imported once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crawls import crawled

import crawler.driver
import crawler.records.delivery
import crawler.records.files
import crawler.records.recorder
import crawler.spider
import crawler.wire.handler  # noqa: F401
from crawler.asof import as_of


class Crawls:
    """Begins crawls of one server into one folder."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self) -> int:
        """Begin a crawl, and return the number of its process."""
        assert self._process.stdin is not None
        self._process.stdin.write("begin\n")
        self._process.stdin.flush()
        return self._read()

    def end(self) -> int:
        """Wait for the end of the crawl, and return its status, as `waitpid` has it."""
        return self._read()

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


@contextmanager
def crawls(folder: Path, url: str, store: str = "") -> Iterator[Crawls]:
    """Start the process that forks the others.

    Args:
        url: of the server; or `enumerate` or `follow`, and where a web archive shows its pages; or `spider` and the URL.
        store: where the files go.
    """
    paths = [*filter(None, sys.path), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    words = [sys.executable, __file__, str(folder), url, store]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        yield Crawls(process)
        process.kill()


def main() -> None:
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            small = {"batch": 20, "batch_seconds": 0.1, "file_size": 60_000}
            by, _, replay = sys.argv[2].partition(" ")
            if by == "spider":
                crawled(Path(sys.argv[1]), replay, spider="own_spiders:Shop", **{**small, "batch": 4})
            elif replay:
                past = as_of("2019-06-01", replay, None, by)
                crawled(Path(sys.argv[1]), "http://site.example/", as_of=past, sitemaps=False, **small)
            else:
                crawled(Path(sys.argv[1]), sys.argv[2], store=sys.argv[3] or None, **small)
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
