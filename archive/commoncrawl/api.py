"""The index server, for one address: a request for each crawl, where to search its sorted index takes a dozen.

Common Crawl asks to leave the server to such small questions. Where it does not answer, the sorted index does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection

#: An answer of so many lines may be one page of several.
_MANY = 5_000


def lines(reach: Reach, crawl: Crawl, selection: Selection) -> list[bytes] | None:
    """Return the lines of the sorted index for the one address that is wanted, as the server has them.

    Returns:
        None where the index itself is to be read: more than one address is wanted, or the server gives no clear answer.

    Raises:
        Refused: the server takes no more requests from this address.
    """
    if not _is_one_address(selection):
        return None
    url = selection.urls[0]
    name = f"api/{crawl.id}/{hashlib.sha256(url.encode()).hexdigest()}.jsonl"
    data = reach.cache.get(name)
    if data is None:
        data = reach.mirror.captures(crawl.id, url)
        if data is None or _lines(data) is None:
            return None
        reach.cache.put(name, data)
    found = _lines(data)
    return None if found is None else [line for line in found if selection.holds_key(line)]


def _is_one_address(selection: Selection) -> bool:
    others = selection.hosts or selection.domains or selection.tlds
    return len(selection.urls) == 1 and not others and not selection.urls[0].endswith("*")


def _lines(answer: bytes) -> list[bytes] | None:
    """Return an answer in the form of the sorted index; None where it is not all of an answer."""
    try:
        found = list(_in_form(answer))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if len(found) < _MANY else None


def _in_form(answer: bytes) -> Iterator[bytes]:
    for line in answer.splitlines():
        fields = json.loads(line)
        key, timestamp = fields.pop("urlkey"), fields.pop("timestamp")
        fields["filename"], int(fields["offset"]), int(fields["length"])  # raises where a line is cut
        yield f"{key} {timestamp} {json.dumps(fields)}".encode()
