"""The passages that two texts share, found in the plainest way: by comparing all runs of words."""

from __future__ import annotations

from index.minhash import characters

_TABLE = characters.table()
RUN = 15


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    found: list[str] = []
    word, alone = "", False
    for letter in text:
        entry = int(_TABLE[ord(letter)])
        folded = chr(entry & 0x1FFFFF) if entry else ""
        if not entry or (alone and not entry & int(characters.MARK)):
            found, word, alone = [*found, word] if word else found, "", False
        if entry & int(characters.ALONE):
            found, word, alone = [*found, word] if word else found, folded, True
        elif entry:
            word += folded
    return [*found, word] if word else found


def runs(text: str) -> dict[tuple[str, ...], list[int]]:
    """All runs of RUN words of a text, with where they begin."""
    held = words(text)
    out: dict[tuple[str, ...], list[int]] = {}
    for first in range(len(held) - RUN + 1):
        out.setdefault(tuple(held[first : first + RUN]), []).append(first)
    return out


def shared(one: str, other: str) -> set[int]:
    """The first words of the runs of one text that are in another."""
    theirs = runs(other)
    return {first for run, places in runs(one).items() if run in theirs for first in places}
