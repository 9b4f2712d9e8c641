"""Whether a page is a discussion, so that what looks like comments is what the page is about."""

from __future__ import annotations

import re

#: What the structured data of a discussion has.
_KINDS = ("DiscussionForumPosting", "QAPage", "org/Question")
#: What forum programs write at the start of their pages, and at the end.
_FIRST = ('id="phpbb"', 'id="XF"', 'id="XenForo"', "shreddit-", "| Hacker News<")
_LAST = ("Simple Machines", "Invision Community", "IP.Board")
_PROGRAM = re.compile("phpBB|vBulletin|Discourse|Discuz|SMF|MyBB|NodeBB|XenForo|Invision|MHonArc")
_START, _END, _NEAR = 20_000, 10_000, 100
_ARTICLE = re.compile(r'"@type"\s*:\s*"(?:\w*NewsArticle|Article|BlogPosting|Report)"')


def is_marked(html: str) -> bool:
    """Return whether a page has what discussions have."""
    if (at := html.find("schema.org")) >= 0 and any(html.find(kind, at) >= 0 for kind in _KINDS):
        return True
    first, last = html[:_START], html[-_END:]
    if any(mark in first for mark in _FIRST) or any(mark in last for mark in _LAST):
        return True
    if (at := first.find('name="generator"')) >= 0 and _PROGRAM.search(first, max(at - _NEAR, 0), at + _NEAR):
        return True
    return (at := last.find("owered ")) >= 0 and _PROGRAM.search(last, at, at + _NEAR) is not None


def is_article(html: str) -> bool:
    """Return whether the structured data of a page calls it an article."""
    return "ld+json" in html and _ARTICLE.search(html) is not None
