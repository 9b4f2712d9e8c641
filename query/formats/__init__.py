"""The files that trainers read: a module for each format, all with the same three operations."""

from __future__ import annotations

from query.formats.format import FORMATS, Format, Written, open_format

__all__ = ["FORMATS", "Format", "Written", "open_format"]
