"""The process that `forked` asks for commands: it has imported what they need, and forks them.

    python forking.py FD MODULE...

It waits at the socket FD until its standard input closes. For each connection it forks a keeper, and has no more to do
with it: whatever a client does, and whenever it dies, harms its own command only. The keeper forks the command, and the
workers that the command's engine wants; it tells the client the process id and, in the end, the exit status.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import pickle
import re
import resource
import signal
import socket
import sys
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """A command: the arguments of `archive`, or a piece of Python."""

    args: list[str]
    code: str | None
    output: str  #: a folder; what the command says goes to the files `1` and `2` in it
    folder: str  #: where it runs
    env: dict[str, str]
    user: int | None = None  #: as whom it runs
    largest_file: int | None = None  #: bytes, as if the disk were full then
    kill: str | None = None  #: a pattern; where a file operation matches it, the command and its workers die
    journal: tuple[str, str] | None = None  #: a file, and the pattern of the file operations that are noted in it
    prepare: tuple[str, str] | None = None  #: a module and a function of it, called in the command before it begins


def serve(listener: socket.socket, modules: list[str]) -> None:
    importlib.import_module("multiprocessing.popen_fork")  # a keeper that is another user may not be able to read it
    loaded = False
    while sys.stdin not in wait([listener, sys.stdin]):  # type: ignore[list-item]
        _bury()
        client, _ = listener.accept()
        if not loaded:
            gc.disable()
            for name in modules:
                importlib.import_module(name)
            gc.collect()
            gc.freeze()  # or each child looks through all that was imported
            gc.enable()
            loaded = True
        if os.fork() == 0:
            listener.close()
            _Keeper(Connection(client.detach())).keep()
        client.close()


def _bury() -> None:
    """Take leave of the keepers that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


# -- the keeper ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Keeper:
    client: Connection
    workers: list[tuple[Any, int]] = field(default_factory=list)  #: a process, and where its end is told

    def keep(self) -> None:
        try:
            job: Job = self.client.recv()
        except Exception:  # it died before it had said all
            os._exit(1)
        _become(job)
        bell, ring = socket.socketpair()
        ring.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ring.fileno())
        asks, asked = socket.socketpair()
        command = os.fork()
        if command == 0:
            _leave(self.client, bell, ring, asked, group=0)
            os._exit(_command(job, asks))
        _group(command, command)
        asks.close()
        try:
            self._wait(job, command, bell, ring, asked)
        except BaseException:
            traceback.print_exc()  # into what the command says
            os._exit(1)
        os._exit(0)

    def _wait(self, job: Job, command: int, bell: socket.socket, ring: socket.socket, asked: socket.socket) -> None:
        self.client.send(command)
        whole = job.kill is not None
        sources: list[Any] = [self.client, bell, asked]
        while True:
            ready = wait(sources)
            if bell in ready:
                bell.recv(1 << 10)
            if asked in ready and not self._fork_worker(command, asked, [self.client, bell, ring, asked]):
                sources.remove(asked)
            for worker in list(self.workers):
                self._tell(worker)
            if self.client in ready:
                order = self._order()
                whole = whole or order != "kill"
                (os.kill if order == "kill" else os.killpg)(command, signal.SIGKILL)
            ended, status = os.waitpid(command, os.WNOHANG)
            if ended:
                break
        if whole:  # it is over when nobody is at work any more
            for process, _ in self.workers:
                process.kill()
                process.join()
        self.client.send(os.waitstatus_to_exitcode(status))

    def _order(self) -> str:
        try:
            return str(self.client.recv())
        except (EOFError, OSError):
            return "the client is gone"

    def _fork_worker(self, command: int, asked: socket.socket, ours: list[Any]) -> bool:
        message, fds, _, _ = socket.recv_fds(asked, 1 << 16, 2)
        if not message:
            return False
        pipe, told = fds
        process = multiprocessing.get_context("fork").Process(target=_work, args=(message, pipe, ours, command))
        process.start()
        _group(process.pid, command)
        os.close(pipe)
        with contextlib.suppress(BrokenPipeError):  # who asked was killed
            os.write(told, b"%d\n" % process.pid)
        self.workers.append((process, told))
        return True

    def _tell(self, worker: tuple[Any, int]) -> None:
        process, told = worker
        if process.exitcode is not None:
            self.workers.remove(worker)
            with contextlib.suppress(BrokenPipeError):
                os.write(told, b"%d\n" % process.exitcode)
            os.close(told)


def _become(job: Job) -> None:
    """Be as the shell would be that starts the command."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for number in (1, 2):
        file = os.open(f"{job.output}/{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(file, number)
        os.close(file)
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.env)
    if job.kill or job.journal:
        _watch(job)
    if job.largest_file:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.largest_file, job.largest_file))
    if job.user is not None:
        os.setgroups([])
        os.setgid(job.user)
        os.setuid(job.user)


def _watch(job: Job) -> None:
    """Hear of file operations that Python does: `open PATH MODE`, `os.rename TO`, `os.link TO`, `os.mkdir PATH`, each
    before it is done."""
    path, pattern = job.journal or (None, "(?!)")
    journal = None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    noted, deadly = re.compile(pattern), re.compile(job.kill or "(?!)")

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            said = f"open {args[0]} {args[1]}"
        elif event in {"os.rename", "os.link", "os.mkdir"}:
            said = f"{event} {args[0 if event == 'os.mkdir' else 1]}"
        else:
            return
        if journal is not None and noted.search(said):
            os.write(journal, said.encode() + b"\n")
        if deadly.search(said):
            os.killpg(0, signal.SIGKILL)
            signal.pause()

    sys.addaudithook(hear)


def _leave(*ours: Any, group: int) -> None:
    """In a child of the keeper: nothing of the keeper's is left."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for each in ours:
        each.close()
    _group(0, group)


def _group(process: int, group: int) -> None:
    """Parent and child both do it, so that it is done whoever is first."""
    with contextlib.suppress(OSError):
        os.setpgid(process, group)


# -- the command and its workers -------------------------------------------------------------------


def _command(job: Job, asks: socket.socket) -> int:
    """Its exit status."""
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    from archive.engine import local

    local.workers_from = lambda *_: _Forks(asks)
    try:
        if job.prepare:
            module, function = job.prepare
            getattr(importlib.import_module(module), function)()
        if job.code is not None:
            exec(job.code, {"__name__": "__main__"})
            return 0
        from archive.cli import main

        main(job.args, prog_name="archive")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):  # closed, or the disk is full
                stream.flush()
    return 0


def _work(message: bytes, pipe: int, ours: list[Any], group: int) -> None:
    _leave(*ours, group=group)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # as the engine's own server does
    target, args = pickle.loads(message)
    target(Connection(pipe), *args)


class _Forks:
    """What an engine wants of `multiprocessing`: pipes, and processes, which the keeper forks."""

    def __init__(self, asks: socket.socket) -> None:
        self._asks = asks

    def Pipe(self) -> tuple[Connection, Connection]:  # noqa: N802
        return multiprocessing.Pipe()

    def Process(self, *, target: Any, args: tuple[Any, ...], daemon: bool) -> _Worker:  # noqa: N802
        return _Worker(self._asks, target, *args)


class _Worker:
    def __init__(self, asks: socket.socket, target: Any, pipe: Connection, *args: Any) -> None:
        self._asks, self._pipe, self._message = asks, pipe, pickle.dumps((target, args))
        self.exitcode: int | None = None

    def start(self) -> None:
        ours, theirs = os.pipe()
        socket.send_fds(self._asks, [self._message], [self._pipe.fileno(), theirs])
        os.close(theirs)
        self._told = open(ours, "rb", 0)  # noqa: SIM115
        self.pid = int(self._told.readline())

    @property
    def sentinel(self) -> int:
        return self._told.fileno()

    def join(self, timeout: float | None = None) -> None:
        if self.exitcode is None and wait([self.sentinel], timeout):
            self.exitcode = int(self._told.readline() or -signal.SIGKILL)

    def is_alive(self) -> bool:
        self.join(0)
        return self.exitcode is None

    def kill(self) -> None:
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    _bury()
    os._exit(0)  # without the end of all that was imported, which takes longer than most commands
