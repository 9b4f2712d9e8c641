"""HTML to text: Resiliparse by default, trafilatura on request."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree
from resiliparse.parse.lang import detect_fast

from archive.errors import ArchiveError
from archive.extras import missing
from archive.text.normalise import normalise

#: The rank at which Resiliparse's detector gives up; a score is the distance from it, 0 to 1.
_LANGUAGE_CUTOFF = 1200
#: The detector looks at this many characters.
_LANGUAGE_SAMPLE = 4_000

EXTRACTORS = ("resiliparse", "trafilatura")


@dataclass(frozen=True, slots=True)
class Page:
    """The text of a page in its normal form, its title, and the extractor that made them."""

    text: str
    title: str | None
    extractor: str


def extractor(name: str) -> Callable[[str], Page]:
    """The extractor of this name.

    Raises:
        ArchiveError: there is none, or its package is not installed.
    """
    if name == "resiliparse":
        return from_html
    if name == "trafilatura":
        try:
            importlib.import_module("trafilatura")
        except ImportError as error:
            raise missing(f"the extractor {name}", "trafilatura", error.name or "trafilatura") from None
        return _with_trafilatura
    raise ArchiveError(f"no extractor {name!r}; there are {', '.join(EXTRACTORS)}")


@lru_cache(maxsize=8)
def label(name: str, package: str | None = None) -> str:
    """An extractor's name and version, as kept with each capture."""
    return f"{name}/{version(package or name)}"


def from_html(html: str) -> Page:
    """The main content of a page, by Resiliparse.

    List bullets, alternative texts and form fields are left out, which `benchmarks/extraction.py` measures on
    990 gold pages. Leaving out comments too would score higher there, but people wrote them. A page without
    main content, such as a list of links, gives all its visible text instead; its extractor says `+all`.
    """
    tree = HTMLTree.parse(html)
    text = normalise(extract_plain_text(tree, main_content=True, list_bullets=False, alt_texts=False))
    made_by = label("resiliparse")
    if not text:
        text = normalise(extract_plain_text(tree, list_bullets=False, alt_texts=False))
        made_by += "+all"
    return Page(text, _title(tree.title), made_by)


def _with_trafilatura(html: str) -> Page:
    from trafilatura import bare_extraction

    found = bare_extraction(html, with_metadata=True)
    made_by = label("trafilatura")
    if found is None:
        return Page("", None, made_by)
    data = found if isinstance(found, dict) else found.as_dict()
    return Page(normalise(data.get("text") or ""), _title(data.get("title")), made_by)


def _title(raw: str | None) -> str | None:
    return " ".join(normalise(raw or "").split())[:1000] or None


def from_plain(text: str) -> Page:
    """Plain text is its own extract."""
    return Page(normalise(text), None, "plain")


def language_of(text: str) -> tuple[str | None, float]:
    """ISO 639-1 code of the text's language with a score from 0 (a guess) to 1; None if nothing fits."""
    code, rank = detect_fast(text[:_LANGUAGE_SAMPLE], cutoff=_LANGUAGE_CUTOFF)
    if code == "unknown":
        return None, 0.0
    return code, round(1 - min(rank, _LANGUAGE_CUTOFF) / _LANGUAGE_CUTOFF, 3)
