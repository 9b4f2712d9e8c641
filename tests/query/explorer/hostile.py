"""What somebody may write into a text, a title, an address or a host name to make a reader's browser do something."""

from __future__ import annotations

import gzip
import html
from pathlib import Path

from conftest import record, take

from archive.lake import Lake

#: What runs, or is asked for elsewhere, where the browser takes it for more than text.
_RUNS = (
    "<script>window.hit=1</script>", "<SCRIPT SRC=//evil.example/a.js></SCRIPT>", "<img src=x onerror=window.hit=1>",
    "<svg onload=window.hit=1>", "<svg><script>window.hit=1</script></svg>", "<body onload=window.hit=1>",
    "<iframe src=javascript:parent.hit=1></iframe>", "<iframe srcdoc='<script>parent.hit=1</script>'></iframe>",
    "<object data=data:text/html,hit></object>", "<embed src=//evil.example/a.swf>", "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'>", "<link rel=stylesheet href=//evil.example/a.css>",
    "<style>@import '//evil.example/a.css'</style>", "<style>body{display:none}</style>",
    "<form action=//evil.example/><input autofocus onfocus=window.hit=1></form>", "<video src=x onerror=window.hit=1>",
    "<details open ontoggle=window.hit=1>", "<math><mi xlink:href='javascript:window.hit=1'>x</mi></math>",
    "<a href=javascript:window.hit=1>x</a>", "<template><script>window.hit=1</script></template>",
    "<img src=//evil.example/a.png>", "<input type=image src=//evil.example/a.png>", "<table background=//evil.example>",
    "<audio src=//evil.example/a.mp3 autoplay>", "<svg><image href=//evil.example/a.svg /></svg>",
    "<svg><use href='//evil.example/a.svg#a'/></svg>", "<svg><animate onbegin=window.hit=1 attributeName=x dur=1s>",
    "<marquee onstart=window.hit=1>", "<xss style=animation-name:x onanimationstart=window.hit=1>",
)  # fmt: skip
#: What ends the context that it is in: of an element, an attribute, a comment, a script, a style.
_ENDS = (
    "", "</title>", "</textarea>", "</pre>", "</svg>", "</style>", "</script>", "</noscript>", "</figure></table>",
    '">', "'>", '" x="', "' x='", "-->", "]]>", "*/", "\\\">", "</bdi></a></main>",
)  # fmt: skip
#: What is no markup, and is for whoever puts it where it does not belong.
_OTHER = (
    "javascript:window.hit=1", "JaVaScRiPt:window.hit=1", "java\tscript:window.hit=1", "data:text/html,<script>hit</script>",
    "vbscript:hit", "file:///etc/passwd", "//evil.example/", "\\\\evil.example\\a", "{{7*7}}", "{%raw%}{{7*7}}", "${7*7}",
    "#{7*7}", "<%= 7*7 %>", "{{ ''.__class__ }}", "%(x)s {0} {0.__class__}", "' OR 1=1 --", "'; DROP TABLE captures; --",
    '" UNION SELECT 1 --', "$$ || $1", "../../../../etc/passwd", "..\\..\\a", "con.html", "index.html", "static/explore.js",
    ".htaccess", "-rf", "`id`", "$(id)", "; id", "| id", "\x1b[2J", "\x00", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff",
    "\u202egnp.exe", "\u2066a\u2069", "\u200f", "\u061c", "\ufffe", "\U000e0041", "a\u0300" * 60, "\ud83d".encode("utf-8", "replace").decode(),
    "&lt;script&gt;", "&#60;script&#62;", "&amp;lt;", "expression(window.hit=1)", "url(//evil.example)", "=cmd|' /C calc'!A0",
    "x" * 400, "\u00ad", "ﷺ" * 30, "http://evil.example/?a=1&amp;b=\"", "<!--", "<![CDATA[", "<?xml?>", "<", ">", "&", '"', "'",
)  # fmt: skip
PAYLOADS = tuple(
    dict.fromkeys(
        [
            *(f"{_ENDS[(7 * at + 5 * step) % len(_ENDS)]}{run}" for at, run in enumerate(_RUNS) for step in range(4)),
            *(f"{end}{_RUNS[at]}" for end in _ENDS for at in (0, 2)),
            *_OTHER,
        ]
    )
)
#: So many of them are in one text.
_IN_ONE = 12


def _address(at: int, payload: str) -> str:
    """An address with a payload in its path, its query, or the name of its host."""
    written = "".join(each for each in payload if each not in "\r\n\x00")
    if at % 3 == 0:
        return f"http://h{at}.example.org/{written}"
    if at % 3 == 1:
        return f"http://h{at}.example.org/?q={written}"
    return f"http://{written.replace('/', '')}.example.org/p{at}"


def hostile_lake(folder: Path) -> Lake:
    """Make a lake with each payload as a title, in an address, and in a text; and one with a line of 10 MB."""
    records = []
    for at, payload in enumerate(PAYLOADS):
        first = at - at % _IN_ONE
        words = "".join(f"<p>Payload {html.escape(each)} end.</p>" for each in PAYLOADS[first : first + _IN_ONE])
        body = f"<html><head><title>{html.escape(payload)} title</title></head><body>{words}</body></html>"
        records.append(
            record(_address(at, payload), body.encode("utf-8", "replace"), date=f"20{10 + at % 10}-02-03T04:05:06Z")
        )
    long = html.escape(f"{_RUNS[0]} ") * (10_000_000 // len(_RUNS[0]))
    records.append(record("http://long.example.org/", f"<html><title>{long[:100_000]}</title><p>{long}"))
    (folder / "a.warc.gz").write_bytes(b"".join(gzip.compress(each, 1, mtime=0) for each in records))
    lake = Lake(str(folder / "<img src=x onerror=window.hit=1>"))
    take(lake, str(folder / "a.warc.gz"))
    return lake
