"""Any error is one line for a user; a fault of the program is told apart from what a user can mend."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from archive.errors import error_line, store_line

TREE = """Generic S3 error
\x1b[31m↳\x1b[0m Error performing PUT http://127.0.0.1:9/b/x in 5s, after 5 retries
  \x1b[31m↳\x1b[0m error sending request for url (http://127.0.0.1:9/b/x)
    \x1b[31m↳\x1b[0m tcp connect error
      \x1b[31m↳\x1b[0m Connection refused (os error 111)
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "a/b"), "a/b: the disk is full; free some space and run the same command again"),
        (PermissionError(13, "Permission denied", "a"), "a: Permission denied"),
        (ValueError("one\n\n  two\n"), "one (two)"),
        (ValueError(""), "ValueError"),
        (OSError(TREE), "Generic S3 error (Connection refused (os error 111))"),
        (ModuleNotFoundError("No module named 'a'", name="a.b"), "this needs a, which is not installed; README.md lists the extras"),
        (RuntimeError("x" * 2000), "x" * 499 + "…"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_an_error_is_one_line_with_its_cause(error: Exception, line: str) -> None:
    assert error_line(error) == line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TREE, "the store does not answer"),
        ("AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation", "no such bucket"),
        ("<Code>NoSuchBucket</Code>", "no such bucket"),
        ("AWS Error ACCESS_DENIED during HeadObject operation: No response body.", "refuses these credentials"),
        ("<Error><Code>SignatureDoesNotMatch</Code></Error>", "refuses these credentials"),
        ("an error occurred while loading credentials ↳ IMDS is disabled", "no credentials"),
        ("something else\nhappened", "something else (happened)"),
    ],
)
def test_what_an_object_store_says_is_told_by_what_it_means(text: str, says: str) -> None:
    assert says in store_line(OSError(text))
    assert "\n" not in store_line(OSError(text))


FAULTY = """
import sys, types
import click
from archive import cli
@click.command("faulty")
def command():
    raise {error}
sys.modules["faulty"] = types.ModuleType("faulty")
sys.modules["faulty"].command = command
cli._COMMANDS["faulty"] = ("faulty", "")
cli.main(["faulty"])
"""


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        ("KeyError('a')", 70, "KeyError: 'a' (a fault of this program"),
        ("AssertionError", 70, "AssertionError"),
        ("OSError(28, 'No space left on device', 'x')", 2, "x: the disk is full"),
        ("MemoryError", 2, "not enough memory"),
        ("ModuleNotFoundError(name='numba')", 2, "this needs numba"),
        ("KeyboardInterrupt", 130, "stopped"),
        ("BrokenPipeError", 0, ""),
    ],
)
def test_an_error_that_no_command_foresaw_is_one_line(error: str, status: int, says: str) -> None:
    done = subprocess.run([sys.executable, "-c", FAULTY.format(error=error)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == (1 if says else 0), done.stderr


def test_the_traceback_is_there_for_who_asks() -> None:
    env = {**os.environ, "ARCHIVE_TRACEBACK": "1"}
    code = FAULTY.format(error="KeyError('a')")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "in command" in done.stderr
