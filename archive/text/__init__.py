"""Text: from bytes to characters, from HTML to text, from a text to its content id."""

from archive.text.extract import Page, extractor, language_of
from archive.text.normalise import content_id, normalise

__all__ = ["Page", "content_id", "extractor", "language_of", "normalise"]
