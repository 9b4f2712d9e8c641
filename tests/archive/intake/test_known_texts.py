"""What a committer knows of the texts of a lake is right, also where it was kept from an earlier command."""

from __future__ import annotations

import contextlib
import errno
import pickle
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import examples, members, record, rows, take
from forked import Command, start
from liar.judge import InTurn

from archive import vacuum
from archive.compact import compact
from archive.engine import Context
from archive.intake import known_run, known_texts
from archive.intake.commit import Committed, Committer
from archive.intake.forget import forget
from archive.intake.known_texts import KnownTexts, fingerprints
from archive.intake.part import Part
from archive.intake.plan import plan
from archive.intake.table_log import transactions
from archive.intake.unit import Batch, Settings
from archive.intake.work import Job, work
from archive.lake import Lake
from archive.sources import list_files
from archive.tables import DOCUMENTS, TABLES

Write = Callable[[str, bytes], str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the known texts of small lakes too, in a folder of this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(known_texts, "_HELD", 8)
    monkeypatch.setattr(known_texts, "_MERGED", 64)
    monkeypatch.setattr(known_run, "_PAGE", 16)
    monkeypatch.setattr(known_run, "_AT_ONCE", 16)
    return tmp_path / "cache"


def _ids(*numbers: int) -> known_run.Fingerprints:
    return fingerprints(pa.array([f"{number:032x}{'0' * 32}" for number in numbers]))


def _runs(cache: Path) -> list[Path]:
    return sorted(cache.rglob("run-*"))


def test_a_content_id_becomes_its_first_128_bits(tmp_path: Path) -> None:
    high, low = fingerprints(pa.chunked_array([["0123456789abcdef" * 4], ["f" * 64]]))
    assert [hex(each) for each in (*high, *low)] == ["0x123456789abcdef", hex(2**64 - 1)] * 2
    for wrong in ("f" * 63, "F" * 64, "g" * 64):
        with pytest.raises(ValueError, match="a content id"):
            fingerprints(pa.array([wrong]))


def test_it_answers_as_a_set_whatever_is_in_memory_in_runs_and_merged(cache: Path) -> None:
    dice, known, there = np.random.default_rng(1), KnownTexts("here"), set[int]()
    for step in range(60):
        # a few upper words only, so that many texts share one
        numbers = [(int(dice.integers(0, 40)) << 121) + int(dice.integers(0, 40)) for _ in range(10)]
        expected = [number not in there and number not in numbers[:at] for at, number in enumerate(numbers)]
        assert known.new(_ids(*numbers)).tolist() == expected, step
        known.add(_ids(*(number for number, new in zip(numbers, expected, strict=True) if new)))
        there.update(numbers)
    assert len(known) == len(there) > 300
    assert len(_runs(cache)) > len(known._runs)
    known.keep("all")
    assert len(_runs(cache)) == len(known._runs) < 16
    known.close()
    again = KnownTexts("here")
    assert again.restore() == "all"
    assert not again.new(_ids(*there)).any()
    again.close()


def test_texts_that_are_taken_out_are_gone_until_they_come_again(cache: Path) -> None:
    dice, known, there = random.Random(2), KnownTexts("here"), set[int]()
    for step in range(150):
        numbers = dice.sample(range(80), 12)
        if step % 3 == 2 and there:
            out = set(dice.sample(sorted(there), min(len(there), 6)))
            rest = {number for number in out if dice.random() < 0.5} | {1000 + step}
            if known.exchange(_ids(*out), _ids(*rest)):
                there = there - out | rest
        else:
            known.add(_ids(*(number for number in numbers if number not in there)))
            there.update(numbers)
        if step % 20 == 19:
            known.keep(step)
            known.close()
            known = KnownTexts("here")
            assert known.restore() == step
        asked = list(range(90)) + list(range(1000, 1150))
        assert known.new(_ids(*asked)).tolist() == [number not in there for number in asked], step
    assert len(known._gone[0])
    assert not known.exchange(_ids(*range(500, 700)), _ids()), "so many are read anew"
    known.close()


@pytest.mark.parametrize("whose", ["a run", "the second run", "a merged run", "each run", "the manifest"])
def test_a_full_disk_makes_no_text_unknown_and_fails_no_ingest(
    cache: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    known, real, calls = KnownTexts("here"), known_texts.write_run, list[int]()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def some(path: Path, count: int, parts: Iterable[known_run.Fingerprints]) -> known_run.Run:
        calls.append(count)
        if whose == "each run" or {"a run": 1, "the second run": 2, "a merged run": 9}.get(whose) == len(calls):
            full()
        return real(path, count, parts)

    monkeypatch.setattr(known_texts, "write_run", some)
    if whose == "the manifest":
        monkeypatch.setattr(known_texts, "write_file", full)
    for first in range(0, 200, 8):
        known.add(_ids(*range(first, first + 8)))
        assert not known.new(_ids(*range(first + 8))).any(), first
    with contextlib.suppress(OSError):  # which a committer notes, and no more
        known.keep("kept")
    assert known.new(_ids(*range(210))).tolist() == [False] * 200 + [True] * 10
    known.close()
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    again = KnownTexts("here")
    if again.restore() == "kept":
        assert again.new(_ids(*range(210))).tolist() == [False] * 200 + [True] * 10
    again.close()


def test_of_two_at_once_one_writes_and_the_other_may_read(cache: Path) -> None:
    one = KnownTexts("here")
    one.add(_ids(*range(20)))
    one.keep("one")
    two = KnownTexts("here")
    assert two.restore() == "one"
    two.add(_ids(*range(20, 200)))
    two.keep("two")
    assert two.new(_ids(5, 150, 300)).tolist() == [False, False, True]
    assert one.new(_ids(5, 150, 300)).tolist() == [False, True, True]
    one.close()
    two.close()
    three = KnownTexts("here")
    assert three.restore() == "one"
    three.close()


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)


def _each_run(folder: Path, do: Callable[[Path], object]) -> None:
    for run in _runs(folder):
        do(run)


_DAMAGES: dict[str, Callable[[Path], object]] = {
    "read-only": lambda folder: _read_only(folder),
    "the runs of another": lambda folder: _each_run(folder, _exchange),
    "flipped": lambda folder: _each_run(folder, _flip),
    "short": lambda folder: _each_run(folder, lambda run: run.write_bytes(b"short")),
    "gone": lambda folder: _each_run(folder, Path.unlink),
    "half a manifest": lambda folder: _half(next(folder.rglob("known.json"))),
    "another manifest": lambda folder: next(folder.rglob("known.json")).write_text('{"format": 1, "of": [], "sum": 0}'),
    "a flipped manifest": lambda folder: _flip(next(folder.rglob("known.json"))),
    "nothing": lambda folder: shutil.rmtree(folder),
    "no folder": lambda folder: (shutil.rmtree(folder), folder.write_text("a file")),
}


def _read_only(folder: Path) -> None:
    """Let no file be made here: for root, by folders in place of the files that are written."""
    for manifest in folder.rglob("known.json"):
        (manifest.parent / "lock").unlink()
        (manifest.parent / "lock").mkdir()


def _exchange(run: Path) -> None:
    run.write_bytes(np.random.default_rng(1).bytes(run.stat().st_size))


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _sources(write: Write, *ranges: range) -> Iterator[str]:
    for number, texts in enumerate(ranges):
        pages = [record(url=f"http://{number}.example/{n}", body=f"<p>Text number {n}.</p>") for n in texts]
        yield write(f"{number}-{texts.start}-{texts.stop}.warc.gz", members(*pages))


def _reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the files of documents that committers read."""
    read: list[str] = []
    real = Committer._read

    def reading(self: Committer, path: str) -> bool:
        read.append(path)
        return real(self, path)

    monkeypatch.setattr(Committer, "_read", reading)
    return read


def _is_right(lake: Lake, count: int) -> bool:
    return bool(rows(lake, "SELECT count(*), count(DISTINCT content_id) FROM documents") == [(count, count)])


def test_what_is_damaged_is_made_anew(lake: Lake, write: Write, cache: Path) -> None:
    first, *others = _sources(write, *(range(start, start + 20) for start in range(0, 10 * len(_DAMAGES) + 10, 10)))
    take(lake, first)
    for (damage, do), source in zip(_DAMAGES.items(), others, strict=True):
        assert _runs(cache), damage
        do(cache)
        assert take(lake, source).new_texts == 10, damage
        if damage == "read-only":
            for lock in cache.rglob("lock"):
                lock.rmdir()
    assert _is_right(lake, 20 + 10 * len(_DAMAGES))


def test_damage_that_a_look_up_meets_first_makes_no_text_known_or_twice(
    lake: Lake, write: Write, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = _sources(write, range(200), range(150, 250), range(240, 260))
    take(lake, first)
    for run in _runs(cache):
        data = bytearray(run.read_bytes())
        data[: len(data) // 3] = bytes(len(data) // 3)  # as a power cut leaves it
        run.write_bytes(data)
    read = _reads(monkeypatch)
    assert take(lake, second).new_texts == 50
    assert len(read) >= 1, "all was read anew"
    assert take(lake, third).new_texts == 10
    assert _is_right(lake, 260)


def test_the_next_ingest_reads_only_what_is_new(lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third, fourth = _sources(write, range(20), range(10, 30), range(40), range(50))
    take(lake, first)
    read = _reads(monkeypatch)
    take(lake, second)
    assert read == [], "its own texts are known when they are committed"
    with monkeypatch.context() as patch:
        patch.setattr(KnownTexts, "keep", lambda *_: None)  # as if it were killed
        take(lake, third)
    read.clear()
    assert take(lake, fourth).new_texts == 10
    assert len(read) == 1, "of the one that did not keep its texts"
    assert _is_right(lake, 50)


def test_a_text_that_was_forgotten_is_not_known_any_more(lake: Lake, write: Write, cache: Path) -> None:
    first, second = _sources(write, range(20), range(10, 30))
    take(lake, first)
    assert _runs(cache)
    forget(lake, first)
    assert take(lake, second).new_texts == 20
    assert take(lake, first).new_texts == 10
    assert _is_right(lake, 30)


def test_forgetting_reads_what_it_wrote_and_nothing_else(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = list(_sources(write, *(range(number, number + 20) for number in range(0, 120, 20))))
    with contextlib.closing(Committer(lake)) as first:
        for part in _parts(lake, *sources):
            first.commit(*part)
    (more,) = _sources(write, range(110, 150))
    committer = Committer(lake)
    committer.recover()
    assert committer.commit(*_parts(lake, more)[0]) == Committed(30, 10)
    read = _reads(monkeypatch)
    forget(lake, sources[3])
    assert take(lake, sources[3]).new_texts == 20
    assert len(read) <= 1, "of the ingest before it, which did not keep its texts"
    # the committer that was open follows both
    later = _parts(lake, *_sources(write, range(55, 85)))
    assert committer.commit_all(later) == [Committed(0, 30)]
    forget(lake, sources[4])
    read.clear()
    assert committer.commit_all(_parts(lake, *_sources(write, range(78, 92)))) == [Committed(7, 7)]
    assert not read
    committer.close()
    assert _is_right(lake, 142)


@pytest.mark.parametrize("table", ["documents", "sources and documents"])
def test_a_table_that_was_put_back_in_time_has_not_what_came_since(lake: Lake, write: Write, table: str) -> None:
    first, second, third = _sources(write, range(20), range(20, 40), range(40))
    take(lake, first)
    before = {name: lake.delta(name).version() for name in table.split(" and ")}
    take(lake, second)
    for name, version in before.items():
        lake.delta(name).restore(version)
    assert take(lake, third).new_texts == 20
    assert _is_right(lake, 40)


@pytest.mark.parametrize("lost", ["documents", "captures"])
def test_texts_of_a_decision_whose_files_were_lost_are_not_known(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    parts = _parts(lake, *_sources(write, range(20), range(20, 40)))
    (late,) = _parts(lake, *_sources(write, range(60)))
    watching, real = Committer(lake), Lake.commit
    watching.recover()
    assert watching.commit_all(_parts(lake, *_sources(write, range(100, 120)))) == [Committed(20, 0)]

    def die(self: Lake, which: object, *args: object) -> bool:
        raise KeyboardInterrupt

    dying = Committer(lake)
    monkeypatch.setattr(Lake, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        dying.commit_all(parts)
    monkeypatch.setattr(Lake, "commit", real)
    dying.close()  # what it keeps has the texts that were to come
    for _, part in parts:
        lake.discard([file for file in part.files if file.table == lost])
    other = Committer(lake)
    assert other.recover().lost
    assert watching.commit(*late) == Committed(60, 0)
    watching.close()
    other.close()
    assert _is_right(lake, 80)


def test_a_lake_that_was_put_back_from_an_older_copy_is_another_one(lake: Lake, write: Write, tmp_path: Path) -> None:
    first, second, third, fourth = _sources(write, range(20), range(20, 40), range(40, 60), range(60))
    take(lake, first)
    shutil.copytree(lake.location, tmp_path / "copy")
    take(lake, second)
    shutil.rmtree(lake.location)
    shutil.copytree(tmp_path / "copy", lake.location)
    take(lake, third)  # its log is as long as before, and another one
    assert take(lake, fourth).new_texts == 20
    assert _is_right(lake, 60)


def test_another_lake_in_the_same_folder_is_another_one(lake: Lake, write: Write) -> None:
    first, second = _sources(write, range(20), range(30))
    take(lake, first)
    shutil.rmtree(lake.location)
    assert take(lake, second).new_texts == 30
    assert _is_right(lake, 30)


def test_merging_files_changes_nothing_in_what_is_known(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = list(_sources(write, *(range(n, n + 12) for n in range(0, 36, 6))))
    for source in sources[:3]:
        take(lake, source)
    monkeypatch.setattr("archive.compact.CROWD", 3)
    read = _reads(monkeypatch)
    for source in sources[3:]:
        take(lake, source)
    assert len(lake.files("documents")) < 5
    assert not read
    assert _is_right(lake, 42)


@pytest.mark.parametrize("table", ["sources", "documents"])
def test_a_damaged_hint_of_the_last_checkpoint_changes_nothing(lake: Lake, write: Write, table: str) -> None:
    """A power cut may leave it empty."""
    one, two = _sources(write, range(12), range(6, 18))
    take(lake, one, workers=InTurn())
    lake.delta(table).create_checkpoint()
    hint = Path(lake.location) / table / "_delta_log" / "_last_checkpoint"
    for damaged in (b"", b"\xff", b"[]", b"null", b'{"version": "1"}', b'{"version": 1e999}', b'{"version": -1}'):
        hint.write_bytes(damaged)
        assert transactions(lake, table, lake.delta(table)) is not None
        assert vacuum.planned(lake, TABLES[table], 0, ()).files == []
    take(lake, two, workers=InTurn())
    assert _is_right(lake, 18)


# -- several parts in one commit --------------------------------------------------------------------------


def _parts(lake: Lake, *sources: str) -> list[tuple[Batch, Part]]:
    lake.create()
    found = []
    for source in sources:
        for batch in plan(None, list_files(source, lambda *_: None), Settings()):
            assert isinstance(batch, Batch)
            found.append((batch, work(Job(lake.location, batch, datetime.now(UTC)), Context())))
    return found


def test_parts_that_are_committed_together_bring_each_text_once(lake: Lake, write: Write) -> None:
    sources = list(_sources(write, range(20), range(10, 30), range(15), range(25, 50)))
    parts = _parts(lake, *sources)
    again = _parts(lake, sources[1])
    one, two = Committer(lake), Committer(lake)
    assert two.commit_all(_parts(lake, *_sources(write, range(100, 110)))) == [Committed(10, 0)]
    assert one.commit_all(parts[:1]) == [Committed(20, 0)]
    versions = [lake.delta(table).version() for table in ("sources", "documents", "captures")]
    # two knows the texts of one; the same unit comes once
    ends = two.commit_all([*parts[1:3], *again, *parts[3:]])
    assert ends == [Committed(10, 10), Committed(0, 15), None, Committed(20, 5)]
    after = [lake.delta(table).version() for table in ("sources", "documents", "captures")]
    assert [new - old for new, old in zip(after, versions, strict=True)] == [1, 1, 1]
    assert one.commit_all(again) == [None]
    for committer in (one, two):
        assert committer.recover().decisions == 0
        committer.close()
    assert _is_right(lake, 60)
    assert rows(lake, "SELECT count(*) FROM captures") == [(90,)]


@pytest.mark.parametrize("table", ["documents", "captures"])
def test_a_group_whose_committer_dies_in_between_is_carried_out(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    parts = _parts(lake, *_sources(write, range(20), range(10, 30), range(30)))
    real = Lake.commit

    def die(self: Lake, which: object, *args: object) -> bool:
        if which.name == table:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return real(self, which, *args)  # type: ignore[arg-type]

    dying = Committer(lake)
    monkeypatch.setattr(Lake, "commit", die)
    with pytest.raises(KeyboardInterrupt):
        dying.commit_all(parts)
    monkeypatch.setattr(Lake, "commit", real)
    dying.close()  # what it keeps has the texts that it decided to bring
    other = Committer(lake)
    (late,) = _parts(lake, *_sources(write, range(5, 35)))
    assert other.commit(*late) == Committed(5, 25), "decided texts are known before they are in the table"
    assert other.recover().decisions == 3
    other.close()
    assert _is_right(lake, 35)
    assert rows(lake, "SELECT count(*) FROM captures") == [(100,)]


@pytest.mark.parametrize("seed", range(examples(2)))
def test_two_committers_that_come_and_go_and_die_bring_each_text_once(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    starts = [dice.randrange(60) for _ in range(14)]
    sources = list(_sources(write, *(range(start, start + dice.randrange(1, 25)) for start in starts)))
    waiting = _parts(lake, *sources)
    real = Lake.commit
    caches = [tmp_path / "cache", tmp_path / ("other" if seed % 2 else "cache")]  # two machines, or one

    def committer(at: int) -> Committer:
        monkeypatch.setenv("XDG_CACHE_HOME", str(caches[at]))
        made = Committer(lake)
        made.recover()
        return made

    def die(self: Lake, which: object, *args: object) -> bool:
        if dice.random() < 0.5:
            raise KeyboardInterrupt
        return real(self, which, *args)  # type: ignore[arg-type]

    committers = [committer(0), committer(1)]
    while waiting:
        group, waiting = waiting[: (count := dice.randrange(1, 4))], waiting[count:]
        at = dice.randrange(2)
        what = dice.choice(["commit", "close", "drop", "die", "merge", "forget", "copy", "old cache", "vacuum"])
        if what == "merge":
            monkeypatch.setattr("archive.compact.CROWD", 2)
            compact(lake, DOCUMENTS)
        elif what == "vacuum":
            lake.delta("documents").vacuum(0, dry_run=False, enforce_retention_duration=False)
        elif what == "forget":
            gone = dice.choice([path for path in lake.read("sources", ["file"])["file"].to_pylist() if path] or [""])
            if gone:
                forget(lake, gone)
                waiting += _parts(lake, gone)
        elif what == "die":
            monkeypatch.setattr(Lake, "commit", die)
        elif what == "copy" and caches[at].exists():
            shutil.copytree(caches[at], tmp_path / "old", dirs_exist_ok=True)
        elif what == "old cache" and (tmp_path / "old").exists():
            committers[at].close()
            shutil.rmtree(caches[at], ignore_errors=True)
            shutil.copytree(tmp_path / "old", caches[at])
            committers[at] = committer(at)
        elif what == "close":
            committers[at].close()
        if what in {"close", "drop"}:
            committers[at] = committer(at)
        try:
            assert None not in committers[at].commit_all(group)
        except KeyboardInterrupt:
            committers[at] = Committer(lake)  # whoever comes next carries out what was decided
        monkeypatch.setattr(Lake, "commit", real)
    for each in committers:
        each.recover()
        each.close()
    texts = {f"Text number {n}." for source in sources for n in range(*map(int, source[:-8].split("-")[-2:]))}
    assert sorted(text for (text,) in rows(lake, "SELECT text FROM documents")) == sorted(texts)
    assert take(lake, *sources).files_skipped == len(sources)


#: Commits what is left of parts, two at a time, with a cache of this machine's own.
_MACHINE = """
import os, pickle
from pathlib import Path
from archive.intake import known_run, known_texts
from archive.intake.commit import Committer
from archive.lake import Lake

os.environ["XDG_CACHE_HOME"] = {cache!r}
known_texts._HELD = 8
lake = Lake({lake!r})
committer = Committer(lake)
committer.recover()
done = set(lake.read("sources", ["unit"])["unit"].to_pylist())
parts = pickle.loads(Path({parts!r}).read_bytes())
left = [(batch, part) for batch, part in parts if batch.units[0].key not in done]
for at in range(0, len(left), 2):
    committer.commit_all(left[at : at + 2])
committer.close()
"""


def test_of_two_machines_at_once_one_is_killed_and_each_text_is_there_once(
    lake: Lake, write: Write, tmp_path: Path
) -> None:
    sources = list(_sources(write, *(range(n, n + 25) for n in range(0, 80, 4))))
    parts = _parts(lake, *sources)
    for at in range(2):
        (tmp_path / f"parts{at}").write_bytes(pickle.dumps(parts[at::2]))

    def started(at: int) -> Command:
        names = {name: str(tmp_path / f"{name}{at}") for name in ("cache", "parts")}
        return start([], tmp_path / f"said{at}", code=_MACHINE.format(lake=lake.location, **names))

    one, two = started(0), started(1)
    while lake.delta("sources").version() < 4:
        time.sleep(0.02)
    one.kill()
    assert one.exitcode == -9
    again = started(0)
    for process in (two, again):
        process.join(120)
        assert process.exitcode == 0
    assert Committer(lake).recover().decisions == 0
    assert _is_right(lake, 101)
    assert rows(lake, "SELECT count(*), count(DISTINCT unit) FROM captures") == [(500, 20)]
