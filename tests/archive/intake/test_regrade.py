"""`archive maintain --regrade`: an older lake becomes what an ingest by this version makes, and loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, rows, snapshot, take
from dying import Killed, killed_at_step
from forked import forked
from older import older

import lowbackground as lb
from archive.intake import decisions
from archive.intake.commit import Committer
from archive.lake import Lake
from archive.tables import SOURCES

Write = Callable[[str, bytes], str]

SPAN = 4_000


def page(number: int, date: str = "2015-03-04T05:06:07Z", **options: Any) -> bytes:
    return record(f"http://e.example/{number}", f"<p>The text of page {number}.</p>", date, **options)


@pytest.fixture
def sources(write: Write) -> list[str]:
    late = page(99, warc={"WARC-Creation-Date": "2026-01-01T00:00:00Z"})  # warcit writes such
    return [
        write("a.warc.gz", members(page(1), page(2), late)),
        write("b.warc", b"".join(page(n) for n in range(2, 30)) + record(status="404 Not Found")),
        write("c.jsonl", json.dumps({"text": "A row of a data set.", "date": "2014-01-01"}).encode()),
    ]


@pytest.fixture
def fresh(tmp_path: Path, sources: list[str]) -> Lake:
    lake = Lake(str(tmp_path / "fresh"))
    take(lake, *sources, span=SPAN)
    return lake


@pytest.fixture
def old(fresh: Lake, tmp_path: Path) -> Lake:
    return older(fresh, str(tmp_path / "old"))


def ledger(lake: Lake) -> list[dict[str, Any]]:
    columns = [name for name in SOURCES.schema.names if name not in {"files", "ingested_at", "seconds", "new_texts"}]
    found = lake.read("sources", columns).to_pylist()
    return sorted(found, key=lambda row: row["unit"])


def test_an_older_lake_becomes_what_this_version_makes_of_its_files(
    old: Lake, fresh: Lake, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.intake.regrade.SPAN", SPAN)
    assert rows(old, "SELECT count(*) FROM clean('2022-01-01')") == [(30,)]
    result = lb.maintain(old, regrade=True, workers=1)
    assert (result.files, result.replaced, result.captures, result.files_kept) == (3, 32, 32, {})
    assert (result.captures_kept, result.files_kept) == (0, {})
    assert result.grades == {"D": 30, "E": 1, "X": 1}
    assert snapshot(old) == snapshot(fresh)
    assert ledger(old) == ledger(fresh)
    assert rows(old, "SELECT count(*) FROM clean('2022-01-01')") == [(29,)]
    # nothing is left to do, and the files are known
    again = lb.maintain(old, regrade=True, workers=1)
    assert (again.files, again.captures_kept) == (0, 0)
    assert take(old, *sources).files_skipped == 3
    assert snapshot(old) == snapshot(fresh)
    lb.forget(old, sources[1])
    lb.ingest(old, sources[1], workers=1)
    assert snapshot(old) == snapshot(fresh)


def test_spans_of_another_size_change_nothing(old: Lake, fresh: Lake, sources: list[str]) -> None:
    assert lb.maintain(old, regrade=True, workers=2).files == 3
    assert snapshot(old) == snapshot(fresh)
    assert rows(old, "SELECT count(*), count(sha256) FROM sources") == [(3, 3)]
    assert take(old, *sources).files_skipped == 3


def test_what_cannot_be_read_any_more_stays_as_it_was(old: Lake, sources: list[str]) -> None:
    os.unlink(sources[1])
    Path(sources[2]).write_text(json.dumps({"text": "Another row.", "date": "2014-01-01"}))
    kept = "SELECT * EXCLUDE (evidence) FROM captures WHERE file IN (?, ?) ORDER BY ALL"
    db = lb.connect(old)
    before = db.execute(kept, sources[1:]).fetchall()
    result = lb.maintain(old, regrade=True, workers=1)
    assert (result.files, result.captures_kept) == (1, 29)
    assert set(result.files_kept) == set(sources[1:])
    assert "no such file" in result.files_kept[sources[1]]
    assert "not the file any more" in result.files_kept[sources[2]]
    assert lb.connect(old).execute(kept, sources[1:]).fetchall() == before
    assert rows(old, "SELECT count(*) FROM stored_captures WHERE grade IS NULL") == [(29,)]
    assert rows(old, "SELECT count(*) FROM clean('2022-01-01')") == [(29,)]  # a.warc.gz has lost page 99
    done = forked("maintain", "--regrade", "--lake", old.location, check=False)
    assert done.returncode == 1
    assert "29 captures of the lake still without a grade" in done.stdout


@pytest.mark.parametrize("at", range(7))
def test_killed_at_any_step_the_next_command_finishes_it(old: Lake, fresh: Lake, sources: list[str], at: int) -> None:
    # `_delete` is called for captures, rejects, documents and the ledger
    steps = ((decisions, "_delete"), (decisions, "_remove_lists"), (decisions, "apply"))
    with killed_at_step(at, (Committer, "replace"), *steps), pytest.raises(Killed):
        lb.maintain(old, regrade=True, workers=1)
    if at:  # it was decided, so any command that writes carries it out
        take(old, *sources)
        assert snapshot(old) == snapshot(fresh)
    assert lb.maintain(old, regrade=True, workers=1).captures_kept == 0
    assert snapshot(old) == snapshot(fresh)
    assert rows(old, "SELECT count(*) FROM sources WHERE unit LIKE 'forget-%'") == [(0,)]


def test_a_forget_after_a_kill_takes_out_what_came(
    old: Lake, sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    original, calls = decisions.settle, []

    def dying(lake: Lake) -> None:
        calls.append(lake)
        if len(calls) == 2:  # the first is in front of the commit
            raise Killed
        original(lake)

    with monkeypatch.context() as patch:
        patch.setattr(decisions, "settle", dying)
        with pytest.raises(Killed):
            lb.maintain(old, regrade=True, workers=1)
    lb.forget(old, sources[1])
    assert rows(old, "SELECT count(*) FROM rejects") == [(0,)]
    assert rows(old, "SELECT count(*) FROM captures WHERE file = '" + sources[1] + "'") == [(0,)]
    assert rows(old, "SELECT count(*) FROM stored_captures WHERE grade IS NULL") == [(0,)]
    assert rows(old, "SELECT count(*) FROM documents") == [(4,)]


@pytest.mark.parametrize("other", ["regrade", "forget"])
def test_of_two_at_once_one_counts(
    old: Lake, fresh: Lake, sources: list[str], other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Committer.replace
    began = False

    def late(self: Committer, *args: Any) -> bool:
        nonlocal began
        if not began:
            began = True
            lb.maintain(old, regrade=True, workers=1) if other == "regrade" else lb.forget(old, sources[1])
        return original(self, *args)

    monkeypatch.setattr(Committer, "replace", late)
    result = lb.maintain(old, regrade=True, workers=1)
    monkeypatch.undo()
    assert result.files == 0
    assert "run it again" in result.files_kept[sources[0]]
    assert result.captures_kept == (0 if other == "regrade" else 4)
    if other == "forget":
        assert lb.maintain(old, regrade=True, workers=1).captures_kept == 0
        lb.ingest(old, sources[1], workers=1)
    assert snapshot(old) == snapshot(fresh)


def test_records_that_were_read_with_larger_limits_are_not_lost(lake: Lake, write: Write, tmp_path: Path) -> None:
    large = write("large.warc", page(1) + record("http://l.example/", "<p>" + "many words " * 2_000_000))
    lb.ingest(lake, large, max_page=64 << 20, workers=1)
    old = older(lake, str(tmp_path / "old"))
    before = snapshot(old)
    result = lb.maintain(old, regrade=True, workers=1)
    assert "larger limits" in result.files_kept[large]
    assert (result.files, result.captures_kept) == (0, 2)
    assert snapshot(old) == before


def test_a_data_set_whose_columns_were_named_stays(lake: Lake, write: Write, tmp_path: Path) -> None:
    data = write("d.jsonl", json.dumps({"text": "One.", "body": "Two.", "date": "2014-01-01"}).encode())
    lb.ingest(lake, data, text_column="body", workers=1)
    old = older(lake, str(tmp_path / "old"))
    result = lb.maintain(old, regrade=True, workers=1)
    assert "columns were named" in result.files_kept[data]
    assert rows(old, "SELECT text FROM documents") == [("Two.",)]


def test_without_regrade_it_finishes_what_was_begun(old: Lake) -> None:
    before = snapshot(old)
    result = lb.maintain(old)
    assert (result.files, result.captures_kept) == (0, 0)
    assert snapshot(old) == before
