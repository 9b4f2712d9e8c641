"""WACZ packages: the web archives inside a ZIP file, read in place.

Nothing is unpacked to disk. A WACZ of WACZs is followed to a depth of three.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from archive.errors import SourceError

ZIP_MAGIC = b"PK\x03\x04"
_MAX_DEPTH = 3
#: Web text deflates to a tenth, logs to a hundredth; an entry beyond a thousandth is made to harm.
_MAX_GROWTH = 1000
_ARCHIVE_NAMES = (".warc", ".warc.gz", ".warc.zst", ".arc", ".arc.gz", ".wet.gz", ".wet")


@dataclass(frozen=True, slots=True)
class Entry:
    """A web archive in a WACZ, open for reading, or (`file` None) the reason why it is not read."""

    name: str
    file: BinaryIO | None
    reason: str = ""
    detail: str = ""


def entries(file: BinaryIO, prefix: str = "", depth: int = 1) -> Iterator[Entry]:
    """The archives in a WACZ, in the order of their names; `a.wacz!/b.warc.gz` is one inside another."""
    try:
        package = zipfile.ZipFile(file)
        infos = sorted(package.infolist(), key=lambda info: info.filename)
    except SourceError:
        raise
    except Exception as error:  # zipfile raises whatever its codecs raise
        yield Entry(prefix, None, "bad-compression", f"not a ZIP file that can be read: {error}")
        return
    archives = [info for info in infos if info.filename.lower().endswith((*_ARCHIVE_NAMES, ".wacz"))]
    if not archives:
        yield Entry(prefix.removesuffix("!/"), None, "unknown-format", "a ZIP file without web archives")
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
            if not nested:
                yield Entry(prefix + name, opened)
            elif depth >= _MAX_DEPTH:
                yield Entry(prefix + name, None, "unknown-format", f"a WACZ more than {_MAX_DEPTH} deep")
            else:
                yield from entries(opened, f"{prefix}{name}!/", depth + 1)


def _problem(info: zipfile.ZipInfo) -> tuple[str, str] | None:
    name = info.filename.replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or posixpath.normpath(name).startswith(".."):
        return "unsafe-name", info.filename[:200]
    if info.file_size > 1 << 26 and info.file_size > max(info.compress_size, 1) * _MAX_GROWTH:
        return "zip-bomb", f"{info.compress_size} bytes claim to hold {info.file_size}"
    if info.flag_bits & 1:
        return "bad-compression", "the entry is encrypted"
    return None
