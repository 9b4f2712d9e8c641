"""XHTML for a parser of HTML: what XML reads otherwise is written as HTML has it."""

from __future__ import annotations

import re

#: Elements that HTML never closes.
_VOID = frozenset(
    {
        *("area", "base", "basefont", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link", "meta"),
        *("param", "source", "track", "wbr"),
    }
)
#: Comments, CDATA sections, instructions, scripts, and elements that close themselves. Values of XML have no `<`, so no
#: match looks further than to the next one, and the time grows with the length.
_PARTS = re.compile(
    r"""(?P<mark> <!-- | <!\[CDATA\[ | <\? )
    | <(?P<name>[a-z_][^\s<>/"'=]*) (?P<attributes>(?:[^<>"'/] | "[^"<]*" | '[^'<]*' | /(?!\s*>))*+) /\s*>
    | <(?P<raw>script|style) (?=[\s>]) (?:[^<>"'/] | "[^"<]*" | '[^'<]*' | /(?!\s*>))*+ >""",
    re.IGNORECASE | re.VERBOSE,
)
_ENDS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
_RAW_END = {name: re.compile(f"</{name}\\s*>", re.IGNORECASE) for name in ("script", "style")}
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def as_html(text: str) -> str:
    """Return an XHTML page as HTML: elements that close themselves are closed, CDATA sections are text.

    A parser of HTML takes `<script src="a.js"/>`, `<title/>` or `<div/>` for a beginning, and hides all behind it.

    >>> as_html('<title/><p><![CDATA[1 < 2]]><br/></p>')
    '<title></title><p>1 &lt; 2<br/></p>'
    """
    parts: list[str] = []
    done = at = 0
    unclosed: set[str] = set()
    while match := _PARTS.search(text, at):
        at = match.end()
        if match["raw"]:
            closed = _RAW_END[match["raw"].lower()].search(text, at)
            if closed is None:
                break
            at = closed.end()
        elif match["name"]:
            if match["name"].lower() not in _VOID:
                parts += (text[done : match.start()], f"<{match['name']}{match['attributes']}></{match['name']}>")
                done = at
        elif (mark := match["mark"].upper()) not in unclosed:
            end = text.find(_ENDS[mark], at)
            if end < 0:
                unclosed.add(mark)
                continue
            if mark == "<![CDATA[":
                parts += (text[done : match.start()], text[at:end].translate(_ESCAPES))
                done = end + 3
            at = end + len(_ENDS[mark])
    return "".join([*parts, text[done:]])
