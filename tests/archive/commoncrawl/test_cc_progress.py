"""The screen says where an ingest of Common Crawl is, what it waits for, and how long the rest takes."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from typing import Any

import pytest
from minicc.fixtures import cc, minicc  # noqa: F401
from minicc.serve import Fault, Server
from rich.console import Console

from archive import progress
from archive.commoncrawl.mirror import Access
from archive.engine import Context, open_engine
from archive.intake.crawl_progress import CrawlProgress, crawl_of
from archive.intake.part import Tally
from archive.intake.preview import preview
from archive.intake.run import ingest
from archive.intake.unit import Settings, Unit
from archive.lake import Lake
from archive.progress import Reporter, RichReporter
from archive.sources.base import Listed
from archive.sources.take import Take


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


class Heard(Reporter):
    """Keeps what is reported, stage by stage."""

    def __init__(self) -> None:
        self.notes: dict[str, list[str]] = {}
        self.details: dict[str, list[str]] = {}
        self.seconds: list[float] = []
        self.sizes: dict[str, int | None] = {}
        self._name = ""

    def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
        self._name, self.sizes[name] = name, size
        self.notes[name], self.details[name] = [], []

    def note(self, text: str) -> None:
        self.notes[self._name].append(text)

    def detail(self, text: str) -> None:
        self.details[self._name].append(text)

    def remaining(self, seconds: float | None) -> None:
        if seconds is not None:
            self.seconds.append(seconds)


def test_it_names_the_crawl_the_requests_and_what_it_waits_for(lake: Lake, cc: Server) -> None:
    cc.faults.append(Fault("slowdown", "crawl-data/CC-MAIN-2019-35/segments/*", times=1, after=2))
    heard = Heard()
    result = ingest(lake, "cc:2019..2020", host="site3.de", mirror=cc.address, rate=20, workers=1, reporter=heard)
    assert heard.notes["plan"][0] == "the index of CC-MAIN-2019-35 (1 of 2)"
    assert any(re.fullmatch(r"\d+ requests? \(\d+\.\d/s\)", each) for each in heard.details["plan"])
    details = heard.details["ingest"]
    assert any(each.startswith("CC-MAIN-2019-35 (1 of 2), ") for each in details)
    host = re.escape(cc.address.removeprefix("http://"))
    waits = [each for each in details if re.search(rf"waits \d+ s: {host} answered 503 at \d\d:\d\d:\d\dZ", each)]
    assert waits
    assert any("only 10 requests a second" in each for each in details)
    assert heard.notes["ingest"][-1] == f"{result.files}/{result.files} files"
    assert heard.seconds
    assert min(heard.seconds) < 1 < max(heard.seconds) < 60


def test_the_result_has_every_request_and_byte(lake: Lake, cc: Server) -> None:
    cc.faults.append(Fault("slowdown", "crawl-data/*/segments/*", times=2, after=2))
    result = ingest(lake, "cc:2014..2020", host="site3.de", mirror=cc.address, rate=1e6, workers=1)
    files = cc.requests("crawl-data/*/segments/*")
    assert result.requests == len(files)
    assert result.index_requests == len(cc.log) - len(files) > 0
    assert result.refusals == sum(each.status == 503 for each in files) == 2
    assert result.received == sum(each.sent for each in files if each.status == 206)
    assert 0 < result.held <= result.waited
    assert list(result.crawls) == ["CC-MAIN-2014-35", "CC-MAIN-2019-35", "CC-MAIN-2020-34"]
    of = result.crawls.values()
    assert sum(each.files for each in of) == result.files
    assert sum(each.records for each in of) == result.captures + result.rejects.total() > 0
    assert sum(each.requests for each in of) == result.requests
    assert sum(each.bytes for each in of) == result.received


def test_a_dry_run_says_which_index_it_reads(lake: Lake, cc: Server) -> None:
    heard = Heard()
    preview(lake, "cc:2014..2020", tld="pt", mirror=cc.address, rate=1e6, reporter=heard)
    crawls = ("CC-MAIN-2014-35", "CC-MAIN-2019-35", "CC-MAIN-2020-34")
    assert heard.notes["plan"] == [f"the index of {crawl} ({n} of 3)" for n, crawl in enumerate(crawls, 1)]


def test_whole_files_are_expected_to_be_as_long_as_those_that_an_earlier_run_asked(lake: Lake, cc: Server) -> None:
    options: dict[str, Any] = {"mirror": cc.address, "rate": 1e6}
    unknown, known = Heard(), Heard()
    ingest(lake, "cc:CC-MAIN-2019-35", files=1, workers=1, reporter=unknown, **options)
    assert unknown.sizes["ingest"] is None
    cost = preview(lake, "cc:CC-MAIN-2019-35", **options).cost
    assert cost is not None
    ingest(lake, "cc:CC-MAIN-2019-35", workers=1, reporter=known, **options)
    assert known.sizes["ingest"] == pytest.approx(cost.total.bytes * 4 / 3, rel=0.2)  # of four files one is known


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_rest_takes_what_the_plan_has_at_the_rate_until_the_speed_is_known(tmp_path: Path, cc: Server) -> None:
    access = Access(cc.address, rate=2.0, cache=str(tmp_path))
    heard, clock = Heard(), Clock()
    heard.stage("ingest")
    following = CrawlProgress(access, heard, clock)
    address = "https://data.commoncrawl.org/crawl-data/CC-MAIN-2019-35/segments/1.0/warc/{}.warc.gz"
    listed = [Listed(address.format(n), None, str(n), take=Take()) for n in range(3)]
    assert following.listed(listed) is None
    clock.now = 1.0
    following.work()
    assert heard.seconds == []  # nobody knows how long the files are
    unit = Unit(listed[0].uri, "0", None, "records", Settings(), take=Take())
    following.begun(unit)

    following.came(40_000_000)
    following.committed(unit, Tally(unit.key, bytes=40_000_000), True)
    clock.now = 2.0
    following.work()
    assert heard.seconds == [pytest.approx(80e6 / 20e6)]  # two more files of 40 MB, at the 20 MB/s of the plan
    clock.now = 40.0
    following.work()
    assert heard.seconds[-1] == pytest.approx(80)  # at a MB/s, as until now
    assert "no record for 39 s" in heard.details["ingest"][-1]


def test_a_plain_line_has_the_detail_and_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_EVERY", -1)
    out = io.StringIO()
    reporter = RichReporter()
    reporter._console = Console(file=out)
    reporter._lines = True
    with reporter:
        reporter.stage("ingest", size=100)
        reporter.note("3/12 files")
        reporter.detail("CC-MAIN-2019-35, 61 requests (1.0/s)")
        reporter.remaining(83.4)
        reporter.advance(5, 50)
    line = re.sub(r"[\d,.]+/s  [\d,.]+ \w+/s", "#", out.getvalue())
    assert line == "ingest: 3/12 files, 5 records, #, CC-MAIN-2019-35, 61 requests (1.0/s), ETA 0:01:23\n"


def test_a_terminal_has_the_detail_below_the_bar_and_the_time_that_is_left_in_it() -> None:
    out = io.StringIO()
    reporter = RichReporter()
    reporter.stage("ingest", size=100)
    reporter.detail("CC-MAIN-2019-35, waits 32 s: data.commoncrawl.org answered 503 at 00:00:00Z")
    reporter.remaining(83.4)
    reporter.advance(5, 50)
    Console(file=out, width=120).print(reporter._bar.get_renderable())
    bar, below = out.getvalue().rstrip().splitlines()
    assert bar.startswith("ingest")
    assert bar.rstrip().endswith("ETA 0:01:23")
    assert below == "CC-MAIN-2019-35, waits 32 s: data.commoncrawl.org answered 503 at 00:00:00Z"


def _nap(_: int, ctx: Context) -> None:

    time.sleep(0.8)


def test_an_engine_reports_that_the_work_goes_on_where_nothing_is_done() -> None:
    said: list[tuple[int, int]] = []
    list(open_engine(1).run(_nap, [1], progress=lambda *done: said.append(done), isolated=True))
    assert (0, 0) in said


@pytest.mark.parametrize(
    ("path", "crawl"),
    [
        ("crawl-data/CC-NEWS/2019/08/CC-NEWS-20190805100000-00000.warc.gz", "CC-NEWS-2019-08"),
        ("crawl-data/CC-MAIN-2019-35/segments/1.0/warc/CC-MAIN-20190817102624-00000.warc.gz", "CC-MAIN-2019-35"),
        ("crawl-001/2008/06/25/11/1214440586619_11.arc.gz", "CC-MAIN-2008-2009"),
        ("robots.txt", ""),
    ],
)
def test_a_path_names_its_crawl(path: str, crawl: str) -> None:
    assert crawl_of(f"https://data.commoncrawl.org/{path}") == crawl
