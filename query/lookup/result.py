"""What `lookup` returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from index.proven import Proof

Kind = Literal["exact", "near", "quote", "alike"]
#: The kinds of answers, the strongest first. The last one is no evidence.
KINDS: tuple[Kind, ...] = ("exact", "near", "quote", "alike")


@dataclass(frozen=True, slots=True)
class KnownText:
    """A text of the lake, and the capture that proves since when it has existed."""

    content_id: str
    first_seen: datetime  #: its first acceptable capture
    grade: str  #: of that capture: `archive.evidence.grade.GRADES`
    date_source: str | None  #: `archive.reasons.DATE_SOURCES`
    url: str | None  #: of that capture, whose record is at …
    file: str
    offset: int
    skip: int


@dataclass(frozen=True, slots=True)
class NearText(KnownText):
    """A verified near-duplicate of the text."""

    similarity: float  #: Jaccard similarity of the shingles
    characters: float | None  #: the same by runs of characters; null where the lake holds no texts
    estimated: bool  #: the lake holds no texts: from the signatures


@dataclass(frozen=True, slots=True)
class Run:
    """Words that two texts share, one after the other."""

    words: int
    start: int  #: its first character in the normal form of the text that was looked up …
    end: int  #: … and the one behind its last
    text: str


@dataclass(frozen=True, slots=True)
class QuotedText(KnownText):
    """A text that shares runs of words, for a part of which it is the earliest."""

    words: int  #: of the longest run
    runs: tuple[Run, ...]  #: the longest first


@dataclass(frozen=True, slots=True)
class AlikeText(KnownText):
    """A text about the same thing. It may be a rewrite, or have nothing to do with the text: this is no evidence."""

    cosine: float  #: of the two nearest windows
    start: int  #: where that window of this text begins, in characters
    end: int
    is_evidence: Literal[False] = False


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What a lake has of a text. Each text of the lake is there once, under the strongest kind."""

    content_id: str  #: of the text that was looked up
    words: int  #: of it
    before: datetime | None  #: only texts that were first seen before this moment
    kind: Kind | None  #: the strongest kind with an answer; null where there is none
    exact: KnownText | None  #: the same text
    near: tuple[NearText, ...]  #: the earliest first
    quote: tuple[QuotedText, ...]  #: those with the longest runs first
    alike: tuple[AlikeText, ...]  #: the most similar first; no evidence
    not_searched: dict[str, str]  #: kind → why it was not searched
    notes: tuple[str, ...]  #: what may be missing


@dataclass(frozen=True, slots=True)
class PageVersion:
    """Captures of a page in a row that have one text: the first that proves something, or the first of all."""

    captured_at: datetime | None
    date_problem: str | None  #: why the date proves nothing; null where it is acceptable
    grade: str  #: `archive.evidence.grade.GRADES`
    url: str  #: in the spelling of that capture
    content_id: str
    captures: int  #: of this text in a row
    file: str  #: of the first of them
    offset: int
    skip: int
    words: int
    words_added: int  #: to the text before, whatever their order
    words_removed: int
    changes: tuple[
        str, ...
    ]  #: lines as `git diff --word-diff` writes them; none of the first text, or of a very long one


@dataclass(frozen=True, slots=True)
class PageChanges:
    """The history of a page."""

    captures: int  #: with a text
    texts: int  #: different ones
    versions: tuple[PageVersion, ...]  #: in the order of their dates


def known(proof: Proof) -> tuple[str, datetime, str, str | None, str | None, str, int, int]:
    """Return the fields of a `KnownText`."""
    return (proof.content_id, proof.date, proof.grade, proof.source, proof.url, proof.file, proof.offset, proof.skip)
