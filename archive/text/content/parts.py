"""The parts of a page that are not its own text."""

from __future__ import annotations

#: Each part that is cut, and what it is.
PARTS_SAY = {
    "title": "the page's title, where it is repeated above the text",
    "captions": "captions of pictures and tables",
    "credits": "who wrote it and when",
    "comments": "comments of others; where the page is a discussion, they are its text",
    "share": "share and follow buttons",
    "related": "lists of other pages, teasers",
    "navigation": "menus, headers, footers, side bars",
    "notices": "cookie banners, subscriptions, advertisements",
    "rest": "whatever else is not main content",
}
PARTS = tuple(PARTS_SAY)
