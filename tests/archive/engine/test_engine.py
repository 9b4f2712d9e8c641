"""The processes that work: they end with their parent, however it ends, and what tests fork in their stead does too."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import forked
import pytest
from forked import Command

TESTS = Path(__file__).parents[2]
FOREVER = """
from archive.engine import open_engine
from endless import work
list(open_engine(2).run(work, ["{0}/1", "{0}/2"]))
"""


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that comes; ten minutes are hanging, on whatever machine."""
    deadline = time.monotonic() + 600
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"  # nobody waits for it
    except OSError:
        return False


def workers_of(folder: Path) -> list[int]:
    until(lambda: (folder / "1").exists() and (folder / "2").exists())
    return [int((folder / name).read_text()) for name in ("1", "2")]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}


def test_workers_do_not_outlive_a_command_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", FOREVER.format(tmp_path)], env=environment())
    workers = workers_of(tmp_path)
    parent.kill()
    parent.wait()
    until(lambda: all(map(ended, workers)))


@pytest.mark.parametrize("workers_too", [False, True])
def test_workers_do_not_outlive_a_forked_command_that_was_killed(tmp_path: Path, workers_too: bool) -> None:
    command = Command([], tmp_path / "said", code=FOREVER.format(tmp_path))
    workers = workers_of(tmp_path)
    command.kill(workers_too)
    assert command.exitcode == -signal.SIGKILL
    until(lambda: all(map(ended, workers)))


def test_a_client_that_dies_takes_its_own_command_with_it_and_harms_no_other(tmp_path: Path) -> None:
    other = Command([], tmp_path / "other", code="import sys; print(sys.stdin.read()); import signal; signal.pause()")
    code = FOREVER.format(tmp_path)
    client = f"""
import signal
from pathlib import Path
from forked import Command
command = Command([], Path({str(tmp_path / "said")!r}), code={code!r})
signal.pause()
"""
    dies = subprocess.Popen([sys.executable, "-c", client], env=environment())
    workers = workers_of(tmp_path)
    dies.kill()
    dies.wait()
    until(lambda: all(map(ended, workers)))
    address = str(forked.servers() / "archive")
    for sent in (b"", b"\0\0", b"\0\0\1\0", b"\0\0\0\4junk"):  # who dies before all was sent
        line = socket.socket(socket.AF_UNIX)
        line.connect(address)
        line.send(sent)
        line.close()
    line = socket.socket(socket.AF_UNIX)
    line.connect(address)
    asked = Connection(line.detach())
    asked.send(forked.job([], tmp_path / "unheard", code="print(1)"))
    asked.close()  # and who hears no answer
    assert forked.forked(code="print('still here')").stdout == "still here\n"
    assert other.exitcode is None
    other.kill()


def test_a_forked_command_ends_as_that_of_a_shell_does() -> None:
    for code, status, out, err in (
        ("print('ä')", 0, "ä\n", ""),
        ("raise SystemExit(3)", 3, "", ""),
        ("raise SystemExit('said')", 1, "", "said\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, "", ""),
        ("import os; print(os.environ['A'])", 0, "b\n", ""),
    ):
        done = forked.forked(code=code, check=False, env={"A": "b"})
        assert (done.returncode, done.stdout, done.stderr) == (status, out, err)
    failed = forked.forked(code="1 / 0", check=False)
    assert (failed.returncode, failed.stderr.splitlines()[-1]) == (1, "ZeroDivisionError: division by zero")


def test_a_forked_command_imports_nothing_that_its_server_could_have(tmp_path: Path) -> None:
    """Or each of the many commands that tests run would import it again."""
    from conftest import members, record

    (tmp_path / "a.warc.gz").write_bytes(members(record()))
    source, lake, out = str(tmp_path / "a.warc.gz"), ["--lake", str(tmp_path / "lake")], str(tmp_path / "set")
    before = ["--before", "2022-01-01"]
    commands = [
        ["ingest", source, *lake],
        ["forget", source, "--dry-run", *lake],
        *([name, *lake] for name in ("index", "quality", "stats")),
        ["show", "http://example.com/", *lake],
        ["export", out, *before, *lake],
        ["verify", out],
        ["certify", out, "--out", f"{out}-2", *before, *lake],
    ]
    code = """
import sys
from archive.cli import main
had = set(sys.modules)
for args in {}:
    try:
        main(args)
    except SystemExit as end:
        assert end.code in (None, 0), args
print(set(sys.modules) - had)
"""
    assert forked.forked(code=code.format(commands)).stdout.splitlines()[-1] == "set()"
