"""WACZ packages: the web archives in a ZIP file, read without unpacking it.

A WACZ may contain others, three deep.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import zipfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from archive.errors import SourceError
from archive.records import web_archive
from archive.records.base import Address, Item, Look, Reader, Reading
from archive.records.record import Fields, Record

_MANIFEST = "datapackage.json"
_MANIFEST_LIMIT = 1 << 26
#: Of digests in a manifest: those by which nobody can make two alike.
_ALGORITHMS = frozenset({"sha256", "sha512"})
ZIP_MAGIC = b"PK\x03\x04"
_MAX_DEPTH = 3
#: Web text deflates to a tenth, logs to a hundredth. An entry beyond a thousandth is a bomb.
_MAX_GROWTH = 1000
#: What else is in a WACZ: its indexes, its lists of pages, its logs, and what describes and signs it.
_DESCRIBING = ("indexes/", "pages/", "logs/", "fuzzy")
_DESCRIBING_FILES = frozenset({"datapackage.json", "datapackage-digest.json", "webarchive.yaml", "signature.json"})
_ARCHIVE_NAMES = (".warc", ".warc.gz", ".warc.zst", ".arc", ".arc.gz", ".wet.gz", ".wet")


@dataclass(frozen=True, slots=True)
class Entry:
    """A web archive in a WACZ, open for reading; or, with `file` None, the reason why it cannot be read."""

    name: str
    file: BinaryIO | None
    reason: str = ""
    detail: str = ""
    altered: bool = False  #: it does not have the digest that the package states


def entries(file: BinaryIO, prefix: str = "", depth: int = 1) -> Iterator[Entry]:
    """Yield the archives in a WACZ, in the order of their names. `a.wacz!/b.warc.gz` is in a WACZ in the WACZ."""
    try:
        package = zipfile.ZipFile(file)
        infos = sorted(package.infolist(), key=lambda info: info.filename)
    except SourceError:
        raise
    except Exception as error:  # zipfile raises whatever its codecs raise
        yield Entry(prefix, None, "bad-compression", f"not a ZIP file that can be read: {error}")
        return
    archives = [info for info in infos if not info.is_dir() and _holds_pages(info)]
    if not any(_is_archive(info) for info in archives):
        archives = [info for info in archives if _begins_record(package, info)]
    if not archives:
        yield Entry(prefix.removesuffix("!/"), None, "unknown-format", "a ZIP file without web archives")
    stated = _stated_digests(package)
    for info in archives:
        name = info.filename
        nested = name.lower().endswith(".wacz")
        if problem := _problem(info):
            yield Entry(prefix + name, None, *problem)
            continue
        try:
            opened = cast(BinaryIO, package.open(info))
        except SourceError:
            raise
        except Exception as error:
            yield Entry(prefix + name, None, "bad-compression", str(error))
            continue
        with opened:
            if not nested and not _is_archive(info) and not _begins_record(package, info):
                yield Entry(prefix + name, None, "unknown-format", "an entry that is no web archive")
            elif not nested:
                yield Entry(prefix + name, opened, altered=_is_altered(package, info, stated))
            elif depth >= _MAX_DEPTH:
                yield Entry(prefix + name, None, "unknown-format", f"a WACZ more than {_MAX_DEPTH} deep")
            else:
                yield from entries(opened, f"{prefix}{name}!/", depth + 1)


def _stated_digests(package: zipfile.ZipFile) -> dict[str, set[tuple[str, str]]]:
    """Return the digests that `datapackage.json` states, by the path of the entry.

    Those of js-wacz (Scoop) for web archives count as unstated: it takes them before it has written the archive
    (https://github.com/harvard-lil/js-wacz/issues/127).
    """
    stated: dict[str, set[tuple[str, str]]] = {}
    try:
        if package.getinfo(_MANIFEST).file_size > _MANIFEST_LIMIT:
            return {}
        manifest = json.loads(package.read(_MANIFEST))
        early = "js-wacz" in str(manifest.get("software"))
        for resource in manifest["resources"]:
            if early and str(resource.get("path")).startswith("archive/"):
                continue
            name, colon, value = str(resource.get("hash") or "").partition(":")
            if colon and name.lower() in _ALGORITHMS:
                stated.setdefault(str(resource.get("path")), set()).add((name.lower(), value.strip().lower()))
    except SourceError:
        raise
    except Exception:  # no manifest, or not one; zipfile raises whatever its codecs raise
        return {}
    return stated


def _is_altered(package: zipfile.ZipFile, info: zipfile.ZipInfo, stated: dict[str, set[tuple[str, str]]]) -> bool:
    """Return whether an entry lacks a digest that is stated for it."""
    for algorithm, value in stated.get(info.filename, ()):
        digest = hashlib.new(algorithm)
        try:
            with package.open(info) as file:
                while data := file.read(1 << 20):
                    digest.update(data)
        except SourceError:
            raise
        except Exception:  # it is reported where it is read
            return True
        if digest.hexdigest() != value:
            return True
    return False


def _is_archive(info: zipfile.ZipInfo) -> bool:
    return info.filename.lower().endswith((*_ARCHIVE_NAMES, ".wacz"))


def _holds_pages(info: zipfile.ZipInfo) -> bool:
    """Return whether an entry may hold captures: any but those that describe the package (WACZ 1.1.1, section 5)."""
    name = info.filename.lower()
    described = name.startswith(_DESCRIBING) or posixpath.basename(name) in _DESCRIBING_FILES
    return _is_archive(info) or not described


def _begins_record(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    """Return whether an entry is a web archive by its content."""
    if _problem(info):
        return False
    try:
        with package.open(info) as file:
            return web_archive.READER.recognises(Look(cast(BinaryIO, file), info.filename))
    except SourceError:
        raise
    except Exception:  # zipfile raises whatever its codecs raise
        return False


def _problem(info: zipfile.ZipInfo) -> tuple[str, str] | None:
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or posixpath.normpath(name).startswith(".."):
        return "unsafe-name", info.filename[:200]
    if info.file_size > 1 << 26 and info.file_size > max(info.compress_size, 1) * _MAX_GROWTH:
        return "zip-bomb", f"{info.compress_size} bytes claim to hold {info.file_size}"
    if info.flag_bits & 1:
        return "bad-compression", "the entry is encrypted"
    return None


class Wacz(Reader):
    """A WACZ package of web archives."""

    label = "WACZ"
    is_package = True

    def recognises(self, look: Look) -> bool:
        return look.head.startswith(ZIP_MAGIC)

    def read(self, file: BinaryIO, reading: Reading) -> Iterator[tuple[str, Item]]:
        package = reading.name
        for entry in entries(file):
            reading.name = f"{package}!/{entry.name}" if entry.name else package
            reading.altered = entry.altered
            if entry.file is None:
                yield reading.name, _unusable(entry.reason, entry.detail)
                continue
            try:
                yield from web_archive.READER.read(entry.file, reading)
            except SourceError:
                raise
            except Exception as error:  # zipfile raises whatever its codecs raise
                yield reading.name, _unusable("bad-compression", f"{type(error).__name__}: {error}"[:200])

    def find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[Iterable[tuple[Address | None, Item]]]:
        for entry in entries(file):
            if entry.name == reading.part and entry.file is not None:
                reading.altered = entry.altered
                yield from web_archive.READER.find(entry.file, addresses, reading)
                return
        raise SourceError("the package has no such entry")


def _unusable(reason: str, detail: str) -> Record:
    return Record("", "", Fields(), "", None, None, 0, 0, problem=reason, detail=detail)


READER = Wacz()
