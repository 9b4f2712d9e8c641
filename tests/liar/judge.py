"""Ingest archives of the liar, and look for whatever is not as it should be."""

from __future__ import annotations

import io
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import query
import query.clean
from archive.capture import Capture, Limits
from archive.engine import Context, Done, Failed, Tasks
from archive.errors import ArchiveError
from archive.examine import Examiner
from archive.intake import Settings
from archive.intake.run import ingest_with
from archive.lake import Lake
from archive.records import READERS, Reading, kind_of, open_reader
from archive.text.extract import from_html
from liar.archives import PARAGRAPHS, Made
from liar.kinds import KINDS

#: The folder in which lakes are made: memory, where there is some.
PLACE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_NAME = re.compile(r"(zq[a-p]{6})(\d)")
#: Whether `clean` knows grades.
GRADED = any(re.search(r"\bgrade :=", macro) for macro in query.clean.MACROS)


class InTurn:
    """An engine that runs one task after the other, in this process."""

    workers = 1

    def run(
        self, work: Callable[[Any, Context], Any], tasks: Iterable[Any] | Tasks[Any], *, progress: Any = lambda *_: None,
        scratch: str | None = None, isolated: bool = False, at_once: int | None = None,
        gpus: float = 0.0,
    ) -> Iterator[Done[Any, Any] | Failed[Any]]:  # fmt: skip
        tasks = tasks if isinstance(tasks, Tasks) else Tasks(tasks)
        while waiting := list(iter(tasks.take, None)):
            for task in reversed(waiting):
                try:
                    yield Done(task, work(task, Context(1, progress, scratch)))
                except ArchiveError as error:
                    yield Failed(task, str(error))

    def scratch(self) -> AbstractContextManager[str]:
        return tempfile.TemporaryDirectory(dir=PLACE)


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be.

    Attributes:
        what: "false clean", "lost", "not clean", "changed" or "not counted".
        blames: the sets of kinds that each would explain it; none where nothing would.
    """

    what: str
    archive: int
    detail: str
    blames: tuple[frozenset[str], ...] = ()

    def explained(self, known: Iterable[str]) -> bool:
        return any(blame <= set(known) for blame in self.blames)


@dataclass(frozen=True)
class Way:
    """How the archives are ingested the second time.

    Attributes:
        pieces: spans that the largest file is cut into. Each is a commit, and costs as much as twenty archives.
        reverse: the files in the other order.
        calls: ingests that the files are divided among.
        workers: processes; 0 for this one.
    """

    pieces: int = 1
    reverse: bool = True
    calls: int = 1
    workers: int = 0


@dataclass
class Taken:
    """A lake that is made, with what a reader of it sees."""

    captures: list[tuple[Any, ...]]
    documents: dict[str, str]
    rejects: list[tuple[Any, ...]]
    seen: dict[str, datetime]  #: content_id -> when `clean` says that it was first seen, by default
    asked: dict[str, datetime]  #: the same, with grade E
    counted: bool
    left: dict[str, datetime]  #: texts that `clean` had after a first ingest, and had later or not at all in the end


def write_all(archives: Sequence[Made], root: Path) -> dict[int, list[str]]:
    """Write the files of archives; return their paths by the number of the archive."""
    paths: dict[int, list[str]] = {}
    for made in archives:
        for name, content in made.files.items():
            path = root / f"a{made.number}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if made.mtime:
                os.utime(path, (made.mtime, made.mtime))
            paths.setdefault(made.number, []).append(str(path))
    return paths


_SEEN = "SELECT content_id, first_seen FROM clean('9999-01-01'{})"
_CAPTURES = "SELECT * EXCLUDE (unit) FROM captures ORDER BY ALL"
_REJECTS = "SELECT * EXCLUDE (unit) FROM rejects ORDER BY ALL"


def take(paths: list[str], location: str, way: Way | None = None, limits: dict[str, int] | None = None) -> Taken:
    """Ingest files into a new lake, and read all of it.

    Args:
        limits: bytes of a page, for the files that are ingested with a limit first.
    """
    lake, way = Lake(location), way or Way(reverse=False)
    paths = paths[::-1] if way.reverse else paths
    size = -(-len(paths) // way.calls) or 1
    span = max(map(os.path.getsize, paths)) // way.pieces + 1 if way.pieces > 1 else 1 << 30
    calls = [(paths[start : start + size], 1 << 24) for start in range(0, len(paths), size)]
    first = [([path], limits[path]) for path in paths if limits and path in limits]
    counted, before = True, dict[str, datetime]()
    for at, (files, limit) in enumerate([*first, *calls]):
        engine: Any = way.workers or InTurn()
        if at == len(first) + 1:
            with query.connect(lake) as db:
                before = dict(db.execute(_SEEN.format("")).fetchall())
        result = ingest_with(lake, files, Settings(limits=Limits(page=limit)), engine, span=span)
        counted &= result.records == result.captures + result.rejects.total() + result.skipped.total()
        counted &= not result.files_failed and "internal-error" not in result.rejects
    with query.connect(lake) as db:
        fetch: Callable[[str], list[Any]] = lambda sql: db.execute(sql).fetchall()  # noqa: E731
        seen = dict(fetch(_SEEN.format("")))
        asked = dict(fetch(_SEEN.format(", grade := 'E'"))) if GRADED else seen
        documents = dict(fetch("SELECT content_id, text FROM documents"))
        left = {each: at for each, at in before.items() if each not in seen or seen[each] > at}
        return Taken(fetch(_CAPTURES), documents, fetch(_REJECTS), seen, asked, counted, left)


def glance(archives: Sequence[Made]) -> list[Fault]:
    """Read the files of archives one by one, without a lake, and return what is proven too early or not at all.

    It takes a fifth of the time of `examine`, and sees only what a record proves by itself.
    """
    faults: list[Fault] = []
    for made in archives:
        first: dict[str, datetime] = {}
        asked: dict[str, datetime] = {}
        for name, content in made.files.items():
            for capture in _captures_of(name, content):
                at = capture.dated.captured_at
                if capture.dated.problem or at is None:
                    continue
                for text, parts in _names(capture.text or "", made.marks).items():
                    if len(parts) == PARAGRAPHS or text in made.truths:
                        asked[text] = min(at, asked.get(text, at))
                        if capture.grade <= "D":
                            first[text] = min(at, first.get(text, at))
        for text, truth in made.truths.items():
            for seen, hard in ((first, False), (asked, True)):
                blames = [_hard(liar) if hard else liar for liar in truth.liars]
                if text in seen and seen[text] < truth.born and not (hard and any(not blame for blame in blames)):
                    faults.append(Fault("false clean", made.number, text, tuple(blames)))
            at = (asked if truth.asked else first).get(text)
            if truth.by and (at is None or at > truth.by):
                faults.append(Fault("not clean", made.number, text, (truth.loss,) if truth.loss else ()))
    return faults


def _captures_of(name: str, content: bytes) -> Iterator[Capture]:
    file = io.BytesIO(content)
    kind = kind_of(file, name)
    if kind not in READERS:
        return
    reading = Reading(name)
    examiner: Examiner | None = None
    for part, item in open_reader(kind).read(file, reading):
        if examiner is None or part != examiner.name:
            examiner = Examiner(part, from_html, altered=reading.altered, stale=reading.stale)
        if isinstance(outcome := examiner.examine(item), Capture):
            yield outcome


def examine(
    archives: Sequence[Made], way: Way | None = None, varied: int = 4, place: str | None = PLACE
) -> list[Fault]:
    """Ingest archives, and say what is wrong with the lake.

    Args:
        way: ingest some of them a second time, in this way, and compare.
        varied: how many of them, at most.
    """
    root = Path(tempfile.mkdtemp(dir=place, prefix="liar-"))
    try:
        paths = write_all(archives, root / "files")
        limits = {path: made.limit for made in archives if made.limit for path in paths[made.number]}
        taken = take([path for each in paths.values() for path in each], str(root / "lake"), None, limits)
        faults = list(_faults(archives, taken, root / "files"))
        if way:
            usable = [made for made in archives if made.spans or way.pieces == 1]
            some = sorted(usable, key=lambda made: (not (made.odd or made.vary), made.number))[:varied]
            if some_paths := [path for made in some for path in paths[made.number]]:
                again = take(some_paths, str(root / "again"), way, limits)
                faults += _changes(some, taken, again, root / "files")
        return faults
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _owner(file: str, root: Path) -> int:
    return int(file[len(str(root)) + 2 :].split("/", 1)[0])


def _names(text: str, marks: dict[str, str]) -> dict[str, set[int]]:
    """Return the names of the texts that are in a document, with their paragraphs."""
    found: dict[str, set[int]] = defaultdict(set)
    for name, part in _NAME.findall(text):
        found[name].add(int(part))
    for name in [name for name in found if name in marks]:
        found[name + ("+" if marks[name] in text else "-")] = found.pop(name)
    return found


def _faults(archives: Sequence[Made], taken: Taken, root: Path) -> Iterator[Fault]:
    if not taken.counted:
        yield Fault("not counted", -1, "records are not captures, rejects and skipped ones, or a file failed")
    truths = {name: (made, truth) for made in archives for name, truth in made.truths.items()}
    marks = {name: mark for made in archives for name, mark in made.marks.items()}
    whole: set[str] = set()
    first: dict[tuple[str, bool], datetime] = {}
    for content_id, text in taken.documents.items():
        for name, parts in _names(text, marks).items():
            if name not in truths and name[:-1] not in marks:
                yield Fault("changed", -1, f"a text that nobody wrote: {name}")
            if name not in truths:
                continue
            made, truth = truths[name]
            if len(parts) == PARAGRAPHS:
                whole.add(name)
            for asked, seen in ((False, taken.seen), (True, taken.asked)) if GRADED else ((False, taken.seen),):
                at = seen.get(content_id)
                if at is None:
                    continue
                if len(parts) == PARAGRAPHS:
                    first[name, asked] = min(at, first.get((name, asked), at))
                if at < truth.born:
                    blames = [_hard(liar) if asked else liar for liar in truth.liars]
                    if asked and any(not blame for blame in blames):
                        continue  # who asks for grade E believes what is only claimed
                    detail = f"{name} of {truth.born} seen {at}{' with grade E' if asked else ''}: {truth.liars}"
                    yield Fault("false clean", made.number, detail, tuple(blames))
    rejected = {_owner(row, root) for (row,) in {(row[5],) for row in taken.rejects}}
    for name, (made, truth) in truths.items():
        loss = (truth.loss,) if truth.loss else ()
        if name not in whole and (truth.kept or made.number not in rejected) and not truth.foreign:
            yield Fault("lost", made.number, f"{name} of {truth.born}", loss)
        at = first.get((name, truth.asked and GRADED))
        if name in whole and truth.by and (at is None or at > truth.by):
            detail = f"{name}, honest, by {truth.by}; seen {at}"
            yield Fault("not clean", made.number, detail, loss)


def _hard(liar: frozenset[str]) -> frozenset[str]:
    """Return those of the lies that are contradicted, and so are no proof for whoever asks."""
    return frozenset(name for name in liar if not KINDS[name].soft)


def _changes(some: list[Made], one: Taken, other: Taken, root: Path) -> Iterator[Fault]:
    """Compare two lakes: what a reader sees of these archives must be the same."""
    if not other.counted:
        yield Fault("not counted", -1, "in the second ingest")
    known = {made.number: made for made in some}

    def split(rows: list[tuple[Any, ...]], column: int) -> dict[int, list[tuple[Any, ...]]]:
        by: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for row in rows:
            if (owner := _owner(row[column], root)) in known:
                by[owner].append(row)
        return by

    file_of = next(
        at for at, value in enumerate((one.captures or other.captures)[0]) if str(value).startswith(str(root))
    )
    captures = split(one.captures, file_of), split(other.captures, file_of)
    rejects = split(one.rejects, 5), split(other.rejects, 5)
    for number, made in known.items():
        blames = tuple(frozenset({kind}) for kind in sorted(made.odd))
        for what, (left, right) in (("captures", captures), ("rejects", rejects)):
            if _plain(left.get(number, [])) != _plain(right.get(number, [])):
                changed = [row for row in right.get(number, []) if str(row) not in set(map(str, left.get(number, [])))]
                yield Fault(
                    "changed", number, f"{what} with another order, span or number of workers: {changed[:1]}", blames
                )
        ids = {row[0] for row in captures[0].get(number, [])} - {None}
        if any(each in other.left for each in ids):
            yield Fault("changed", number, "a text left `clean`, or was in it later, when other files came", blames)
        if any(one.seen.get(each) != other.seen.get(each) for each in ids):
            yield Fault("changed", number, "`clean` with another order, span or number of workers", blames)


def _plain(rows: list[tuple[Any, ...]]) -> list[str]:
    return sorted(map(str, rows))
