"""Options that are a name, or a name and a number: `greedy`, `mix:0.1`, `beam:5`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archive.errors import CollapseError


@dataclass(frozen=True, slots=True)
class Kind:
    """A name that an option may have, and the number that goes with it."""

    says: str  #: what it means; names the number, if it has one
    range: tuple[float, float] | None = None  #: of the number; None: without a number
    example: float = 0.0
    is_whole: bool = False  #: whether the number is a whole one


def parse_kind(option: str, text: str, kinds: Mapping[str, Kind]) -> tuple[str, float | None]:
    """Split the value of an option into its name and its number.

    >>> parse_kind("regime", "mix:0.1", {"mix": Kind("X: this share", (0, 1))})
    ('mix', 0.1)

    Raises:
        CollapseError: there is no such kind, or its number is missing, out of range, or too many.
    """
    name, colon, number = text.partition(":")
    if name not in kinds:
        raise CollapseError(f"{option} {text}: there are {', '.join(kinds)}")
    kind = kinds[name]
    if kind.range is None:
        if colon:
            raise CollapseError(f"{option} {text}: {name} takes no value")
        return name, None
    try:
        value = float(number)
    except ValueError:
        raise CollapseError(f"{option} {text}: write it as {name}:{kind.example:g}, say") from None
    least, greatest = kind.range
    if not least <= value <= greatest or (kind.is_whole and value != int(value)):
        integer = "a whole number " if kind.is_whole else ""
        raise CollapseError(f"{option} {text}: {integer}from {least:g} to {greatest:g}")
    return name, value + 0.0  # -0 is 0
