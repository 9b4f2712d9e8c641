"""HTML to text with trafilatura, which is an extra."""

from __future__ import annotations

from trafilatura import bare_extraction

from archive.text.base import Page, label
from archive.text.extract import title_of
from archive.text.normalise import normalise


def from_html(html: str) -> Page:
    """Return the main content of a page; of one without main content, no text."""
    document = bare_extraction(html, with_metadata=True)
    if document is None:
        return Page("", None, label("trafilatura"))
    data = document if isinstance(document, dict) else document.as_dict()
    return Page(normalise(data.get("text") or ""), title_of(data.get("title")), label("trafilatura"))
