"""The command `archive` in processes that need not load it, and that die where one wants.

Imports take a second of each command, those of torch ten. Here one process has imported all (`forking`), and forks a
child for each command; its workers are forked too. Nothing else differs from the command of a shell.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from forking import Job

_ROOT = Path(__file__).parents[1]
_FOLDER = "LOWBACKGROUND_TEST_SERVERS"  # the variable that names the folder of the servers' sockets
#: What commands and workers use; what is missing here each of them would import again.
MODULES = (
    "archive.intake.command",
    "archive.intake.crawled",
    "archive.intake.display",
    "archive.intake.forget_command",
    "archive.intake.preview",
    "archive.intake.run",
    "archive.intake.work",
    "archive.records.json_values",
    "archive.records.segments",
    "archive.records.wacz",
    "archive.show",
    "archive.sources.files",
    "archive.witness.work",
    "click._textwrap",
    "deltalake.fs",
    "eld.resources.ngrams.ngramsM60",
    "encodings.idna",
    "encodings.punycode",
    "index.certify.command",
    "index.certify.paragraphs",
    "index.certify.run",
    "index.certify.show",
    "index.certify.work",
    "index.maintain.command",
    "index.maintain.run",
    "index.minhash.ready",
    "index.neardup.bands",
    "index.neardup.command",
    "index.neardup.run",
    "index.neardup.signatures",
    "index.passages.find",
    "index.passages.ready",
    "index.passages.stage",
    "index.quality.command",
    "index.quality.run",
    "index.quality.stage",
    "query.answer.command",
    "query.counts",
    "query.export.command",
    "query.export.run",
    "query.formats.parquet",
    "query.history",
    "query.verify.command",
    "query.verify.records",
    "query.verify.run",
    "rich._emoji_codes",
)
#: What each server has imported. That with torch has more memory from the start, which tests of memory cannot use.
_SERVERS = {"archive": MODULES, "collapse": (*MODULES, "torch_imported")}


class Command:
    """A command that runs.

    Args:
        args: of `archive`; none with `code`.
        output: a folder; what it says goes to the files `1` and `2` in it.
        more: what else a `Job` may have: `code`, `user`, `largest_file`, `kill`, `journal`, `prepare`.
        server: `collapse` has torch.
    """

    def __init__(
        self,
        args: Sequence[str],
        output: Path,
        env: Mapping[str, str] | None = None,
        server: str = "archive",
        **more: Any,
    ) -> None:
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(servers() / server))
        self._keeper = Connection(line.detach())
        self._keeper.send(job(args, output, env, **more))
        self.pid: int = self._keeper.recv()
        self.exitcode: int | None = None

    def join(self, seconds: float | None = None) -> None:
        if self.exitcode is None and wait([self._keeper], seconds):
            self.exitcode = self._keeper.recv()
            self._keeper.close()

    def kill(self, workers_too: bool = False) -> None:
        """End it as `kill -9` does.

        Args:
            workers_too: at the same moment, as where the machine stops.
        """
        if self.exitcode is None:
            with contextlib.suppress(OSError):  # it has just ended
                self._keeper.send("kill all" if workers_too else "kill")
            self.join()


def job(
    args: Sequence[str], output: Path, env: Mapping[str, str] | None = None, code: str | None = None, **more: Any
) -> Job:
    """What a server is asked for; the arguments are those of `Command`."""
    output.mkdir(exist_ok=True)
    return Job(list(args), code, str(output), os.getcwd(), dict(env or os.environ), **more)


def start(args: Sequence[str], output: Path, env: Mapping[str, str] | None = None, **more: Any) -> Command:
    """Begin `archive` with these arguments."""
    return Command(args, output, env, **more)


def killed(args: Sequence[str], seconds: float, output: Path, workers_too: bool = False, **more: Any) -> bool:
    """Run `archive` for so long, then kill it as `kill -9` does; False where it had ended.

    Args:
        more: as of `Command`.
    """
    process = start(args, output, **more)
    process.join(seconds)
    process.kill(workers_too)
    return process.exitcode == -signal.SIGKILL


def forked(
    *args: str,
    check: bool = True,
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    **more: Any,
) -> subprocess.CompletedProcess[str]:
    """`conftest.command` where the start of Python is not the point.

    Args:
        check: that it ends with 0 or 1.
        timeout: seconds after which it hangs.
        more: as of `Command`.
    """
    with tempfile.TemporaryDirectory() as folder:
        process = start(args, Path(folder), env, **more)
        process.join(timeout)
        if process.exitcode is None:
            process.kill(workers_too=True)
            raise subprocess.TimeoutExpired(args, timeout or 0)
        out, err = ((Path(folder) / name).read_text() for name in ("1", "2"))
        done = subprocess.CompletedProcess(list(args), process.exitcode, out, err)
    if check:
        assert done.returncode in {0, 1}, done.stderr
    return done


# -- the servers -----------------------------------------------------------------------------------


@functools.cache
def servers() -> Path:
    """The folder of their sockets; where nobody has made it, they are made for this process."""
    if _FOLDER not in os.environ:
        stack = contextlib.ExitStack()
        atexit.register(stack.close)
        stack.enter_context(served())
    return Path(os.environ[_FOLDER])


@contextlib.contextmanager
def served() -> Iterator[None]:
    """The servers, for this process and those that it starts. They import nothing before they are asked."""
    folder = tempfile.mkdtemp(prefix="forked-")
    servers = []
    for name, modules in _SERVERS.items():
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/{name}")
            listener.listen(64)
            servers.append(
                subprocess.Popen(
                    [sys.executable, str(_ROOT / "tests/forking.py"), str(listener.fileno()), *modules],
                    stdin=subprocess.PIPE,  # its end ends the process
                    pass_fds=[listener.fileno()],
                    start_new_session=True,  # the Ctrl-C of a terminal is not for it
                    env=os.environ
                    | {
                        "HF_HUB_OFFLINE": "1",
                        "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "tests")]),
                    },
                )
            )
    os.environ[_FOLDER] = folder
    try:
        yield
    finally:
        del os.environ[_FOLDER]
        for server in servers:
            assert server.stdin is not None
            server.stdin.close()
            server.wait()
        shutil.rmtree(folder)
