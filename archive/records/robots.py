"""Directives to robots in the HTTP header or the head of a page: `noindex`, `noai`, a reservation of rights."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Iterator

#: Crawlers that collect for models, by the names in their own documentation.
AI_AGENTS = ("ccbot", "gptbot", "google-extended", "anthropic-ai", "claudebot", "bytespider", "meta-externalagent")
_NAMES = "|".join(("robots", "tdm-reservation", *AI_AGENTS))
_SOUGHT = re.compile(_NAMES.encode())
#: The head of a page ends long before this many bytes.
_HEAD = 1 << 16
#: Patterns for the head in lower case: patterns that ignore case take ten times as long to find nothing.
_META = re.compile(rb"<meta\s[^>]{0,1000}>")
_NAME = re.compile(rf"\b(?:name|property)\s*=\s*[\"']?\s*({_NAMES})\s*(?:[\"'\s/>]|$)".encode())
_CONTENT = re.compile(rb"\bcontent\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
_WORD = re.compile(r"[\w.-]{1,40}")
_AGENT = re.compile(r"\s*([\w.-]{1,40})\s*:(.*)", re.DOTALL)
#: Directives with a value behind a colon; they are no names of agents.
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})


def directives(headers: dict[str, str], body: bytes) -> str | None:
    """Return the directives of `X-Robots-Tag`, `TDM-Reservation` and the meta elements of a page, or None.

    They are in lower case, sorted, each once; a directive to one agent is `agent:directive`. (Google's robots meta tag
    specification; DeviantArt's `noai`; the W3C community's TDM Reservation Protocol.)

    >>> directives({"x-robots-tag": "NoIndex, noai"}, b'<meta content="noai" name="ccbot">')
    'ccbot:noai, noai, noindex'
    """
    words = set(_listed(headers.get("x-robots-tag", "")))
    if headers.get("tdm-reservation", "").strip() == "1":
        words.add("tdm-reservation:1")
    head = body[:_HEAD]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", "replace").encode()
    for tag in _metas(head.lower()):
        name, content = _NAME.search(tag), _CONTENT.search(tag)
        if not name or not content:
            continue
        agent = name[1].decode()
        value = html.unescape(next(group for group in content.groups() if group is not None).decode("utf-8", "replace"))
        if agent == "tdm-reservation":
            words |= {"tdm-reservation:1"} if value.strip() == "1" else set()
        else:
            words |= {word if agent == "robots" else f"{agent}:{word}" for word in _listed(value)}
    return ", ".join(sorted(words))[:500] or None


def _metas(head: bytes) -> Iterator[bytes]:
    """Yield the meta elements that may state a directive."""
    at = 0
    while (at := head.find(b"<meta", at)) >= 0:  # this finds the few that there are faster than a pattern does
        if tag := _META.match(head, at):
            at = tag.end()
            if _SOUGHT.search(tag[0]):
                yield tag[0]
        else:
            at += 5


def _listed(value: str) -> list[str]:
    """Return the directives of a value such as `noindex, ccbot: noai, nofollow`. An agent counts for all behind it."""
    words = []
    for line in value.lower().split("\x1f"):  # lines of a repeated header; an agent counts for its own line
        words += _in_line(line)
    return words


def _in_line(line: str) -> list[str]:
    agent, words = "", []
    for part in line.split(","):
        if (match := _AGENT.match(part)) and match[1] not in _VALUED:
            agent, part = match[1] + ":", match[2]
        if word := _WORD.search(part):
            words.append(agent.replace("robots:", "") + word[0])
    return words
