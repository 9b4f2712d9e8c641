"""HTML from values. All text from a set or a model is escaped."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Collection, Sequence

from collapse.report.canvas import Picture

#: Characters that HTML does not allow, or that change the direction of the text after them.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Html(str):
    """Markup that needs no escaping."""

    __slots__ = ()


def safe(text: str) -> Html:
    """Return text as markup: escaped, with a square for each character that cannot be shown."""
    return text if isinstance(text, Html) else Html(html.escape(_UNSEEN.sub("\N{WHITE SQUARE}", text)))


def tag(name: str, content: str, kind: str = "") -> Html:
    attribute = f' class="{kind}"' if kind else ""
    return Html(f"<{name}{attribute}>{safe(content)}</{name}>")


def paragraph(text: str, kind: str = "") -> Html:
    """Return a paragraph that keeps a number and its percent sign on one line."""
    return tag("p", text if isinstance(text, Html) else re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text), kind)


def join(parts: Sequence[str]) -> Html:
    return Html("\n".join(safe(part) for part in parts if part))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = (), kind: str = "") -> Html:
    """Return a table, or nothing without rows.

    Args:
        numbers: the columns that hold numbers, which are right-aligned.
    """
    if not rows:
        return Html("")

    def line(cell: str, values: Sequence[str]) -> str:
        cells = [tag(cell, value, "number" if column in numbers else "") for column, value in enumerate(values)]
        return f"<tr>{''.join(cells)}</tr>"

    lines = "\n".join(line("td", row) for row in rows)
    titles = f"<thead>{line('th', head)}</thead>\n" if any(head) else ""
    attribute = f' class="{kind}"' if kind else ""
    return Html(f'<div class="wide"><table{attribute}>\n{titles}<tbody>\n{lines}\n</tbody>\n</table></div>')


def picture(drawn: Picture | None) -> Html:
    """Return an image, embedded in the page, with its caption; or nothing without one."""
    if drawn is None:
        return Html("")
    data = b64encode(drawn.png).decode()
    return Html(
        f'<figure id="{drawn.name}"><img alt="{safe(drawn.title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{paragraph(drawn.caption)}</figcaption></figure>"
    )


def section(name: str, title: str, parts: Sequence[str]) -> Html:
    """Return a section with an anchor, or nothing if it is empty."""
    inside = join(parts)
    return Html(f'<section id="{name}">\n<h2>{safe(title)}</h2>\n{inside}\n</section>') if inside else Html("")


def whole_page(title: str, css: str, body: str) -> str:
    """Return an HTML page that needs no other file."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{safe(title)}</title>\n'
        f"<style>{css}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
