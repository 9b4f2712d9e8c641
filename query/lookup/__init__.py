"""Whether a text has been on the web before, and since when: exact, near, quoted, or alike; and how a page changed.

`run` asks the indexes, each of which is a room of its own; `pages` answers for an address, `target` decides what was
asked for.
"""

from __future__ import annotations

from query.lookup.result import LookupResult, PageChanges
from query.lookup.run import Lookup, lookup

__all__ = ["Lookup", "LookupResult", "PageChanges", "lookup"]
