"""What a page said to robots, in its HTTP header or its head: `noindex`, `noai`, a reservation of rights."""

from __future__ import annotations

import codecs
import html
import re

#: Who collects for models, by the names under which pages address them (their own documentation).
AI_AGENTS = ("ccbot", "gptbot", "google-extended", "anthropic-ai", "claudebot", "bytespider", "meta-externalagent")
_NAMES = "|".join(("robots", "tdm-reservation", *AI_AGENTS))
_SOUGHT = tuple(name.encode() for name in _NAMES.split("|"))
#: The head of a page ends long before this many bytes.
_HEAD = 1 << 16
#: Looked for in the lower case of the head: patterns that ignore case take ten times as long to find nothing.
_META = re.compile(rb"<meta\s[^>]{0,1000}>")
_NAME = re.compile(rf"\b(?:name|property)\s*=\s*[\"']?\s*({_NAMES})\s*(?:[\"'\s/>]|$)".encode())
_CONTENT = re.compile(rb"\bcontent\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
_WORD = re.compile(r"[\w.-]{1,40}")
_AGENT = re.compile(r"\s*([\w.-]{1,40})\s*:(.*)", re.DOTALL)
#: Directives whose value follows a colon, which is no agent's name then.
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})


def directives(headers: dict[str, str], body: bytes) -> str | None:
    """The directives of `X-Robots-Tag`, `TDM-Reservation` and the meta elements of a page, or None.

    In lower case, sorted, each once; those that name an agent as `agent:directive`. (Google's robots meta tag
    specification; DeviantArt's `noai`; the W3C community's TDM Reservation Protocol.)

    >>> directives({"x-robots-tag": "NoIndex, noai"}, b'<meta content="noai" name="ccbot">')
    'ccbot:noai, noai, noindex'
    """
    found = set(_listed(headers.get("x-robots-tag", "")))
    if headers.get("tdm-reservation", "").strip() == "1":
        found.add("tdm-reservation:1")
    head = body[:_HEAD]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", "replace").encode()
    head = head.lower()
    for tag in _META.findall(head) if any(name in head for name in _SOUGHT) else ():
        name, content = _NAME.search(tag), _CONTENT.search(tag)
        if not name or not content:
            continue
        agent = name[1].decode()
        value = html.unescape(next(group for group in content.groups() if group is not None).decode("utf-8", "replace"))
        if agent == "tdm-reservation":
            found |= {"tdm-reservation:1"} if value.strip() == "1" else set()
        else:
            found |= {word if agent == "robots" else f"{agent}:{word}" for word in _listed(value)}
    return ", ".join(sorted(found))[:500] or None


def _listed(value: str) -> list[str]:
    """`noindex, ccbot: noai, nofollow`: a name with a colon addresses all that follows it."""
    found = []
    for line in value.lower().split("\x1f"):  # lines of a repeated header; an agent is that of its own line
        found += _in_line(line)
    return found


def _in_line(line: str) -> list[str]:
    agent, found = "", []
    for part in line.split(","):
        if (match := _AGENT.match(part)) and match[1] not in _VALUED:
            agent, part = match[1] + ":", match[2]
        if word := _WORD.search(part):
            found.append(agent.replace("robots:", "") + word[0])
    return found
