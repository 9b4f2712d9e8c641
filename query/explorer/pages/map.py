"""A map of the texts that have vectors, and a field of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from archive.files import sql_literal
from index.embeddings.table import encoders
from index.tables import TOPICS
from query.explorer.background import Waiting
from query.explorer.busy import Busy, NotYet
from query.explorer.context import Context
from query.explorer.draw.fields import DrawnField
from query.explorer.map.grid import COLUMNS, ROWS, Field, Grid
from query.explorer.map.kept import kept_grid
from query.explorer.page import Address, Answer, Page, to
from query.explorer.pages.topics import ENCODER, asked_for, chosen
from query.explorer.parameters import NotThere, Parameter

_FIELD = re.compile(r"([0-9]{1,2})-([0-9]{1,2})")
_TEXTS = """
SELECT content_id, first_seen, "first".url AS url, "first".title AS title FROM proofs WHERE content_id IN ({ids})
"""


@dataclass(frozen=True, slots=True)
class MapPage:
    """What the map shows."""

    grid: Grid | None  #: null: no text has vectors, or the map is being drawn
    names: dict[int, str]  #: of topics
    others: tuple[str, ...]  #: encoders that have vectors too
    asked: dict[str, str]  #: the encoder, where one was asked for
    seconds: float | None = None  #: for which it is being drawn
    problem: str | None = None  #: why it cannot be drawn

    def drawn(self, href: Callable[[Address], str | None]) -> list[DrawnField]:
        """Return the fields as they are drawn.

        Args:
            href: returns where the link to an address leads.
        """
        return [
            DrawnField(each.column, each.row, each.texts, self.about(each), href(self.address(each)))
            for each in (self.grid.fields if self.grid else ())
        ]

    def address(self, field: Field) -> Address:
        """Return the address of a field."""
        return to("field", position=field.position, **self.asked)

    def about(self, field: Field) -> str:
        """Return what a field holds, in words."""
        texts = f"{field.texts:,} text{'' if field.texts == 1 else 's'}"
        if field.topic is None:
            return texts
        return f"{texts}, {field.of_topic:,} of topic {field.topic}: {self.names.get(field.topic, '')}"


@dataclass(frozen=True, slots=True)
class FieldText:
    """A text of a field."""

    content_id: str
    first_seen: datetime | None
    url: str | None
    title: str | None


@dataclass(frozen=True, slots=True)
class FieldPage:
    """A field of the map."""

    encoder: str
    field: Field
    topic: str | None  #: its name
    texts: tuple[FieldText, ...]  #: those nearest to its middle
    asked: dict[str, str]  #: the encoder, where one was asked for


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Draw the map.

    Raises:
        NotThere: the encoder has no vectors.
    """
    present = encoders(context.lake)
    if not present:
        return Answer("Map of texts", MapPage(None, {}, (), {}), context.asked, ("embed",), ())
    encoder = chosen(present, parameters["encoder"])
    grid, asked = _grid(context, encoder), asked_for(parameters)
    others = tuple(each for each in present if each != encoder)
    if isinstance(grid, Waiting):
        waits = MapPage(None, {}, others, asked, grid.seconds, grid.problem)
        return Answer("Map of texts", waits, context.asked, ("topics", "--encoder", encoder), (), is_final=False)
    found = MapPage(grid, _names(context, encoder), others, asked)
    links = [found.address(each) for each in grid.fields] + [to("map", encoder=each) for each in others]
    return Answer("Map of texts", found, context.asked, ("topics", "--encoder", encoder), tuple(links))


def one(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Show a field of the map.

    Raises:
        NotThere: it has no texts.
        NotYet: the map is being drawn.
        Busy: it cannot be drawn.
    """
    present = encoders(context.lake)
    if not present:
        raise NotThere("no text of the lake has vectors; `archive embed` computes them")
    encoder = chosen(present, parameters["encoder"])
    grid = _grid(context, encoder)
    if isinstance(grid, Waiting):
        raise Busy(grid.problem) if grid.problem else NotYet("the map of this lake is being drawn")
    found = [each for each in grid.fields if each.position == parameters["position"]]
    if not found:
        raise NotThere("this field of the map has no texts")
    (field,), asked = found, asked_for(parameters)
    ids = ", ".join(map(sql_literal, field.content_ids))
    seen = {row[0]: row for row in context.rows("Its texts", _TEXTS.format(ids=ids))}
    texts = tuple(FieldText(*seen.get(each, (each, None, None, None))) for each in field.content_ids)
    name = None if field.topic is None else _names(context, encoder).get(field.topic)
    links = [to("text", content_id=each.content_id) for each in texts] + [to("map", **asked)]
    if name is not None:
        links.append(to("topic", topic=field.topic, **asked))
    page = FieldPage(encoder, field, name, texts, asked)
    return Answer(
        f"A field of the map: column {field.column + 1}, row {field.row + 1}", page, context.asked,
        ("topics", "--encoder", encoder), tuple(links),
    )  # fmt: skip


def _grid(context: Context, encoder: str) -> Grid | Waiting:
    """Return the map. To compute it takes long where there are many vectors."""
    return context.in_background("map", encoder, lambda own: kept_grid(own, encoder))


def _names(context: Context, encoder: str) -> dict[int, str]:
    if not context.lake.has(TOPICS):
        return {}
    return dict(
        context.rows("The names of topics", f"SELECT topic, name FROM topics WHERE encoder = {sql_literal(encoder)}")
    )


def _position(written: str) -> str:
    found = _FIELD.fullmatch(written)
    if not found or int(found[1]) >= COLUMNS or int(found[2]) >= ROWS:
        raise ValueError(f"a column below {COLUMNS} and a row below {ROWS}, as 12-7")
    return f"{int(found[1])}-{int(found[2])}"


PAGES = (
    Page("map", "/map", answer, (ENCODER,), menu="Map"),
    Page("field", "/map/{position}", one, (Parameter("position", _position), ENCODER)),
)
