"""The command `archive` in processes that need not load it: forked from the server that workers are forked from."""

from __future__ import annotations

import atexit
import contextlib
import io
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path

#: What the server of the workers loads beside what they need: the program as far as most commands do.
MODULES = (
    "archive.commands.ingest",
    "archive.commands.display",
    "archive.intake",
    "index.command",
    "index.pipeline",
    "query.command",
    "query.export.command",
    "query.verify.command",
    "query.verify.records",
)


def start(
    args: Sequence[str], output: Path, env: Mapping[str, str] | None = None, largest_file: int | None = None
) -> ForkServerProcess:
    """Begin `archive` with these arguments; what it says goes to the files `1` and `2` in the folder `output`."""
    output.mkdir(exist_ok=True)
    context = multiprocessing.get_context("forkserver")
    process = context.Process(
        target=_run,
        args=(_server(), list(args), str(output), dict(env or os.environ), largest_file, os.getcwd()),
    )
    process.start()
    return process


def killed(args: Sequence[str], seconds: float, output: Path, workers_too: bool = False) -> bool:
    """Run `archive` for so long, then kill it as `kill -9` does; False where it had ended.

    Args:
        workers_too: at the same moment, as where the machine stops. It is loaded anew for that, within the seconds.
    """
    if workers_too:
        group = subprocess.Popen(
            [sys.executable, "-m", "archive", *args],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            group.wait(seconds)
            return False
        os.killpg(group.pid, signal.SIGKILL)
        group.wait()
        return True
    process = start(args, output)
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def forked(
    *args: str,
    check: bool = True,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    largest_file: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """`conftest.command` where the start of Python is not the point.

    Args:
        largest_file: bytes that it may write to one file.
    """
    with tempfile.TemporaryDirectory() as folder:
        process = start(args, Path(folder), env, largest_file)
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(args, timeout or 0)
        out, err = ((Path(folder) / name).read_text() for name in ("1", "2"))
        done = subprocess.CompletedProcess(args, process.exitcode, out, err)
        process.close()
    if check:
        assert done.returncode in {0, 1}, done.stderr
    return done


def _server() -> str:
    """The address of the server."""
    forkserver.ensure_running()
    return str(forkserver._forkserver._forkserver_address)


def _run(server: str, args: list[str], output: str, env: dict[str, str], largest_file: int | None, folder: str) -> None:
    # its workers come from the same server, or it would start one of its own and load everything again
    forkserver._forkserver._forkserver_address = server
    forkserver._forkserver.ensure_running = forkserver.ensure_running = lambda: None
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number in (1, 2):
        file = os.open(f"{output}/{number}", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(os.devnull)  # noqa: SIM115
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(number, "wb", 0, closefd=False), "utf-8", write_through=True) for number in (1, 2)
    )
    if largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    from archive.cli import main

    try:
        main(args, prog_name="archive")
    finally:
        atexit._run_exitfuncs()  # a process of multiprocessing does not, and this one stands for another
        with contextlib.suppress(ValueError):  # a broken pipe closed it
            sys.stdout.flush()
