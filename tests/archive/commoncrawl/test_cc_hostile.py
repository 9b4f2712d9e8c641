"""What odd commands, odd indexes and odd clocks do not break: no record is lost, and none is asked for too fast."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from minicc.fixtures import minicc  # noqa: F401
from minicc.make import page, write_news

from archive.commoncrawl.cluster import add_lines
from archive.commoncrawl.crawls import Crawl
from archive.commoncrawl.listings import files_of
from archive.commoncrawl.mirror import Access
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.selected import Selected
from archive.commoncrawl.selection import Selection
from archive.intake.run import IngestResult, ingest
from archive.lake import Lake

CRAWL = "cc:CC-MAIN-2019-35"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def bring(lake: Lake, mirror: Path, *sources: str, **options: Any) -> IngestResult:
    return ingest(lake, sources or (CRAWL,), mirror=str(mirror), workers=1, **options)


def captures(lake: Lake) -> int:
    return lake.read("captures", ["unit"]).num_rows


# -- files that are read again --------------------------------------------------------------------------


def test_a_file_that_is_read_again_with_another_operator_is_read_and_not_only_taken_out(
    lake: Lake, minicc: Path
) -> None:
    every = bring(lake, minicc, files=1).captures
    again = bring(lake, minicc, files=1, operator="Somebody")
    assert (again.captures, captures(lake)) == (every, every)
    assert bring(lake, minicc, files=1, operator="Somebody").files_skipped == 1


def test_a_selection_takes_nothing_out_of_a_file_that_the_lake_has_all_of(lake: Lake, minicc: Path) -> None:
    every = bring(lake, minicc, files=1).captures
    bring(lake, minicc, files=1, host="site3.de", operator="Somebody", max_record=64 << 20)
    assert captures(lake) == every


# -- lines of an index that name no place ---------------------------------------------------------------


@pytest.mark.parametrize(
    "stated",
    [
        {"offset": "9" * 25},
        {"offset": float("inf")},
        {"offset": "-5"},
        {"offset": str(1 << 45)},
        {"length": "0"},
        {"length": str(1 << 33)},
        {"filename": "crawl-data/\ud800.warc.gz"},
        {"filename": 7},
    ],
)
def test_a_line_that_names_no_place_is_counted_and_the_others_come(stated: dict[str, Any]) -> None:
    selected = Selected(Selection())
    good = {"filename": "crawl-data/a.warc.gz", "offset": "500", "length": "70", "digest": 5}
    add_lines([_line(good), _line({**good, **stated}), _line({**good, "offset": "900"})], Selection(), selected)
    assert (len(selected), selected.dropped) == (2, 1)


def _line(fields: dict[str, Any]) -> bytes:
    return f"org,example)/ 20190820120000 {json.dumps(fields)}".encode()


# -- what changes, and what is kept ---------------------------------------------------------------------


def test_the_list_of_a_month_of_news_grows_until_the_month_is_over(tmp_path: Path) -> None:
    crawl = Crawl("CC-NEWS-2019-08", datetime(2019, 8, 1, tzinfo=UTC), datetime(2019, 8, 31, 23, 59, 59, tzinfo=UTC))
    path = "crawl-data/CC-NEWS/2019/08/warc.paths.gz"
    pages = [page(f"http://news.example/{n}", f"News {n}", "2019-08-05T10:00:00") for n in range(4)]
    seen = []
    for count, fetched in ((1, datetime(2019, 8, 7)), (2, datetime(2019, 9, 2)), (3, datetime(2019, 10, 2)), (4, None)):
        write_news(tmp_path / "mirror", "2019-08", pages[:count], files=count)
        reach = Reach(Access(str(tmp_path / "mirror"), cache=str(tmp_path / "cache")))
        seen.append(len(files_of(reach, crawl)))
        if fetched:
            os.utime(reach.cache.path(path), (fetched.timestamp(),) * 2)
    assert seen == [1, 2, 3, 3]
