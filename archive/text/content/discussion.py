"""Whether a page is a discussion, so that what looks like comments is what the page is about."""

from __future__ import annotations

import re

#: What the structured data of a discussion has.
_KINDS = ("DiscussionForumPosting", "QAPage", "schema.org/Question")
#: What forums, question-and-answer sites and mailing lists write at the start or the end of their pages.
_MARKS = re.compile(
    r'id="(?:phpbb|XF|XenForo)"|content="(?:vBulletin|Discourse|Discuz|phpBB|MHonArc|NodeBB)|[Pp]owered [Bb]y '
    r"(?:<[^<>]+>)?(?:phpBB|vBulletin|Discourse|Discuz|SMF|MyBB|NodeBB|XenForo|Invision)|Simple Machines|Invision Community|"
    r"IP\.Board|Hacker News|shreddit-"
)
_START, _END = 20_000, 10_000
_ARTICLE = re.compile(r'"@type"\s*:\s*"(?:\w*NewsArticle|Article|BlogPosting|Report)"')


def is_marked(html: str) -> bool:
    """Return whether a page has what discussions have."""
    if any(kind in html for kind in _KINDS):
        return True
    return bool(_MARKS.search(html, 0, _START) or _MARKS.search(html, max(len(html) - _END, 0)))


def is_article(html: str) -> bool:
    """Return whether the structured data of a page calls it an article."""
    return "ld+json" in html and _ARTICLE.search(html) is not None
