"""HTML from values: whatever a set or a model says is text, and is escaped."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Collection, Sequence

from collapse.report.canvas import Picture

#: Characters that HTML does not allow, or that turn the direction of what stands behind them.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Html(str):
    """Markup that needs no escaping."""

    __slots__ = ()


def safe(text: str) -> Html:
    """Text as markup: escaped, and what cannot be shown as a square."""
    return text if isinstance(text, Html) else Html(html.escape(_UNSEEN.sub("\N{WHITE SQUARE}", text)))


def tag(name: str, content: str, kind: str = "") -> Html:
    attribute = f' class="{kind}"' if kind else ""
    return Html(f"<{name}{attribute}>{safe(content)}</{name}>")


def paragraph(text: str, kind: str = "") -> Html:
    """Prose; a number and its percent sign stay on one line."""
    return tag("p", text if isinstance(text, Html) else re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text), kind)


def join(parts: Sequence[str]) -> Html:
    return Html("\n".join(safe(part) for part in parts if part))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = (), kind: str = "") -> Html:
    """A table, some columns of which hold numbers, right-aligned; nothing without rows."""
    if not rows:
        return Html("")

    def line(cell: str, values: Sequence[str]) -> str:
        made = [tag(cell, value, "number" if place in numbers else "") for place, value in enumerate(values)]
        return f"<tr>{''.join(made)}</tr>"

    lines = "\n".join(line("td", row) for row in rows)
    titles = f"<thead>{line('th', head)}</thead>\n" if any(head) else ""
    attribute = f' class="{kind}"' if kind else ""
    return Html(f'<div class="wide"><table{attribute}>\n{titles}<tbody>\n{lines}\n</tbody>\n</table></div>')


def picture(drawn: Picture | None) -> Html:
    """An image that lies in the page itself, with its caption; nothing without one."""
    if drawn is None:
        return Html("")
    data = b64encode(drawn.png).decode()
    return Html(
        f'<figure id="{drawn.name}"><img alt="{safe(drawn.title)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{paragraph(drawn.caption)}</figcaption></figure>"
    )


def section(name: str, title: str, parts: Sequence[str]) -> Html:
    """A section with an anchor; nothing where it is empty."""
    inside = join(parts)
    return Html(f'<section id="{name}">\n<h2>{safe(title)}</h2>\n{inside}\n</section>') if inside else Html("")
