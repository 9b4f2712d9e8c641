"""An export takes the grade that is asked for, and each row states its own with the evidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, take

from archive.errors import ExportError
from archive.lake import Lake
from query.counts import stats
from query.dataset import load
from query.export.run import export
from query.verify.run import verify

Write = Callable[[str, bytes], str]
BEFORE = "2022-01-01"


@pytest.fixture
def graded(lake: Lake, write: Write) -> Lake:
    """A text of each of the grades C, D and E."""
    confirmed = record(
        "http://c.org/",
        "<p>The server states the same day.</p>",
        "2015-05-06T07:08:09Z",
        http={"Date": "Wed, 06 May 2015 07:08:10 GMT"},
    )
    plain = record("http://d.org/", "<p>Nothing but the record's date.</p>", "2016-05-06T07:08:09Z")
    row = {"text": "Somebody wrote the date of this.", "date": "2014-02-03", "url": "http://e.org/"}
    take(lake, write("a.warc.gz", members(confirmed, plain)), write("rows.jsonl", json.dumps(row).encode() + b"\n"))
    return lake


def grades(out: Path) -> dict[str, str]:
    return {row["url"][7]: row["grade"] for row in load(out)}


def test_a_set_holds_what_has_the_grade_that_is_asked_for(graded: Lake, tmp_path: Path) -> None:
    result = export(graded, tmp_path / "set", before=BEFORE, workers=1)
    assert grades(tmp_path / "set") == {"c": "C", "d": "D"}
    assert result.grades == {"C": 1, "D": 1}
    assert load(tmp_path / "set").arguments.grade == "D"
    export(graded, tmp_path / "best", before=BEFORE, grade="c", workers=1)
    assert grades(tmp_path / "best") == {"c": "C"}
    with pytest.raises(ExportError, match="the set is empty"):
        export(graded, tmp_path / "two", before=BEFORE, archives=2, workers=1)


@pytest.mark.parametrize("format_", ["parquet", "jsonl", "mds"])
def test_each_row_carries_its_evidence_in_every_format(graded: Lake, tmp_path: Path, format_: str) -> None:
    export(graded, tmp_path / "set", before=BEFORE, grade="E", format=format_, workers=1)
    assert grades(tmp_path / "set") == {"c": "C", "d": "D", "e": "E"}
    evidence = {row["url"][7]: row["evidence"] for row in load(tmp_path / "set")}
    assert evidence == {
        "c": ["warc-date 2015-05-06T07:08:09Z agrees", "http-date 2015-05-06T07:08:10Z agrees"],
        "d": ["warc-date 2016-05-06T07:08:09Z agrees"],
        "e": ["date 2014-02-04T13:59:59.999999Z agrees"],
    }
    assert verify(tmp_path / "set", all=True, workers=1).sound
    card = (tmp_path / "set" / "README.md").read_text()
    assert "| C consistent | 1 |" in card
    assert "| E claimed | 1 |" in card


@pytest.mark.parametrize("wrong", [{"grade": "X"}, {"grade": "F"}, {"archives": 0}])
def test_a_grade_that_does_not_exist_is_refused(lake: Lake, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match=r"grade|archives"):
        export(lake, tmp_path / "set", before=BEFORE, **wrong)


def test_captures_are_counted_by_grade(graded: Lake) -> None:
    assert stats(graded).captures_by_grade == {"C": 1, "D": 1, "E": 1}


def test_a_finished_set_with_work_left_is_not_that_of_another_lake(graded: Lake, tmp_path: Path) -> None:
    export(graded, tmp_path / "set", before=BEFORE, workers=1)
    state = {path.name: path.read_bytes() for path in (tmp_path / "set").iterdir() if path.is_file()}
    (tmp_path / "set" / ".work").mkdir()
    (tmp_path / "a.warc").write_bytes(record("http://other.org/", "<p>Of another lake.</p>", "2015-01-01T00:00:00Z"))
    other = Lake(str(tmp_path / "other"))
    take(other, str(tmp_path / "a.warc"))
    with pytest.raises(ExportError):
        export(other, tmp_path / "set", before=BEFORE, workers=1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "set").iterdir() if path.is_file()} == state
