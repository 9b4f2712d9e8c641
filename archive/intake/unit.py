"""Units of work: a span of a file, and the settings that it is read with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from archive.capture import Limits
from archive.evidence.file_state import Info
from archive.records import READERS, Span, open_reader
from archive.records.rows import Columns
from archive.sources.base import Through
from archive.sources.take import Take
from archive.text import extractor as find_extractor

#: The kind of WARC and ARC files. All kinds without columns give units the same keys.
WEB = "records"


@dataclass(frozen=True, slots=True)
class Settings:
    """How records become text. One ingest has one `Settings`."""

    extractor: str = "resiliparse"
    limits: Limits = Limits()
    columns: Columns = Columns()
    operator: str | None = None  #: who made the archives, as the user says

    def check(self) -> None:
        """
        Raises:
            ArchiveError: there is no such extractor, or its package is not installed.
        """
        find_extractor(self.extractor)


@dataclass(frozen=True, slots=True)
class SpanEnd:
    """Where the work on a span ended. The next span of the file must begin there."""

    offset: int | None = None  #: of the first record behind the span; None at the end of the file
    recovered: bool = False  #: the offset was found by searching behind damage
    floor: datetime | None = None  #: the date of the damaged record in front, where `recovered`; None if not known
    infos: tuple[Info, ...] | None = None  #: the warcinfo records up to here; None if not known
    behind_info: bool = False  #: the record in front is a warcinfo record: damage here is damage of it


@lru_cache(maxsize=64)
def _has_columns(kind: str) -> bool:
    return open_reader(kind).has_columns


@dataclass(frozen=True, slots=True)
class Unit:
    """A span of one file.

    The spans of a file have the `index` 0, 1, 2…, and `after` is the key of the span before. A worker that begins in
    the middle of a file searches for the first record, unless `begin` gives its offset.
    """

    file: str
    version: str
    size: int | None
    kind: str  #: a name in `READERS`, `empty` or `unknown`
    settings: Settings
    span: Span = Span()
    index: int = 0
    last: bool = True
    after: str | None = None
    begin: SpanEnd | None = None  #: where the span before ended
    take: Take | None = None  #: the records that are wanted; None for all of the span
    more: bool = False  #: another unit takes further records of the file
    through: Through | None = None  #: how the file is opened; None for its address
    key: str = field(init=False)  #: the same for the same work, whoever plans it

    @property
    def is_piece(self) -> bool:
        """Whether it is a piece of a file of unknown length: where the file ends, the work finds out."""
        return self.take is not None and self.take.records is None

    def __post_init__(self) -> None:
        columns = self.settings.columns if self.kind in READERS and _has_columns(self.kind) else None
        taken = f"|{self.take.identity}" if self.take and self.take.identity else ""
        # the limits, the operator and `begin` are left out: with others it is still the same work
        identity = f"{self.version}|{self.span.start}|{self.span.end}|{self.settings.extractor}|{columns}{taken}"
        object.__setattr__(self, "key", hashlib.sha256(identity.encode()).hexdigest()[:32])


@dataclass(frozen=True, slots=True)
class Batch:
    """The units of one task: one span of a large file, or many small files."""

    units: tuple[Unit, ...]

    @property
    def key(self) -> str:
        return hashlib.sha256("|".join(unit.key for unit in self.units).encode()).hexdigest()[:32]
