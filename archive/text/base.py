"""What an extractor is: HTML in, the text of the page out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import version

from archive.errors import ArchiveError
from archive.extras import missing
from archive.registry import Registry, load
from archive.text.content.parts import PARTS


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
        "resiliparse-main": "archive.text.extract:from_html_by_resiliparse",
        "trafilatura": "archive.text.with_trafilatura:from_html",
    },
)
#: The extra of this distribution that brings the package of an extractor.
_EXTRAS = {"trafilatura": "trafilatura"}
#: The extractor that can keep parts. Its function takes them as `keep`.
_KEEPING = "resiliparse"
#: The version of how main content is chosen, which is in the label of each text that is cut so.
METHOD = "lb1"


def keeping(name: str, parts: Iterable[str]) -> str:
    """Return the name of an extractor that keeps parts of a page: `resiliparse+captions+comments`.

    Args:
        parts: names of `archive.text.content.parts.PARTS`, in any order.

    Raises:
        ArchiveError: there is no such part, or the extractor cannot keep any.

    >>> keeping("resiliparse", ["comments", "captions"])
    'resiliparse+captions+comments'
    """
    kept = set(parts)
    if unknown := sorted(kept - set(PARTS)):
        raise ArchiveError(f"no part {unknown[0]!r} of a page; there are {', '.join(PARTS)}")
    if kept and name.partition("+")[0] != _KEEPING:
        raise ArchiveError(f"the extractor {name} cannot keep parts of a page; {_KEEPING} can")
    return "+".join((name, *(part for part in PARTS if part in kept)))


def names_of(keep: str | Iterable[str]) -> list[str]:
    """Return the names of parts that somebody wrote, one or several in a string.

    >>> names_of(["captions, credits", "comments"])
    ['captions', 'credits', 'comments']
    """
    written = [keep] if isinstance(keep, str) else keep
    return [name for each in written for name in each.replace(",", " ").split()]


def name_of(stated: str) -> str:
    """Return the name of the extractor that makes texts with a label; a name is returned as it is.

    >>> name_of("resiliparse/2.0.1+lb1+captions+all")
    'resiliparse+captions'
    >>> name_of("resiliparse/1.0.2+all")
    'resiliparse-main'
    """
    name, _, version = stated.partition("/")
    if name != _KEEPING or not version:
        return name
    marks = version.split("+")[1:]
    return keeping(name, set(marks) & set(PARTS)) if METHOD in marks else f"{name}-main"


def address_of(name: str) -> str:
    """Return the `"module:attribute"` of an extractor, with the parts that it keeps: every process can load it by that.

    Raises:
        ArchiveError: there is no extractor of this name, or it cannot keep these parts.
    """
    plain, *kept = name.split("+")
    if not EXTRACTORS.has(plain):
        raise ArchiveError(f"no extractor {plain!r}; there are {', '.join(EXTRACTORS.names())}")
    return "+".join((EXTRACTORS[plain], *keeping(plain, kept).split("+")[1:]))


def extractor(name: str) -> Extractor:
    """Load an extractor by its name or its address.

    Raises:
        ArchiveError: there is none, or its package is not installed.
    """
    address, *kept = (name if ":" in name else address_of(name)).split("+")
    try:
        extract: Extractor = load(address)
    except ImportError as error:
        if name not in _EXTRAS:
            raise
        raise missing(f"the extractor {name}", _EXTRAS[name], error.name or name) from None
    return partial(extract, keep=frozenset(kept)) if kept else extract  # type: ignore[call-arg]


@lru_cache(maxsize=8)
def label(name: str, package: str | None = None) -> str:
    """Return an extractor's name and version, as captures keep them: `resiliparse/1.0.2`."""
    return f"{name}/{version(package or name)}"
