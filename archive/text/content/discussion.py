"""Whether a page is a discussion, so that what looks like comments is what the page is about."""

from __future__ import annotations

import re

#: What forums, question-and-answer sites and mailing lists write into their pages.
_MARKS = (
    "DiscussionForumPosting",
    "QAPage",
    "schema.org/Question",
    'id="phpbb"',
    "Powered by phpBB",
    "Powered by vBulletin",
    'content="vBulletin',
    'content="Discourse',
    "Powered by Discourse",
    'id="XF"',
    'id="XenForo"',
    "Powered by Discuz",
    'content="Discuz',
    "Powered by SMF",
    "Simple Machines",
    "Powered By MyBB",
    "Invision Community",
    "IP.Board",
    'content="MHonArc',
    "Hacker News",
    "shreddit-comment",
)
_ARTICLE = re.compile(r'"@type"\s*:\s*"(?:\w*NewsArticle|Article|BlogPosting|Report)"')


def is_discussion(html: str) -> bool | None:
    """Return whether a page says that it is a discussion, or that it is an article; None where it says neither."""
    for mark in _MARKS:
        if mark in html:
            return _ARTICLE.search(html) is None
    return False if "ld+json" in html and _ARTICLE.search(html) else None
