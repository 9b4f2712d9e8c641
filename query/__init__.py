"""Questions to a lake, in SQL."""

from query.sql import connect

__all__ = ["connect"]
