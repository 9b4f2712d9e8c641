"""Patterns of paths, as `glob` reads them, for paths that are not on a disk."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache

_SHOWN = r"(?!\.)"


def fixed_folder(pattern: str) -> str:
    """Return the folder in front of the first wildcard."""
    return re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]


def matches(path: str, pattern: str) -> bool:
    """Return whether `glob` finds a path for a pattern.

    `*` and `?` stay in one folder, `**` crosses folders, and only patterns that begin with a dot find hidden names.
    """
    return re.fullmatch(_expression(pattern), path) is not None


@lru_cache(maxsize=64)
def _expression(pattern: str) -> str:
    parts = pattern.split("/")
    expression = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            expression.append(f"(?:{_SHOWN}[^/]*/)*" + (f"{_SHOWN}[^/]+" if last else ""))
            continue
        inside = fnmatch.translate(part).removeprefix("(?s:").removesuffix(")\\Z").replace(".*", "[^/]*")
        expression.append((_SHOWN if part[:1] in "*?[" else "") + inside + ("" if last else "/"))
    return "(?s:" + "".join(expression) + ")"
