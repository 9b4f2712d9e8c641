"""A set that `archive export` wrote: its manifest and its data card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archive.errors import ExportError
from archive.show import count_of
from query.dataset import MANIFEST, Manifest, load
from query.explorer.reports.bounded import read_json
from query.set_files import SetFiles

#: The data card, and the most bytes of it that are read; the most shards that are listed.
_CARD, _MOST, _SHARDS = "README.md", 200_000, 50


@dataclass(frozen=True, slots=True)
class ShardReport:
    """A shard of a set."""

    files: tuple[str, ...]
    rows: int
    bytes: int
    merkle_root: str


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What the manifest of a set states."""

    program: str
    lake: str
    versions: dict[str, int]
    options: dict[str, Any]  #: those that are not the default
    rows: int
    tokens: int | None
    bytes: int
    splits: dict[str, int]
    dropped: dict[str, int]
    contamination: dict[str, int]
    months: dict[str, int]
    languages: dict[str, int]
    grades: dict[str, int]
    date_sources: dict[str, int]
    domains: int
    largest_domains: dict[str, int]
    merkle_root: str
    content_root: str | None
    shards_in_all: int
    shards: tuple[ShardReport, ...]  #: the first of them
    card: str | None  #: the data card, or its beginning


def read(folder: Path) -> tuple[str, ExportReport]:
    """Return the headline of a set, and what its manifest states.

    Raises:
        ExportError, OSError, ValueError, RecursionError: it has no manifest that can be read.
    """
    read_json(folder, MANIFEST)  # of a size that a page reads, with numbers that it shows
    manifest = load(folder).manifest
    before = manifest.arguments.before.removesuffix("T00:00:00+00:00")
    return f"{count_of(manifest.rows, 'text')} before {before}", ExportReport(
        program=manifest.program,
        lake=manifest.lake.location,
        versions=manifest.lake.versions,
        options=_given(manifest),
        rows=manifest.rows,
        tokens=manifest.tokens,
        bytes=manifest.bytes,
        splits=manifest.splits,
        dropped={each.name: each.dropped for each in manifest.dropped},
        contamination=manifest.contamination,
        months=manifest.months,
        languages=manifest.languages,
        grades=manifest.grades,
        date_sources=manifest.date_sources,
        domains=manifest.domains,
        largest_domains=manifest.largest_domains,
        merkle_root=manifest.merkle_root,
        content_root=manifest.content_root,
        shards_in_all=len(manifest.shards),
        shards=tuple(
            ShardReport(tuple(each.paths), each.rows, sum(file.bytes for file in each.files), each.merkle_root)
            for each in manifest.shards[:_SHARDS]
        ),
        card=_card(folder),
    )


def _given(manifest: Manifest) -> dict[str, Any]:
    """Return the options of the export that are not the default."""
    default = asdict(type(manifest.arguments)(before=manifest.arguments.before))
    given = asdict(manifest.arguments)
    return {name: value for name, value in given.items() if name == "before" or value != default[name]}


def _card(folder: Path) -> str | None:
    try:
        return SetFiles(str(folder)).read(_CARD, _MOST).decode("utf-8", "replace")
    except (OSError, ValueError, ExportError):
        return None
