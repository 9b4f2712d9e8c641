"""Completion in a shell, as click's scripts ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archive.cli import _COMMANDS

PROGRAM = [sys.executable, "-c", "from archive.__main__ import main; main()"]


def answers(*words: str) -> list[str]:
    """What bash's script gets for a line whose last word is being typed: `type,value`."""
    asked = {"_ARCHIVE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(PROGRAM, env={**os.environ, **asked}, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def loaded(*words: str) -> set[str]:
    """What is imported until a line is completed."""
    asked = {"_ARCHIVE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    code = "import atexit, sys; atexit.register(lambda: print('modules', *sys.modules)); " + PROGRAM[2]
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True)
    assert done.stdout.startswith("plain,"), done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_commands_are_completed_without_loading_them() -> None:
    started = time.monotonic()
    assert answers("archive", "") == [f"plain,{name}" for name in _COMMANDS]
    assert time.monotonic() - started < 60  # a busy machine; benchmarks/start.py measures it
    assert answers("archive", "in") == ["plain,ingest", "plain,index"]
    assert "plain,--verbose" in answers("archive", "--")
    assert not loaded("archive", "") & {"duckdb", "numpy", "pyarrow", "rich"}


@pytest.mark.parametrize("command", ["certify", "collapse", "demo", "forget", "index", "ingest", "quality", "query"])
def test_options_are_completed_without_tables_or_kernels(command: str) -> None:
    assert not loaded("archive", command, "--") & {"deltalake", "duckdb", "numba", "pandas", "pyarrow", "torch"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("archive ingest pa", "file,pa"),
        ("archive ingest --lake la", "dir,la"),
        ("archive certify da", "file,da"),
        ("archive export out", "file,out"),
        ("archive export --tokenizer to", "file,to"),
        ("archive forget pa", "file,pa"),
        ("archive collapse se", "file,se"),
        ("archive export --format mega", "plain,megatron"),
        ("archive query --form", "plain,--format"),
    ],
)
def test_files_options_and_choices_are_completed(line: str, expected: str) -> None:
    assert answers(*line.split()) == [expected]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_one_that_it_can_read(shell: str, tmp_path: Path) -> None:
    environment = {**os.environ, "_ARCHIVE_COMPLETE": f"{shell}_source"}
    done = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True, check=True)
    assert "_ARCHIVE_COMPLETE" in done.stdout
    if program := shutil.which(shell):
        (tmp_path / "script").write_text(done.stdout)
        assert subprocess.run([program, "-n", str(tmp_path / "script")], capture_output=True).stderr == b""
