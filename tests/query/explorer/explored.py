"""A lake of few captures, some of them hostile, and `archive explore` on loopback."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import members, record, take
from made import edited, indexed, words

from archive.lake import Lake

OLD = words(200, 1)
EDITED = edited(OLD, 2, 3)
#: What somebody may write into a page, a title or an address.
SCRIPT = "<script>document.title='taken'</script>"
TURNED = "\u202egnp.exe"


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with near-duplicates, revisits of one page, a text in grade E only, a reject, and hostile words."""
    folder = tmp_path_factory.mktemp("explored")
    source = folder / "a.warc.gz"
    hostile = (
        f"<html><title>&lt;script&gt;alert(1)&lt;/script&gt;{TURNED}</title><p>&lt;script&gt;alert(2)&lt;/script&gt;"
    )
    source.write_bytes(
        members(
            record("http://www.example.org/old", f"<p>{' '.join(OLD)}", date="2014-02-03T04:05:06Z"),
            record("http://www.example.org/old", f"<p>{' '.join(OLD)}", date="2016-02-03T04:05:06Z"),
            record("http://copies.example.com/new", f"<p>{' '.join(EDITED)}", date="2019-07-08T09:10:11Z"),
            record(
                f"http://bad.example.net/?{SCRIPT}", f"{hostile} {' '.join(words(50, 7))}", date="2018-01-02T03:04:05Z"
            ),
            record("http://bad.example.net/long", "<p>" + "x" * 20_000, date="2018-01-02T03:04:06Z"),
            record("http://www.example.org/none", "<p>gone", status="404 Not Found", date="2018-01-02T03:04:07Z"),
            record("http://www.example.org/when", f"<p>{' '.join(words(60, 9))}", date="2999-01-02T03:04:07Z"),
        )
    )
    lake = Lake(str(folder / "lake"))
    take(lake, str(source))
    indexed(lake)
    return lake


@pytest.fixture(scope="session")
def address(shown: Lake) -> Iterator[str]:
    """Where the lake is shown."""
    with serving("--lake", shown.location) as found:
        yield found


@contextlib.contextmanager
def serving(*options: str) -> Iterator[str]:
    """Run `archive explore` in a process of its own; yields its address."""
    command = [sys.executable, "-m", "archive", "explore", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        try:
            assert line, process.stderr.read()
            found = line.split()[0].rstrip("/")
            _wait_until_counted(found)
            yield found
        finally:
            process.terminate()


def _wait_until_counted(address: str) -> None:
    """Wait until the first page is whole, where everybody may look at it."""
    while (given := httpx.get(f"{address}/index.json", timeout=60)).status_code == 200:
        if not given.json()["data"]["uncounted"]:
            return
        time.sleep(0.05)


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=60) as opened:
        yield opened


def files_of(folder: str) -> dict[str, int]:
    """The files below a folder, with when they were changed."""
    return {str(path): path.stat().st_mtime_ns for path in Path(folder).rglob("*")}
