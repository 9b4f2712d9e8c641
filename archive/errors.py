"""Errors that a user can mend: one line that says what is wrong and what to do."""

from __future__ import annotations


class ArchiveError(Exception):
    """Base of every error that the `archive` command prints as one line (exit status 2)."""


class SourceError(ArchiveError):
    """A source cannot be found or read."""


class QueryError(ArchiveError):
    """A question that cannot be answered."""


class LakeError(ArchiveError):
    """The lake cannot be opened, or holds something that this version cannot read."""


class ExportError(ArchiveError):
    """A set cannot be exported, or an export not be read."""


class CollapseError(ArchiveError):
    """A collapse test cannot be run."""
