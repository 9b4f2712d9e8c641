"""The media type that Content-Type fields state, as browsers read them (Fetch and MIME Sniffing Standards)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_VALUES = re.compile(r'(?:[^",]|"(?:\\.|[^"\\])*(?:"|$))+', re.S)
_ESSENCE = re.compile(rf"[\t\n\r ]*({_TOKEN}/{_TOKEN})[\t\n\r ]*(?:;|$)")
#: `text/html charset=utf-8`, `text/html"`: the type is plain, though what follows it is not written as it should be.
_LENIENT = re.compile(rf"[^\w/]*({_TOKEN}/{_TOKEN})(?![/\w])")


def essence(values: Sequence[str]) -> str:
    """Return the media type that the values of a Content-Type state, without parameters, in lower case.

    Of several values, in lines of their own or with commas between them, the last valid one counts, and `*/*` counts
    as none (“extract a MIME type” of the Fetch Standard). Where none is valid, the last one counts that begins with a
    type at least. It is empty where there is none: `text`, `charset=utf-8`, or no value at all.

    >>> essence(["application/x-javascript", "text/html; charset=utf-8"])
    'text/html'
    """
    return (stated(*values) or ("",))[-1]


@lru_cache(maxsize=1024)
def stated(*values: str) -> tuple[str, ...]:
    """Return all media types that the values of a Content-Type state; the last one counts."""
    parts = _VALUES.findall(", ".join(values))
    found = [match[1].lower() for match in map(_ESSENCE.match, parts) if match and match[1] != "*/*"]
    if not found:
        found = [match[1].lower() for match in map(_LENIENT.match, parts) if match and match[1] != "*/*"]
    return tuple(found)
