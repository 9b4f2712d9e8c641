"""Questions to a lake, in SQL."""

from query.sql import ask, connect

__all__ = ["ask", "connect"]
