"""What a clean set holds: the answer of the cube, and of the lake itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: Bytes of UTF-8 that make a token, about: a rule of thumb for the tokenizers of language models, on English.
BYTES_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of a clean set."""

    texts: int
    captures: int  #: of these texts in the lake, whatever their dates
    characters: int
    words: int
    bytes: int  #: of UTF-8, about
    tokens: int  #: about
    months: dict[str, int]  #: `YYYY-MM` of the first capture -> texts
    languages: dict[str, int]  #: language ("" where it is not known) -> texts, the most frequent first
    examples: tuple[str, ...]  #: content ids of some of the texts: those with the least, which are as good as random


@dataclass(frozen=True, slots=True)
class OfLanguage:
    """The numbers of the texts of one language in a set."""

    language: str | None
    texts: int
    captures: int
    characters: int
    words: int


def counts_of(
    months: Iterable[tuple[str, int]],
    languages: Iterable[OfLanguage],
    examples: Iterable[str],
    bytes_a_character: Mapping[str, float],
) -> Counts:
    """Return the counts of a set from those of its months and languages."""
    found = sorted(languages, key=lambda each: (-each.texts, each.language or ""))
    every = bytes_a_character[""]
    size = sum(each.characters * bytes_a_character.get(each.language or "", every) for each in found)
    return Counts(
        texts=sum(each.texts for each in found),
        captures=sum(each.captures for each in found),
        characters=sum(each.characters for each in found),
        words=sum(each.words for each in found),
        bytes=round(size),
        tokens=round(size / BYTES_A_TOKEN),
        months=dict(sorted(months)),
        languages={each.language or "": each.texts for each in found},
        examples=tuple(examples),
    )
