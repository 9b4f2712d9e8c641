"""Plan an ingest: the units of work of the sources that the lake does not have yet."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from archive.errors import SourceError, error_line
from archive.evidence.names import crawl_name, crawl_windows
from archive.intake.done import DoneUnit, DoneUnits
from archive.intake.spans import Guide
from archive.intake.taken import Taken, changed
from archive.intake.unit import WEB, Batch, Settings, SpanEnd, Unit
from archive.records import READERS, RecordReader, Span, columns, kind_of, open_reader
from archive.records.members import compression_of
from archive.records.rows import Columns
from archive.sources import Listed, is_text, open_bytes
from archive.sources.base import scheme_of, sha256_of
from archive.sources.take import PIECE, Take

#: Bytes of a span. Large files are cut into spans, so that several workers share one file.
SPAN = 32 << 20
#: Bytes of a local file up to which its version is made of all its bytes.
SAMPLED_WHOLE = 1 << 17
#: A file is cut only if its first record ends within so many bytes: that shows that its members are its records.
_FIRST_RECORD = 4 << 20
#: Small files share a batch, up to so many bytes and so many files.
_BATCH_BYTES = 16 << 20
_BATCH_FILES = 256
#: Requests that a task makes for parts of files: what an interrupted one loses, at one a second, is a minute.
_REQUESTS = 60


@dataclass(frozen=True, slots=True)
class AlreadyIngested:
    """A file that the lake has, whole."""

    file: str
    size: int
    version: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that cannot be opened or planned, and why."""

    file: str
    error: str


def plan(
    done: DoneUnits | None,
    sources: Iterable[Listed],
    settings: Settings,
    span: int = SPAN,
    taken: Taken = Taken(),
    workers: int = 1,
) -> Iterator[Batch | AlreadyIngested | Unreadable]:
    """Yield the batches that are left to do, the largest files first; files of which records are taken, in their order.

    Args:
        done: the units that the lake has; None for none.
        span: bytes of a unit at most, where a file can be cut.
        taken: the records that the lake has of files of which some were taken.
        workers: that share the batches: towards the end these get smaller, so that nobody waits for the last one.
    """
    done = DoneUnits.none() if done is None else done
    sources = sorted(sources, key=_by_size)
    guide = Guide(span, sum(listed.size or 0 for listed in sources if listed.take is None), workers)
    small: list[Unit] = []
    few = _Few()
    known = _Known(done)
    seen: dict[str, Take | None] = {}
    for listed in sources:
        try:
            listed = known.identified(listed)
        except (OSError, SourceError) as error:
            yield Unreadable(listed.uri, error_line(error))
            continue
        if listed.version in seen:
            # the indexes of two crawls may name records of one file
            further = _besides(listed.take, seen[listed.version])
            if further is None:
                yield AlreadyIngested(listed.uri, listed.size or 0, listed.version)
                continue
            listed = replace(listed, take=further)
        seen[listed.version] = _both(seen.get(listed.version, listed.take), listed.take)
        if listed.take is not None:
            length = done.size_of(listed.version)
            if None not in {length, listed.size} and length != listed.size:
                yield Unreadable(listed.uri, changed(listed.uri, length, listed.size))  # type: ignore[arg-type]
                continue
            every = Unit(listed.uri, listed.version, length or listed.size, listed.kind, settings)
            rest = taken.left(replace(every, take=listed.take, through=listed.through))
            if rest is None:
                yield AlreadyIngested(listed.uri, listed.take.bytes or 0, listed.version)
            elif rest.take is not None and rest.take.records is None:
                yield Batch((_first_piece(rest, done.pieces_of(listed.version, settings.extractor)),))
            elif rest.take is not None:
                pieces = list(rest.take.split(_REQUESTS))
                for number, piece in enumerate(pieces):
                    yield from few.add(replace(rest, take=piece, more=number + 1 < len(pieces)))
            continue
        try:
            recorded = done.edges_of(listed.version, settings.extractor, taken.partial)
            if _is_done(listed, settings, recorded, done):
                guide.take(listed.size or 0)
                yield AlreadyIngested(listed.uri, listed.size or 0, listed.version)
                continue
            units = _units(listed, settings, guide, recorded)
        except Exception as error:  # one bad file must not stop the others
            guide.take(listed.size or 0)
            yield Unreadable(listed.uri, str(error))
            continue
        together = min(_BATCH_BYTES, guide.size)
        guide.take(listed.size or 0)
        left = [unit for unit in units if unit.key not in done]
        if not left:
            yield AlreadyIngested(listed.uri, listed.size or 0, listed.version)
        elif len(units) > 1 or listed.size is None or listed.size > _BATCH_BYTES:
            yield from (Batch((unit,)) for unit in left)
        else:
            if small and (_bytes(small) + listed.size > together or len(small) == _BATCH_FILES):
                yield Batch(tuple(small))
                small = []
            small.extend(left)
    if small:
        yield Batch(tuple(small))
    yield from few.rest()


def _by_size(listed: Listed) -> float:
    """Sort the largest files to the front, with those of unknown size; the others keep their order."""
    return 0 if listed.take is not None else -math.inf if listed.size is None else -listed.size


def _besides(take: Take | None, seen: Take | None) -> Take | None:
    """Return what is wanted of a file besides what was planned of it; None for nothing."""
    if take is None or seen is None or seen.offsets is None or take.records is None:
        return None
    return take.without(seen.offsets)


def _both(one: Take | None, two: Take | None) -> Take | None:
    """Return what two plans take of a file; the same one twice is that."""
    if one is two or one is None or two is None or one.records is None or two.records is None:
        return one
    records = np.concatenate([one.records, two.records])
    return replace(one, records=records[np.argsort(records["offset"])])


#: The pieces of a file that the lake has, by where they begin, with their keys.
_Pieces = dict[int, tuple[str, DoneUnit]]


def _first_piece(unit: Unit, there: _Pieces) -> Unit:
    """Return the first piece of a file that the lake does not have."""
    piece = replace(unit, span=Span(0, PIECE, exact=True), last=False)
    while (before := there.get(piece.span.start)) is not None:
        key, done = before  # of any size: it may be the span of a file that was named by its address
        piece = next_piece(replace(piece, span=Span(piece.span.start, done.end)), done.reached)
        piece = replace(piece, after=key)
    return piece


def next_piece(unit: Unit, reached: SpanEnd) -> Unit:
    """Return the piece of a file of unknown length behind another one, which ended there."""
    assert unit.span.end is not None
    start = unit.span.end
    # a record may reach over more than one piece
    span = Span(start, max(start, (reached.offset or 0) // PIECE * PIECE) + PIECE)
    return replace(unit, span=span, index=unit.index + 1, after=unit.key, begin=reached)


class _Few:
    """Puts units that take few records of their files together: many of them are a task."""

    def __init__(self) -> None:
        self._units: list[Unit] = []
        self._bytes = self._requests = 0

    def add(self, unit: Unit) -> Iterator[Batch]:
        """Yield the batches that are complete now."""
        assert unit.take is not None
        size, requests = unit.take.bytes, unit.take.requests + 1
        if size is None:
            yield Batch((unit,))
            return
        if self._units and (self._bytes + size > _BATCH_BYTES or self._requests + requests > _REQUESTS):
            yield from self.rest()
        self._units.append(unit)
        self._bytes, self._requests = self._bytes + size, self._requests + requests

    def rest(self) -> Iterator[Batch]:
        """Yield the batch of what is left."""
        if self._units:
            yield Batch(tuple(self._units))
        self._units, self._bytes, self._requests = [], 0, 0


def _states(file: str) -> tuple[str | None, ...]:
    """Return what a path says of the records: the crawls that they must fit."""
    windows = sorted({f"{window.start} {window.end}" for window in crawl_windows(file)})
    return (crawl_name(file), *windows)


def _told_apart(version: str, by: object) -> str:
    """Return the version of a file that is another one than the file with this version."""
    return hashlib.sha256(f"{version} {by}".encode()).hexdigest()


def versions_of(listed: Listed) -> Iterator[str]:
    """Yield the versions by which a lake may know a file.

    Raises:
        SourceError, OSError: it cannot be read.
    """
    yield from (listed.version, _told_apart(listed.version, _states(listed.uri)))
    if _is_sampled(listed):
        own = _told_apart(listed.version, _sha256(listed.uri))
        yield from (own, _told_apart(own, _states(listed.uri)))


def _is_sampled(listed: Listed) -> bool:
    return scheme_of(listed.uri) == "file" and (listed.size or 0) > SAMPLED_WHOLE


class _Known:
    """The files that are known, by their versions and by their SHA-256.

    The version of a large local file is made of its size, its time and samples of it. A file whose path and version are
    known is the same one. Of any other with a known version, or with the size of a known one, the SHA-256 decides: so a
    copy, or a file that was moved or fetched again, is not read twice, and one that only looks the same is read.

    The same file in two places that say other things of its records is two sources, whichever comes first.
    """

    def __init__(self, done: DoneUnits) -> None:
        self._files = done.files()
        self._hashes: dict[str, str] = {}  # version -> SHA-256
        self._versions: dict[str, list[str]] = {}  # SHA-256 -> versions
        self._sizes: set[int | None] = set()
        for version, sha256, size in done.hashed():
            self._hashes[version] = sha256
            self._sizes.add(size)
            self._versions.setdefault(sha256, []).append(version)

    def identified(self, listed: Listed) -> Listed:
        """Return a file with the version that it is known by, or that tells it from all that are known.

        Raises:
            SourceError, OSError: a file cannot be read.
        """
        if _is_sampled(listed):
            listed = replace(listed, version=self._version(listed))
        first = self._files.setdefault(listed.version, listed.uri)
        if first != listed.uri and _states(first) != (states := _states(listed.uri)):
            listed = replace(listed, version=_told_apart(listed.version, states))
        self._files.setdefault(listed.version, listed.uri)
        return listed

    def _version(self, listed: Listed) -> str:
        other = self._files.get(listed.version)
        if other is None and listed.size in self._sizes:
            sha256 = _sha256(listed.uri)
            there, states = self._versions.get(sha256, []), _states(listed.uri)
            same = [version for version in there if _states(self._files[version]) == states]
            return same[-1] if same else there[0] if there else listed.version
        if other is not None and other != listed.uri and not self._is_same(listed, other):
            return _told_apart(listed.version, _sha256(listed.uri))
        return listed.version

    def _is_same(self, listed: Listed, other: str) -> bool:
        """Return whether a file has the content of another one that has the same version.

        Where the other one was never hashed, its bytes decide, unless it is not there any more: then it was moved.
        """
        if known := self._hashes.get(listed.version):
            return _sha256(listed.uri) == known
        if not os.path.exists(other):
            return True
        with open_bytes(listed.uri) as one, open_bytes(other) as two:
            while data := one.read(1 << 20):
                if data != two.read(1 << 20):
                    return False
            return not two.read(1)


def _sha256(location: str) -> str:
    with open_bytes(location) as file:
        return sha256_of(file)


def _bytes(units: list[Unit]) -> int:
    return sum(unit.size or 0 for unit in units)


def _is_done(listed: Listed, settings: Settings, recorded: list[tuple[int, int | None]], done: Collection[str]) -> bool:
    """Tell whether the lake has all of a file, without opening it: a version always has the same bytes."""
    expected: int | None = 0
    for start, end in recorded:
        if start != expected:
            return False
        expected = end
    if expected is not None:
        return False
    keys = [Unit(listed.uri, listed.version, listed.size, WEB, settings, Span(*edges)).key for edges in recorded]
    return all(key in done for key in keys)


def _units(listed: Listed, settings: Settings, guide: Guide, recorded: list[tuple[int, int | None]]) -> list[Unit]:
    """The units of a file. Where some are in the lake, those, and the rest of the file in spans of any size."""
    if not is_text(listed.uri):
        raise SourceError("a file whose name is not UTF-8 cannot be cited; rename it")
    with open_bytes(listed.uri) as file:
        kind = kind_of(file, listed.uri)
        reader = open_reader(kind) if kind in READERS else None
        if reader and reader.has_columns and settings.columns != Columns():
            columns.require(reader.column_names(file), settings.columns)
        whole = Unit(listed.uri, listed.version, listed.size, kind, settings)
        if kind != WEB or listed.size is None:
            return [whole]
        if not recorded:
            if listed.size < guide.size * 3 // 2:
                return [whole]
            file.seek(0)
            if compression_of(file.read(8)) and not _members_are_records(file):
                return [whole]
    edges = list(recorded)
    rest = edges[-1][1] if edges else 0
    if rest is not None:
        starts = guide.cut(rest, listed.size)
        edges += zip(starts, [*starts[1:], None], strict=True)
    units: list[Unit] = []
    for n, (start, end) in enumerate(edges):
        after = units[-1].key if units else None
        part = Span(start, end, exact=n == 0)
        units.append(replace(whole, span=part, index=n, last=n == len(edges) - 1, after=after))
    return units


def _members_are_records(file: BinaryIO) -> bool:
    """Tell whether the first record of a compressed file fills a member of its own."""
    record = RecordReader(file, Span(), _FIRST_RECORD).first()
    return record is not None and record.length is not None and not record.problem
