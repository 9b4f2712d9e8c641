"""Files as sources: those of a disk, of an S3 bucket and of a web server."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import json
import os
import re
import stat
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from pyarrow import fs as pafs

from archive.errors import SourceError, cause_line, store_line
from archive.http_file import HttpFile
from archive.storage import is_http, is_s3, local_or_store, s3_filesystem

_SAMPLE = 1 << 13
_SHOWN = r"(?!\.)"
_NOT_REGULAR = "is no regular file (a pipe or a device cannot be read twice)"


#: One source or several: a path, a pattern, `s3://…` or `https://…`.
Sources = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def named(sources: Sources) -> list[str]:
    """The sources as strings. A single one is one source, and not its letters.

    Raises:
        SourceError: one has no name, as where a variable of a shell was not set.
    """
    names = [os.fspath(each) for each in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    if not all(name.strip() for name in names):
        raise SourceError("a source without a name: '' is no file and no folder")
    return names


@dataclass(frozen=True, slots=True)
class Listed:
    """A source file that was found: where, how long, and what tells this state of it from another."""

    uri: str
    size: int | None
    version: str
    name: str = ""  #: its path below the folder, or the fixed part of the pattern, that was named


#: Hears of a file or folder that cannot be looked at, and why.
Unreadable = Callable[[str, str], None]


def _raise(place: str, why: str) -> None:
    raise SourceError(f"{place}: {why}")


def list_files(source: str, unreadable: Unreadable = _raise) -> Iterator[Listed]:
    """The files that one SOURCE argument names, in a fixed order.

    A file names itself, a folder or S3 prefix all files below it, and `*`, `?`, `[…]` or `**` a set.

    Args:
        unreadable: hears of each file and folder among them that cannot be looked at; by default the first one raises.

    Raises:
        SourceError: nothing is there.
    """
    source = local_or_store(source)
    if is_http(source):
        yield _listed_http(source)
    elif is_s3(source):
        yield from _list_s3(source)
    else:
        yield from _list_local(source, unreadable)


def _list_local(source: str, unreadable: Unreadable) -> Iterator[Listed]:
    if os.path.isdir(source):
        paths = sorted({*_walk(source, unreadable)} - _beside_shards(source))
    elif os.path.lexists(source):
        paths = [source]
    else:
        paths = sorted(path for path in glob.glob(source, recursive=True) if not os.path.isdir(path))
        if not paths:
            raise SourceError(f"{source}: no such file or folder, and nothing matches it as a pattern")
    folder = source if os.path.isdir(source) else _fixed_folder(source)
    for path in paths:
        try:
            yield _listed_local(os.path.realpath(path), os.path.relpath(path, folder or "."))
        except OSError as error:
            unreadable(path, cause_line(error))


def _beside_shards(folder: str) -> set[str]:
    """Where a folder is one that `archive export` wrote, its manifest, card and picture: they are no captures."""
    try:
        with open(os.path.join(folder, "manifest.json"), "rb") as file:
            stated = json.load(file)
        if not {"merkle_root", "arguments"} <= stated.keys():
            return set()
        return {os.path.join(folder, name) for name in ("manifest.json", *(each["name"] for each in stated["files"]))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def _walk(folder: str, unreadable: Unreadable) -> Iterator[str]:
    """Every file below a folder. Links to folders are not followed, so that no walk is endless."""

    def failed(error: OSError) -> None:
        unreadable(str(error.filename or folder), cause_line(error))

    for place, folders, names in os.walk(folder, onerror=failed):
        for name in sorted(folders):
            if os.path.islink(os.path.join(place, name)):
                unreadable(os.path.join(place, name), "a link to a folder is not followed; name it as a source")
        for name in names:
            path = os.path.join(place, name)
            if os.path.islink(path) and not os.path.exists(path):
                unreadable(path, "a link that leads nowhere")
            elif os.path.isfile(path):
                yield path
            elif not os.access(path, os.F_OK):
                unreadable(path, "may not be looked at")  # a folder that may be listed and not entered
            else:
                unreadable(path, _NOT_REGULAR)


def _fixed_folder(pattern: str) -> str:
    """The folder in front of the first wildcard."""
    return re.split(r"[*?[]", pattern, maxsplit=1)[0].rpartition("/")[0]


def _listed_local(path: str, name: str) -> Listed:
    """A small local file is known by its content, so that a copy is the same; a larger one by samples and its time."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, _NOT_REGULAR)
    size = status.st_size
    digest = hashlib.sha256(b"%d" % size)
    if size > 16 * _SAMPLE:
        digest.update(b"%d" % status.st_mtime_ns)
    with open(path, "rb") as file:
        for part in range(16):  # 16 blocks of 8 KiB, the first and the last among them
            file.seek(max(size - _SAMPLE, 0) * part // 15)
            digest.update(file.read(_SAMPLE))
    return Listed(path, size, digest.hexdigest(), name)


def _list_s3(source: str) -> Iterator[Listed]:
    # whether the store is there at all shows soon; reading is more patient
    system, path = s3_filesystem(attempts=4), source.removeprefix("s3://").rstrip("/")
    try:
        head = re.split(r"[*?[]", path, maxsplit=1)[0]
        if head != path:
            selector = pafs.FileSelector(head.rpartition("/")[0], recursive=True, allow_not_found=True)
            infos = [info for info in system.get_file_info(selector) if matches(info.path, path)]
        else:
            info = system.get_file_info(path)
            infos = (
                [info]
                if info.type == pafs.FileType.File
                else system.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
            )
    except OSError as error:
        raise SourceError(f"{source}: {store_line(error)}") from None
    files = sorted((info for info in infos if info.type == pafs.FileType.File), key=lambda info: info.path)
    if not files:
        raise SourceError(f"{source}: no object has this name or prefix")
    exact = len(files) == 1 and files[0].path == path
    folder = _fixed_folder(path) if exact or head != path else path
    for info in files:
        version = f"s3://{info.path} {info.size} {info.mtime_ns}"
        yield Listed(f"s3://{info.path}", info.size, version, info.path[len(folder) :].lstrip("/"))


def matches(path: str, pattern: str) -> bool:
    """Whether a path is one that `glob` finds for a pattern: `*` and `?` stay in one folder, `**` crosses folders, and
    hidden names are found by patterns that begin with a dot."""
    return re.fullmatch(_expression(pattern), path) is not None


@lru_cache(maxsize=64)
def _expression(pattern: str) -> str:
    parts = pattern.split("/")
    made = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            made.append(f"(?:{_SHOWN}[^/]*/)*" + (f"{_SHOWN}[^/]+" if last else ""))
            continue
        inside = fnmatch.translate(part).removeprefix("(?s:").removesuffix(")\\Z").replace(".*", "[^/]*")
        made.append((_SHOWN if part[:1] in "*?[" else "") + inside + ("" if last else "/"))
    return "(?s:" + "".join(made) + ")"


def _listed_http(url: str) -> Listed:
    with HttpFile(url) as file:
        name = urllib.parse.urlsplit(url).path.rpartition("/")[2]
        return Listed(url, file.size, f"{url} {file.size} {file.etag}", name or "data")


def is_text(name: str) -> bool:
    """Whether a file name is text, and not bytes that happen to be one."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
