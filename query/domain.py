"""The registered domain of a URL: what one site is."""

from __future__ import annotations

import re
from functools import lru_cache

from publicsuffixlist import PublicSuffixList

_HOST = re.compile(r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^]]*\]|[^/?#:]*)", re.IGNORECASE)
_ADDRESS = re.compile(r"[\d.]+|\[.*\]")


def registered_domain(url: str | None) -> str | None:
    """The domain that somebody registered, by the ICANN part of the Public Suffix List; an IP address is its own.

    >>> registered_domain("http://user@news.bbc.co.uk:80/world")
    'bbc.co.uk'
    """
    found = _HOST.match(url or "")
    return _domain_of(found[1].lower().rstrip(".")) if found else None


@lru_cache(maxsize=1 << 16)
def _domain_of(host: str) -> str | None:
    if not host or _ADDRESS.fullmatch(host):
        return host or None
    return _suffixes().privatesuffix(host) or host


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)  # when first asked: it takes a while
