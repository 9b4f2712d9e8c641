"""The work of `archive witness`: an index becomes a part. Runs in any process, on any machine that has the scratch
folder."""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from archive import registry
from archive.capture import Capture, Reject
from archive.dates import WEB_BEGAN, Dated
from archive.engine import Context
from archive.errors import SourceError
from archive.evidence.claims import CLOCK_SLACK
from archive.intake.part import Part, PartWriter, Tally
from archive.intake.unit import Batch, Unit
from archive.intake.work import Counting, open_unit
from archive.lake import Lake
from archive.records.jsonl import Line, read_lines
from archive.tables import INDEX
from archive.witness.lines import (
    MAX_LINE,
    BadLine,
    Glance,
    IndexLine,
    IndexParser,
    NoWitness,
    Parsed,
    is_index,
    shows_index,
)

#: Lines whose digests are looked up at once.
_TOGETHER = 4096
UNMATCHED, NO_OPERATOR = "unmatched", "no-operator"
Outcome = Parsed | Glance | Reject
#: Lines in which something must show that the file is an index.
_FIRST = 1000


def key_of(digest: str) -> int:
    """Return the first 64 bits of a hash of a digest: two of a lake's digests have one hash by chance only, and a line
    that is kept by such a chance confirms nothing, since SQL compares the digests themselves."""
    return int.from_bytes(hashlib.blake2b(digest.encode(), digest_size=8).digest(), "big")


def keys_of(digests: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Return the hashes of some digests, in order, each once."""
    return np.unique(np.fromiter(map(key_of, digests), np.uint64))


@dataclass(frozen=True, slots=True)
class Job:
    """An index, the lake that it is for, and the digests of that lake.

    `digests` names a file of `keys_of` in the scratch folder.
    """

    location: str
    unit: Unit
    digests: str
    started: datetime
    plugins: registry.Entries = field(default_factory=registry.entries)

    @property
    def batch(self) -> Batch:
        return Batch((self.unit,))


def work(job: Job, ctx: Context) -> Part:
    """Read an index, and write the lines with a digest of the lake as captures into the lake's folders.

    Nothing of it is visible before it is committed.

    Raises:
        SourceError: the index cannot be read.
    """
    registry.adopt(job.plugins)
    known = np.load(ctx.read(job.digests), mmap_mode="r")
    unit, tally = job.unit, Tally(job.unit.key, format=INDEX)
    writer = PartWriter(Lake(job.location), job.batch.key)
    started, told_bytes = time.monotonic(), 0
    try:
        with open_unit(unit) as file:
            counting = Counting(file, unit.file)
            for lines in _together(_placed(unit, _outcomes(unit, cast(BinaryIO, counting), tally))):
                _add(lines, known, unit, job.started, writer, tally)
                ctx.progress(len(lines), counting.count - told_bytes)
                told_bytes = counting.count
            tally.bytes = counting.count
        tally.seconds = time.monotonic() - started
        tally.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return writer.finish([tally])
    except OSError as error:
        raise SourceError(f"{job.location}: {error}") from None


def begins_line(data: bytes) -> bool:
    """Return whether decompressed bytes may be lines of an index: text of some kind. Indexes are cut into members
    between lines."""
    return b"\0" not in data and is_index(data)


def parsed_lines(file: BinaryIO, glance: bool = False) -> Iterator[tuple[Line, Parsed | Glance | None]]:
    """Yield the lines of an index with what they state; None for a stretch that is no line.

    Args:
        glance: read only the digest of a line of a common form.
    """
    parser = IndexParser()
    for line in read_lines(file, MAX_LINE, begins=begins_line):
        if line.problem:
            yield line, None
        elif glance and (seen := parser.glance(line.data)):
            yield line, seen
        else:
            for parsed in parser.parse(line.data):
                yield line, parsed


def _placed(unit: Unit, outcomes: Iterable[tuple[Line, Outcome]]) -> Iterator[tuple[Line, Outcome]]:
    """Yield the lines with their offsets in the file, of which perhaps only a part was opened."""
    start = unit.span.start
    for line, outcome in outcomes:
        if start and isinstance(outcome, Reject):
            outcome = replace(outcome, offset=outcome.offset + start)
        yield replace(line, offset=line.offset + start) if start else line, outcome


def _outcomes(unit: Unit, file: BinaryIO, tally: Tally) -> Iterator[tuple[Line, Outcome]]:
    """Yield each line with what it states, or as a reject. A file that is no index is one reject."""
    held: list[tuple[Line, Outcome]] = []  # until the first line that only an index has
    is_known = False
    for line, parsed in parsed_lines(file, glance=True):
        outcome = _outcome(line, parsed)
        if parsed is not None:
            is_known = is_known or isinstance(parsed, Glance) or shows_index(parsed, line.data)
        if not is_known and len(held) < _FIRST:
            held.append((line, outcome))
            continue
        if not is_known:
            break
        yield from held
        held = []
        yield line, outcome
    if is_known:
        return
    if damaged := [each for each in held if isinstance(each[1], Reject) and each[1].reason != "bad-line"]:
        yield from damaged
    elif held:
        tally.hint = "none of its first lines is one of CDX, CDXJ, or the JSON of an index server"
        yield Line(0, 0, None), Reject("unknown-format", tally.hint, 0, 0, unit.size)
    else:
        yield Line(0, 0, None), Reject("empty-file", "", 0, 0, unit.size)


def _outcome(line: Line, parsed: Parsed | Glance | None) -> Outcome:
    if parsed is None:
        return _reject(line, str(line.problem), line.detail)
    if isinstance(parsed, BadLine):
        return _reject(line, "bad-line", parsed.detail, parsed.url, parsed.date)
    return parsed


def _reject(line: Line, reason: str, detail: str, url: str | None = None, date: str | None = None) -> Reject:
    return Reject(reason, detail, line.offset, line.skip, line.length, record_type=INDEX, url=url, date=date)


def _together(
    outcomes: Iterator[tuple[Line, Outcome]],
) -> Iterator[list[tuple[Line, Outcome]]]:
    lines: list[tuple[Line, Outcome]] = []
    for each in outcomes:
        lines.append(each)
        if len(lines) == _TOGETHER:
            yield lines
            lines = []
    if lines:
        yield lines


def _add(
    lines: list[tuple[Line, Outcome]],
    known: npt.NDArray[np.uint64],
    unit: Unit,
    now: datetime,
    writer: PartWriter,
    tally: Tally,
) -> None:
    """Add what some lines state to the part."""
    tally.records += len(lines)
    stated = [(line, each) for line, each in lines if isinstance(each, IndexLine | Glance)]
    keys = np.fromiter((key_of(each.digest) for _, each in stated), np.uint64, len(stated))
    at = np.searchsorted(known, keys)
    at[at == len(known)] = 0
    rows = np.flatnonzero(known[at] == keys).tolist() if len(known) else []
    tally.skipped[UNMATCHED] += len(stated) - len(rows)
    for line, each in (stated[row] for row in rows):
        parsed = each.read(line.data) if isinstance(each, Glance) else each
        if isinstance(parsed, IndexLine):
            _add_capture(line, parsed, unit, now, writer, tally)
        else:
            _add_other(_outcome(line, parsed), unit, writer, tally)
    for _, other in lines:
        if isinstance(other, Reject | NoWitness):
            _add_other(other, unit, writer, tally)


def _add_capture(line: Line, stated: IndexLine, unit: Unit, now: datetime, writer: PartWriter, tally: Tally) -> None:
    holder = stated.holder or unit.settings.operator
    if holder is None:
        tally.skipped[NO_OPERATOR] += 1
        return
    capture = capture_of(line, stated, holder, now)
    tally.captures += 1
    tally.months[capture.dated.month] += 1
    if capture.dated.problem:
        tally.problems[capture.dated.problem] += 1
    writer.add_capture(unit.key, unit.file, capture)


def _add_other(outcome: Outcome, unit: Unit, writer: PartWriter, tally: Tally) -> None:
    if isinstance(outcome, Reject):
        tally.rejects[outcome.reason] += 1
        writer.add_reject(unit.key, unit.file, outcome)
    elif isinstance(outcome, NoWitness):
        tally.skipped[outcome.kind] += 1


def capture_of(line: Line, stated: IndexLine, holder: str, now: datetime) -> Capture:
    """Return the capture that a line states. Its grade is E at best: anybody may write an index."""
    start, end = stated.at.start, stated.at.end
    assert start is not None
    assert end is not None
    problem = "future" if end > now + CLOCK_SLACK else "before-web" if end < WEB_BEGAN else None
    return Capture(
        url=stated.url,
        via=stated.filename,
        dated=Dated(end, INDEX, problem, start, weak=INDEX),
        record_type=INDEX,
        offset=line.offset,
        skip=line.skip,
        length=line.length,
        record_id=None,
        status=stated.status,
        mime=stated.mime,
        payload_digest=stated.digest,
        payload_check="claimed",
        operator=holder,
    )
