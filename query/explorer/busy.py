"""What is said where a server cannot do more, or not yet."""

from __future__ import annotations

from archive.errors import ArchiveError


class Busy(ArchiveError):
    """The server has too much to do, or a page takes too long."""


class NotYet(Busy):
    """What the page needs of this lake is being made: whoever asks again in a while gets the page."""
