"""An authority stamps each file that is closed, so that the captures of a crawl have grade A."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from authority import Authority
from crawls import crawled
from rawserver import Answer, missing, page, serving

import lowbackground as lb
from crawler.records.store import Store
from crawler.result import status

WORDS = " ".join(f"word{number}" for number in range(60))


def answer(path: str, request: bytes) -> Answer:
    links = "".join(f"<a href=/{number}>" for number in range(6))
    return page(f"<title>{path}</title>{links}<p>{path} {WORDS}") if len(path) < 3 else missing()


def test_the_captures_of_a_crawl_with_time_stamps_have_grade_a(tmp_path: Path) -> None:
    authority, folder, lake = Authority(tmp_path / "tsa"), tmp_path / "crawl", str(tmp_path / "lake")
    with serving(answer) as server, authority.served() as tsa:
        result = crawled(folder, server.address + "/", tsa=tsa, file_size=3000, batch=2)
    assert len(result.files) == result.stamped > 1
    assert result.problems == []
    assert status(folder).stamped == result.stamped
    ingested = lb.ingest(lake, str(folder), workers=1)
    assert (ingested.captures, ingested.files_failed, ingested.sources_useless) == (
        9,
        {},
        {},
    )  # with robots.txt and tdmrep.json
    for name in result.files:
        path = folder / name
        assert authority.judges((folder / f"{name}.tsr").read_bytes(), path.read_bytes())
        assert lb.attest(lake, path, f"{path}.tsr", certificate=[authority.root]).verified
    (row,) = lb.query(
        lake,
        "SELECT count(*) AS texts, min(date_source) AS source, max(first_seen) AS seen "
        "FROM clean(TIMESTAMPTZ '2100-01-01', grade := 'A')",
    ).to_pylist()
    assert (row["texts"], row["source"]) == (7, "attested")
    assert abs((datetime.now(UTC) - row["seen"]).total_seconds()) < 600


def test_in_a_bucket_the_token_is_next_to_its_file(tmp_path: Path, s3: str) -> None:
    authority, store = Authority(tmp_path / "tsa"), f"s3://{s3}/x"
    with serving(answer) as server:
        down = crawled(tmp_path / "state", server.address + "/", store=store, tsa="http://127.0.0.1:9/tsr")
        assert (down.uploaded, down.stamped) == (1, 0)
        with authority.served() as tsa:
            up = crawled(tmp_path / "state", server.address + "/", store=store, tsa=tsa)
    assert (up.uploaded, up.stamped, up.problems) == (1, 1, [])
    (name,), there = up.files, Store(store)
    data, token = (there.range(each, 0, 1 << 20) for each in (name, f"{name}.tsr"))
    assert authority.judges(token, data)


def test_an_authority_that_is_down_ends_no_crawl_and_the_next_run_asks_again(tmp_path: Path) -> None:
    folder = tmp_path / "crawl"
    with serving(answer) as server:
        down = crawled(folder, server.address + "/", tsa="http://127.0.0.1:9/tsr", file_size=3000, batch=2)
        assert (down.ended, down.pages, down.stamped) == ("finished", 7, 0)
        (problem,) = down.problems
        assert problem.startswith(f"{down.files[0]} is not stamped: ")
        with Authority(tmp_path / "tsa").served() as tsa:
            up = crawled(folder, server.address + "/", tsa=tsa)
    assert (up.stamped, up.problems) == (len(down.files), [])
