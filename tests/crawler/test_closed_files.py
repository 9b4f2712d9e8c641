"""What happens to closed files of a crawl: a power loss, a file that is lost, and more of them than may be open."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawls import check, crawled, index, pages, records
from rawserver import page, serving

from archive.errors import CrawlError
from crawler.frontier.frontier import Frontier
from crawler.records import files as crawl_files


def _changed(folder: Path, question: str) -> None:
    with sqlite3.connect(folder / "crawl.sqlite") as db:
        db.execute(question)
    db.close()


def test_a_file_whose_end_the_power_kept_from_the_database_is_written_on(tmp_path: Path) -> None:
    with serving(lambda path, _: page(path)) as server:
        seeds = [f"{server.address}/{name}" for name in "ab"]
        crawled(tmp_path, *seeds, pages=1)
        (file,) = tmp_path.glob("*.warc.gz")
        file.with_name(f"{file.name}.tsr").write_bytes(b"a time stamp of what it was")
        _changed(tmp_path, "UPDATE files SET closed=0, sha256=NULL")
        assert crawled(tmp_path, *seeds).done == 2
    assert [path.name for path in tmp_path.glob("*.warc*")] == [file.name]
    assert sorted(pages(tmp_path)) == ["/a", "/b"]
    assert check(tmp_path) > 5


def test_what_is_committed_is_on_the_disk() -> None:
    frontier = Frontier(Path(":memory:"))
    assert frontier._one("PRAGMA synchronous") == 2  # FULL: SQLite syncs its log with each commit
    frontier.close()


@pytest.mark.parametrize("left", [None, 100])
def test_a_closed_file_that_is_lost_is_named_and_its_bytes_are_stored_again(tmp_path: Path, left: int | None) -> None:
    with serving(lambda path, _: page(f"the page {path}", 'ETag: "1"')) as server:
        crawled(tmp_path, f"{server.address}/a")
        (file,) = tmp_path.glob("*.warc.gz")
        data = file.read_bytes()
        file.unlink()
        if left is not None:
            file.write_bytes(data[:left])
        again = crawled(tmp_path, f"{server.address}/a", again=True)
        (problem,) = again.problems
        assert str(file) in problem
        assert ("is missing" if left is None else "has 100 bytes") in problem
        file.unlink(missing_ok=True)
        assert [each.kind for each in records(tmp_path) if each.url.endswith("/a")] == [
            "response",
            "request",
            "metadata",
        ]
        with pytest.raises(CrawlError, match="is missing"):
            crawled(tmp_path, f"{server.address}/a", wacz=True)
        file.write_bytes(data)
        assert crawled(tmp_path, f"{server.address}/a").problems == []


def test_the_indexes_of_more_files_than_may_be_open_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawl_files, "_MERGED", 3)
    with serving(lambda path, _: page(path)) as server:
        seeds = [f"{server.address}/{number}" for number in range(12)]
        assert len(crawled(tmp_path, *seeds, file_size=1, batch=1, batch_seconds=0.0).files) > 9
    lines = (tmp_path / "index.cdxj").read_text().splitlines()
    single = [
        line for path in tmp_path.glob("*.cdxj") if path.name != "index.cdxj" for line in path.read_text().splitlines()
    ]
    assert lines == sorted(single)
    assert len(index(tmp_path)) >= 12
    assert not list(tmp_path.glob("index-*"))
