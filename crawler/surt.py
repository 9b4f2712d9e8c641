"""The keys of CDXJ lines, as replay tools look URLs up: the host reversed, and the rest in one form."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_WWW = re.compile(r"www\d*\.")
_SESSION = re.compile(
    r"(?<=[?&])(?:jsessionid=[0-9a-z]{32}|phpsessid=[0-9a-z]{32}|sid=[0-9a-z]{32}|aspsessionid[a-z]{8}=[a-z]{24}"
    r"|cfid=[^&]+&cftoken=[^&]+)(?:&|$)"
)
_PATH_SESSION = re.compile(r";jsessionid=[0-9a-z]{32}$")
_PORTS = {"http": 80, "https": 443}


def surt(url: str) -> str:
    """Return the key of a URL, as the canonicalizer of the Internet Archive (`surt`, which pywb uses) makes it.

    >>> surt("http://www.Example.com/A/?b=2&a=1"), surt("https://example.com:8443")
    ('com,example)/a?a=1&b=2', 'com,example:8443)/')
    """
    parts = urlsplit(url.lower())
    host = parts.hostname or ""
    if not host.replace(".", "").isdigit() and ":" not in host:
        host = ",".join(reversed(_WWW.sub("", host, count=1).split(".") if _WWW.match(host) else host.split(".")))
    port = parts.port
    if port is not None and port != _PORTS.get(parts.scheme):
        host += f":{port}"
    path = _PATH_SESSION.sub("", re.sub("//+", "/", parts.path or "/"))
    if len(path) > 1:
        path = path.removesuffix("/")
    query = _SESSION.sub("", "?" + parts.query)[1:].strip("&") if parts.query else ""
    query = "&".join(sorted(query.split("&"))) if query else ""
    return f"{host}){path}" + (f"?{query}" if query else "")
