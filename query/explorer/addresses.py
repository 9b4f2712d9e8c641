"""Addresses of pages that are named by what others wrote: a URL, or a host. Some are too long to be sent."""

from __future__ import annotations

from urllib.parse import quote

from query.explorer.page import Address, to

#: The most characters of a URL and of a host, and bytes of one as it is written in an address of this server.
URL, HOST, _WRITTEN = 4_000, 300, 5_500


def url_page(url: str | None) -> Address | None:
    """Return the address of the page of a URL; None where there is no URL, or too long a one.

    >>> url_page("http://a.example/")
    Address(page='url', parameters=(('url', 'http://a.example/'),))
    """
    return to("url", url=url) if _is_short(url, URL) else None


def host_page(host: str | None) -> Address | None:
    """Return the address of the page of a host."""
    return to("site", host=host) if _is_short(host, HOST) else None


def domain_page(domain: str | None) -> Address | None:
    """Return the address of the page of a domain, with all its hosts."""
    return to("site", domain=domain) if _is_short(domain, HOST) else None


def _is_short(name: str | None, most: int) -> bool:
    return bool(name) and len(name or "") <= most and len(quote(name or "", safe="")) <= _WRITTEN
