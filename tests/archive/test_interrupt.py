"""Ctrl-C ends every command with one line and exit status 130, whatever it is at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import members, record

from archive.lake import Lake

Write = Callable[[str, bytes], str]
STOPPED = "archive: stopped"


#: `archive`, which says that Python has started, and that it hears of signals.
BEGIN = "import os, signal; from archive import __main__ as m; signal.signal(2, m._stop); os.write(1, b'.'); m.main()"


def interrupted(args: list[str], when: Callable[[], bool], folder: Path) -> tuple[int, str]:
    """Run `archive` as the leader of a terminal's foreground group, and press Ctrl-C once `when` says so."""
    with open(folder / "err", "w+") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, *args], stdout=subprocess.PIPE, stderr=err, start_new_session=True
        )
        assert process.stdout is not None
        process.stdout.read(1)
        while not when() and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers too
        process.communicate(timeout=120)
        err.seek(0)
        said = err.read()
    assert _is_empty(process.pid)
    return process.returncode, said


def _is_empty(group: int) -> bool:
    """Whether nobody is left of a group of processes, or soon."""
    for _ in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file that takes many seconds to ingest."""
    path = tmp_path_factory.mktemp("large") / "a.warc"
    page = record(url="http://e.example/00000", body="<p>Page 00000 of many.</p>" * 100)
    with open(path, "wb") as file:
        for number in range(30_000):
            file.write(page.replace(b"00000", b"%05d" % number))
    return str(path)


@pytest.mark.parametrize("delay", [0.0, 0.2, 0.5, 0.9, 1.5])
def test_an_ingest_is_stopped_while_it_loads_starts_its_workers_and_works(
    lake: Lake, large: str, tmp_path: Path, delay: float
) -> None:
    until: list[float] = []

    def waited() -> bool:
        until.append(time.monotonic() + delay)
        return time.monotonic() > until[0]

    args = ["ingest", large, "--lake", lake.location, "--workers", "2", "--span", "1M"]
    status, said = interrupted(args, waited, tmp_path)
    assert (status, said.count("\n"), said.startswith(STOPPED)) == (130, 1, True), said


#: A call into native code from which no signal comes back: it waits for itself.
DEAF = """
import sys, ctypes, types
import click
from archive import cli
@click.command("deaf")
def command():
    mutex, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    libc.pthread_mutex_lock(mutex)
    print("at it", flush=True)
    libc.pthread_mutex_lock(mutex)
sys.modules["deaf"] = types.ModuleType("deaf")
sys.modules["deaf"].command = command
cli._COMMANDS["deaf"] = ("deaf", "")
cli.main(["deaf"])
"""


def test_native_code_that_does_not_look_up_is_ended_too() -> None:
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "at it\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines() == ["archive: stopped; what was committed stays"]


def test_an_interrupted_ingest_goes_on_from_the_last_commit(lake: Lake, write: Write, tmp_path: Path) -> None:
    names = [write(f"{n}.warc.gz", members(record(url=f"http://e.example/{n}"))) for n in range(3)]
    folder = str(Path(names[0]).parent)
    log = Path(lake.location) / "sources" / "_delta_log" / f"{1:020}.json"
    args = ["ingest", folder, "--lake", lake.location, "--workers", "1"]
    status, _ = interrupted(args, log.exists, tmp_path)
    assert status in {0, 130}
    done = subprocess.run([sys.executable, "-m", "archive", *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sum(lake.read("sources", ["captures"])["captures"].to_pylist()) == 3
