"""What `topics` returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Example:
    """A text near the centre of its topic."""

    content_id: str
    similarity: float  #: the cosine of its vector and the centre
    first_seen: datetime | None  #: its first acceptable capture of the grade; null where it has none
    url: str | None  #: of that capture; of any other where it has none
    title: str | None  #: the same


@dataclass(frozen=True, slots=True)
class Missing:
    """How much of a topic a set has, by what the lake has."""

    texts: int  #: of the topic, among those that are compared
    share: float  #: of all that are compared
    inside: int  #: of the topic, in the set or before the date
    inside_share: float  #: of all there
    ratio: float  #: the second share divided by the first one
    low: float  #: of its interval, which holds for all topics together with 95 %
    high: float
    sites: int  #: registered domains of these texts
    kind: str  #: absent; thin: has at most `thin` of its share; empty: it is neither, or that may be chance


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, and when its texts were first seen."""

    topic: int  #: its number
    name: str  #: typical words of it
    words: tuple[str, ...]  #: more of them
    texts: int
    share: float  #: of all texts that have a topic
    undated: int  #: texts without an acceptable capture of the grade
    periods: dict[str, int]  #: month (`2015-03`) or year -> texts first seen in it
    examples: tuple[Example, ...]  #: the nearest to the centre
    missing: Missing | None  #: null where nobody asked


@dataclass(frozen=True, slots=True)
class TopicsResult:
    """The topics of an encoder, the largest first."""

    encoder: str
    is_new: bool  #: whether this run made them
    assigned: int  #: texts that this run gave a topic
    texts: int  #: that have a topic
    without: int  #: texts of the lake that have none, since they have no vector
    undated: int  #: texts without an acceptable capture of the grade
    grade: str
    by: str  #: month or year
    topics: tuple[Topic, ...]
    before: datetime | None
    dataset: str | None  #: the folder of the set
    compared: int  #: texts among which a set is compared; 0: none is
    inside: int  #: of these, in the set or before the date
    elsewhere: int  #: rows of the set that are no text of these topics
    thin: float  #: topics with at most so much of their share are thin
    together: float  #: how much texts of one site are in the set together: 0 not at all, 1 all or none
    seconds: float  #: of wall-clock time
