"""What a robots.txt allows, by RFC 9309, and what it says of others: AI agents, and what content may be used for.

Protego finds the rules. The rest of the RFC is here: 4xx is open, 5xx or no answer is closed, 500 KiB are read. 429 is
closed too: the server is busy, and says nothing of its rules.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from urllib.parse import quote

from protego import Protego
from protego._protego import (
    _ALLOW_DIRECTIVE,
    _CRAWL_DELAY_DIRECTIVE,
    _DISALLOW_DIRECTIVE,
    _SITEMAP_DIRECTIVE,
    _USER_AGENT_DIRECTIVE,
    _extract_directive,
)
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
#: How fields may be written, each with its name.
_FIELDS = {
    each: name
    for name, names in (
        ("user-agent", _USER_AGENT_DIRECTIVE),
        ("allow", _ALLOW_DIRECTIVE),
        ("disallow", _DISALLOW_DIRECTIVE),
        ("crawl-delay", _CRAWL_DELAY_DIRECTIVE),
        ("sitemap", _SITEMAP_DIRECTIVE),
    )
    for each in names
}
#: What Python takes for the end of a line, and the RFC does not.
_BREAKS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
#: A product token (RFC 9309, 2.2.1; some have digits, which it does not know), or all agents.
_TOKEN = re.compile(r"\*(?=\s|$)|[A-Za-z0-9_-]+")


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
            text = _text(body)
        elif status // 100 == 4 and status != 429:
            self._why = f"open: robots.txt has the status {status}"
        elif status // 100 == 3:
            self._why = f"open: robots.txt redirects more than {REDIRECTS} times"
        else:
            self._why = f"closed: robots.txt has the status {status}" if status else "closed: no robots.txt was had"
        self._parsed = Protego.parse(_in_order(text))
        self.usage = tuple(line.strip() for line in _USAGE.findall(text)[:_MOST_LINES])
        self.sitemaps = tuple(dict.fromkeys(self._parsed.sitemaps))[:1000]
        self._agents: dict[int, tuple[object, list[str]]] = {}
        self._ours = self._group(TOKEN)
        self.crawl_delay = float(getattr(self._ours, "crawl_delay", None) or 0.0)
        for agent in AI_AGENTS:
            group = self._group(agent)
            self._agents.setdefault(id(group), (group, []))[1].append(agent)

    def _group(self, agent: str) -> object:
        """Return the rules for an agent: of the groups by its name, which are one, or else of those for all."""
        groups = self._parsed._user_agents
        return groups.get(agent.lower()) or groups.get("*")

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
        allowed, rule = _match(self._ours, path)
        out = [name for group, names in self._agents.values() if not _match(group, path)[0] for name in names]
        return Verdict(allowed, rule, tuple(sorted(out, key=str.lower)))


def _text(body: bytes) -> str:
    """Return the text of a robots.txt. A last line that the limit cuts is left out: `/` is another rule than `/pub`."""
    if len(body) >= LONGEST:
        body = body[:LONGEST]
        body = body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]
    is_wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = body.decode("utf-16" if is_wide else "utf-8", "replace").removeprefix("\ufeff")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _in_order(text: str) -> str:
    """Return the lines that Protego is to read, so that it groups them as the RFC has it.

    Agents are product tokens: `lowbackground/1.0` is `lowbackground` (2.2.1). Lines that are no rules end no group
    (2.2.4), so that a delay goes to the end of its agents, and what nobody knows is left out.
    """
    lines, held, agents = list[str](), list[str](), False
    for line in text.split("\n"):
        field, value = _directive(line)
        if field == "user-agent":
            if not agents:
                lines += held
                held = []
            token = _TOKEN.match(value)
            lines.append(f"user-agent: {token[0] if token else value}")
            agents = True
        elif field in ("allow", "disallow"):
            lines += [*held, f"{field}: {value}"]
            held, agents = [], False
        elif field in ("crawl-delay", "sitemap"):
            (held if field == "crawl-delay" else lines).append(f"{field}: {value}")
    return "\n".join([*lines, *held])


def _directive(line: str) -> tuple[str, str]:
    """Return the field and the value of a line, read as Protego does; empty where it is none.

    >>> _directive(" Useragent lowbackground # us"), _directive("# no")
    (('user-agent', 'lowbackground'), ('', ''))
    """
    found = _extract_directive(line.partition("#")[0].strip())
    return (_FIELDS.get(found[0], ""), _BREAKS.sub(lambda found: quote(found[0]), found[1])) if found else ("", "")


def _match(group: object, path: str) -> tuple[bool, str]:
    """Return whether a group of rules allows a path, and the rule: the longest that matches (RFC 9309, 2.2.2)."""
    for rule in getattr(group, "_rules", ()):
        if rule.value.match(path):
            agent = getattr(group, "user_agent", "*")
            return rule.field != "disallow", f"{rule.field}: {rule.value._pattern} (user-agent: {agent})"
    return True, "no rule matches"
