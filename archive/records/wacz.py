"""WACZ packages: the web archives in a ZIP file, read without unpacking it.

A WACZ may contain others, three deep.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from archive.errors import SourceError
from archive.records import web_archive
from archive.records.base import Address, Item, Look, Reader, Reading
from archive.records.manifest import compare, read_manifest
from archive.records.record import Fields, Record

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
    altered: bool = False  #: it is not what the package states, or what the package states cannot be read
    #: it does not have the hash that is stated, nor do the honest ones of the program that wrote it
    stale: bool = False
    seeks: bool = True  #: it is stored as it is, so that any place in it can be read


def entries(file: BinaryIO, prefix: str = "", depth: int = 1, seeks: bool = True) -> Iterator[Entry]:
    """Yield the archives in a WACZ, in the order of their names. `a.wacz!/b.warc.gz` is in a WACZ in the WACZ."""
    try:
        package = zipfile.ZipFile(file)
        infos = sorted(package.infolist(), key=lambda info: info.filename)
    except SourceError:
        raise
    except Exception as error:  # zipfile raises whatever its codecs raise
        yield Entry(prefix, None, "bad-compression", f"not a ZIP file that can be read: {error}")
        return
    files = [info for info in infos if not info.is_dir()]
    archives = [info for info in files if not _describes(info) or _content(package, info) == "records"]
    if not any(_is_archive(info) for info in archives):
        archives = [info for info in archives if _content(package, info)]
    if not archives:
        yield Entry(prefix.removesuffix("!/"), None, "unknown-format", "a ZIP file without web archives")
    stated, _ = read_manifest(package)
    for info in archives:
        name = info.filename
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
        stays = seeks and info.compress_type == zipfile.ZIP_STORED
        with opened:
            content = "package" if name.lower().endswith(".wacz") else _content(package, info)
            if content is None and not _is_archive(info):
                yield Entry(prefix + name, None, "unknown-format", "an entry that is no web archive")
            elif content != "package":
                agreement, stale = compare(package, info, stated)
                altered = agreement in {"altered", "unreadable"}
                yield Entry(prefix + name, opened, altered=altered, stale=stale, seeks=stays)
            elif depth >= _MAX_DEPTH:
                yield Entry(prefix + name, None, "unknown-format", f"a WACZ more than {_MAX_DEPTH} deep")
            else:
                yield from entries(opened, f"{prefix}{name}!/", depth + 1, stays)


def _is_archive(info: zipfile.ZipInfo) -> bool:
    return info.filename.lower().endswith((*_ARCHIVE_NAMES, ".wacz"))


def _describes(info: zipfile.ZipInfo) -> bool:
    """Return whether an entry describes the package by its name (WACZ 1.1.1, section 5), and holds no captures."""
    name = info.filename.lower()
    described = name.startswith(_DESCRIBING) or posixpath.basename(name) in _DESCRIBING_FILES
    return described and not _is_archive(info)


def _content(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> str | None:
    """Return what an entry is by its content: `records`, `package`, or None for what holds no captures."""
    if _problem(info):
        return None
    try:
        with package.open(info) as file:
            look = Look(cast(BinaryIO, file), info.filename)
            if look.head.startswith(ZIP_MAGIC):
                return "package"
            return "records" if web_archive.READER.recognises(look) else None
    except SourceError:
        raise
    except Exception:  # zipfile raises whatever its codecs raise
        return None


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
            reading.altered, reading.stale, reading.seeks = entry.altered, entry.stale, entry.seeks
            if entry.file is None:
                yield reading.name, _unusable(entry.reason, entry.detail)
                continue
            is_empty = True
            try:
                for found in web_archive.READER.read(entry.file, reading):
                    is_empty = False
                    yield found
                if is_empty:
                    yield reading.name, _unusable("empty-file", "")
            except SourceError:
                raise
            except Exception as error:  # zipfile raises whatever its codecs raise
                yield reading.name, _unusable("bad-compression", f"{type(error).__name__}: {error}"[:200])

    def find(
        self, file: BinaryIO, addresses: Collection[Address], reading: Reading
    ) -> Iterator[Iterable[tuple[Address | None, Item]]]:
        for entry in entries(file):
            if entry.name == reading.part and entry.file is not None:
                reading.altered, reading.stale, reading.seeks = entry.altered, entry.stale, entry.seeks
                yield from web_archive.READER.find(entry.file, addresses, reading)
                return
        raise SourceError("the package has no such entry")


def _unusable(reason: str, detail: str) -> Record:
    return Record("", "", Fields(), "", None, None, 0, 0, problem=reason, detail=detail)


READER = Wacz()
