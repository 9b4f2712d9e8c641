"""What a robots.txt allows, by RFC 9309, and what it says of others: AI agents, and what content may be used for.

Protego finds the rules. The rest of the RFC is here: 4xx is open, 5xx or no answer is closed, 500 KiB are read. 429 is
closed too: the server is busy, and says nothing of its rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from protego import Protego
from protego._utils import _quote_path

from crawler.options import TOKEN

#: Bytes of a robots.txt that are read, redirects that are followed, and seconds that it is used (RFC 9309, 2.5, 2.3.1.2
#: and 2.4).
LONGEST, REDIRECTS, KEPT = 500 << 10, 5, 86400.0
#: Agents that collect for models, by the names in their operators' documentation.
AI_AGENTS = (
    "AI2Bot",
    "Amazonbot",
    "anthropic-ai",
    "Applebot-Extended",
    "Bytespider",
    "CCBot",
    "ChatGPT-User",
    "ClaudeBot",
    "cohere-ai",
    "Diffbot",
    "FacebookBot",
    "Google-Extended",
    "GPTBot",
    "meta-externalagent",
    "OAI-SearchBot",
    "omgili",
    "PerplexityBot",
)
#: Lines about the use of content (IETF AIPREF drafts; Cloudflare's Content Signals). They are kept as they are.
_USAGE = re.compile(r"^[ \t]*(content-(?:usage|signal)[ \t]*:[^\r\n]{0,500})", re.IGNORECASE | re.MULTILINE)
_MOST_LINES = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a robots.txt says of a URL."""

    allowed: bool
    rule: str  #: the rule that matched, as `disallow: /private`; else why it is open or closed
    shut_out: tuple[str, ...] = ()  #: AI agents that may not fetch it


class Rules:
    """The rules of an origin.

    Args:
        status: of the response behind all redirects; 0 where none came.
        body: of that response.
    """

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._why = ""
        text = ""
        if status // 100 == 2:
            text = body[:LONGEST].decode("utf-8", "replace").removeprefix("\ufeff")
        elif status // 100 == 4 and status != 429:
            self._why = f"open: robots.txt has the status {status}"
        elif status // 100 == 3:
            self._why = f"open: robots.txt redirects more than {REDIRECTS} times"
        else:
            self._why = f"closed: robots.txt has the status {status}" if status else "closed: no robots.txt was had"
        self._parsed = Protego.parse(text)
        self.usage = tuple(line.strip() for line in _USAGE.findall(text)[:_MOST_LINES])
        self.sitemaps = tuple(dict.fromkeys(self._parsed.sitemaps))[:1000]
        self.crawl_delay = float(self._parsed.crawl_delay(TOKEN) or 0.0)
        self._agents: dict[int, tuple[object, list[str]]] = {}
        for agent in AI_AGENTS:
            group = self._parsed._get_matching_rule_set(agent)
            self._agents.setdefault(id(group), (group, []))[1].append(agent)

    @property
    def is_closed(self) -> bool:
        """Whether nothing may be fetched since the rules could not be had."""
        return self._why.startswith("closed")

    def verdict(self, url: str) -> Verdict:
        """Return whether a URL may be fetched, by which rule, and who else may not.

        >>> rules = Rules(200, b"User-agent: GPTBot\\nDisallow: /\\nUser-agent: *\\nDisallow: /private")
        >>> rules.verdict("http://example.com/a")
        Verdict(allowed=True, rule='no rule matches', shut_out=('GPTBot',))
        """
        if self._why:
            return Verdict(not self.is_closed, self._why)
        path = _quote_path(url)
        allowed, rule = _match(self._parsed._get_matching_rule_set(TOKEN), path)
        out = [name for group, names in self._agents.values() if not _match(group, path)[0] for name in names]
        return Verdict(allowed, rule, tuple(sorted(out, key=str.lower)))


def _match(group: object, path: str) -> tuple[bool, str]:
    """Return whether a group of rules allows a path, and the rule: the longest that matches (RFC 9309, 2.2.2)."""
    for rule in getattr(group, "_rules", ()):
        if rule.value.match(path):
            agent = getattr(group, "user_agent", "*")
            return rule.field != "disallow", f"{rule.field}: {rule.value._pattern} (user-agent: {agent})"
    return True, "no rule matches"
