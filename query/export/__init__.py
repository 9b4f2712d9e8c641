"""`archive export`: a clean set as shards that trainers read, each row with its evidence."""

from __future__ import annotations

from query.export.arguments import Arguments
from query.export.run import Summary, export

__all__ = ["Arguments", "Summary", "export"]
