"""Packages the closed files of a crawl as a WACZ (https://specs.webrecorder.net/wacz/1.1.1/), in constant memory.

The files are stored as they are, next to their indexes and a list of the pages.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import IO

from archive.errors import CrawlError
from crawler.frontier.rows import File
from crawler.records.files import BY_ORIGINAL, INDEX, next_to
from crawler.wire.message import decoded, parse

VERSION = "1.1.1"
_ARCHIVE, _PART = "archive/", 1 << 20
_MANIFEST, _DIGEST = "datapackage.json", "datapackage-digest.json"
_PAGES = "pages/pages.jsonl"
_MARKUP = frozenset({"text/html", "application/xhtml+xml"})
#: Compressed bytes of a record that are read for the title of its page.
_TITLED = 1 << 16
_TITLE = re.compile(rb"<title(?:\s[^>]*)?>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
#: Of the entries, so that equal files give equal packages but for their date.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def packaged(path: Path) -> set[str] | None:
    """Return the names of the archives in a package; None where there is no package.

    Raises:
        CrawlError: the file is no package.
    """
    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as package:
            return {name.removeprefix(_ARCHIVE) for name in package.namelist() if name.startswith(_ARCHIVE)}
    except (OSError, zipfile.BadZipFile) as error:
        raise CrawlError(f"{path}: is there, and is no WACZ that this crawl wrote ({error})") from None


def check(path: Path, files: Sequence[File]) -> None:
    """See that a package is not there, or is one of this crawl.

    Raises:
        CrawlError: it is another one.
    """
    there = packaged(path)
    if there is not None and not (there and there <= {each.name for each in files}):
        raise CrawlError(f"{path}: is there, and was not written by this crawl; give another --name, or move it away")


def write(path: Path, files: Sequence[File], software: str) -> bool:
    """Write the package of the closed files of a folder, unless it is there; return whether it was written.

    It is there as a whole or as it was. The joint indexes must be those of the same files.

    Raises:
        CrawlError: there is another package, or a file is not what was written.
    """
    check(path, files)
    if not files or packaged(path) == {each.name for each in files}:
        return False
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        _write(stream, path.parent, files, software)
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(path)
    return True


def _write(stream: IO[bytes], folder: Path, files: Sequence[File], software: str) -> None:
    resources = []
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED, allowZip64=True) as package:

        def put(name: str, parts: Iterable[bytes], is_large: bool = False) -> str:
            digest, size = hashlib.sha256(), 0
            with package.open(zipfile.ZipInfo(name, _EPOCH), "w", force_zip64=is_large) as entry:
                for data in parts:
                    entry.write(data)
                    digest.update(data)
                    size += len(data)
            resource = {"name": name.rpartition("/")[2], "path": name, "hash": f"sha256:{digest.hexdigest()}"}
            resources.append({**resource, "bytes": size})
            return digest.hexdigest()

        for file in files:
            path = folder / file.name
            if not path.exists():
                raise CrawlError(f"{path}: is missing, and the package would be without it")
            if put(_ARCHIVE + file.name, _parts(path), file.length >= 1 << 30) != file.sha256:
                raise CrawlError(f"{path}: is not what the crawl wrote; its SHA-256 differs from the manifest's")
        for name in (INDEX, BY_ORIGINAL):
            if (folder / name).exists():
                put(f"indexes/{name}", _parts(folder / name), True)
        put(_PAGES, _pages(folder, files), True)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {
            "profile": "data-package",
            "wacz_version": VERSION,
            "software": software,
            "created": now,
            "title": files[0].name.rsplit("-", 2)[0],
            "resources": list(resources),
        }
        digest = put(_MANIFEST, [json.dumps(about, indent=2).encode()], True)
        put(_DIGEST, [json.dumps({"path": _MANIFEST, "hash": f"sha256:{digest}"}).encode()])


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while part := stream.read(_PART):
            yield part


def _pages(folder: Path, files: Sequence[File]) -> Iterator[bytes]:
    """Yield the lines of the list of pages: each response that is HTML, with its title."""
    head = {"format": "json-pages-1.0", "id": "pages", "title": "All Pages", "hasText": False}
    yield json.dumps(head).encode() + b"\n"
    for file in files:
        path = folder / file.name
        if not (indexes := next_to(path)):
            raise CrawlError(f"{path}: its index is missing")
        index = indexes[-1]  # the one by original addresses, where there is one
        with index.open(encoding="utf-8") as lines, path.open("rb") as stream:
            for line in lines:
                _, stamp, text = line.split(" ", 2)
                entry = json.loads(text)
                if entry["mime"] not in _MARKUP or entry["status"] != "200":
                    continue
                stream.seek(int(entry["offset"]))
                about = _about(stream.read(min(int(entry["length"]), _TITLED)))
                at = datetime.strptime(stamp, "%Y%m%d%H%M%S").strftime("%Y-%m-%dT%H:%M:%SZ")
                name = f"{entry['url']} {stamp} {file.name} {entry['offset']}"
                page = {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "url": entry["url"], "ts": at, **about}
                yield json.dumps(page, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _about(member: bytes) -> dict[str, str]:
    """Return the title of a page, from the beginning of its record."""
    try:
        text = zlib.decompressobj(31).decompress(member, 8 * _TITLED)
    except zlib.error:
        return {}
    message = parse(text.partition(b"\r\n\r\n")[2])
    found = _TITLE.search(decoded(message, 4 * _TITLED)) if message is not None else None
    title = " ".join(unescape(found[1].decode("utf-8", "replace")).split()) if found else ""
    return {"title": title} if title else {}
