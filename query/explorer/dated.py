"""The passages of a text, each with the date of the earliest text that has it, as a page shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

#: So many colours are different.
COLOURS = 7


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of words that an earlier text has, and that text."""

    start: int  #: its first character …
    end: int  #: … and the one behind its last
    words: int
    first_seen: datetime
    grade: str
    content_id: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text of one date."""

    text: str
    passage: Passage | None  #: None: no earlier text has it
    colour: int  #: from 0, the oldest, to COLOURS - 1


@dataclass(frozen=True, slots=True)
class Colour:
    """What a colour means."""

    number: int
    years: str  #: `2014`, or `2014–2016` where there are more years than colours
    words: int


@dataclass(frozen=True, slots=True)
class DatedPassages:
    """Which words of a text an earlier one has."""

    words: int  #: of the text
    passages: tuple[Passage, ...]
    is_complete: bool  #: false where so many texts share a passage that not all were compared
    missing: int  #: texts of the lake that have no index of passages yet

    @property
    def known_words(self) -> int:
        """How many words an earlier text has."""
        return sum(each.words for each in self.passages)

    @property
    def legend(self) -> tuple[Colour, ...]:
        """The colours that are used, the oldest first."""
        found, colours = [], self._colours()
        for number, group in groupby(colours, colours.__getitem__):
            years = list(group)
            words = sum(each.words for each in self.passages if each.first_seen.year in years)
            name = str(years[0]) if len(years) == 1 else f"{years[0]}–{years[-1]}"
            found.append(Colour(number, name, words))
        return tuple(found)

    def pieces(self, text: str) -> Iterator[Piece]:
        """Yield the text in pieces, of which each has one date."""
        at, colours = 0, self._colours()
        for each in self.passages:
            if each.start >= len(text):
                break
            if at < each.start:
                yield Piece(text[at : each.start], None, 0)
            yield Piece(text[each.start : each.end], each, colours[each.first_seen.year])
            at = each.end
        if at < len(text):
            yield Piece(text[at:], None, 0)

    def _colours(self) -> dict[int, int]:
        """Return the colour of each year."""
        years = sorted({each.first_seen.year for each in self.passages})
        return {year: at * COLOURS // max(len(years), COLOURS) for at, year in enumerate(years)}
