"""Where the explorer keeps what it computed of a lake: outside the lake, and to be deleted at any time."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from archive.commoncrawl.cache import cache_folder, temporary_folder

#: The name of this kind of cache, see `archive.leftovers`.
KIND = "explorer"


def folder_of(location: str) -> Path:
    """Return the folder of what is kept of a lake; where nobody may write into the caches, a temporary one."""
    return _base() / KIND / hashlib.sha256(location.encode()).hexdigest()[:32]


def _base() -> Path:
    with contextlib.suppress(OSError):
        base = cache_folder()
        (base / KIND).mkdir(parents=True, exist_ok=True)
        if os.access(base / KIND, os.W_OK):
            return base
    return temporary_folder()
