"""Topics: what the texts are about, since when; and one topic, with its months and the texts nearest to its centre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from archive.files import sql_literal
from index.tables import TOPICS
from query.explorer.context import Context
from query.explorer.page import Answer, Page, to
from query.explorer.parameters import NotThere, Parameter, number, text

#: The most topics and texts that are listed.
_TOPICS, _TEXTS = 500, 20

_ENCODERS = "SELECT encoder, count(*) AS topics FROM topics GROUP BY encoder ORDER BY topics DESC, encoder"
_LISTED = f"""
SELECT t.topic, t.name, t.words, count(m.content_id) AS texts, count(p.first_seen) AS dated,
       min(p.first_seen) AS "from", quantile_disc(p.first_seen, 0.5) AS half, max(p.first_seen) AS "to"
FROM topics AS t LEFT JOIN text_topics AS m USING (encoder, topic) LEFT JOIN proofs AS p ON p.content_id = m.content_id
WHERE t.encoder = {{encoder}} GROUP BY ALL ORDER BY texts DESC, t.topic LIMIT {_TOPICS}
"""
_MONTHS = """
SELECT strftime(first_seen, '%Y-%m') AS month, count(*) AS texts FROM text_topics LEFT JOIN proofs USING (content_id)
WHERE encoder = {encoder} AND topic = {topic} GROUP BY month ORDER BY month NULLS FIRST
"""
_NEAREST = f"""
SELECT content_id, similarity, first_seen, "first".url AS url, "first".title AS title
FROM text_topics LEFT JOIN proofs USING (content_id)
WHERE encoder = {{encoder}} AND topic = {{topic}} ORDER BY similarity DESC, content_id LIMIT {_TEXTS}
"""


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic among the others."""

    topic: int
    name: str
    words: tuple[str, ...]
    texts: int
    dated: int  #: texts with an acceptable capture of grade D or better
    first: datetime | None  #: when the first of these was seen
    half: datetime | None  #: half of them were seen by then
    last: datetime | None


@dataclass(frozen=True, slots=True)
class TopicList:
    """The topics of an encoder, the largest first."""

    encoder: str | None  #: null: the lake has no topics
    others: tuple[str, ...]  #: encoders that have topics too
    texts: int  #: that have one of these topics
    topics: tuple[TopicRow, ...]
    asked: dict[str, str]  #: the encoder, where one was asked for


@dataclass(frozen=True, slots=True)
class NearText:
    """A text near the centre of its topic."""

    content_id: str
    similarity: float
    first_seen: datetime | None
    url: str | None
    title: str | None


@dataclass(frozen=True, slots=True)
class TopicPage:
    """A topic."""

    encoder: str
    topic: int
    name: str
    words: tuple[str, ...]
    texts: int
    undated: int
    months: dict[str, int]  #: texts by the month in which they were first seen
    nearest: tuple[NearText, ...]
    asked: dict[str, str]  #: the encoder, where one was asked for


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """List the topics.

    Raises:
        NotThere: the encoder has none.
    """
    present = encoders(context)
    if not present:
        return Answer("Topics", TopicList(None, (), 0, (), {}), context.asked, ("topics",), ())
    encoder = chosen(present, parameters["encoder"])
    rows = context.rows(
        "The topics, and when their texts were first seen", _LISTED.format(encoder=sql_literal(encoder))
    )
    topics = tuple(TopicRow(topic, name, tuple(words or ()), *rest) for topic, name, words, *rest in rows)
    others = tuple(each for each in present if each != encoder)
    asked = asked_for(parameters)
    found = TopicList(encoder, others, sum(each.texts for each in topics), topics, asked)
    links = [to("topic", topic=each.topic, **asked) for each in topics]
    links += [to("topics", encoder=each) for each in others]
    return Answer("Topics", found, context.asked, ("topics", "--encoder", encoder), tuple(links))


def one(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Show a topic.

    Raises:
        NotThere: there is no such topic.
    """
    present = encoders(context)
    if not present:
        raise NotThere("the lake has no topics; `archive topics` makes them")
    encoder, topic = chosen(present, parameters["encoder"]), parameters["topic"]
    of = {"encoder": sql_literal(encoder), "topic": topic}
    named = context.row(
        "Its words", "SELECT name, words FROM topics WHERE encoder = {encoder} AND topic = {topic}".format(**of)
    )
    if named is None:
        raise NotThere(f"there is no topic {topic}")
    months = dict(context.rows("When its texts were first seen", _MONTHS.format(**of)))
    nearest = tuple(NearText(*row) for row in context.rows("The texts nearest to its centre", _NEAREST.format(**of)))
    undated = months.pop(None, 0)
    page = TopicPage(
        encoder,
        topic,
        named[0],
        tuple(named[1] or ()),
        undated + sum(months.values()),
        undated,
        months,
        nearest,
        asked_for(parameters),
    )
    links = [to("text", content_id=each.content_id) for each in nearest] + [to("topics", **page.asked)]
    command = ("topics", "--show", str(topic), "--encoder", encoder)
    return Answer(
        f"Topic {topic}: {page.name}" if page.name else f"Topic {topic}", page, context.asked, command, tuple(links)
    )


def encoders(context: Context) -> list[str]:
    """Return the encoders that have topics, the one with the most first."""
    if not context.lake.has(TOPICS):
        return []
    return [str(name) for name, _ in context.rows("Whose vectors have topics", _ENCODERS)]


def chosen(present: list[str], given: str) -> str:
    """Return the encoder that is asked for: its name, or else the first.

    Raises:
        NotThere: it is none of these.
    """
    if given and given not in present:
        raise NotThere("the lake has nothing of this encoder")
    return given or present[0]


def asked_for(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the encoder as a parameter of links, where one was asked for."""
    return {"encoder": parameters["encoder"]} if parameters["encoder"] else {}


ENCODER = Parameter("encoder", text(300), "")
PAGES = (
    Page("topics", "/topics", answer, (ENCODER,), menu="Topics"),
    Page("topic", "/topic/{topic}", one, (Parameter("topic", number(1, 100_000)), ENCODER)),
)
