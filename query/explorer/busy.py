"""What is said where a server cannot do more."""

from __future__ import annotations

from archive.errors import ArchiveError


class Busy(ArchiveError):
    """The server has too much to do, or a page takes too long."""
