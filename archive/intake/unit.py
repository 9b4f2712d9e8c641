"""Units of work: which records of which file, read with which settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from archive.capture import Limits
from archive.records import READERS, Span, open_reader
from archive.records.rows import Columns


@dataclass(frozen=True, slots=True)
class Settings:
    """How records become text; the same for a whole ingest."""

    extractor: str = "resiliparse"
    limits: Limits = Limits()
    columns: Columns = Columns()


@dataclass(frozen=True, slots=True)
class Unit:
    """A span of one file.

    The spans of a file are units with `index` 0, 1, 2…; `after` is the key of the one before. A span
    that begins in the middle of a file searches for its first record, unless `begin` says where that is.
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
    begin: int | None = None
    recovered: bool = False  #: the span before ended behind damage …
    floor: datetime | None = None  #: … and this is the earliest date that was believed in front of it
    key: str = field(init=False)  #: the same for the same work, wherever and whenever it is planned

    def __post_init__(self) -> None:
        columns = self.settings.columns if self.kind in READERS and open_reader(self.kind).has_columns else None
        # not the limits, nor `begin`: they do not make it other work
        identity = f"{self.version}|{self.span.start}|{self.span.end}|{self.settings.extractor}|{columns}"
        object.__setattr__(self, "key", hashlib.sha256(identity.encode()).hexdigest()[:32])


@dataclass(frozen=True, slots=True)
class Batch:
    """Units that one worker does in one go: one span of a large file, or many small files."""

    units: tuple[Unit, ...]

    @property
    def key(self) -> str:
        return hashlib.sha256("|".join(unit.key for unit in self.units).encode()).hexdigest()[:32]
