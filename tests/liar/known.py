"""The kinds of lies and losses that the product does not catch. The list may only get shorter."""

from __future__ import annotations

KNOWN_OPEN: frozenset[str] = frozenset(
    {
        "zone-less",
        "http-date-iso",
        "http-date-unreadable",
        "warc-version",
        "two-source-uris",
        "source-uri-unreadable",
        "x-archive-src",
        "toolbar-in-page",
        "row-file-name",
        "warcinfo-twice",
        "warcinfo-broken",
        "software",
        "format-version",
        "row-other-column",
        "wacz-altered",
        "segments",
        "two-places",
        "embedded-hole",
    }
)
