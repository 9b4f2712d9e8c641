"""Elements of SVG as safe markup."""

from __future__ import annotations

from markupsafe import Markup

from archive.errors import visible_line


def element(name: str, *children: Markup | str, **attributes: str | float) -> Markup:
    """Return an element. Text and values are escaped, and their controls written out.

    Args:
        attributes: `class_` is `class`, and any other `_` is `-`. Numbers are rounded.

    >>> print(element("text", "a < b", class_="axis", x="5%", y=12.0))
    <text class="axis" x="5%" y="12">a &lt; b</text>
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _value(value)) for key, value in attributes.items()
    )
    inner = Markup("").join(each if isinstance(each, Markup) else visible_line(each) for each in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, inner)


def percent(part: float) -> str:
    """Return a part of the width. In these units a picture fits any screen, while its letters keep their size.

    >>> percent(1 / 3)
    '33.333%'
    """
    return f"{round(100 * part, 3):g}%"


def _value(value: str | float) -> str:
    return visible_line(value) if isinstance(value, str) else f"{round(value, 2):g}"
