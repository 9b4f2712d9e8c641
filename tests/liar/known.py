"""The kinds of lies and losses that the product does not catch. The list may only get shorter."""

from __future__ import annotations

KNOWN_OPEN: frozenset[str] = frozenset()
