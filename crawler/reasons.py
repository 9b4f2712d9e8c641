"""The reasons that a crawl counts by. docs/crawl.md has the same table; a test compares both."""

from __future__ import annotations

#: Of URLs that failed: no response came, also after some tries. The log and the metadata record have the details.
FAILURES: dict[str, str] = {
    "dns": "the name of the host has no address",
    "refused": "the host refused the connection",
    "timeout": "the connection, or the first byte of the response, did not come in time",
    "closed": "the connection was closed before a response came",
    "reset": "the connection was cut off before a response came",
    "tls": "no TLS connection could be had",
    "network": "the network has no way to the host",
    "no-answer": "no response came for another reason, such as an error of a middleware",
}

#: Of URLs that were refused: they are of the crawl, and were not fetched.
REFUSALS: dict[str, str] = {
    "robots": "robots.txt forbids it",
    "robots-closed": "robots.txt could not be had: no answer, a server error, or half a file",
    "private-address": "the host has an address that is not public; `--allow-private` connects to it",
    "unreachable": "so many connections to the host failed that nothing more is fetched from it",
    "host-budget": "so many pages of the host were fetched (`--host-pages`)",
    "trap": "its folder gave the same bytes again and again",
    "middleware": "a middleware answered in place of the site, or dropped the request",
    "another crawl began": "it waited when `--again` began a new crawl",
    "later-memento": "the web archive has only a later capture (`--as-of`)",
    "older-memento": "the capture is older than `--within` allows",
    "other-memento": "the web archive answered with another capture, which is asked for by its own time",
    "cut": "the capture came from the web archive cut short",
    "no-memento": "the web archive has no capture",
    "no-memento-datetime": "the answer is no memento, or does not state its time as RFC 7089 has it",
    "cdx-…, gate-…, map-…": "a question to the web archive failed: `status-NNN`, `unreadable`, or `cut`",
}

#: Of links that are not of the crawl.
LEFT_OUT: dict[str, str] = {
    "scope": "it is outside of `--scope`",
    "not-included": "no `--include` is found in it",
    "excluded": "an `--exclude` is found in it",
    "depth": "it is further from the start than `--depth`",
    "long-url": "it has more than 2,083 characters",
    "repeated-segment": "one segment is in its path more than three times",
    "too-many-links": "pages with more than 10,000 links; the further ones are left",
    "redirects": "it is behind 20 redirects, one after the other",
    "earlier-links-unknown": "the page has not changed, and its earlier copy, with its links, cannot be read",
    "allowed-domains": "`allowed_domains` of the spider leaves it out",
    "nofollow": "the page asks that its links be not followed; the spider named it nevertheless",
    "no-web-address": "the spider named something that is no http or https address",
    "cdx-error-status": "the capture is of an error",
    "cdx-unreadable": "the line of the index, or the answer, cannot be read",
    "no-page": "the capture is of a picture, a style or a script",
    "no-url": "the archive's address of the capture would be that of another page",
    "javascript-…": "what pages in a browser asked for in vain, by its type; `javascript-failed` counts the pages "
    "that were kept as they came",
}
