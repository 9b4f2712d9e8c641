"""HTML to text with Resiliparse, and the language of a text."""

from __future__ import annotations

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree
from resiliparse.parse.lang import detect_fast

from archive.text.base import Page, label
from archive.text.normalise import normalise

#: The rank at which Resiliparse's detector gives up; a score is the distance from it, 0 to 1.
_LANGUAGE_CUTOFF = 1200
#: The detector looks at this many characters.
_LANGUAGE_SAMPLE = 4_000


def from_html(html: str) -> Page:
    """Return the main content of a page.

    It leaves out list bullets, alternative texts and form fields, as measured by `benchmarks/extraction.py` on
    990 gold pages. Leaving out comments too would score higher there, but people wrote them. For a page without
    main content, such as a list of links, it returns all the visible text, and the extractor's label ends in `+all`.
    """
    tree = HTMLTree.parse(html)
    text = normalise(extract_plain_text(tree, main_content=True, list_bullets=False, alt_texts=False))
    name = label("resiliparse")
    if not text:
        text = normalise(extract_plain_text(tree, list_bullets=False, alt_texts=False))
        name += "+all"
    return Page(text, title_of(tree.title), name)


def title_of(raw: str | None) -> str | None:
    """Return a page's title on one line, at most 1000 characters of it."""
    return " ".join(normalise(raw or "").split())[:1000] or None


def from_plain(text: str) -> Page:
    """Return plain text as a page, in its normal form."""
    return Page(normalise(text), None, "plain")


def language_of(text: str) -> tuple[str | None, float]:
    """Return the ISO 639-1 code of a text's language, with a score from 0 (a guess) to 1; None if no language fits."""
    code, rank = detect_fast(text[:_LANGUAGE_SAMPLE], cutoff=_LANGUAGE_CUTOFF)
    if code == "unknown":
        return None, 0.0
    return code, round(1 - min(rank, _LANGUAGE_CUTOFF) / _LANGUAGE_CUTOFF, 3)
