"""What a response leads to: the links of a page, the addresses of a sitemap, where a redirect goes."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field

from crawler.links.html import OURS, addresses_of, links_of
from crawler.links.scope import LONGEST_URL, host_of, joined, normal
from crawler.wire.message import Message, decoded, ungzipped

_log = logging.getLogger(__name__)

#: Bytes of a decoded page in which links are looked for; of a sitemap (sitemaps.org: 50 MB).
_PAGE, _SITEMAP = 16 << 20, 50 << 20
#: Rules of X-Robots-Tag that have a value behind a colon.
_AGENT = re.compile(r"\s*[\w*-]+\s*")
_WITH_VALUE = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
_MARKUP = frozenset({"text/html", "application/xhtml+xml"})
#: Sitemaps that lead to sitemaps.
_DEEPEST = 3


@dataclass(slots=True)
class Leads:
    """URLs in normal form, each with its kind (`page` or `sitemap`) and its depth."""

    urls: list[tuple[str, str, int]] = field(default_factory=list)
    moved: bool = False  #: they are where a redirect goes
    more: bool = False  #: there are more, which are not followed


def is_markup(message: Message) -> bool:
    """Return whether a response is a page in HTML."""
    return message.media_type in _MARKUP or (not message.media_type and message.head(1) == b"<")


def is_nofollow(message: Message, url: str) -> bool:
    """Return whether a page asks robots not to follow its links."""
    if not _may_follow(message):
        return True
    return is_markup(message) and links_of(decoded(message, _PAGE), url).nofollow


def leads_of(message: Message, url: str, kind: str, depth: int) -> Leads:
    """Return what the response to a URL leads to; nothing where that cannot be read."""
    try:
        return _leads_of(message, url, kind, depth)
    except Exception:  # it would end the crawl, and the next run too, which begins with the same page
        _log.exception("%s: its links cannot be read", url)
        return Leads()


def _leads_of(message: Message, url: str, kind: str, depth: int) -> Leads:
    if message.status // 100 == 3:
        target = joined(url, message.get(b"location"))
        return Leads([(target, kind, depth)] if target and target != url else [], moved=True)
    if message.status != 200:
        return Leads()
    if kind == "sitemap":
        return _of_sitemap(message, url, depth)
    if not is_markup(message) or not _may_follow(message):
        return Leads()
    charset = message.get(b"content-type").lower().partition("charset=")[2].partition(";")[0]
    found = links_of(decoded(message, _PAGE), url, charset)
    targets = dict.fromkeys(normal(link) for link in found.urls)
    return Leads([(target, "page", depth + 1) for target in targets if target], more=found.more)


def _may_follow(message: Message) -> bool:
    """Return whether X-Robots-Tag lets us follow links. An agent in front of rules is who they are for."""
    for value in message.every(b"x-robots-tag"):
        is_ours = True
        for each in value.decode("latin-1").lower().split(","):
            name, mark, rule = each.partition(":")
            if mark and _AGENT.fullmatch(name) and name.strip() not in _WITH_VALUE:
                is_ours, each = name.strip() in OURS, rule
            if is_ours and {"nofollow", "none"} & set(each.split()):
                return False
    return True


def _of_sitemap(message: Message, url: str, depth: int) -> Leads:
    """Return the pages of a sitemap; of an index, the sitemaps of the same host."""
    addresses, is_index = addresses_of(ungzipped(decoded(message, _SITEMAP), _SITEMAP))
    targets = [target for target in map(normal, addresses) if target and len(target) <= LONGEST_URL]
    if not is_index:
        return Leads([(target, "page", 1) for target in targets])
    if depth >= _DEEPEST:
        return Leads()
    return Leads([(target, "sitemap", depth + 1) for target in targets if host_of(target) == host_of(url)])
