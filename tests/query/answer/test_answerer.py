"""`archive query` runs a question in another process: it can be stopped, bounded, and never outlives the command."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import record, take
from forked import forked

from archive.lake import Lake

#: DuckDB does not look up in the first; the second works on for hours.
HEAVY = [
    "SELECT regexp_matches(repeat('ab', 300000000), '(a|b)*c')",
    "SELECT count(*) FROM (FROM range(1000000) a(i), range(100000) b(j) WHERE hash(i, j) % 97 = 1)",
]


@pytest.fixture
def small(lake: Lake, write: Callable[[str, bytes], str]) -> Lake:
    take(lake, write("a.warc", record()))
    return lake


def _words(lake: Lake, *more: str) -> list[str]:
    return [sys.executable, "-m", "archive", "query", *more, "--lake", lake.location]


def _answering(lake: Lake) -> list[int]:
    """The process ids of commands that have this lake among their words, and of the processes that answer them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            found += [int(file.parent.name)] if lake.location.encode() in file.read_bytes() else []
    return found


def _until(true: Callable[[], bool], seconds: float = 120) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _works(lake: Lake) -> bool:
    """Whether the process that answers has used a second of the processor."""
    stats = []
    for process in _answering(lake):
        try:
            stats.append(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split())
        except OSError:
            return False
    return len(stats) == 2 and max(int(each[11]) for each in stats) > 2 * os.sysconf("SC_CLK_TCK")


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.parametrize("sql", HEAVY, ids=["deaf", "endless"])
def test_ctrl_c_ends_a_heavy_question_on_a_terminal(small: Lake, sql: str) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, _words(small, sql))
    assert _until(lambda: _works(small))
    os.write(terminal, b"\x03")
    asked, shown = time.monotonic(), b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # its end
            break
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert time.monotonic() - asked < 60
    assert shown.replace(b"^C", b"").split(b"\r\n") == [b"archive: stopped", b""]
    assert not _answering(small)
    os.close(terminal)


@linux
def test_an_interrupt_ends_a_heavy_question_in_a_pipe(small: Lake) -> None:
    asking = subprocess.Popen(_words(small, HEAVY[1]), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert _until(lambda: _works(small))
    asking.send_signal(signal.SIGINT)
    assert asking.communicate(timeout=60) == (b"", b"archive: stopped\n")
    assert asking.returncode == 130
    assert not _answering(small)


@linux
def test_no_process_outlives_a_command_that_is_killed(small: Lake) -> None:
    asking = subprocess.Popen(_words(small, HEAVY[1]))
    assert _until(lambda: _works(small))
    asking.kill()
    asking.wait()
    assert _until(lambda: not _answering(small))


@linux
def test_at_the_prompt_ctrl_c_stops_the_question_and_the_prompt_goes_on(small: Lake, tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
        os.execv(sys.executable, _words(small))
    shown = _shown(terminal, "archive> ")
    os.write(terminal, f"{HEAVY[1]};\n".encode())
    assert _until(lambda: _works(small))
    os.write(terminal, b"\x03")
    shown += _shown(terminal, "archive: stopped\r\narchive> ")
    os.write(terminal, b"SELECT 40 + 2;\n")
    shown += _shown(terminal, " 42")
    os.write(terminal, b"exit;\n")
    assert os.waitpid(child, 0)[1] == 0, shown
    assert not _answering(small)
    os.close(terminal)


def _shown(terminal: int, wanted: str) -> str:
    shown, end = "", time.monotonic() + 120
    while wanted not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    assert wanted in shown, shown
    return shown


def test_a_lake_on_s3_is_answered_behind_the_wall_too(s3: str, write: Callable[[str, bytes], str]) -> None:
    lake = Lake(f"s3://{s3}/lake")
    take(lake, write("a.warc", record()))
    done = forked("query", "SELECT host, year, text FROM documents", "--lake", lake.location, "-f", "csv")
    assert done.stdout.startswith("host,year,text\nexample.com,2015,")
    missing = forked("query", "SELECT 1", "--lake", "s3://no-such-bucket/lake", check=False)
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
