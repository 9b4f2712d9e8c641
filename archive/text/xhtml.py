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
#: Comments, CDATA sections, instructions, scripts with content, and elements that close themselves. Values of XML have
#: no `<`, so no match looks further than to the next one, and the time grows with the length.
_PARTS = re.compile(
    r"""<!--.*?-->
    | <!\[CDATA\[ (?P<cdata>.*?) \]\]>
    | <\?.*?\?>
    | <(?P<raw>script|style)\b (?:[^<>"'/] | "[^"<]*" | '[^'<]*' | /(?!>))* > .*? </(?P=raw)\s*>
    | <(?P<name>[A-Za-z_][^\s<>/"'=]*) (?P<attributes>(?:[^<>"'/] | "[^"<]*" | '[^'<]*' | /(?!\s*>))*) /\s*>""",
    re.S | re.I | re.X,
)
_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def as_html(text: str) -> str:
    """Return an XHTML page as HTML: elements that close themselves are closed, CDATA sections are text.

    A parser of HTML takes `<script src="a.js"/>`, `<title/>` or `<div/>` for a beginning, and hides all behind it.

    >>> as_html('<title/><p><![CDATA[1 < 2]]><br/></p>')
    '<title></title><p>1 &lt; 2<br/></p>'
    """
    return _PARTS.sub(_replaced, text)


def _replaced(match: re.Match[str]) -> str:
    name, cdata = match["name"], match["cdata"]
    if cdata is not None:
        return cdata.translate(_ESCAPES)
    if name is None or name.lower() in _VOID:
        return match[0]
    return f"<{name}{match['attributes']}></{name}>"
