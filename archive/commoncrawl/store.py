"""Copies of Common Crawl in a folder or a bucket."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO, cast

from archive.commoncrawl.answers import EndsBefore, Missing
from archive.commoncrawl.paths import require_path
from archive.errors import SourceError, cause_line, store_line
from archive.sources.base import Spent
from archive.storage import filesystem, is_s3

_BUFFER = 1 << 18


class StoreMirror:
    """A folder, or a bucket, with files at the paths of Common Crawl."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._system, self._root = filesystem(location)
        self._lengths: dict[str, int] = {}
        if not is_s3(location) and not os.path.isdir(location):
            raise SourceError(f"{location}: no such folder; a mirror is https://…, s3://bucket or a folder")

    def read(self, path: str, start: int, stop: int) -> bytes:
        with self._named(path), self._system.open_input_file(self._at(path)) as file:
            self._lengths[path] = int(file.size())
            data = bytes(file.read_at(stop - start, start))
        if len(data) != stop - start:
            raise EndsBefore(f"{self._location}/{path}", self._lengths[path], stop)
        return data

    def tail(self, path: str, count: int) -> tuple[bytes, int]:
        with self._named(path), self._system.open_input_file(self._at(path)) as file:
            size = file.size()
            return bytes(file.read_at(min(count, size), max(size - count, 0))), size

    def start(self, path: str, count: int) -> bytes:
        with self._named(path), self._system.open_input_file(self._at(path)) as file:
            return bytes(file.read(count))

    def read_all(self, path: str) -> bytes:
        with self._named(path), self._system.open_input_file(self._at(path)) as file:
            return bytes(file.read())

    def open(self, path: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        with self._named(path):
            opened = self._system.open_input_file(self._at(path))
            self._lengths[path] = int(opened.size())
            file = cast(BinaryIO, io.BufferedReader(opened, _BUFFER))
            file.seek(start)
            return file

    def size(self, path: str) -> int:
        with self._named(path), self._system.open_input_file(self._at(path)) as file:
            return int(file.size())

    def length(self, path: str) -> int | None:
        return self._lengths.get(path)

    def collinfo(self) -> bytes:
        return self.read_all("collinfo.json")

    def captures(self, crawl: str, url: str) -> bytes | None:
        return None

    def spent(self) -> Spent:
        return Spent()

    def _at(self, path: str) -> str:
        return f"{self._root}/{require_path(path)}"

    @contextlib.contextmanager
    def _named(self, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise Missing(f"{self._location}/{path}: no such file") from None
        except OSError as error:
            why = store_line(error) if is_s3(self._location) else cause_line(error)
            raise SourceError(f"{self._location}/{path}: {why}") from None
