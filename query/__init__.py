"""Questions to a lake in SQL; clean sets as training shards (`query.export`), and their proof (`query.verify`)."""

from query.sql import ask, connect

__all__ = ["ask", "connect"]
