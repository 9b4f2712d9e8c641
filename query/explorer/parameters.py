"""The parameters of pages: each is read from text, within bounds, or refused in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from archive.errors import ArchiveError

_ID = re.compile(r"[0-9a-f]{12,64}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class BadParameter(ArchiveError):
    """A parameter of a page is not as it must be."""


class NotThere(ArchiveError):
    """The lake has nothing of this name."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a page."""

    name: str
    kind: Callable[[str], Any]  #: reads it, or raises ValueError with what it must be
    default: str | None = None  #: as it is written; None: it must be given

    def read(self, written: str | None) -> Any:
        """Return its value.

        Raises:
            BadParameter: it is missing, or not as it must be.
        """
        if written is None:
            if self.default is None:
                raise BadParameter(f"this page needs the parameter {self.name}")
            written = self.default
        try:
            return self.kind(written)
        except ValueError as error:
            raise BadParameter(f"{self.name}: {error}") from None


def content_id(written: str) -> str:
    """Read the content id of a text, or its first twelve digits or more.

    >>> content_id("0123456789ab")
    '0123456789ab'
    """
    if not _ID.fullmatch(written):
        raise ValueError("a content id has 64 hexadecimal digits; its first 12 are enough")
    return written


def optional(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a kind that may be empty, which is None.

    >>> optional(content_id)("") is None
    True
    """
    return lambda written: kind(written) if written else None


def text(most: int) -> Callable[[str], str]:
    """Return a kind: any text of at most so many characters."""

    def read(written: str) -> str:
        if len(written) > most:
            raise ValueError(f"at most {most:,} characters, not {len(written):,}")
        return written

    return read


def number(low: int, high: int) -> Callable[[str], int]:
    """Return a kind: a whole number within bounds.

    >>> number(1, 100)("20")
    20
    """

    def read(written: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", written) or not low <= int(written) <= high:
            raise ValueError(f"a number from {low:,} to {high:,}")
        return int(written)

    return read


def choice(*values: str) -> Callable[[str], str]:
    """Return a kind: one of these words."""

    def read(written: str) -> str:
        if written not in values:
            raise ValueError(f"one of {', '.join(values)}")
        return written

    return read


def day(written: str) -> str | None:
    """Read a day in UTC (`2021-12-31`); nothing is None."""
    from datetime import date

    if not written:
        return None
    if not _DAY.fullmatch(written):
        raise ValueError("a day, as 2021-12-31")
    date.fromisoformat(written)
    return written
