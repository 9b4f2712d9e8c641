"""`archive` commands that start at once: forked from a process that has imported all they need, and killed where one
wants.

Imports of torch and transformers take ten seconds of each process. Here one process has them, and forks a child for
each command, in a group of its own; its workers are forked too. Nothing else differs from the command of a shell.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class End:
    status: int  #: -9: killed
    out: str
    err: str


def run(command: Sequence[str], **changes: Any) -> End:
    """Run `archive` with these arguments to its end.

    Args:
        changes: keyword arguments of `Changes`.
    """
    return _asked({"command": list(map(str, command)), "changes": changes})


def call(code: str) -> End:
    """Run a piece of Python."""
    return _asked({"code": code, "changes": {}})


def _asked(job: dict[str, Any]) -> End:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(job) + "\n")
    server.stdin.flush()
    return End(**json.loads(server.stdout.readline()))


@functools.cache
def _server() -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(_ROOT), str(_ROOT / "tests")])
    return subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,  # its end ends the process
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"},
    )


# -- in the child ----------------------------------------------------------------------------------


class Changes:
    """What a child has otherwise than a command of a shell.

    Args:
        kill: the phase at which it kills itself and its workers: `start`, `data`, `training`, `judging`, `writing`,
            `surprise`, `measuring`, `between` or `results`; all but the first two and the last in generation 1 of
            `replace`.
        journal: a file that hears of each training.
        largest: the size of a file at which the disk is full.
        trial: seconds that an estimate tries each kind of step for.
        draws: the report, which takes longer than all else here.
    """

    def __init__(
        self,
        kill: str | None = None,
        journal: str | None = None,
        largest: int | None = None,
        trial: float = 0.01,
        draws: bool = False,
    ) -> None:
        from archive.owned import Owned
        from collapse import estimate, experiment, judge, numbers, steps, write

        self._journal, self._kill, self._now = journal, kill, ("", 0)
        self._held_out: Any = None
        estimate._TRIAL = trial
        if not draws:
            experiment.report = SimpleNamespace(write=lambda *_: None, times=lambda _: None)
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
        self._before(steps._Generation, "run", self._generation)
        self._before(steps, "train", self._training)
        self._before(write, "write", self._writing)
        self._before(judge, "token_losses", self._judging)
        self._before(numbers, "of_text", self._measuring)
        self._before(Owned, "replace", self._replacing)
        self._before(steps, "load", self._loading)
        self._before(experiment.results, "collect", self._collecting)

    def _before(self, place: Any, name: str, hook: Any) -> None:
        original = getattr(place, name)

        @functools.wraps(original)
        def hooked(*args: Any, **more: Any) -> Any:
            return original(*(hook(*args) or args), **more)

        setattr(place, name, hooked)

    def _die(self, *phases: str) -> None:
        if self._kill in phases:
            os.killpg(0, signal.SIGKILL)
            time.sleep(60)

    def _here(self, phase: str) -> bool:
        return self._kill == phase and self._now == ("replace", 1)

    def _generation(self, generation: Any) -> None:
        self._now = (generation.arm.regime, generation.number)
        self._held_out = generation.data.held_out
        if self._now == ("replace", 2):
            self._die("between")

    def _third(self, progress: Any, phase: str) -> Any:
        """The progress of a step, which ends all at the third time that it is told."""
        heard: list[int] = []

        def told(tokens: int) -> None:
            heard.append(tokens)
            if len(heard) == 3:
                self._die(phase)
            progress(tokens)

        return told if self._here(phase) else progress

    def _training(self, *args: Any) -> tuple[Any, ...]:
        if self._journal is not None:
            with open(self._journal, "a") as file:
                file.write(f"{self._now[0]} {self._now[1]}\n")
        return (*args[:-1], self._third(args[-1], "training"))

    def _writing(self, *args: Any) -> tuple[Any, ...]:
        return (*args[:-1], self._third(args[-1], "writing"))

    def _judging(self, _: Any, blocks: Any, *__: Any) -> None:
        phase = "judging" if blocks is self._held_out else "surprise"
        if self._here(phase):
            self._die(phase)

    def _measuring(self, *_: Any) -> None:
        if self._here("measuring"):
            self._die("measuring")

    def _replacing(self, _: Any, path: Path, __: bytes) -> None:
        if path.name == "run.json":
            self._die("start")

    def _loading(self, *_: Any) -> None:
        self._die("data")

    def _collecting(self, *_: Any) -> None:
        self._die("results")


def _child(job: dict[str, Any], out: int, err: int) -> int:
    os.setsid()
    os.dup2(out, 1)
    os.dup2(err, 2)
    sys.stdin.close()
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    try:
        if "code" in job:
            exec(job["code"], {})
            return 0
        from archive.cli import main

        Changes(**job["changes"])
        main(job["command"], prog_name="archive")
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


class _Forks:
    """What the engine wants of `multiprocessing`: processes that are forked, and keep no pipe of others open."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("fork")
        self._ours: list[Any] = []

    def Pipe(self) -> Any:  # noqa: N802
        ours, theirs = self._context.Pipe()
        self._ours.append(ours)
        return ours, theirs

    def Process(self, target: Any, args: Any, daemon: bool) -> Any:  # noqa: N802
        def alone(*args: Any) -> None:
            for pipe in self._ours:
                pipe.close()
            target(*args)

        return self._context.Process(target=alone, args=args, daemon=daemon)


def _serve() -> None:
    from query.formats.hugging_face import import_transformers

    transformers = import_transformers()
    for name in ("GPT2LMHeadModel", "AutoModelForCausalLM", "AutoTokenizer", "PreTrainedTokenizerFast"):
        getattr(transformers, name)
    for module in ("archive.cli", "archive.show", "collapse.command", "collapse.estimate", "collapse.experiment"):
        import_module(module)
    import archive.engine
    from collapse.corpus import Document, without_kin

    without_kin([Document("a b")], [Document("c d")])  # compiles
    archive.engine.preload = lambda *_: _Forks()  # type: ignore[assignment, return-value]
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)  # workers of a killed child are waited for here
    gc.freeze()  # or each child looks through all that torch is
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        with open(os.memfd_create("out"), "w+b") as out, open(os.memfd_create("err"), "w+b") as err:
            child = os.fork()
            if child == 0:
                os._exit(_child(json.loads(line), out.fileno(), err.fileno()))
            _, status = os.waitpid(child, 0)
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.waitpid(-1, 0)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
        answer = {"status": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
