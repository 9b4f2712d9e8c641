"""`archive retract`: a file that was retracted proves nothing, and the lake says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import members, record, rows, take
from forked import forked

import lowbackground as lb
from archive.errors import ArchiveError, SourceError
from archive.lake import Lake

Write = Callable[[str, bytes], str]
ONE = "<p>A text that one file has.</p>"
BOTH = "<p>A text that both files have.</p>"


@pytest.fixture
def sources(lake: Lake, write: Write) -> tuple[str, str]:
    bad = write("bad.warc.gz", members(record(body=ONE), record(url="http://b.example/", body=BOTH)))
    good = write("good.warc.gz", members(record(url="http://c.example/", body=BOTH, date="2018-01-01T00:00:00Z")))
    take(lake, bad, good)
    return bad, good


def clean(lake: Lake) -> list[tuple[str, int]]:
    return rows(lake, "SELECT text, year(first_seen) FROM clean('2022-01-01') ORDER BY text")


def test_captures_of_a_retracted_file_do_not_count(lake: Lake, sources: tuple[str, str]) -> None:
    assert clean(lake) == [("A text that both files have.", 2015), ("A text that one file has.", 2015)]
    result = lb.retract(lake, sources[0], reason=" its clock was set back ")
    assert (result.files, result.captures, result.reason) == ([sources[0]], 2, "its clock was set back")
    assert clean(lake) == [("A text that both files have.", 2018)]
    problems = "SELECT date_problem, count(*) FROM captures GROUP BY 1 ORDER BY 1 NULLS LAST"
    assert rows(lake, problems) == [("retracted", 2), (None, 1)]
    assert rows(lake, "SELECT count(*) FROM documents WHERE first_seen IS NULL") == [(1,)]
    (row,) = lake.read("retractions").to_pylist()
    assert row == {"source": sources[0], "reason": "its clock was set back", "at": result.at}


def test_what_a_retracted_file_brings_later_proves_nothing_either(
    lake: Lake, sources: tuple[str, str], write: Write
) -> None:
    lb.retract(lake, sources[0], reason="lies")
    lb.ingest(lake, sources[0], again=True, workers=1)
    assert clean(lake) == [("A text that both files have.", 2018)]


def test_a_problem_that_was_there_stays(lake: Lake, write: Write) -> None:
    source = write("future.warc", record(date="2999-01-01T00:00:00Z"))
    take(lake, source)
    lb.retract(lake, source, reason="lies")
    assert rows(lake, "SELECT date_problem FROM captures") == [("future",)]


def test_folders_and_patterns_name_files_as_in_forget(lake: Lake, sources: tuple[str, str]) -> None:
    folder = Path(sources[0]).parent
    assert lb.retract(lake, folder / "g*.gz", reason="a").files == [sources[1]]
    result = lb.retract(lake, folder, reason="b")
    assert result.files == sorted(sources)
    assert result.at is not None
    assert lb.retract(lake, folder, reason="c").at is None  # all were before
    found = lake.read("retractions", ["source", "reason"]).to_pylist()
    assert sorted((each["source"], each["reason"]) for each in found) == [(sources[0], "b"), (sources[1], "a")]
    assert clean(lake) == []


def test_a_reason_and_a_known_source_are_needed(lake: Lake, sources: tuple[str, str]) -> None:
    with pytest.raises(ArchiveError, match="needs a reason"):
        lb.retract(lake, sources[0], reason=" ")
    with pytest.raises(SourceError, match="has nothing of it"):
        lb.retract(lake, "nothing.warc", reason="a")
    assert len(clean(lake)) == 2


def test_the_command_says_what_it_did(lake: Lake, sources: tuple[str, str]) -> None:
    words = ["retract", sources[0], "--lake", lake.location, "--reason", "lies"]
    done = forked(*words, "--json")
    assert json.loads(done.stdout)["captures"] == 2
    assert "retracted before" in forked(*words).stdout
    assert forked(*words[:-2], check=False).returncode == 2


def test_entries_of_a_package_are_retracted_with_it(lake: Lake, data: Path) -> None:
    package = str(data / "wacz" / "valid_signed_example_1.wacz")
    take(lake, package)
    assert rows(lake, "SELECT count(*) FROM captures WHERE date_problem IS NULL")[0][0] > 0
    lb.retract(lake, package, reason="lies")
    assert rows(lake, "SELECT count(*) FROM captures WHERE date_problem IS NULL") == [(0,)]
