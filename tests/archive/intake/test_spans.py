"""Spans get smaller towards the end of an ingest, so that nobody waits; where a file is cut changes nothing."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import examples, members, record, rows, snapshot, take
from hypothesis import example, given, settings
from hypothesis import strategies as st
from liar.judge import InTurn

from archive.engine import Context
from archive.intake import commit, known_texts
from archive.intake.commit import Committer
from archive.intake.part import Part
from archive.intake.plan import SPAN, plan
from archive.intake.spans import LEAST, Guide
from archive.intake.unit import Batch, Settings
from archive.intake.work import Job, work
from archive.lake import Lake
from archive.sources import list_files

MIB = 1 << 20


def cut(sizes: list[int], workers: int, most: int = SPAN) -> list[int]:
    """The bytes of each span of files that can be cut, as a plan hands them out."""
    guide, spans = Guide(most, sum(sizes), workers), []
    for size in sorted(sizes, reverse=True):
        starts = guide.cut(0, size) if size >= guide.size * 3 // 2 else [0]
        spans += [end - start for start, end in pairwise([*starts, size])]
        guide.take(size)
    return spans


def makespan(tasks: list[int], workers: int) -> int:
    """When the last worker is done, where each takes the next task when it is free."""
    ends = [0] * workers
    for task in tasks:
        heapq.heapreplace(ends, ends[0] + task)
    return max(ends)


def test_the_spans_of_one_file_of_85_megabytes_keep_two_workers_busy() -> None:
    size = 85_000_000
    assert makespan(cut([size], 2), 2) < 1.03 * size / 2
    even = [size // 3] * 3  # as it was: a worker had two of three spans
    assert makespan(even, 2) > 1.3 * size / 2


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.integers(1, 3000 * MIB), min_size=1, max_size=30), st.integers(2, 64))
@example([85_000_000], 2)
@example([1000 * MIB], 16)
def test_the_last_worker_is_done_a_tenth_after_the_mean_at_most(sizes: list[int], workers: int) -> None:
    total = sum(sizes)
    spans = cut(sizes, workers)
    assert sum(spans) == total
    assert max(spans) < SPAN * 3 / 2
    most = total / workers + LEAST * 3 / 2
    assert makespan(spans, workers) <= most
    if total >= 4 * workers * 8 * MIB:
        assert makespan(spans, workers) <= 1.1 * total / workers


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(1, 4 * LEAST), st.integers(1, 200 * MIB), st.integers(1, 8))
def test_spans_that_are_asked_to_be_small_are_even(span: int, size: int, workers: int) -> None:
    size = min(size, span * 1000)
    starts = Guide(span, size, workers).cut(0, size)
    assert starts[0] == 0
    assert all(end > start for start, end in pairwise([*starts, size]))
    if span <= LEAST or workers == 1:
        assert len(starts) == max(round(size / span), 1)


class _Interrupted(Exception):
    pass


class _Meanwhile(InTurn):
    """Calls a function when so many tasks are done."""

    def __init__(self, after: int, call: Callable[[], None]) -> None:
        self._left, self._call = after, call

    def run(self, *args: Any, **options: Any) -> Iterator[Any]:
        for end in super().run(*args, **options):
            yield end
            self._left -= 1
            if self._left == 0:
                self._call()


def _stop() -> None:
    raise _Interrupted


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
@pytest.mark.parametrize(("after", "done"), [(1, 3), (2, 1), (4, None)], ids=["killed", "killed early", "ended"])
def test_two_ingests_that_cut_a_file_in_two_ways_bring_each_record_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, after: int, done: int | None
) -> None:
    monkeypatch.setattr("archive.intake.run._PAUSE", 0.0)  # each part is committed when it comes
    pages = [record(url=f"http://e.example/{n}", body=f"<p>Page {n}</p>" + "x" * 300) for n in range(60)]
    source = tmp_path / f"a{suffix}"
    source.write_bytes(members(*pages) if suffix == ".warc.gz" else b"".join(pages))
    size = source.stat().st_size
    lake, alone = Lake(str(tmp_path / "lake")), Lake(str(tmp_path / "alone"))

    def other() -> None:
        with contextlib.suppress(_Interrupted):
            take(lake, str(source), span=size // 7, workers=_Meanwhile(done or 0, _stop))

    summary = take(lake, str(source), span=size // 5, workers=_Meanwhile(after, other))
    assert not summary.files_failed
    assert rows(lake, "SELECT count(*), count(DISTINCT url) FROM captures") == [(60, 60)]
    take(alone, str(source), span=1 << 30)
    assert snapshot(lake) == snapshot(alone)
    assert take(lake, str(source)).files_skipped == 1


@pytest.mark.parametrize("moment", ["before the commit", "while known texts are restored"])
def test_of_two_commits_of_overlapping_spans_at_once_one_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(known_texts, "_HELD", 4)  # keep them of a small lake too
    mine, others = str(tmp_path / "mine"), str(tmp_path / "others")
    pages = [record(url=f"http://e.example/{n}", body=f"<p>Page {n}</p>" + "x" * 300) for n in range(16)]
    first, last, source = (str(tmp_path / name) for name in ("first.warc", "last.warc", "a.warc"))
    for path, some in ((first, pages[:6]), (last, pages[6:8]), (source, pages[8:])):
        Path(path).write_bytes(b"".join(some))
    lake = Lake(str(tmp_path / "lake"))
    monkeypatch.setenv("XDG_CACHE_HOME", mine)
    take(lake, first, workers=InTurn())
    monkeypatch.setenv("XDG_CACHE_HOME", others)
    take(lake, last, workers=InTurn())

    def parts(span: int) -> list[tuple[Batch, Part]]:
        batches = plan(None, list_files(source, lambda *_: None), Settings(), span)
        return [(each, work(Job(lake.location, each, datetime.now(UTC)), Context())) for each in batches]  # type: ignore[arg-type]

    monkeypatch.setenv("XDG_CACHE_HOME", mine)
    one, two = parts(1 << 30), parts(2000)
    assert len(two) > 1
    committer = Committer(lake)
    committer.begin()
    which, name = (Lake, "commit_to") if moment == "before the commit" else (commit, "digest")
    real = getattr(which, name)

    def meanwhile(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(which, name, real)
        result = real(*args, **options) if name == "digest" else None
        monkeypatch.setenv("XDG_CACHE_HOME", others)
        with contextlib.closing(Committer(lake)) as other:
            assert all(other.commit_all(two[:2]))
        if name == "digest":  # somebody cleans up the log, and what is to be read of it is gone
            delta = lake.delta("sources")
            delta.create_checkpoint()
            for entry in (Path(lake.location) / "sources" / "_delta_log").glob("*.json"):
                if int(entry.stem) < delta.version():
                    entry.unlink()
        return result if name == "digest" else real(*args, **options)

    monkeypatch.setattr(which, name, meanwhile)
    assert committer.commit_all(one) == [None]
    assert getattr(which, name) is real
    committer.close()
    take(lake, source, workers=InTurn())
    assert rows(lake, "SELECT count(*), count(DISTINCT url) FROM captures") == [(16, 16)]
