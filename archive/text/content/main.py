"""The text of a page: its segments without the parts that are not its own, each of which can be kept."""

from __future__ import annotations

import html as entities
import json
import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from archive.text.content.features import Measured, measure
from archive.text.content.model import model
from archive.text.content.parts import PARTS
from archive.text.content.segments import BLANK, LINE, NOTHING, SPACE, Segments, segments_of
from archive.text.content.words import BIT

#: What the score of a segment must exceed.
THRESHOLD = -0.4
#: The same for a paragraph, code or a quotation of which nothing around says that it is a part to be cut.
PROSE = -1.5
#: The same for a post of a discussion, and the letters outside of links that it has in any case.
POST, SAID = -3.0, 40
#: Letters of text below which a page is looked at again.
LITTLE = 150
#: So many times the letters of what is shown, the text for readers without scripts is the page's text.
MUCH = 2
#: What a segment is called by what the elements around it say; the first that holds. The names are of `PARTS`.
_PART_NAMES = (
    ("comments", ("comments",)),
    ("captions", ("captions",)),
    ("share", ("share",)),
    ("related", ("related",)),
    ("notices", ("notices", "advert")),
    ("navigation", ("navigation", "foot", "side", "head")),
    ("credits", ("credits", "meta")),
    ("captions", ("gallery",)),
)
_CALLED = tuple((PARTS.index(part), sum(BIT[name] for name in names)) for part, names in _PART_NAMES)
_TITLE, _CAPTIONS, _REST = map(PARTS.index, ("title", "captions", "rest"))
_PROSE = frozenset({"p", "pre", "blockquote"})
_APART = sum({BIT[name] for _, names in _PART_NAMES for name in names} | {BIT["unseen"], BIT["hidden"]})
_FRAME = sum(BIT[name] for name in ("navigation", "notices", "share", "advert"))
_BREAKS = {NOTHING: "", SPACE: " ", LINE: "\n", BLANK: "\n\n"}
_JSON = re.compile(r"<script[^>]*application/ld\+json[^>]*>(.*?)</script>", re.S | re.I)


def main_text(body: str, html: str, title: str, keep: frozenset[str] = frozenset()) -> tuple[str, str]:
    """Return the text of a page, and how it was found: "", or `all` or `data` where no main content is.

    Args:
        body: the serialised body of the tree.
        html: the page.
        keep: names of `PARTS` that are kept.
    """
    found = segments_of(body)
    if not found.texts:
        return _from_data(html), "data"
    measured = measure(found, title, html)
    hidden = (measured.bits & BIT["noscript"]) != 0
    if hidden.any() and measured.loose[hidden].sum() > MUCH * measured.loose[~hidden].sum():
        hidden[:] = False  # scripts would load the text, and it is there for readers without them
    scores = model().scores(measured.rows)
    own = scores > THRESHOLD
    linked = measured.loose * 2 < measured.weight
    prose = np.array([name in _PROSE for name in measured.names])
    own |= (scores > PROSE) & prose & (measured.loose > SAID) & ~linked & ((measured.bits & _APART) == 0)
    own &= ~(linked & ((measured.bits & BIT["navigation"]) != 0))
    if measured.discussion:  # what is written there is less like an article, and nobody wants it to be
        frame = (measured.bits & _FRAME) != 0
        own |= ((scores > POST) | (measured.loose > SAID)) & ~linked & ~frame
    own &= ~hidden
    captions, titles = _by_rule(measured)
    own &= ~(captions | (titles & measured.above))
    if measured.weight[own].sum() < LITTLE:
        seen = measured.weight[~hidden].sum()
        if (seen < LITTLE or not own.any()) and (data := _from_data(html)) and len(data) > seen:
            return data, "data"
        if seen < LITTLE and measured.weight[hidden].sum() > seen:
            return _joined(found, np.ones_like(own)), "all"
        if not own.any():
            return _joined(found, ~hidden), "all"
    if keep:
        parts = np.full(len(own), _REST)
        for part, bits in reversed(_CALLED):
            parts[(measured.bits & bits) != 0] = part
        parts[captions], parts[titles] = _CAPTIONS, _TITLE
        own |= np.isin(parts, [PARTS.index(name) for name in keep]) & ~hidden
    return _joined(found, own), ""


def _by_rule(measured: Measured) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which segments are captions, and which are the title as a heading, whatever their score."""
    captions = np.array([name == "figcaption" or name == "caption" for name in measured.names])
    return captions, measured.titled & np.array([name == "h1" or name == "h2" for name in measured.names])


def _joined(found: Segments, own: NDArray[np.bool_]) -> str:
    text: list[str] = []
    between = NOTHING
    for piece, gap, is_own in zip(found.texts, found.breaks, own.tolist(), strict=True):
        between = max(between, gap)
        if is_own:
            text += (_BREAKS[between], piece)
            between = NOTHING
        else:
            between = max(between, SPACE)
    return "".join(text)


def _from_data(html: str) -> str:
    """Return the longest `articleBody` or `text` of a page's structured data (JSON-LD), or nothing."""
    best = ""
    if "ld+json" in html:
        for block in _JSON.findall(html):
            try:
                values = list(_bodies(json.loads(block, strict=False)))
            except (ValueError, RecursionError):
                continue
            best = max([best, *values], key=len)
    return entities.unescape(re.sub(r"</?\w[^<>]*>", " ", best))


def _bodies(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "articleBody" and isinstance(each, str):
                yield each
            else:
                yield from _bodies(each)
    elif isinstance(value, list):
        for each in value:
            yield from _bodies(each)
