"""Which URLs belong to a crawl: by host, domain, prefix and regular expressions, and by rules against traps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit, urlunsplit

from publicsuffixlist import PublicSuffixList

KINDS = ("host", "domain", "prefix", "any")
#: As long as what Internet Explorer took, and so what servers were built for.
LONGEST_URL = 2083
#: How often one segment may be in a path.
_REPEATS = 3
#: URLs that are remembered as counted.
_COUNTED = 200_000
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*")
_PORTS = {"http": 80, "https": 443}

_suffixes: list[PublicSuffixList] = []


def normal(url: str) -> str | None:
    """Return a URL as it is asked for: without fragment and user, the host in lower case; None where it is none.

    >>> normal("HTTP://Example.COM:80?q#top"), normal("mailto:a@b")
    ('http://example.com/?q', None)
    """
    from w3lib.url import safe_url_string  # of the extra; `--status` needs none

    try:
        parts = urlsplit(url.strip())
        host, port, scheme = parts.hostname, parts.port, parts.scheme.lower()
        if scheme not in _PORTS or not host:
            return None
        netloc = f"[{host}]" if ":" in host else host.rstrip(".")
        if port is not None and port != _PORTS[scheme]:
            netloc += f":{port}"
        safe: str = safe_url_string(urlunsplit((scheme, netloc, parts.path or "/", parts.query, "")))
        safe = without_dots(safe)
        named = urlsplit(safe).hostname or ""
        if named.endswith("."):  # of another full stop than the one of ASCII
            return normal(safe)
        return safe if safe.isascii() and _HOST.fullmatch(named) else None
    except (ValueError, UnicodeError):
        return None


def undotted(path: str) -> str:
    """Return a path without the segments `.` and `..`, as browsers ask for it (URL Standard, 4.4).

    Else a link to `/public/../private/` would not be compared with the rules for `/private/`.

    >>> undotted("/a/./b/../c"), undotted("/%2E%2e/a/.."), undotted("/a//../b")
    ('/a/c', '/', '/a/b')
    """
    if "/." not in path and "/%2" not in path:
        return path
    kept: list[str] = []
    is_dot = False
    for segment in path.split("/")[1:]:
        plain = segment.replace("%2e", ".").replace("%2E", ".")
        is_dot = plain in (".", "..")
        if plain == "..":
            del kept[-1:]
        elif not is_dot:
            kept.append(segment)
    return "/" + "/".join([*kept, ""] if is_dot else kept)


def without_dots(url: str) -> str:
    """Return an absolute URL with its path undotted.

    >>> without_dots("http://example.com/a/../b?c=/../d"), without_dots("http://example.com")
    ('http://example.com/b?c=/../d', 'http://example.com')
    """
    page, mark, query = url.partition("?")
    scheme, begins, rest = page.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{begins}{host}{undotted(slash + path)}{mark}{query}"


def joined(url: str, target: str) -> str | None:
    """Return where a target leads to from a URL, as a normal URL; None where it is none."""
    try:
        return normal(urljoin(url, target)) if target else None
    except ValueError:
        return None


def host_of(url: str) -> str:
    """Return the host of a normal URL, with its port where that is not the usual one."""
    return url.partition("://")[2].partition("/")[0]


def origin_of(url: str) -> str:
    """Return the scheme and the host: where robots.txt holds."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def folder_of(url: str) -> str:
    """Return a URL up to its query, or else up to the last slash of its path.

    >>> folder_of("http://example.com/a/b"), folder_of("http://example.com/a/b?c=/")
    ('http://example.com/a/', 'http://example.com/a/b?')
    """
    path, mark, _ = url.partition("?")
    return path + mark if mark else path.rpartition("/")[0] + "/"


def domain_of(url: str) -> str:
    """Return the domain that somebody registered; the host where it has none, as an IP address."""
    if not _suffixes:
        _suffixes.append(PublicSuffixList())
    host = (urlsplit(url).hostname or "").strip("[]")
    if host.replace(".", "").isdigit() or ":" in host:
        return host
    return _suffixes[0].privatesuffix(host) or host


@dataclass
class Scope:
    """Takes URLs that belong to a crawl, and counts the others by reason.

    Args:
        kind: `host` (the hosts of the seeds), `domain` (their domains), `prefix` (below the folders of the seeds) or
            `any`.
        include: a URL must match one of these regular expressions, where there are any; seeds need not.
        exclude: and none of these.
        depth: links from a seed.
    """

    kind: str
    seeds: Iterable[str]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    depth: int = 20
    left_out: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._include = [re.compile(each) for each in self.include]
        self._exclude = [re.compile(each) for each in self.exclude]
        self._counted: set[int] = set()
        self._names: set[str] = set()
        self._prefixes: tuple[str, ...] = ()
        for seed in self.seeds:
            self.add(seed)

    def add(self, seed: str) -> None:
        """Widen the scope by a seed, or by where a seed redirects to."""
        if self.kind == "host":
            self._names.add(host_of(seed))
        elif self.kind == "domain":
            self._names.add(domain_of(seed))
        elif self.kind == "prefix":
            self._prefixes += (seed.partition("?")[0].rpartition("/")[0] + "/",)

    def takes(self, url: str, depth: int) -> bool:
        """Return whether a normal URL belongs to the crawl; count it where not, and where it was not counted lately."""
        reason = self.reason(url, depth)
        if reason and (mark := hash((url, reason))) not in self._counted:
            if len(self._counted) >= _COUNTED:
                self._counted.clear()
            self._counted.add(mark)
            self.left_out[reason] += 1
        return not reason

    def reason(self, url: str, depth: int) -> str:
        """Return why a normal URL is not of the crawl; empty where it is."""
        if depth > self.depth:
            return "depth"
        if len(url) > LONGEST_URL:
            return "long-url"
        if not self._is_inside(url):
            return "scope"
        if self._include and not any(each.search(url) for each in self._include):
            return "not-included"
        if any(each.search(url) for each in self._exclude):
            return "excluded"
        path = url.partition("?")[0].split("/")[3:]
        if len(path) > _REPEATS and any(count > _REPEATS for each, count in Counter(path).items() if each):
            return "repeated-segment"
        return ""

    def _is_inside(self, url: str) -> bool:
        if self.kind == "host":
            return host_of(url) in self._names
        if self.kind == "domain":
            return host_of(url) in self._names or domain_of(url) in self._names
        if self.kind == "prefix":
            return url.startswith(self._prefixes)
        return True


@dataclass(frozen=True, slots=True)
class Repeat:
    """The last payload of a folder, how often it came one time after the other, and whether the folder is closed."""

    folder: str
    payload: bytes
    count: int
    closed: bool


class Repeats:
    """Finds folders that answer with the same payload again and again: session ids, soft errors, calendars.

    Args:
        most: equal payloads one after the other.
        known: what `add` returned in earlier runs.
    """

    def __init__(self, most: int = 50, kept: int = 10_000, known: Iterable[Repeat] = ()) -> None:
        self._most, self._kept = most, kept
        self._last: dict[str, tuple[bytes, int]] = {}
        self._closed: set[str] = set()
        for each in known:
            if len(self._last) < kept:
                self._last[each.folder] = each.payload, each.count
            if each.closed:
                self._closed.add(each.folder)

    def add(self, url: str, payload: bytes) -> Repeat:
        """Note the payload of a URL; return how often its folder has given it, one time after the other."""
        folder = folder_of(url)
        before, count = self._last.pop(folder, (b"", 0))
        count = count + 1 if before == payload else 1
        while len(self._last) >= self._kept:
            self._last.pop(next(iter(self._last)))
        self._last[folder] = payload, count
        if count >= self._most:
            self._closed.add(folder)
        return Repeat(folder, payload, count, folder in self._closed)

    def is_closed(self, url: str) -> bool:
        """Return whether no more is fetched from the folder of a URL."""
        return bool(self._closed) and folder_of(url) in self._closed
