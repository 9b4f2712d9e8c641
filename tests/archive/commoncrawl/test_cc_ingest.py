"""What is wanted of Common Crawl comes into the lake exactly once, whatever the server does, and as the files have it."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import rows, snapshot
from forked import forked
from minicc.fixtures import CRAWLS, cc, minicc, reach_of  # noqa: F401
from minicc.kills import require_counts, twice
from minicc.make import page, write_collinfo, write_crawl
from minicc.serve import Fault, Limits, Server, serve

from archive.commoncrawl.mirror import Access
from archive.errors import ArchiveError, SourceError
from archive.intake.preview import preview
from archive.intake.run import IngestResult, ingest
from archive.lake import Lake

CRAWL = "cc:CC-MAIN-2019-35"
#: Pages of a crawl that were there: of 240 each 40th was not.
PAGES = 240 - 6


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def bring(lake: Lake, mirror: str | Path, *sources: str, workers: int = 1, **options: Any) -> IngestResult:
    """Ingest, and check that every record is accounted for, and none is there twice."""
    result = ingest(
        lake, sources or (CRAWL,), mirror=str(mirror), rate=options.pop("rate", 1e6), workers=workers, **options
    )
    assert result.records == result.captures + result.rejects.total() + result.skipped.total()
    assert twice(lake) == []
    return result


def urls(lake: Lake) -> list[str]:
    return [url for (url,) in rows(lake, "SELECT url FROM captures ORDER BY url")]


@pytest.fixture
def whole(minicc: Path, tmp_path: Path) -> Lake:
    """A lake with all of a crawl, from a folder."""
    lake = Lake(str(tmp_path / "whole"))
    assert bring(lake, minicc).captures == PAGES
    return lake


# -- the same records, however they come ---------------------------------------------------------------


def test_records_read_by_parts_are_those_of_the_whole_file(lake: Lake, whole: Lake, cc: Server) -> None:
    result = bring(lake, cc.address, tld="pt")
    assert (result.captures, result.files, result.rejects, result.skipped) == (60, 4, Counter(), Counter())
    wanted = "SELECT * EXCLUDE (unit) FROM captures WHERE url LIKE '%.pt/%' ORDER BY ALL"
    assert rows(lake, wanted) == rows(whole, wanted)
    assert {file for (file,) in rows(lake, "SELECT DISTINCT file FROM captures")} == {
        file for (file,) in rows(whole, "SELECT DISTINCT file FROM captures")
    }
    assert all(
        file.startswith("https://data.commoncrawl.org/crawl-data/")
        for (file,) in rows(lake, "SELECT file FROM captures")
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_selections_that_overlap_and_then_all_make_the_lake_of_all(
    lake: Lake, whole: Lake, cc: Server, workers: int
) -> None:
    first = bring(lake, cc.address, host=["site3.de", "site0.com"], workers=workers)
    second = bring(lake, cc.address, tld=["de"], workers=workers)
    third = bring(lake, cc.address, sample=0.3, workers=workers)
    rest = bring(lake, cc.address, workers=workers)
    assert first.captures == 18 + 20
    assert second.captures == 60 - 6 - 18
    assert first.captures + second.captures + third.captures + rest.captures == PAGES
    assert rest.skipped["known"] == PAGES - rest.captures
    assert snapshot(lake) == snapshot(whole)


def test_what_is_there_is_passed_over_without_a_request_for_a_file(lake: Lake, cc: Server, minicc: Path) -> None:
    for options in ({"tld": "de"}, {}, {"host": "site3.de"}):
        bring(lake, cc.address, **options)
        cc.forget()
        again = bring(lake, cc.address, **options)
        assert (again.records, again.files_skipped) == (0, 4)
        assert not cc.requests("crawl-data/*.warc.gz")
        assert bring(lake, minicc, **options).records == 0, "a folder has the same files"


def test_a_host_over_three_crawls_and_the_arc_era(lake: Lake, cc: Server) -> None:
    result = bring(lake, cc.address, "cc:..2021", host="site3.de")
    assert result.captures == 4 * 18
    found = rows(
        lake, "SELECT crawl, count(*), min(captured_at), max(captured_at) FROM captures GROUP BY ALL ORDER BY ALL"
    )
    assert [(crawl, count) for crawl, count, *_ in found] == [(crawl, 18) for crawl in CRAWLS]
    for crawl, _, first, last in found:
        begin, end = CRAWLS[crawl]
        assert begin <= first.isoformat() <= last.isoformat() <= end, "Pacific time as UTC"
    assert rows(lake, "SELECT DISTINCT operator, date_problem FROM captures") == [("Common Crawl", None)]
    assert {grade for (grade,) in rows(lake, "SELECT DISTINCT grade FROM captures")} <= {"C", "D"}


def test_texts_and_news(lake: Lake, cc: Server) -> None:
    assert bring(lake, cc.address, subset="wet").captures == PAGES
    news = bring(lake, cc.address, "cc:CC-NEWS-2019-08")
    assert (news.files, news.captures) == (2, 30)
    few = bring(Lake(f"{lake.location}-few"), cc.address, files=1)
    assert few.files == 1
    assert 50 < few.captures < 70


def test_parts_of_machines_are_disjoint_and_together_everything(lake: Lake, whole: Lake, cc: Server) -> None:
    counts = [bring(lake, cc.address, part=f"{number}/3").captures for number in (1, 2, 3)]
    assert sum(counts) == PAGES
    assert snapshot(lake) == snapshot(whole)


# -- several at once, and kills ------------------------------------------------------------------------


def arguments(lake: Lake, mirror: str, *options: str, rate: float = 1e6) -> list[str]:
    where = ["--mirror", mirror, "--rate", str(rate), "--lake", lake.location]
    return ["ingest", CRAWL, *where, "--quiet", "--json", *options]


def together(*commands: list[str]) -> list[dict[str, Any]]:
    """Run some commands at once; returns what they print."""
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda args: forked(*args, timeout=120), commands))
    assert [each.returncode for each in done] == [0] * len(commands), done
    return [json.loads(each.stdout) for each in done]


def test_two_that_overlap_at_once_bring_no_record_twice_and_lose_none(lake: Lake, whole: Lake, minicc: Path) -> None:
    with serve(minicc) as server:
        results = together(
            arguments(lake, server.address, "--tld", "de", "--tld", "pt"),
            arguments(lake, server.address, "--sample", "0.7"),
        )
    assert twice(lake) == []
    in_both = rows(whole, "SELECT url FROM captures WHERE url LIKE '%.de/%' OR url LIKE '%.pt/%'")
    assert {url for (url,) in in_both} <= set(urls(lake))
    assert sum(each["captures"] for each in results) == len(urls(lake)) > len(in_both)
    bring(lake, minicc)
    assert snapshot(lake) == snapshot(whole)


def test_workers_and_runs_share_one_budget(lake: Lake, minicc: Path) -> None:
    with serve(minicc) as server:
        together(
            *(arguments(lake, server.address, "--sample", part, "--workers", "2", rate=25) for part in ("0.4", "0.9"))
        )
        times = sorted(each.at for each in server.log)
    assert len(times) > 15
    assert (len(times) - 1) / (times[-1] - times[0]) <= 25 * 1.05


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 16 kB: a file of 70 kB has five."""
    monkeypatch.setattr("archive.intake.plan.PIECE", 16_000)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_whole_file_comes_in_pieces_and_each_begins_where_the_one_before_it_ended(
    lake: Lake, whole: Lake, cc: Server, workers: int
) -> None:
    first = bring(lake, cc.address, host="site3.de")
    result = bring(lake, cc.address, workers=workers)
    assert (result.files, result.captures) == (4, PAGES - first.captures)
    assert result.skipped["known"] == first.captures
    assert len(rows(lake, "SELECT * FROM sources WHERE taken IS NULL")) >= 4 * 5
    assert snapshot(lake) == snapshot(whole)
    cc.forget()
    assert bring(lake, cc.address).files_skipped == 4
    assert cc.log == []


@pytest.mark.usefixtures("small_pieces")
def test_a_record_that_reaches_over_several_pieces_tears_no_hole(lake: Lake, tmp_path: Path) -> None:
    dice = random.Random(1)
    texts = [f"Page {number} {dice.randbytes(40_000 if number == 2 else 100).hex()}" for number in range(8)]
    pages = [page(f"http://a.example/{number}", text) for number, text in enumerate(texts)]
    write_crawl(tmp_path / "cc", "CC-MAIN-2019-35", pages, files=1)
    write_collinfo(tmp_path / "cc", {"CC-MAIN-2019-35": CRAWLS["CC-MAIN-2019-35"]})
    assert bring(lake, tmp_path / "cc").captures == 8
    require_counts(lake)
    assert bring(lake, tmp_path / "cc").files_skipped == 1


@pytest.mark.usefixtures("small_pieces")
def test_an_interrupted_file_goes_on_at_its_last_piece(
    lake: Lake, whole: Lake, cc: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    cc.faults = [Fault("refuse", "crawl-data/*.warc.gz", after=7)]
    stopped = bring(lake, cc.address)
    assert stopped.files_failed
    there = stopped.captures
    assert 0 < there < PAGES
    some = bring(lake, cc.address.replace("127.0.0.1", "localhost"), tld="de")
    cc.forget()
    rest = bring(lake, cc.address.replace("127.0.0.1", "localhost"))
    assert there + some.captures + rest.captures == PAGES
    assert sum(each.sent for each in cc.requests("*.warc.gz")) > 0
    assert snapshot(lake) == snapshot(whole)


@pytest.mark.usefixtures("small_pieces")
def test_whole_files_and_selections_at_once_bring_no_record_twice(lake: Lake, whole: Lake, cc: Server) -> None:
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(ingest, lake.location, CRAWL, mirror=cc.address, rate=1e6, workers=1, **options)  # type: ignore[arg-type]
            for options in ({}, {"tld": "de"}, {})
        ]
        results = [each.result() for each in runs]
    assert twice(lake) == []
    assert sum(each.captures for each in results) == PAGES
    assert all(each.files_failed == {} for each in results)
    assert snapshot(lake) == snapshot(whole)


# -- faults --------------------------------------------------------------------------------------------


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a thousandth of the time for a server that is busy, and give up sooner."""
    quick = partial(Access, range_attempts=4, file_attempts=5, first_wait=1e-8)
    monkeypatch.setattr("archive.intake.crawled.Access", quick)


def test_what_goes_wrong_now_and_then_costs_nothing_but_time(
    lake: Lake, whole: Lake, cc: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    cc.faults = [
        Fault(kind, times=1, after=2 * number)
        for number, kind in enumerate(["reset", "truncate", "slowdown", "error", "html"])
    ]
    bring(lake, cc.address, tld=["de", "com", "org", "pt"])
    bring(lake, cc.address)
    assert snapshot(lake) == snapshot(whole)


def test_403_stops_all_processes_and_is_remembered_until_the_file_that_is_named_is_deleted(
    lake: Lake, minicc: Path
) -> None:
    with serve(minicc, [Fault("refuse", "crawl-data/*.warc.gz", times=None, after=2)]) as server:
        args = ("ingest", CRAWL, "--mirror", server.address, "--rate", "1000", "--lake", lake.location)
        with ThreadPoolExecutor() as pool:
            options = (("--workers", "2"), ("--workers", "2", "--tld", "de"))
            both = list(pool.map(lambda more: forked(*args, *more), options))
        for done in both:
            assert (done.returncode, done.stdout.count("answered 403")) == (1, 1)
            assert "nothing is lost" in done.stdout
        assert 1 <= [each.status for each in server.log].count(403) <= 4, "what four workers had sent already"
        asked = len(server.log)
        again = forked(*args)
        assert (again.returncode, again.stdout.count("answered 403")) == (1, 1)
        assert len(server.log) == asked, "nobody asks it again"
        (path,) = re.findall(r"delete (\S+),", again.stdout.replace("\n", ""))
        server.faults = []
        os.remove(path)
        assert json.loads(forked(*args, "--json").stdout)["files_failed"] == {}
    assert len(urls(lake)) == PAGES


def test_a_host_with_a_limit_gets_few_requests_too_many_and_never_refuses(
    lake: Lake, whole: Lake, minicc: Path
) -> None:
    with serve(minicc, limits=Limits(rate=40, refuse_after=10)) as server:
        result = bring(lake, server.address, rate=30, workers=3)
        assert result.captures == PAGES
        statuses = Counter(each.status for each in server.log)
    assert statuses[403] == 0
    assert statuses[503] <= 0.02 * statuses.total()
    assert snapshot(lake) == snapshot(whole)


# -- what the index states -----------------------------------------------------------------------------


def test_a_record_that_is_not_what_the_index_states_proves_nothing(lake: Lake, minicc: Path, tmp_path: Path) -> None:
    from minicc.fixtures import pages_of

    root = tmp_path / "changed"
    write_crawl(root, "CC-MAIN-2019-35", pages_of("CC-MAIN-2019-35", 40), files=2, shards=1, block=20)
    write_collinfo(root, {"CC-MAIN-2019-35": CRAWLS["CC-MAIN-2019-35"]})
    folder = root / "cc-index/collections/CC-MAIN-2019-35/indexes"
    lines: list[str] = []
    for file in sorted(folder.glob("cdx-*.gz")):
        lines += gzip.decompress(file.read_bytes()).decode().splitlines()
    for number, line in enumerate(lines):
        key, stamp, text = line.split(" ", 2)
        fields = json.loads(text)
        if fields["url"].endswith("/page/3"):
            fields["digest"] = "B" * 32
        if fields["url"].endswith("/page/15"):
            stamp = "20190801000000"
        if fields["url"].endswith("/page/27"):
            fields["offset"] = str(int(fields["offset"]) + 1)
        lines[number] = f"{key} {stamp} {json.dumps(fields)}"
    block = gzip.compress("".join(f"{line}\n" for line in sorted(lines)).encode())
    (folder / "cdx-00000.gz").write_bytes(block)
    (folder / "cluster.idx").write_text(
        f"{min(lines)[:30].split(' ')[0]} 20190801000000\tcdx-00000.gz\t0\t{len(block)}\t1\n"
    )
    result = bring(lake, root, host="site3.de")
    assert rows(lake, "SELECT url, date_problem FROM captures WHERE date_problem IS NOT NULL ORDER BY ALL") == [
        ("http://www.site3.de/page/15", "index-differs"),
        ("http://www.site3.de/page/3", "index-differs"),
    ]
    assert result.captures == 2
    assert result.rejects.total() == 1, "there is no record at this offset"
    assert bring(lake, root, host="site3.de").records == 0


# -- before it begins ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{}, {"host": "site3.de"}, {"language": "por"}, {"sample": 0.3}, {"subset": "wet"}, {"tld": "pt"}],
    ids=str,
)
def test_the_dry_run_states_what_then_happens(lake: Lake, cc: Server, options: dict[str, Any]) -> None:
    cost = preview(lake, CRAWL, mirror=cc.address, rate=1e6, **options).cost
    assert cost is not None
    cc.forget()
    result = bring(lake, cc.address, **options)
    files = [each for each in cc.log if each.path.endswith((".warc.gz", ".wet.gz"))]
    assert len(files) == cost.total.requests == result.requests
    assert sum(each.sent for each in files) == pytest.approx(cost.total.bytes, rel=0.1)
    assert result.captures == pytest.approx(cost.total.records, rel=0.1)
    assert result.files == cost.total.files
    left = preview(lake, CRAWL, mirror=cc.address, rate=1e6, **options).cost
    assert left is not None
    assert (left.total.files, left.total.requests, left.total.bytes) == (0, 0, 0)


def test_the_screen_shows_the_cost(lake: Lake, cc: Server) -> None:
    args = ("ingest", "cc:..2021", "--host", "site3.de", "--mirror", cc.address, "--rate", "1000", "--dry-run")
    done = forked(*args, "--dollars-per-hour", "2", "--lake", lake.location)
    assert done.returncode == 0
    for crawl in CRAWLS:
        assert crawl in done.stdout
    assert "of one core" in done.stdout
    assert "$0.0" in done.stdout
    assert not os.path.exists(lake.location)
    shown = json.loads(forked(*args, "--json", "--lake", lake.location).stdout)
    assert [each["crawl"] for each in shown["cost"]["crawls"]] == list(CRAWLS)


@pytest.mark.parametrize(
    ("sources", "options", "words"),
    [
        (("a.warc",), {"host": "a.example"}, "for sources of Common Crawl only"),
        ((CRAWL, "a.warc"), {"host": "a.example"}, "for sources of Common Crawl only"),
        ((CRAWL,), {"again": True}, "--again would forget"),
        (("cc:CC-MAIN-2019-36",), {}, "no crawl of this name"),
        ((CRAWL,), {"part": "0/3"}, "3/16"),
        ((CRAWL,), {"rate": 0.0}, "a rate of 0 requests a second"),
    ],
)
def test_what_cannot_be_done_is_refused_before_it_begins(
    lake: Lake, cc: Server, sources: tuple[str, ...], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ArchiveError, match=words):
        ingest(lake, sources, mirror=cc.address, **{"rate": 1e6, **options})
    assert not os.path.exists(f"{lake.location}/captures")


def test_forget_and_ingest_again(lake: Lake, whole: Lake, minicc: Path) -> None:
    from archive.intake.forget import forget

    bring(lake, minicc, tld="de")
    (file, *_), *_ = rows(lake, "SELECT file, count(*) FROM captures GROUP BY ALL ORDER BY ALL")
    gone = forget(lake, file)
    assert gone.captures > 0
    assert bring(lake, minicc, tld="de").captures == gone.captures
    bring(lake, minicc)
    assert snapshot(lake) == snapshot(whole)


def test_forgetting_while_it_is_ingested_loses_nothing_that_is_ingested_later(lake: Lake, minicc: Path) -> None:
    from archive.intake.forget import forget

    bring(lake, minicc, host="site3.de")
    files = [file for (file,) in rows(lake, "SELECT DISTINCT file FROM captures")]
    stop = threading.Event()

    def forgetting() -> None:
        while not stop.wait(0.1):
            for file in files:
                try:
                    forget(lake, file)
                except SourceError:
                    continue

    thread = threading.Thread(target=forgetting)
    thread.start()
    try:
        bring(lake, minicc, tld="de")
    finally:
        stop.set()
        thread.join()
    bring(lake, minicc, tld="de")
    assert len([url for url in urls(lake) if ".de/" in url]) == 54


def test_waiting_for_the_network_is_no_work(cc: Server, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    cc.faults.append(Fault("slow", "*.warc.gz", times=None, seconds=0.05))
    assert bring(lake, cc.address, files=1).captures > 10
    assert sum(seconds for (seconds,) in rows(lake, "SELECT seconds FROM sources")) < 50 * 0.05
