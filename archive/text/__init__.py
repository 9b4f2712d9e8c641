"""Text: from bytes to characters, from HTML to text, from a text to its content id.

`base` has the table of extractors.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archive.text.normalise import content_id, normalise

if TYPE_CHECKING:
    from archive.text.base import EXTRACTORS, Extractor, Page, extractor
    from archive.text.language import language_of

__all__ = ["EXTRACTORS", "Extractor", "Page", "content_id", "extractor", "language_of", "normalise"]

#: Imported when used, so that the table of extractors can be read without Resiliparse.
_LATER = {
    "EXTRACTORS": "archive.text.base",
    "Extractor": "archive.text.base",
    "Page": "archive.text.base",
    "extractor": "archive.text.base",
    "language_of": "archive.text.language",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(name)
