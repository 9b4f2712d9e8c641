"""A map as a grid of fields, the darker the more texts they have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from archive.show import count_of
from query.explorer.draw.svg import element, percent

#: Pixels of a row; shades of the fields.
_HEIGHT, _SHADES = 18, 5


@dataclass(frozen=True, slots=True)
class DrawnField:
    """A field that is drawn."""

    column: int
    row: int
    count: int
    about: str  #: shown where somebody points at it, and read aloud
    href: str | None  #: where it leads


def fields(drawn: Sequence[DrawnField], columns: int, rows: int, thing: str) -> Markup:
    """Return a picture of fields. The page has them as a table, which the keyboard goes through.

    Args:
        thing: what is counted, in the singular.
    """
    if not drawn:
        return element("p", f"There is no {thing} with a place.", class_="none")
    most = max(each.count for each in drawn)
    message = (
        f"{count_of(sum(each.count for each in drawn), thing)} in {count_of(len(drawn), 'field')}; "
        f"at most {most:,} in one."
    )
    shapes = [_field(each, columns, most) for each in drawn]
    svg = element(
        "svg", element("title", message), *shapes, role="group", class_="fields", width="100%", height=rows * _HEIGHT,
        aria_label=message,
    )  # fmt: skip
    return element("figure", svg, _legend(most, thing), class_="chart")


def _legend(most: int, thing: str) -> Markup:
    """Return what the lightest and the darkest field have."""
    keys = [element("span", count_of(1, thing), class_="key shade-1")]
    if most > 1:
        keys.append(element("span", count_of(most, thing), class_=f"key shade-{_SHADES}"))
    return element("p", "In a field: ", *keys, class_="legend")


def _field(field: DrawnField, columns: int, most: int) -> Markup:
    shade = 1 + int((_SHADES - 1) * math.log(field.count) / math.log(most)) if most > 1 else 1
    shape = element(
        "rect", element("title", field.about), x=percent(field.column / columns), y=field.row * _HEIGHT,
        width=percent(1 / columns), height=_HEIGHT, class_=f"shade-{shade}",
    )  # fmt: skip
    if field.href is None:
        return shape
    return element("a", shape, href=field.href, tabindex="-1", aria_label=field.about)
