"""Where captures come from: which files a SOURCE names, and what tells one state of a file from another.

`archive.storage` opens them; `archive.records` finds what is in them.
"""

from __future__ import annotations

from archive.sources.files import Listed, Sources, is_text, list_files, matches, named

__all__ = ["Listed", "Sources", "is_text", "list_files", "matches", "named"]
