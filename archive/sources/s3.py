"""Objects of an S3 bucket as sources."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, cast

from pyarrow import fs as pafs

from archive.errors import SourceError, store_line
from archive.sources.base import Listed, Unreadable
from archive.sources.pattern import fixed_folder, matches
from archive.storage import filesystem, s3_filesystem

_BUFFER = 1 << 20


class S3:
    """`s3://bucket/key`, a prefix, or a pattern, in the store that the usual environment variables describe."""

    def list(self, source: str, unreadable: Unreadable) -> Iterator[Listed]:
        # four attempts soon show whether the store is there at all; reading is more patient
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
        folder = fixed_folder(path) if exact or head != path else path
        for info in files:
            version = f"s3://{info.path} {info.size} {info.mtime_ns}"
            yield Listed(f"s3://{info.path}", info.size, version, info.path[len(folder) :].lstrip("/"))

    def open(self, uri: str) -> BinaryIO:
        system, path = filesystem(uri)
        try:
            return cast(BinaryIO, io.BufferedReader(system.open_input_file(path), _BUFFER))
        except OSError as error:
            raise SourceError(f"{uri}: {store_line(error)}") from None


SOURCE = S3()
