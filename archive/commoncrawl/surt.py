"""The sort keys of Common Crawl's indexes (SURT): `http://www.example.com/A?b=1` is `com,example)/a?b=1`."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

#: The bytes that a key shows as they are; all others are quoted.
_SAFE = "!\"$&'()*+,-./:;<=>?@[\\]^_`{|}~#%"
#: Ids of a session, which the keys leave out (wayback's URL canonicaliser).
_PATH_SESSIONS = (re.compile(r"^(.*/)(?:\((?:[a-z]\([0-9a-z]{24}\))+\)/)([^?]+\.aspx.*)$"),
                  re.compile(r"^(.*/)(?:\([0-9a-z]{24}\)/)([^?]+\.aspx.*)$"),
                  re.compile(r"^(.*?)(?:;jsessionid=[0-9a-z]{32})(.*)$"))  # fmt: skip
_QUERY_SESSIONS = (re.compile(r"^(.*?)(?:jsessionid=[0-9a-z]{10,})(?:&(.*))?$"),
                   re.compile(r"^(.*?)(?:phpsessid=[0-9a-z]{16,})(?:&(.*))?$"),
                   re.compile(r"^(.*?)(?:sid=[0-9a-z]{16,})(?:&(.*))?$"),
                   re.compile(r"^(.*?)(?:aspsessionid[a-z]{8}=[a-z]{24})(?:&(.*))?$"),
                   re.compile(r"^(.*?)(?:cfid=[^&]+&cftoken=[^&]+)(?:&(.*))?$"))  # fmt: skip
_DEFAULT_PORTS = {"http": 80, "https": 443}


def host_key(host: str) -> str:
    """Return the part of a key that stands for a host, without the `)` behind it.

    The numbers of an address are reversed too, as in the first line of most cluster.idx files: `0,124,148,146)/`.

    >>> host_key("www.Example.com"), host_key("192.0.2.7")
    ('com,example', '7,2,0,192')
    """
    host = _ascii(re.sub(r"^www\d*\.(?=.)", "", host.strip().rstrip(".").lower()))
    return ",".join(reversed(host.split(".")))


def _ascii(host: str) -> str:
    """Return a host as DNS has it: `müller.de` is `xn--mller-kva.de`."""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def key_of(url: str) -> str:
    """Return the key of an address.

    Raises:
        ValueError: it is no address of a page.

    >>> key_of("http://www.archive.org/goo/?p=3&a=b")
    'org,archive)/goo?a=b&p=3'
    """
    parts = urlsplit(url.strip() if "://" in url else f"http://{url.strip()}")
    if not parts.hostname:
        raise ValueError(f"{url!r} has no host")
    port = parts.port  # raises ValueError
    shown = f":{port}" if port and port != _DEFAULT_PORTS.get(parts.scheme) else ""
    path = _escaped(parts.path).lower()
    for pattern in _PATH_SESSIONS:
        if match := pattern.match(path):
            path = match[1] + match[2]
    path = path.rstrip("/") or "/"
    query = _escaped(parts.query).lower()
    for pattern in _QUERY_SESSIONS:
        if match := pattern.match(query):
            query = match[1] + (match[2] or "")
    query = query.rstrip("&") if query.endswith("&") and not parts.query.endswith("&") else query
    sorted_query = "&".join(sorted(query.split("&"))) if query else ""
    return f"{host_key(parts.hostname)}{shown}){path}" + (f"?{sorted_query}" if sorted_query else "")


def _escaped(text: str) -> str:
    """Unquote a text, again and again, and quote what must be."""
    data = text.encode("utf-8", "surrogateescape")
    while (plain := unquote_to_bytes(data)) != data:
        data = plain
    return quote(data, safe=_SAFE.replace("%", "").replace("#", ""))


def successor(text: bytes) -> bytes:
    """Return the first text, in the order of bytes, that is behind all that begin with this one."""
    return text[:-1] + bytes([text[-1] + 1])
