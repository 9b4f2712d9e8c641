"""Writes down which other hosts a program asks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Writes down whom Python's own sockets ask, in each process of the server.
_WATCH = """
import os, sys
def watch(event, args):
    if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in ("127.0.0.1", "::1"):
        open({log!r}, "a").write(f"connect {{args[1]}}\\n")
    if event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", "localhost", "::1", None):
        open({log!r}, "a").write(f"look up {{args[0]}}\\n")
sys.addaudithook(watch)
"""


@contextlib.contextmanager
def watched(log: Path) -> Iterator[None]:
    """Let every Python that begins within write whom it asks into a file, which is there only where it asks somebody."""
    (log.parent / "sitecustomize.py").write_text(_WATCH.format(log=str(log)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(log.parent), os.environ.get("PYTHONPATH", os.getcwd())]))
        yield
