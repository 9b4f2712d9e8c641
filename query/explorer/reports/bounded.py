"""Reads JSON that anybody may have written: of bounded size, with numbers that can be shown, each value of its type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from query.set_files import SetFiles
from query.typed_json import build, parse

#: Bytes of the largest file of JSON that a page reads.
MOST = 16 << 20
T = TypeVar("T")

#: What reading such a file raises; the text says what is wrong with it.
WRONG = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read an object of JSON.

    Raises:
        OSError: it cannot be read.
        ValueError, RecursionError: it is none, is too large, or has a number that is none of ours.
    """
    try:
        content = parse(SetFiles(str(folder)).read(name, MOST))
    except UnicodeDecodeError:
        raise ValueError("it is no JSON") from None
    if not isinstance(content, dict):
        raise ValueError("it is no object of JSON")
    _check(content)
    return content


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for each in value.values():
            _check(each)
    elif isinstance(value, list):
        for each in value:
            _check(each)
    elif isinstance(value, int | float) and not (math.isfinite(value) and abs(value) < 1 << 62):
        raise ValueError("it has a number that is too large")


def some(kind: type[T], values: Any, **others: Any) -> T:
    """Make a dataclass of those values that it has fields for.

    Args:
        others: further values; they count before those given.

    Raises:
        ValueError: a value is missing, or of another type than its field.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"a {type(values).__name__} where a {kind.__name__} belongs")
    names = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return build(kind, {name: value for name, value in values.items() if name in names} | others)
