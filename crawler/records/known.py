"""What other WARC files hold, so that the same bytes are not stored again: they become revisits of those records.

A file is read once: `crawl.sqlite` has its size, its time, and the SHA-256 of its ends. ARC files are not taken: their
records have no id that a revisit could refer to.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from crawler.frontier.frontier import Frontier
from crawler.frontier.known import KnownFile, KnownPage, validator
from crawler.frontier.rows import Payload
from crawler.records import warc
from crawler.wire.message import Message, parse

_ENDINGS = (".warc", ".warc.gz")
_AT_ONCE = 1000
#: Bytes at each end of a file by which it is known again.
_END = 1 << 16


def add_known(frontier: Frontier, sources: Iterable[str]) -> int:
    """Tell a frontier of the responses in WARC files that it does not know; return how many there are.

    Args:
        sources: files, folders or patterns.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is no WARC file, or is damaged.
    """
    count = 0
    for path in files_of(sources):
        file = _state_of(path)
        if frontier.known.has(file):
            continue
        frontier.known.forget(file)
        pages: list[KnownPage] = []
        for payload, message in responses_of(path):
            frontier.batch.payloads.append(payload)
            etag, modified = validator(message.get(b"etag")), validator(message.get(b"last-modified"))
            if etag or modified:
                pages.append(KnownPage(payload.url, payload.date, etag, modified, payload.identity, file.path))
            count += 1
            if count % _AT_ONCE == 0:
                frontier.commit([], 0.0)
                frontier.known.add_pages(pages)
                pages.clear()
        frontier.commit([], 0.0)
        frontier.known.add_pages(pages)
        frontier.known.add(file)
    return count


def _state_of(path: str) -> KnownFile:
    with open(path, "rb") as stream:
        about = os.fstat(stream.fileno())
        ends = hashlib.sha256(stream.read(_END))
        stream.seek(max(about.st_size - _END, 0))
        ends.update(stream.read(_END))
    return KnownFile(os.path.abspath(path), os.path.basename(path), about.st_size, about.st_mtime_ns, ends.digest())


def responses_of(path: str) -> Iterator[tuple[Payload, Message]]:
    """Yield the payloads of a WARC file: of complete responses with the status 200 and the digest that they state."""
    with open(path, "rb") as stream:
        try:
            records = ArchiveIterator(stream, no_record_parse=True)
            for record in records:
                headers = record.rec_headers
                if record.format != "warc":
                    raise ValueError(f"{path}: no WARC file")
                if record.rec_type != "response" or headers.get_header("WARC-Truncated"):
                    continue
                block = record.raw_stream.read()
                message = parse(block)
                if message is None or message.status != 200 or not message.length or not message.complete:
                    continue
                body = message.body
                possible = warc.sha1(block[message.start :]), warc.sha1(body)
                digest = headers.get_header("WARC-Payload-Digest") or possible[0]
                if digest not in possible:  # a reader would find no page by it
                    continue
                payload = Payload(
                    message.identity,
                    possible[1],
                    digest,
                    len(body),
                    headers.get_header("WARC-Target-URI") or "",
                    headers.get_header("WARC-Date") or "",
                    (headers.get_header("WARC-Record-ID") or "").strip("<>"),
                    os.path.basename(path),
                    offset=records.get_record_offset(),  # which reads the record to its end
                )
                yield payload, message
        except (ArchiveLoadFailed, EOFError):  # the text of the error may quote the bytes of the file
            raise ValueError(f"{path}: no WARC file, or a damaged one, at byte {stream.tell():,}") from None


def response_of(frontier: Frontier, known: Payload) -> Message | None:
    """Read the response of a payload again from the file of others that has it; None where it is gone."""
    for path in frontier.known.paths(known.container):
        try:
            with open(path, "rb") as stream:
                stream.seek(known.offset)
                record = next(iter(ArchiveIterator(stream, no_record_parse=True)), None)
                if record is not None and record.rec_headers.get_header("WARC-Record-ID") == f"<{known.record}>":
                    return parse(record.raw_stream.read())
        except (OSError, ArchiveLoadFailed, EOFError):
            continue
    return None


def files_of(sources: Iterable[str]) -> list[str]:
    """Return the WARC files that files, folders and patterns name.

    Raises:
        OSError: there is no such file.
        ValueError: a file is of another kind.
    """
    found: list[str] = []
    for source in sources:
        if os.path.isdir(source):
            found += sorted(str(path) for path in Path(source).rglob("*") if path.name.endswith(_ENDINGS))
        elif os.path.exists(source):
            if source.endswith(".wacz"):
                raise ValueError(
                    f"takes .warc and .warc.gz; unpack {source}, or name the folder of the files that it was made of"
                )
            if not source.endswith(_ENDINGS):
                raise ValueError(f"takes .warc and .warc.gz, and folders with some; {source} is neither")
            found.append(source)
        else:
            named = sorted(each for each in glob.glob(source, recursive=True) if each.endswith(_ENDINGS))
            if not named:
                raise FileNotFoundError(2, "no such folder, .warc or .warc.gz", source)
            found += named
    return found
