"""HTML to text with Resiliparse."""

from __future__ import annotations

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from archive.text.base import Page, label
from archive.text.normalise import normalise


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
