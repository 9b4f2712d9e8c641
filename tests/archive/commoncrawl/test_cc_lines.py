"""What a line of the index states of a record never becomes evidence of another one, and costs no other record."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import rows
from minicc.fixtures import CRAWLS
from minicc.make import Capture, page, write_arc_crawl, write_collinfo, write_crawl

from archive.commoncrawl.mirror import Access
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selection import Selection
from archive.commoncrawl.source import list_crawls
from archive.engine.base import Context
from archive.intake.run import ingest
from archive.intake.unit import Batch, Settings, Unit
from archive.intake.work import Job, work
from archive.lake import Lake

Line = dict[str, Any]
NAME, ARC = "CC-MAIN-2019-35", "CC-MAIN-2008-2009"
PAGES = 6


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def pages(crawl: str) -> list[Capture]:
    start = datetime.fromisoformat(CRAWLS[crawl][0]).replace(tzinfo=UTC) + timedelta(days=2)
    return [page(f"http://a.example/{n}", f"Page {n} of {crawl}", start + timedelta(hours=n)) for n in range(PAGES)]


def crawl_with(root: Path, change: Callable[[list[Line]], None], crawl: str = NAME) -> Path:
    """Write a crawl of one file, whose index lines are as a function leaves them; `at` is the time stamp of a line."""
    if crawl == ARC:
        write_arc_crawl(root, crawl, pages(crawl), files=1)
    else:
        write_crawl(root, crawl, pages(crawl), files=1, shards=1)
    write_collinfo(root, {crawl: CRAWLS[crawl]})
    folder = root / f"cc-index/collections/{crawl}/indexes"
    lines = []
    for line in gzip.decompress((folder / "cdx-00000.gz").read_bytes()).decode().splitlines():
        key, stamp, text = line.split(" ", 2)
        lines.append({"key": key, "at": stamp, **json.loads(text)})
    change(lines)
    rest = [{name: value for name, value in line.items() if name not in {"key", "at"}} for line in lines]
    texts = [f"{line['key']} {line['at']} {json.dumps(of)}\n" for line, of in zip(lines, rest, strict=True)]
    block = gzip.compress("".join(sorted(texts)).encode())
    (folder / "cdx-00000.gz").write_bytes(block)
    (folder / "cluster.idx").write_text(f"{' '.join(min(texts).split()[:2])}\tcdx-00000.gz\t0\t{len(block)}\t1\n")
    return root


def found(lake: Lake) -> dict[str, tuple[str, str | None]]:
    """The date and the problem of each page in a lake."""
    return {
        url: (at, problem)
        for url, at, problem in rows(
            lake, "SELECT url, strftime(captured_at, '%Y%m%d%H%M%S'), date_problem FROM captures"
        )
    }


def right(crawl: str = NAME) -> dict[str, tuple[str, str | None]]:
    return {each.url: (each.at.strftime("%Y%m%d%H%M%S"), None) for each in pages(crawl)}


def digest(lines: list[Line]) -> None:
    lines[2]["digest"] = "B" * 32


def stamp(lines: list[Line]) -> None:
    lines[2]["at"] = "20190801000000"


def other_record(lines: list[Line]) -> None:
    lines[2]["offset"] = lines[3]["offset"]


def statuses(lines: list[Line]) -> None:
    lines[2] |= {"status": "301", "mime": "image/png", "mime-detected": "image/png", "languages": "deu"}


def short(lines: list[Line]) -> None:
    lines[2]["length"] = str(int(lines[2]["length"]) // 2)


def two_short(lines: list[Line]) -> None:
    for line in lines:
        line["length"] = str(int(line["length"]) - 2)


def long(lines: list[Line]) -> None:
    lines[2]["length"] = str(int(lines[2]["length"]) * 3)


def inside(lines: list[Line]) -> None:
    lines[2]["offset"] = str(int(lines[2]["offset"]) + 5)


#: What is wrong with the line of the third page, the problem that its capture has (False: it does not come), and the
#: rejects.
TABLE: list[tuple[Callable[[list[Line]], None], str | bool | None, int]] = [
    (digest, "index-differs", 0),
    (stamp, "index-differs", 0),
    (other_record, False, 0),
    (statuses, None, 0),
    (short, None, 0),
    (two_short, None, 0),
    (long, None, 0),
    (inside, False, 1),
]


@pytest.mark.parametrize(("change", "problem", "rejects"), TABLE, ids=[each[0].__name__ for each in TABLE])
@pytest.mark.parametrize("how", ["parts", "stream"])
def test_a_wrong_line_costs_only_what_it_states(
    lake: Lake, tmp_path: Path, change: Callable[[list[Line]], None], problem: str | bool | None, rejects: int, how: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    root = crawl_with(tmp_path / "cc", change)
    if how == "stream":
        monkeypatch.setattr("archive.commoncrawl.plan._HELD", 1)
    result = ingest(lake, f"cc:{NAME}", host="a.example", mirror=str(root), workers=1)
    assert result.files_failed == {}
    wanted = right()
    third = "http://a.example/2"
    if problem is False:
        del wanted[third]
        if change is other_record:  # of two lines of a record that disagree, one is wrong
            wanted["http://a.example/3"] = wanted["http://a.example/3"][0], "index-differs"
    else:
        wanted[third] = wanted[third][0], problem  # type: ignore[assignment]
    assert found(lake) == wanted
    assert result.rejects.total() == rejects
    # what did not come then comes with the file, and nothing twice
    ingest(lake, f"cc:{NAME}", mirror=str(root), workers=1)
    assert found(lake) == {third: right()[third], **wanted}
    assert len(rows(lake, "SELECT * FROM captures")) == PAGES


def test_a_line_of_another_record_of_an_arc_file_gives_that_record_its_own_date(lake: Lake, tmp_path: Path) -> None:
    root = crawl_with(tmp_path / "cc", other_record, ARC)
    ingest(lake, f"cc:{ARC}", host="a.example", mirror=str(root), workers=1)
    wanted = right(ARC)
    del wanted["http://a.example/2"]
    assert found(lake) == wanted


def test_a_line_behind_the_end_of_a_copy_is_an_error_and_of_the_own_host_a_reject(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def behind(lines: list[Line]) -> None:
        lines[2]["offset"] = "10000000"

    root = crawl_with(tmp_path / "cc", behind)
    (why,) = ingest(lake, f"cc:{NAME}", host="a.example", mirror=str(root), workers=1).files_failed.values()
    assert "is this copy whole?" in why
    assert found(lake) == {}
    monkeypatch.setattr(Access, "is_own", True)
    (listed,) = list_crawls([f"cc:{NAME}"], Selection.of(host=["a.example"]), Reach(Access(str(root))))
    unit = Unit(listed.uri, listed.version, None, listed.kind, Settings(), take=listed.take, through=listed.through)
    lake.create()
    (tally,) = work(Job(lake.location, Batch((unit,)), datetime.now(UTC)), Context()).tallies
    assert (tally.captures, tally.rejects) == (PAGES - 1, {"bad-record": 1})


def test_a_page_that_the_index_has_in_another_crawl_has_the_window_of_its_file(lake: Lake, tmp_path: Path) -> None:
    """A record of 2014 in a file of 2019, and its line with the same date."""
    old = page("http://a.example/0", "An old page", "2014-08-25T00:00:00")
    write_crawl(tmp_path, NAME, [old], files=1)
    write_collinfo(tmp_path, {NAME: CRAWLS[NAME]})
    ingest(lake, f"cc:{NAME}", host="a.example", mirror=str(tmp_path), workers=1)
    assert found(lake) == {old.url: ("20140825000000", "outside-crawl")}
