"""What an extractor is: HTML in, the text of the page out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

from archive.errors import ArchiveError
from archive.extras import missing
from archive.registry import Registry, load


@dataclass(frozen=True, slots=True)
class Page:
    """The text of a page in its normal form, its title, and the name and version of its extractor (`label`)."""

    text: str
    title: str | None
    extractor: str


#: Takes HTML and returns its page, with no text where it finds none. It may raise anything: that costs the page.
Extractor = Callable[[str], Page]

EXTRACTORS = Registry(
    "extractors",
    {
        "resiliparse": "archive.text.extract:from_html",
        "trafilatura": "archive.text.with_trafilatura:from_html",
    },
)
#: The extra of this distribution that brings the package of an extractor.
_EXTRAS = {"trafilatura": "trafilatura"}


def address_of(name: str) -> str:
    """Return the `"module:attribute"` of an extractor, by which every process can load it.

    Raises:
        ArchiveError: there is no extractor of this name.
    """
    if not EXTRACTORS.has(name):
        raise ArchiveError(f"no extractor {name!r}; there are {', '.join(EXTRACTORS.names())}")
    return EXTRACTORS[name]


def extractor(name: str) -> Extractor:
    """Load an extractor by its name or its address.

    Raises:
        ArchiveError: there is none, or its package is not installed.
    """
    try:
        extract: Extractor = load(name if ":" in name else address_of(name))
    except ImportError as error:
        if name not in _EXTRAS:
            raise
        raise missing(f"the extractor {name}", _EXTRAS[name], error.name or name) from None
    return extract


@lru_cache(maxsize=8)
def label(name: str, package: str | None = None) -> str:
    """Return an extractor's name and version, as captures keep them: `resiliparse/1.0.2`."""
    return f"{name}/{version(package or name)}"
