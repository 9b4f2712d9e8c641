"""The keys of CDXJ lines, as replay tools look URLs up: the host reversed, and the rest in one form.

The rules are those of the Internet Archive's canonicalizer, which pywb uses; tests compare with what pywb computed.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes, urlsplit

_WWW = re.compile(r"^www\d*\.")
_SESSIONS = (
    *(re.compile(rf"^(.*)(?:{name}=[0-9a-z]{{32}})(?:&(.*))?$") for name in ("jsessionid", "phpsessid", "sid")),
    re.compile(r"^(.*)(?:aspsessionid[a-z]{8}=[a-z]{24})(?:&(.*))?$"),
    re.compile(r"^(.*)(?:cfid=[^&]+&cftoken=[^&]+)(?:&(.*))?$"),
)
_PATH_SESSION = re.compile(r"^(.*/)(?:\((?:[a-z]\([0-9a-z]{24}\))+\)/|\([0-9a-z]{24}\)/)([^?]+\.aspx.*)$")
_PORTS = {"http": 80, "https": 443}


def surt(url: str) -> str:
    """Return the key of a URL.

    >>> surt("http://www.Example.com/A/?b=2&a=1"), surt("https://example.com:8443")
    ('com,example)/a?a=1&b=2', 'com,example:8443)/')
    """
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port
    if ":" not in host:
        host = ",".join(reversed(_WWW.sub("", host).split(".")))
    if port is not None and port != _PORTS.get(parts.scheme.lower()):
        host += f":{port}"
    path = _PATH_SESSION.sub(r"\1\2", _escaped(_resolved(_unescaped(parts.path))).lower())
    if len(path) > 1:
        path = path.removesuffix("/")
    query = _escaped(_unescaped(parts.query)).lower()
    for session in _SESSIONS:
        if found := session.match(query):
            query = found[1] + (found[2] or "")
    query = "&".join(sorted(query.split("&"), key=lambda each: each.partition("=")))
    return f"{host}){path}" + (f"?{query}" if query else "")


def _unescaped(text: str) -> bytes:
    """Undo percent-encoding as often as there is some."""
    found = text.encode()
    while (plain := unquote_to_bytes(found)) != found:
        found = plain
    return found


def _escaped(text: bytes) -> str:
    return "".join(chr(each) if 0x20 < each < 0x7F and each not in b"#%" else f"%{each:02x}" for each in text)


def _resolved(path: bytes) -> bytes:
    """Return a path without dots and empty segments."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    ends = b"/" if kept and path.endswith((b"/", b"/.", b"/..")) else b""
    return b"/" + b"/".join(kept) + ends
