"""HTML to text with Resiliparse."""

from __future__ import annotations

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from archive.text.base import METHOD, Page, label
from archive.text.content.main import main_text
from archive.text.content.parts import PARTS
from archive.text.normalise import normalise


def from_html(html: str, keep: frozenset[str] = frozenset()) -> Page:
    """Return the main content of a page, as `archive.text.content` chooses it.

    A page without main content, such as a list of links, gives all its visible text, and the label ends in `+all`. One
    that shows almost nothing but has its text as data for machines (JSON-LD) gives that: `+data`. List bullets,
    alternative texts and form fields are left out.

    Args:
        keep: names of `PARTS` that are kept. They are in the label.
    """
    tree = HTMLTree.parse(html)
    title = title_of(tree.title)
    body = tree.body
    text, how = main_text("" if body is None else body.html, html, title or "", keep)
    text = normalise(text)
    if not text:
        text, how = normalise(extract_plain_text(tree, list_bullets=False, alt_texts=False)), "all"
    marks = (label("resiliparse"), METHOD, *(part for part in PARTS if part in keep), *([how] if how else []))
    return Page(text, title, "+".join(marks))


def from_html_by_resiliparse(html: str) -> Page:
    """Return the main content of a page as Resiliparse finds it, which was the default before `from_html`.

    Of a page without main content it returns all the visible text, and the label ends in `+all`.
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
