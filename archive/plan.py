"""Which units of work the sources need that the lake has not got yet."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from archive import storage
from archive.errors import SourceError
from archive.records import RecordReader, Span
from archive.records.kind import kind_of
from archive.records.members import compression_of
from archive.storage import Listed
from archive.unit import Batch, Settings, Unit

#: Files are cut into spans of about this many bytes, so that several workers share one.
SPAN = 32 << 20
#: A file is cut only if its first record ends within this many bytes: then its members are its records.
_FIRST_RECORD = 4 << 20
#: Small files are done together, up to this many bytes or this many files.
_BATCH_BYTES = 16 << 20
_BATCH_FILES = 256


@dataclass(frozen=True, slots=True)
class Known:
    """A file that is in the lake already, whole."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that cannot be looked into."""

    file: str
    error: str


def plan(
    done: Container[str], sources: Iterable[Listed], settings: Settings, span: int = SPAN
) -> Iterator[Batch | Known | Unreadable]:
    """The batches that are left to do, in the order of the sources.

    Args:
        done: keys of the units that the lake has.
        span: the bytes of a file that make a unit, where it can be cut.
    """
    small: list[Unit] = []
    seen: set[str] = set()
    for listed in sources:
        if listed.version in seen:
            yield Known(listed.uri, listed.size or 0)
            continue
        seen.add(listed.version)
        try:
            units = _units(listed, settings, span)
        except (SourceError, OSError) as error:
            yield Unreadable(listed.uri, str(error))
            continue
        left = [unit for unit in units if unit.key not in done]
        if not left:
            yield Known(listed.uri, listed.size or 0)
        elif len(units) > 1 or listed.size is None or listed.size > _BATCH_BYTES:
            yield from (Batch((unit,)) for unit in left)
        else:
            if small and (_bytes(small) + listed.size > _BATCH_BYTES or len(small) == _BATCH_FILES):
                yield Batch(tuple(small))
                small = []
            small.extend(left)
    if small:
        yield Batch(tuple(small))


def _bytes(units: list[Unit]) -> int:
    return sum(unit.size or 0 for unit in units)


def _units(listed: Listed, settings: Settings, span: int) -> list[Unit]:
    with storage.open_bytes(listed.uri) as file:
        kind = kind_of(file, listed.uri)
        whole = Unit(listed.uri, listed.version, listed.size, kind, settings)
        if kind != "records" or listed.size is None or listed.size < span * 3 // 2:
            return [whole]
        file.seek(0)
        if compression_of(file.read(8)) and not _members_are_records(file):
            return [whole]
    count = max(round(listed.size / span), 2)
    edges = [listed.size * n // count for n in range(count)]
    units: list[Unit] = []
    for n, (start, end) in enumerate(zip(edges, [*edges[1:], None], strict=True)):
        after = units[-1].key if units else None
        part = Span(start, end, exact=n == 0)
        units.append(replace(whole, span=part, index=n, last=n == count - 1, after=after))
    return units


def _members_are_records(file: BinaryIO) -> bool:
    """Whether the first record of a compressed file is a member of its own."""
    record = RecordReader(file, Span(), _FIRST_RECORD).first()
    return record is not None and record.length is not None and not record.problem
