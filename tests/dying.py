"""A process that is killed at a random moment, without a process: from then on no change of a file gets through."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: What changes files, as far as Python does it.
_CHANGES = ("open", "write", "link", "rename", "replace", "unlink", "rmdir", "mkdir", "remove", "truncate")


class Killed(BaseException):
    pass


@contextmanager
def killed_at(change: int | None) -> Iterator[None]:
    """Die at the so-and-so-manieth change of files; None: never. Half of a file may be written by then."""
    left = change or 0

    def counted(original: Callable[..., Any], half: bool = False) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left <= 0:
                if left == 0 and half:
                    original(args[0], args[1][: len(args[1]) // 2])
                raise Killed
            return original(*args, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        if change is not None:
            for name in _CHANGES:
                patch.setattr(os, name, counted(getattr(os, name), half=name == "write"))
            patch.setattr(Path, "write_bytes", counted(Path.write_bytes, half=True))
        yield


@contextmanager
def killed_at_step(step: int, *functions: tuple[Any, str]) -> Iterator[None]:
    """Die at the so-and-so-manieth call of any of some functions, counted from 0.

    Args:
        functions: each with the module or class that has it, and its name there.
    """
    calls = 0

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step + 1:
                raise Killed
            return original(*args)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in functions:
            patch.setattr(owner, name, counted(getattr(owner, name)))
        yield
