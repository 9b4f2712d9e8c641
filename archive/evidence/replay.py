"""What the replay of a web archive writes into pages, and how it is cut out again.

A replay that is not asked for the raw form (`id_`) adds a toolbar, a line for print, scripts and comments. They are
the archive's words of the day of the fetch. What these marks name is cut; since a replay may write more than is known
here, such a page proves nothing by itself (grade E).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

#: Stretches between two marks: Wayback Machine and Archive-It, pywb, arquivo.pt. Each has literal bytes at its start,
#: which `re` finds fast.
_STRETCHES = tuple(
    (re.compile(start), re.compile(end))
    for start, end in (
        (rb"<!-- BEGIN WAYBACK TOOLBAR INSERT -->", rb"<!-- END WAYBACK TOOLBAR INSERT -->"),
        (rb"<script[^<>]{0,300}(?:archive\.org/includes/|/_static/js/)", rb"<!-- End Wayback Rewrite JS Include -->"),
        (rb"<!-- Start Wayback Rewrite JS Include -->", rb"<!-- End Wayback Rewrite JS Include -->"),
        (rb"<!-- WB Insert -->", rb"<!-- End WB Insert -->"),
        (rb"<!-- BEGIN ARQUIVO[^>]{0,80}-->", rb"<!-- END ARQUIVO[^>]{0,80}-->"),
        (rb"<!--\s*FILE ARCHIVED ON ", rb"-->"),
        (rb"<!--\s*playback timings", rb"-->"),
    )
)
#: Elements that hold the words of a replay: Wayback, Archive-It, pywb, arquivo.pt, older toolbars.
_ELEMENT = re.compile(
    rb"<div\b[^<>]{0,500}?\bid\s*=\s*[\"']?(?:wm-ipp|wm-ait-banner|wm-toolbar|wm-capinfo|_wb_|wb_|wbheader|"
    rb"wayback-toolbar|replay-banner|replay_frame|arquivo|awp_|AIT_|wm_tb)[\w-]*[\"'\s>]",
    re.I,
)
_DIV = re.compile(rb"<(/?)div\b", re.I)


def is_marked(html: bytes) -> bool:
    """Return whether a page has the marks of a replay."""
    return any(mark in html for mark in (b"BEGIN WAYBACK TOOLBAR INSERT", b"FILE ARCHIVED ON ", b"<!-- WB Insert -->"))


def cut(html: bytes) -> bytes:
    """Return a page without what the replay of a known web archive wrote into it. The time grows with the length."""
    for start, end in _STRETCHES:
        html = _without(html, start, partial(_end_of_mark, end))
    return _without(html, _ELEMENT, _end_of_div)


def _without(html: bytes, start: re.Pattern[bytes], end: Callable[[re.Match[bytes]], int | None]) -> bytes:
    """Return a page without the stretches that begin with a match; the first one that does not end is kept."""
    kept, at = [], 0
    while opened := start.search(html, at):
        to = end(opened)
        if to is None:
            break
        kept.append(html[at : opened.start()])
        at = to
    return b"".join([*kept, html[at:]]) if at else html


def _end_of_mark(end: re.Pattern[bytes], opened: re.Match[bytes]) -> int | None:
    """Return where the stretch ends; None where its end is not there."""
    closed = end.search(opened.string, opened.end())
    return closed.end() if closed else None


def _end_of_div(opened: re.Match[bytes]) -> int:
    """Return where the element that begins here ends; the end of the page where it is not closed."""
    html, depth = opened.string, 0
    for tag in _DIV.finditer(html, opened.start()):
        depth += -1 if tag[1] else 1
        if depth == 0:
            end = html.find(b">", tag.end())
            return end + 1 if end >= 0 else len(html)
    return len(html)
