"""What other WARC files hold, so that the same bytes are not stored again: they become revisits of those records."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from crawler.frontier.frontier import Frontier
from crawler.frontier.rows import Payload
from crawler.records import warc
from crawler.wire.message import parse

_ENDINGS = (".warc", ".warc.gz")
_AT_ONCE = 1000


def add_known(frontier: Frontier, sources: Iterable[str]) -> int:
    """Tell a frontier of the responses in WARC files; return how many there are.

    Args:
        sources: files, folders or patterns.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is no WARC file, or is damaged.
    """
    count = 0
    for path in _files(sources):
        for payload in payloads_of(path):
            frontier.batch.payloads.append(payload)
            count += 1
            if count % _AT_ONCE == 0:
                frontier.commit([], 0.0)
    frontier.commit([], 0.0)
    return count


def payloads_of(path: str) -> Iterator[Payload]:
    """Yield the payloads of a WARC file: of complete responses with the status 200 and the digest that they state."""
    with open(path, "rb") as stream:
        try:
            for record in ArchiveIterator(stream, no_record_parse=True):
                headers = record.rec_headers
                if record.format != "warc":
                    raise ValueError(f"{path}: no WARC file")
                if record.rec_type != "response" or headers.get_header("WARC-Truncated"):
                    continue
                block = record.raw_stream.read()
                message = parse(block)
                if message is None or message.status != 200 or not message.body or not message.complete:
                    continue
                possible = warc.sha1(block[message.start :]), warc.sha1(message.body)
                digest = headers.get_header("WARC-Payload-Digest") or possible[0]
                if digest not in possible:  # a reader would find no page by it
                    continue
                yield Payload(
                    message.identity,
                    possible[1],
                    digest,
                    len(message.body),
                    headers.get_header("WARC-Target-URI") or "",
                    headers.get_header("WARC-Date") or "",
                    (headers.get_header("WARC-Record-ID") or "").strip("<>"),
                    os.path.basename(path),
                )
        except (ArchiveLoadFailed, EOFError) as error:
            raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def _files(sources: Iterable[str]) -> Iterator[str]:
    for source in sources:
        if os.path.isdir(source):
            yield from sorted(str(path) for path in Path(source).rglob("*") if path.name.endswith(_ENDINGS))
        elif os.path.exists(source):
            yield source
        else:
            found = sorted(glob.glob(source, recursive=True))
            if not found:
                raise FileNotFoundError(2, "No such file or folder", source)
            yield from found
