"""Elements of SVG as safe markup."""

from __future__ import annotations

from markupsafe import Markup, escape

from archive.errors import visible_line


def element(name: str, *children: Markup | str, **attributes: str | float) -> Markup:
    """Return an element. Text and values are escaped, and their controls written out.

    Args:
        attributes: `class_` is `class`, and any other `_` is `-`. Numbers are rounded.

    >>> print(element("text", "a < b", class_="axis", x="5%", y=12.0))
    <text class="axis" x="5%" y="12">a &lt; b</text>
    """
    # `str.join`, not `Markup.format`: a chart has thousands of elements
    parts = ["<", name]
    for key, value in attributes.items():
        parts += (" ", key.rstrip("_").replace("_", "-"), '="', escape(_value(value)), '"')
    parts.append(">")
    parts += (each if isinstance(each, Markup) else escape(visible_line(each)) for each in children)
    return Markup("".join((*parts, "</", name, ">")))  # all that is not ours was escaped above


def percent(part: float) -> str:
    """Return a part of the width. In these units a picture fits any screen, while its letters keep their size.

    >>> percent(1 / 3)
    '33.333%'
    """
    return f"{round(100 * part, 3):g}%"


def _value(value: str | float) -> str:
    return visible_line(value) if isinstance(value, str) else f"{round(value, 2):g}"
