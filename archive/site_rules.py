"""What the owner of a site allows and reserves: robots.txt by RFC 9309, and `/.well-known/tdmrep.json`.

Protego finds the rules. The rest of the RFC is here: 4xx is open, 5xx or no answer is closed, 500 KiB are read. 429 is
closed too: the server is busy, and says nothing of its rules.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass
from urllib.parse import quote

#: Bytes of a robots.txt that are read (RFC 9309, 2.5).
LONGEST = 500 << 10
ROBOTS, TDMREP = "robots.txt", "tdmrep.json"
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
_ENDINGS = {f"/{ROBOTS}": ROBOTS, f"/.well-known/{TDMREP}": TDMREP}
#: The scheme and the authority of a URL, and what is behind them.
_URL = re.compile(r"https?://(?:[^/?#@]*@)?[^/?#@]+(.*)", re.IGNORECASE | re.DOTALL)
#: Lines about the use of content (IETF AIPREF drafts; Cloudflare's Content Signals). They are kept as they are.
_USAGE = re.compile(r"^[ \t]*(content-(?:usage|signal)[ \t]*:[^\r\n]{0,500})", re.IGNORECASE | re.MULTILINE)
_MOST_LINES = 20
_ENDS = re.compile(r"\r\n|\r|\n")
#: What Python takes for the end of a line, and the RFC does not.
_BREAKS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
#: A product token (RFC 9309, 2.2.1; some have digits, which it does not know), or all agents.
_TOKEN = re.compile(r"\*(?=\s|$)|[A-Za-z0-9_-]+")


def kind_of(url: str | None) -> str | None:
    """Return which file of rules a URL is of, `robots.txt` or `tdmrep.json`; None for any other.

    >>> kind_of("http://example.com/robots.txt"), kind_of("http://example.com/a/robots.txt")
    ('robots.txt', None)
    """
    if not url or not url.endswith(tuple(_ENDINGS)):  # of nearly all URLs this is all that is asked
        return None
    found = _URL.fullmatch(url)
    return _ENDINGS.get(found[1]) if found else None


def has_rules(status: int) -> bool:
    """Return whether a response says what a site allows: with its body, or by having no such file (RFC 9309, 2.3.1)."""
    return status in {200, 203} or (status // 100 == 4 and status != 429)


def text_of(body: bytes) -> str:
    """Return the text that is read of a body, without a last line that the limit cuts: `/` is no rule for `/pub`."""
    if len(body) >= LONGEST:
        body = body[:LONGEST]
        body = body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]
    is_wide = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return body.decode("utf-16" if is_wide else "utf-8", "replace").removeprefix("\ufeff")


def usage_of(text: str) -> tuple[str, ...]:
    """Return the lines about the use of content, as they are."""
    return tuple(line.strip() for line in _USAGE.findall(_ENDS.sub("\n", text))[:_MOST_LINES])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a robots.txt says of a URL."""

    allowed: bool
    rule: str  #: the rule that matched, as `disallow: /private`; else why it is open or closed
    shut_out: tuple[str, ...] = ()  #: AI agents that may not fetch it


class Rules:
    """The rules of an origin.

    Args:
        text: of its robots.txt; None where it has none, and all is allowed.
        token: the name of the agent that a verdict is about.
    """

    def __init__(self, text: str | None, token: str = "*") -> None:
        from protego import Protego  # an ingest keeps the text only
        from protego._utils import _quote_path

        self._token, self._quoted = token, _quote_path
        self.parsed = Protego.parse(_in_order(text or ""))
        self.usage = usage_of(text or "")
        self._agents: dict[int, tuple[object, list[str]]] = {}
        for agent in AI_AGENTS:
            group = self.group_of(agent)
            self._agents.setdefault(id(group), (group, []))[1].append(agent)

    def group_of(self, agent: str) -> object:
        """Return the rules for an agent: of the groups by its name, which are one, or else of those for all."""
        groups = self.parsed._user_agents
        return groups.get(agent.lower()) or groups.get("*")

    def verdict(self, url: str) -> Verdict:
        """Return whether a URL may be fetched, by which rule, and who else may not.

        >>> Rules("User-agent: GPTBot\\nDisallow: /\\nUser-agent: *\\nDisallow: /no").verdict("http://example.com/a")
        Verdict(allowed=True, rule='no rule matches', shut_out=('GPTBot',))
        """
        path = self._quoted(url)
        allowed, rule = _match(self.group_of(self._token), path)
        return Verdict(allowed, rule, self._shut_out(path))

    def shut_out(self, url: str) -> tuple[str, ...]:
        """Return the AI agents that may not fetch a URL, sorted."""
        return self._shut_out(self._quoted(url))

    def _shut_out(self, path: str) -> tuple[str, ...]:
        out = [name for group, names in self._agents.values() if not _match(group, path)[0] for name in names]
        return tuple(sorted(out, key=str.lower))


def _in_order(text: str) -> str:
    """Return the lines that Protego is to read, so that it groups them as the RFC has it.

    Agents are product tokens: `lowbackground/1.0` is `lowbackground` (2.2.1). Lines that are no rules end no group
    (2.2.4), so that a delay goes to the end of its agents, and what nobody knows is left out.
    """
    lines, held, agents = list[str](), list[str](), False
    for line in _ENDS.split(text):
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
    from protego import _protego as forms

    found = forms._extract_directive(line.partition("#")[0].strip())
    for name, written in (
        ("user-agent", forms._USER_AGENT_DIRECTIVE),
        ("allow", forms._ALLOW_DIRECTIVE),
        ("disallow", forms._DISALLOW_DIRECTIVE),
        ("crawl-delay", forms._CRAWL_DELAY_DIRECTIVE),
        ("sitemap", forms._SITEMAP_DIRECTIVE),
    ):
        if found is not None and found[0] in written:
            return name, _BREAKS.sub(lambda each: quote(each[0]), found[1])
    return "", ""


def _match(group: object, path: str) -> tuple[bool, str]:
    """Return whether a group of rules allows a path, and the rule: the longest that matches (RFC 9309, 2.2.2)."""
    for rule in getattr(group, "_rules", ()):
        if rule.value.match(path):
            agent = getattr(group, "user_agent", "*")
            return rule.field != "disallow", f"{rule.field}: {rule.value._pattern} (user-agent: {agent})"
    return True, "no rule matches"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A rule of a tdmrep.json: for which paths, and whether the rights of text and data mining are reserved."""

    location: str  #: with `*` for any characters, and `$` for the end, as in robots.txt
    reserved: bool

    def matches(self, path: str) -> bool:
        """Return whether the rule is for a path."""
        first, *others = self.location.removesuffix("$").split("*")
        if not path.startswith(first):
            return False
        at = len(first)
        last = others.pop() if others and self.location.endswith("$") else None
        for part in others:
            found = path.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        if last is not None:
            return path.endswith(last) and len(path) - len(last) >= at
        return not self.location.endswith("$") or len(path) == at


def reservations_of(text: str) -> tuple[Reservation, ...] | None:
    """Return the rules of a tdmrep.json, in order; None where the text is none.

    (W3C community group report: TDM Reservation Protocol.)
    """
    try:
        stated = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(stated, list):
        return None
    found = []
    for each in stated:
        location = each.get("location") if isinstance(each, dict) else None
        if isinstance(location, str) and each.get("tdm-reservation") in (0, 1, "0", "1"):
            found.append(Reservation(location, str(int(each["tdm-reservation"])) == "1"))
    return tuple(found)


def is_reserved(rules: tuple[Reservation, ...], url: str) -> bool | None:
    """Return what the first rule for a URL states; None where none is for it.

    >>> is_reserved(reservations_of('[{"location": "/a", "tdm-reservation": 1}]'), "http://example.com/a/b")
    True
    """
    found = _URL.fullmatch(url)
    path = (found[1] if found else "") or "/"
    return next((rule.reserved for rule in rules if rule.matches(path)), None)
