"""Each passage of a text is found in a lake, with the earliest text that has it; whatever the order of the ingests."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from conftest import examples
from forked import forked, killed
from made import put, words
from plain_passages import RUN, runs

import lowbackground as lb
from archive.engine import Context, open_engine
from archive.errors import ArchiveError, LakeError
from archive.lake import Lake, NewFile
from index import stage as stages
from index.passages import find, segments
from index.passages.find import PassageIndex
from index.passages.stage import Passages
from index.tables import PASSAGES


def build(lake: Lake) -> int:
    return stages.run(Passages(), lake, open_engine(1))


def texts_with_dates(count: int, seed: int) -> list[tuple[str, str]]:
    """Texts that share passages, common and rare ones, of dates in no order."""
    dice = random.Random(seed)
    pieces = [words(dice.randint(10, 40), seed + number) for number in range(12)]
    footer = words(20, seed + 99)
    out = []
    for number in range(count):
        text = [*words(dice.randint(0, 20), 1000 + seed + number)]
        for piece in dice.sample(pieces, 3):
            first = dice.randint(0, len(piece) // 3)
            text += piece[first : len(piece) - dice.randint(0, len(piece) // 3)]
        out.append((" ".join([*text, *footer]), f"20{dice.randint(10, 21)}-{dice.randint(1, 12):02}-01"))
    return out


def expected(question: str, dated: list[tuple[str, str]], before: str) -> dict[int, str]:
    """The earliest date of each run of 15 words of a question, found by comparing all."""
    first: dict[tuple[str, ...], str] = {}
    for text, date in dated:
        if date < before:
            for run in runs(text):
                first[run] = min(first.get(run, "9"), date)
    return {at: first[run] for run, places in runs(question).items() if run in first for at in places}


@pytest.mark.parametrize("seed", [1, 2])
def test_passages_are_those_of_brute_force_with_the_earliest_date(lake: Lake, tmp_path: Path, seed: int) -> None:
    dated = texts_with_dates(40, seed)
    for first in range(0, 40, 15):
        put(lake, tmp_path / "in", dated[first : first + 15])
        build(lake)
    with PassageIndex(lake) as index:
        for text, date in [*dated[:10], (texts_with_dates(1, seed)[0][0].upper(), "2030-01-01")]:
            wanted = expected(text, dated, date)
            got = index.find(text, before=datetime.fromisoformat(date).replace(tzinfo=UTC))
            by_word: dict[int, str] = {}
            for at, moment in wanted.items():
                for word in range(at, at + RUN):
                    by_word[word] = min(by_word.get(word, "9"), moment)
            assert got.is_complete
            assert got.known_words == len(by_word)
            held = text.split()
            starts = np.cumsum([0, *(len(word) + 1 for word in held)]).tolist()
            dates = {}
            for passage in got.passages:
                first_word = starts.index(passage.start)
                assert got.text[passage.start : passage.end].split() == held[first_word : first_word + passage.words]
                for word in range(first_word, first_word + passage.words):
                    dates[word] = f"{passage.first_seen:%Y-%m-01}"  # a day is read as its end
            assert dates == by_word
            for quote in got.quotes:
                first_word = starts.index(quote.start)
                there = [wanted[at] for at in range(first_word, first_word + quote.words - RUN + 1)]
                assert max(there) == f"{quote.first_seen:%Y-%m-01}"  # no earlier text has all of it


def test_many_texts_at_once_give_what_each_gives_alone(lake: Lake, tmp_path: Path) -> None:
    dated = texts_with_dates(30, 5)
    put(lake, tmp_path / "in", dated)
    build(lake)
    asked = [text for text, _ in dated[:8]]
    with PassageIndex(lake, datetime(2015, 1, 1, tzinfo=UTC)) as index:
        traced = index.trace(pa.array(asked, pa.large_string()), open_engine(1), str(tmp_path))
        for text, each in zip(asked, traced, strict=True):
            got = index.find(text)
            assert sum(behind - first for first, behind, _ in find.parts(each)) == got.known_words
            assert all(passage.first_seen < datetime(2015, 1, 1, tzinfo=UTC) for passage in got.passages)


def test_the_earliest_text_is_found_among_very_many_that_share_a_fingerprint(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, more = words(12, 1), words(30, 2)
    dated = [(" ".join([*shared, *words(5, 100 + number)]), f"2010-01-{number % 28 + 1:02}") for number in range(60)]
    dated.append((" ".join(shared + more), "2015-01-01"))
    dated.append((" ".join(shared + more), "2016-01-01"))
    put(lake, tmp_path / "in", dated)
    build(lake)
    with PassageIndex(lake) as index:
        got = index.find(" ".join(shared + more))
        assert got.known_words == 42
        assert {f"{each.first_seen:%Y}" for each in got.passages} == {"2015"}
        monkeypatch.setattr(find, "_ROUNDS", (1, 8))
        capped = index.find(" ".join([*shared, *more[:4]]))
        assert capped.known_words == 0  # the eight earliest that have the fingerprint are read, and not the later ones
        assert not capped.is_complete


def test_the_order_of_ingests_and_merges_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_CROWD", 3)
    monkeypatch.setattr(segments, "_ROWS", 200)
    monkeypatch.setattr(segments, "_GROUP", 64)
    dated = texts_with_dates(24, 9)
    answers = []
    for name, step in (("one", 24), ("many", 6)):
        lake = Lake(tmp_path / name)
        order = dated if name == "one" else dated[::-1]
        for first in range(0, 24, step):
            put(lake, tmp_path / f"in-{name}", order[first : first + step])
            assert build(lake) == step
        assert build(lake) == 0
        assert len(segments.files(lake)) < 4
        with PassageIndex(lake) as index:
            answers.append(
                [[(p.start, p.end, p.first_seen, p.content_id) for p in index.find(t).quotes] for t, _ in dated]
            )
        keys = lake.read("passages", ["key", "content_id"])
        assert len(keys) - keys["content_id"].null_count == 24
    assert answers[0] == answers[1]


def test_two_runs_while_documents_are_merged_index_each_text_once(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_ROWS", 20)
    monkeypatch.setattr(segments, "_GROUP", 8)
    some = [" ".join(words(60, seed)) for seed in range(3)]
    put(lake, tmp_path / "in", [(some[0], "2015-01-01"), (some[1], "2015-01-01")])
    put(lake, tmp_path / "in", [(some[2], "2015-01-01")])
    Passages().create(lake)

    def begun() -> tuple[stages.Others, list[tuple[str, NewFile | None]]]:
        others = stages.Others(Passages(), lake)
        return others, [(each.file, stages.work(each, Context()).file) for each in stages.pending(Passages(), lake)]

    one, (first, second) = begun()
    lake.delta("documents").optimize.compact()
    other, (both,) = begun()
    assert stages.commit(Passages(), lake, *first, one)
    assert stages.commit(Passages(), lake, *both, other)  # a segment without the texts of `first`
    assert stages.commit(Passages(), lake, *second, one)  # nothing of it is left
    stored = lake.read("passages", ["content_id"])["content_id"].drop_null()
    assert len(stored) == len(set(stored.to_pylist())) == 3
    assert len(list((tmp_path / "lake" / "passages").glob("*/*.parquet"))) == 2
    with PassageIndex(lake) as index:
        for text in some:
            assert [quote.words for quote in index.find(text).quotes] == [60]


def test_a_merge_that_was_killed_or_overtaken_changes_nothing(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        put(lake, tmp_path / "in", [(" ".join(words(60, number)), "2015-01-01")])
        build(lake)
    before = segments.files(lake)
    segments._merged(lake, [file.path for file in before])  # written, and killed before its commit
    assert segments.files(lake) == before
    monkeypatch.setattr(segments, "_CROWD", 3)
    merged = segments._merged

    def overtaken(lake: Lake, paths: list[str]) -> object:
        monkeypatch.setattr(segments, "_merged", merged)
        segments.compact(lake)
        return merged(lake, paths)

    monkeypatch.setattr(segments, "_merged", overtaken)
    segments.compact(lake)
    assert len(segments.files(lake)) == 1
    assert sum(each is not None for each in lake.read("passages", ["content_id"])["content_id"].to_pylist()) == 3


def test_fingerprints_that_were_not_committed_change_nothing(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(60, 1)), "2015-01-01")])
    Passages().create(lake)
    (task,) = stages.pending(Passages(), lake)
    written = stages.work(task, Context())
    assert build(lake) == 1
    assert not stages.commit(Passages(), lake, task.file, written.file)
    assert len(segments.files(lake)) == 1


def fingerprinted(lake: Lake) -> set[tuple[str, int]]:
    """All fingerprints of all texts; each text must be in one segment."""
    held: list[tuple[str, int]] = []
    texts: list[str] = []
    for file in segments.files(lake):
        segment = segments.Segment(lake, file.path)
        own = segment.content_ids().to_pylist()
        keys, rows = segment.between(0, 1 << 48)
        held += [(own[row], key) for key, row in zip(keys.tolist(), rows.tolist(), strict=True)]
        texts += own
        segment.close()
    assert len(texts) == len(set(texts))
    assert len(held) == len(set(held))
    return set(held)


def test_killed_anywhere_or_run_twice_at_once_each_text_is_in_one_segment(lake: Lake, tmp_path: Path) -> None:
    dated, whole = texts_with_dates(27, 3), Lake(tmp_path / "whole")
    put(whole, tmp_path / "in-one", dated)
    for first in range(0, 27, 3):  # so many segments that they are merged
        put(lake, tmp_path / "in", dated[first : first + 3])
    started = time.monotonic()
    forked("index", "--passages", "--lake", whole.location, "--quiet")
    seconds, dice = time.monotonic() - started, random.Random(5)
    command = ["index", "--passages", "--lake", lake.location, "--quiet"]
    for _ in range(examples(2)):
        killed(command, dice.uniform(seconds / 3, seconds), tmp_path / "printed")
        if lake.has(PASSAGES):
            assert fingerprinted(lake) <= fingerprinted(whole)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: forked(*command), range(2)))
    assert [done.returncode for done in both] == [0, 0]
    assert fingerprinted(lake) == fingerprinted(whole)
    assert len({text for text, _ in fingerprinted(lake)}) == 27


def test_index_keeps_the_passages_of_a_lake_that_has_them(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(60, 1)), "2015-01-01")])
    assert lb.index(lake, workers=1).passages is None
    with pytest.raises(LakeError, match="archive index --passages"):
        PassageIndex(lake)
    assert not lake.has(PASSAGES)
    lb.index(lake, workers=1, witness_only=tmp_path / "witnesses")
    with pytest.raises(LakeError, match="holds no texts"):
        PassageIndex(tmp_path / "witnesses")
    assert lb.index(lake, workers=1, passages=True).passages == 1
    put(lake, tmp_path / "in", [(" ".join(words(60, 2)), "2015-01-01"), ("few words", "2015-01-01")])
    assert lb.index(lake, workers=1).passages == 2


def test_an_index_of_another_version_is_refused(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fingerprints would lead nowhere, and no passage would be found."""
    put(lake, tmp_path / "in", [(" ".join(words(60, 1)), "2015-01-01")])
    build(lake)
    monkeypatch.setattr(Passages, "version", 2)
    with pytest.raises(LakeError, match="they are not comparable"):
        PassageIndex(lake)
    with lb.Lookup(lake, kinds="quote") as lookup:
        assert "they are not comparable" in lookup.not_searched["quote"]


@pytest.mark.parametrize("table", ["documents", "passages", "captures"])
def test_a_file_that_is_broken_or_lost_is_named(lake: Lake, tmp_path: Path, table: str) -> None:
    text = " ".join(words(60, 1))
    put(lake, tmp_path / "in", [(text, "2015-01-01")])
    build(lake)
    (path,) = (tmp_path / "lake" / table).rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LakeError, match=f"{table}.* is broken"):
        lb.passages(lake, text)
    path.unlink()
    with pytest.raises(LakeError, match=f"{table}.* is lost"):
        lb.passages(lake, text)


def test_a_capture_that_proves_nothing_dates_no_passage(lake: Lake, tmp_path: Path) -> None:
    text = " ".join(words(40, 1))
    put(lake, tmp_path / "in", [(text, "2099-01-01"), (f"{text} and more", "2019-01-01")])
    build(lake)
    with PassageIndex(lake) as index:
        (passage,) = index.find(text).passages
        assert (passage.first_seen.year, passage.grade, passage.words) == (2019, "D", 40)
    with PassageIndex(lake, datetime(2019, 1, 1, tzinfo=UTC)) as index:
        assert index.find(text).passages == ()


def test_captures_that_prove_a_grade_together_must_all_be_from_before(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "in", [(" ".join(words(40, 1)), "2015-01-01")])
    build(lake)
    for options in ({"archives": 2}, {"grade": "b"}):
        with PassageIndex(lake, **options) as index, pytest.raises(ArchiveError, match="open the index"):  # type: ignore[arg-type]
            index.find("text", before="2022-01-01")


def test_positions_are_characters(lake: Lake, tmp_path: Path) -> None:
    run = "é 🙂 " + " ".join(words(20, 1))
    put(lake, tmp_path / "in", [(run, "2015-01-01")])
    build(lake)
    with PassageIndex(lake) as index:
        got = index.find(f"  猫猫 ÄÖÜ — {run}. 🙂 x")
        (passage,) = got.passages
        assert got.text[passage.start : passage.end] == run
        assert lb.passages(lake, run).known_words == 21
        assert lb.passages(lake, run, before="2015-01-01").known_words == 0
        assert index.find("").passages == index.find("猫 " * 10).passages == ()
