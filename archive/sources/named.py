"""Which files of a list a SOURCE argument names. The files themselves may be gone."""

from __future__ import annotations

import os

from archive.sources.base import location_of
from archive.sources.pattern import matches


def rows_of(files: list[str | None], source: str) -> set[int]:
    """Return which of these files a source names, by their positions in the list.

    As in an ingest it is a file, or else a folder, or else a pattern.
    """
    source = location_of(source)
    path = source.rstrip("/") if "://" in source else os.path.realpath(source)
    if rows := {row for row, file in enumerate(files) if file in {source, path}}:
        return rows
    below = {row for row, file in enumerate(files) if file is not None and file.startswith(f"{path}/")}
    if os.path.isdir(path):  # the files that its links point to were ingested with it
        linked = {
            os.path.realpath(link)
            for folder, _, names in os.walk(path)
            for link in (os.path.join(folder, name) for name in names)
            if os.path.islink(link)
        }
        below |= {row for row, file in enumerate(files) if file in linked}
    return below or {row for row, file in enumerate(files) if file is not None and matches(file, path)}
