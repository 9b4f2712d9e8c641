"""The past: mementos at or before a date, by enumeration and by links, dated rightly after they were ingested."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("scrapy")

from crawl_process import crawls
from crawls import FAST, check, crawled, of, records
from rawserver import Answer, missing, page, serving
from webarchive import Held, WebArchive, archiving

from archive.errors import CrawlError
from crawler.asof import ARCHIVES, AsOf, as_of
from crawler.past.mementos import agreement
from crawler.records.warc import sha1
from crawler.run import CrawlResult, crawl, options_of
from crawler.wire import addresses
from crawler.wire.message import parse

SITE = "http://site.example"
WORDS = " ".join(f"word{number}" for number in range(60))
DAY = "2019-06-01"


def text(name: str) -> bytes:
    return f"<title>{name}</title><p>{name} {WORDS}".encode()


HOME = (
    text("home") + b"<a href=/a><a href=/b><a href=/late><a href=/moved><a href=/never><a href=http://other.example/>"
)
PAGES = {"/": HOME, "/a": text("a"), "/b": text("b"), "/c": text("c"), "/d": text("d")}


def captures() -> list[Held]:
    """Captures of a site before and after the date."""
    return [
        Held(f"{SITE}/", "20180101000000", text("of 2018")),
        Held(f"{SITE}/", "20190501000000", HOME),
        Held(f"{SITE}/", "20190602000000", text("home, the day after")),
        Held(f"{SITE}/a", "20180101000000", text("a of 2018")),
        Held(f"{SITE}/a", "20190601235959", text("a")),
        Held(f"{SITE}/a", "20190602000000", text("a, a second too late")),
        Held(f"{SITE}/b", "20190301000000", text("b") + b"<a href=/d>"),
        Held(f"{SITE}/b", "20190520000000", b"gone", "404 Not Found"),
        Held(f"{SITE}/late", "20190603000000", text("late")),
        Held(f"{SITE}/moved", "20190503000000", b"", "302 Found", ("Location: /c",)),
        Held(f"{SITE}/c", "20190504000000", text("c")),
        Held(f"{SITE}/c", "20190604000000", text("c, later")),
        Held(f"{SITE}/d", "20170101000000", text("d")),
        Held(f"{SITE}/style.css", "20190101000000", b"p {}", mime="text/css"),
        Held("http://other.example/", "20190101000000", text("other")),
    ]


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebArchive]:
    """A web archive by the name that is known of a real one, so that its replay is read as such."""

    async def lookup(host: str, port: int) -> list[tuple[int, str]]:
        assert host in ("web.archive.org", "127.0.0.1"), f"{host} was asked for"
        return [(2, "127.0.0.1")]

    monkeypatch.setattr(addresses, "lookup", lookup)
    with archiving(WebArchive(captures(), "web.archive.org")) as found:
        yield found


def past(archive: WebArchive, by: str = "enumerate", within: int | None = None, **more: Any) -> AsOf:
    found = as_of(DAY, archive.replay, within, by)
    return replace(found, archive=replace(found.archive, **more))


def crawled_past(out: Path, asked: AsOf, url: str = f"{SITE}/", **more: Any) -> CrawlResult:
    return crawled(out, url, as_of=asked, sitemaps=False, **more)


def kept(folder: Path) -> dict[str, str]:
    """Return the pages that came, with the stamps in their addresses."""
    found = {}
    for each in records(folder):
        if each.kind in ("response", "revisit") and b"memento-datetime" in each.block.lower():
            stamp, _, url = each.url.partition("/web/")[2].partition("id_/")
            assert url not in found
            found[url] = stamp
    return found


def times(folder: Path) -> list[datetime]:
    """Return the Memento-Datetime of all responses."""
    found = []
    for each in records(folder):
        for line in each.block.decode("latin-1").split("\r\n\r\n")[0].splitlines() if each.kind == "response" else ():
            if line.startswith("Memento-Datetime: "):
                found.append(datetime.strptime(line[18:], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC))
    return found


def rows(folder: Path, lake: Path) -> dict[str, dict[str, Any]]:
    """Ingest, and return the captures by address."""
    import lowbackground as lb

    result = lb.ingest(str(lake), str(folder), workers=1)
    assert {name for name in result.rejects if not name.startswith("http-")} <= {"type"}, result.rejects
    found = lb.query(
        str(lake),
        "SELECT url, via, captured_at, date_source, date_problem, grade, content_id FROM captures WHERE rules IS NULL",
    )
    return {row["url"]: row for row in found.to_pylist()}


ALL = {
    "/": "20190501000000",
    "/a": "20190601235959",
    "/b": "20190301000000",
    "/c": "20190504000000",
    "/d": "20170101000000",
}


@pytest.mark.parametrize("as_wayback", [False, True])
@pytest.mark.parametrize("by", ["enumerate", "follow"])
def test_the_last_memento_of_each_page_is_fetched_and_none_after_the_date(
    tmp_path: Path, archive: WebArchive, by: str, as_wayback: bool
) -> None:
    archive.redirects = archive.names_the_one_before = as_wayback
    result = crawled_past(tmp_path / "out", past(archive, by, resumes=as_wayback))
    found = kept(tmp_path / "out")
    # by links the 404 of /b is its state on that day; so /d, to which only an earlier /b links, is not reached
    expected = {f"{SITE}{path}": stamp for path, stamp in ALL.items()}
    if by == "follow":
        expected[f"{SITE}/b"] = "20190520000000"
        del expected[f"{SITE}/d"]
    assert found == expected | {f"{SITE}/moved": "20190503000000"}
    assert times(tmp_path / "out")
    assert max(times(tmp_path / "out")) <= datetime(2019, 6, 1, 23, 59, 59, tzinfo=UTC)
    assert result.ended == "finished"
    asked = [path for path in archive.server.paths() if "id_/" in path]
    assert len(asked) == len(set(asked)) == len(found)
    if by == "follow":
        assert result.reasons == {"later-memento": 1}
    check(tmp_path / "out")


@pytest.mark.parametrize("by", ["enumerate", "follow"])
def test_after_the_ingest_a_page_has_the_date_of_its_capture_never_that_of_the_fetch(
    tmp_path: Path, archive: WebArchive, by: str
) -> None:
    began = datetime.now(UTC)
    crawled_past(tmp_path / "out", past(archive, by))
    found = rows(tmp_path / "out", tmp_path / "lake")
    stamps = {url: stamp for url, stamp in kept(tmp_path / "out").items() if url.removeprefix(SITE) in PAGES}
    if by == "follow":
        del stamps[f"{SITE}/b"]  # a 404
    assert set(found) == set(stamps)
    for url, row in found.items():
        assert row["captured_at"] == datetime.strptime(stamps[url], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        assert (row["date_source"], row["date_problem"], row["grade"]) == ("cdx", None, "D")
        assert row["via"] == archive.raw(url, stamps[url])
    for each in records(tmp_path / "out"):
        assert each.url.startswith(f"http://web.archive.org:{archive.server.port}/") or each.kind == "warcinfo"
        assert datetime.fromisoformat(each.headers["WARC-Date"]) > began.replace(microsecond=0)


def test_the_metadata_has_the_line_of_the_archive_and_whether_its_digest_agrees(
    tmp_path: Path, archive: WebArchive
) -> None:
    archive.held[4].digest = "A" * 32
    crawled_past(tmp_path, past(archive))
    notes = {
        each.url: each.notes for each in records(tmp_path) if each.kind == "metadata" and b"original: " in each.block
    }
    good, bad = notes[archive.raw(f"{SITE}/c", "20190504000000")], notes[archive.raw(f"{SITE}/a", "20190601235959")]
    assert (good["cdx-digest"], bad["cdx-digest"]) == ("agrees", "differs")
    assert json.loads(good["cdx-line"])["timestamp"] == "20190504000000"
    assert (good["original"], good["memento-datetime"]) == (f"{SITE}/c", "Sat, 04 May 2019 00:00:00 GMT")
    assert good["via"].startswith(f"{archive.replay}cdx?")


def test_the_same_site_by_the_archive_and_by_a_live_crawl_gives_the_same_content_ids(
    tmp_path: Path, archive: WebArchive
) -> None:
    import lowbackground as lb

    def live(path: str, request: bytes) -> Answer:
        if path == "/moved":
            return page("", "Location: /c", status="302 Found")
        body = PAGES.get(path)
        return missing() if body is None else page(body + (b"<a href=/d>" if path == "/b" else b""))

    with serving(live) as server:
        crawled(tmp_path / "out" / "live", f"http://127.0.0.1:{server.port}/")
    archive.held = [each for each in archive.held if not each.status.startswith("404")]
    for by in ("enumerate", "follow"):
        crawled_past(tmp_path / "out" / by, past(archive, by))
    lake = str(tmp_path / "lake")
    lb.ingest(lake, str(tmp_path / "out" / "*" / "*.warc.gz"), workers=1)
    ids: dict[str, set[str]] = {}
    for row in lb.query(lake, "SELECT file, content_id FROM captures WHERE rules IS NULL").to_pylist():
        ids.setdefault(Path(row["file"]).parent.name, set()).add(row["content_id"])
    assert len(ids["live"]) == 5
    assert ids["enumerate"] == ids["follow"] == ids["live"]


def test_a_later_memento_is_refused_however_the_archive_leads_to_it(tmp_path: Path, archive: WebArchive) -> None:
    archive.redirects = True
    archive.held.append(Held(f"{SITE}/odd", "20190601000000", text("odd")))
    answer = archive.answer

    def odd(path: str, request: bytes) -> Answer:
        if path.endswith("id_/http://site.example/odd"):
            return page("", f"Location: {archive.raw(f'{SITE}/late', '20190603000000')}", status="302 Found")
        if path.endswith("20190504000000id_/http://site.example/c"):  # without a redirect, as pywb does
            return archive.memento(f"{SITE}/c", "20190604000000")
        return answer(path, request)

    with serving(odd) as server:
        archive.server = server
        result = crawled_past(tmp_path / "out", past(archive))
    assert result.reasons == {"later-memento": 2}
    assert max(times(tmp_path / "out")) <= datetime(2019, 6, 1, 23, 59, 59, tzinfo=UTC)
    assert not [path for path in server.paths() if "20190603" in path]
    (refused,) = [
        each.notes for each in records(tmp_path / "out") if each.kind == "metadata" and b"\r\nrefused: " in each.block
    ]
    assert (refused["refused"], refused["memento-datetime"]) == ("later-memento", "Tue, 04 Jun 2019 00:00:00 GMT")
    found = rows(tmp_path / "out", tmp_path / "lake")
    assert set(found) == {f"{SITE}{path}" for path in ("/", "/a", "/b", "/d")}
    assert all(row["captured_at"] <= datetime(2019, 6, 1, 23, 59, 59, tzinfo=UTC) for row in found.values())


@pytest.mark.parametrize("redirects", [True, False])
def test_an_earlier_memento_within_the_bounds_is_followed_and_recorded(
    tmp_path: Path, archive: WebArchive, redirects: bool
) -> None:
    archive.redirects, archive.ignores_the_time = redirects, True
    archive.held = [Held(f"{SITE}/", "20190501000000", HOME), Held(f"{SITE}/a", "20190430000000", text("a"))]
    answer = archive.answer

    def odd(path: str, request: bytes) -> Answer:
        found = answer(path, request)
        return Answer([piece.replace(b'"20190430000000"', b'"20190501000000"') for piece in found.pieces], "keep")

    with serving(odd) as server:
        archive.server = server
        crawled_past(tmp_path / "in", past(archive, within=33))
        out = crawled_past(tmp_path / "out", past(archive, within=32))
    assert kept(tmp_path / "in")[f"{SITE}/a"] == "20190430000000"
    assert len(of(tmp_path / "in", "response", "20190501000000id_/http://site.example/a")) == redirects
    assert set(kept(tmp_path / "out")) == {f"{SITE}/"}
    assert out.reasons == {"older-memento": 1}


def test_a_capture_between_the_one_asked_for_and_the_date_is_asked_for_by_its_own_time(
    tmp_path: Path, archive: WebArchive
) -> None:
    archive.held = [Held(f"{SITE}/", "20190501000000", HOME)]
    answer = archive.answer

    def odd(path: str, request: bytes) -> Answer:
        found = answer(path, request)
        return Answer([piece.replace(b'"20190501000000"', b'"20190101000000"') for piece in found.pieces], "keep")

    with serving(odd) as server:
        archive.server = server
        result = crawled_past(tmp_path / "out", past(archive))
    assert result.reasons == {"other-memento": 1}
    found = rows(tmp_path / "out", tmp_path / "lake")
    assert {url: (row["grade"], row["captured_at"].year) for url, row in found.items()} == {f"{SITE}/": ("D", 2019)}


def test_what_has_no_memento_datetime_is_no_memento(tmp_path: Path, archive: WebArchive) -> None:
    with serving(lambda path, _: page("we are busy") if "id_/" in path else archive.answer(path, _)) as server:
        archive.server = server
        result = crawled_past(tmp_path / "out", past(archive))
    assert set(result.reasons) == {"no-memento-datetime"}
    assert rows(tmp_path / "out", tmp_path / "lake") == {}


def test_by_links_the_one_before_is_taken_from_the_timegate_or_from_the_timemap(
    tmp_path: Path, archive: WebArchive
) -> None:
    archive.held += [Held(f"{SITE}/old", "20100101000000", text("old")), Held(f"{SITE}/old", "20190603000000", b"new")]
    for names in (True, False):
        archive.names_the_one_before = names
        archive.server.asked.clear()
        crawled_past(tmp_path / str(names), past(archive, "follow"), f"{SITE}/old")
        assert kept(tmp_path / str(names)) == {f"{SITE}/old": "20100101000000"}
        assert ("/web/timemap/link/http://site.example/old" in archive.server.paths()) is not names


@pytest.mark.parametrize("resumes", [True, False])
def test_a_long_list_is_asked_for_in_parts(tmp_path: Path, archive: WebArchive, resumes: bool) -> None:
    archive.held = [
        Held(f"{SITE}/{number}", f"20{year:02}010100000{number}", text(f"{number} of {year}"))
        for number in range(6)
        for year in (10, 15, 18, 20)
    ]
    archive.ignores_the_time = resumes
    result = crawled_past(tmp_path, past(archive, resumes=resumes, lines=5))
    assert kept(tmp_path) == {f"{SITE}/{number}": f"2018010100000{number}" for number in range(6)}
    assert sum("/cdx?" in path for path in archive.server.paths()) >= 5
    assert result.left_out == ({"later-memento": 6} if resumes else {})


def test_a_cdx_api_that_fails_is_named_and_a_scope_and_expressions_hold(tmp_path: Path, archive: WebArchive) -> None:
    down = Answer([b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"], "keep")
    with serving(lambda path, _: down if "/cdx?" in path else missing()) as server:
        bad = WebArchive([], server=server)
        result = crawled_past(tmp_path / "bad", past(bad))
    assert (result.reasons, result.pages) == ({"cdx-status-500": 1}, 0)
    archive.held.append(Held(f"{SITE}/f/", "20190101000000", text("f")))
    archive.held.append(Held(f"{SITE}/f/g", "20190101000000", text("g")))
    archive.held.append(Held(f"{SITE}/f/h", "20190101000000", text("h")))
    archive.held.append(Held(f"{SITE}/ff", "20190101000000", text("ff")))
    asked = past(archive)
    result = crawled_past(tmp_path / "in", asked, f"{SITE}/f/x", scope="prefix", exclude=("/h",))
    assert set(kept(tmp_path / "in")) == {f"{SITE}/f/", f"{SITE}/f/g"}
    assert result.left_out["excluded"] == 1


def test_an_api_that_does_not_heed_the_times_is_not_asked_again_and_again(tmp_path: Path, archive: WebArchive) -> None:
    archive.ignores_the_time = True
    result = crawled_past(tmp_path, past(archive, lines=3))
    assert result.reasons == {"cdx-cut": 1}
    assert sum("/cdx?" in path for path in archive.server.paths()) == 1


@pytest.mark.parametrize("by", ["enumerate", "follow"])
def test_a_page_that_moved_to_https_is_found_behind_the_redirect_to_itself(
    tmp_path: Path, archive: WebArchive, by: str
) -> None:
    there = (f"Location: http://web.archive.org:{archive.server.port}/web/20190520000000id_/https://site.example/",)
    archive.held = [
        Held("https://site.example/", "20190510000000", text("home")),
        Held(f"{SITE}/", "20190520000000", b"", "301 Moved Permanently", there),
    ]
    crawled_past(tmp_path, past(archive, by))
    assert kept(tmp_path)["https://site.example/"] == "20190510000000"


def test_an_answer_that_fails_is_asked_for_again(tmp_path: Path, archive: WebArchive) -> None:
    failing = [f"{SITE}/a", "cdx", "b"]

    def answer(path: str, request: bytes) -> Answer:
        found = archive.answer(path, request)
        if failing and failing[-1] in path and "/web/" in path:
            status = b"504 Gateway Timeout" if failing.pop() == "b" else b"200 OK"
            return Answer([b"HTTP/1.1 %s\r\nContent-Length: 9\r\n\r\nbad" % status])
        return found

    with serving(answer) as server:
        archive.server = server
        crawled_past(tmp_path, past(archive))
    assert {url.removeprefix(SITE) for url in kept(tmp_path)} == {*ALL, "/moved"}


def test_an_archive_that_nobody_knows_dates_nothing_before_the_fetch(tmp_path: Path, archive: WebArchive) -> None:
    archive.name = "127.0.0.1"
    began = datetime.now(UTC).replace(microsecond=0)
    crawled_past(tmp_path / "out", past(archive))
    found = rows(tmp_path / "out", tmp_path / "lake")
    assert len(found) == 5
    assert all(row["captured_at"] is None or row["captured_at"] >= began for row in found.values()), found


@pytest.mark.parametrize("by", ["enumerate", "follow"])
def test_of_one_host_of_the_past_only_so_many_pages_are_fetched(tmp_path: Path, archive: WebArchive, by: str) -> None:
    crawled_past(tmp_path, past(archive, by), host_pages=3, pages=1)
    crawled_past(tmp_path, past(archive, by), host_pages=3)
    assert len(kept(tmp_path)) == 3


def test_a_robots_txt_of_the_archive_is_obeyed(tmp_path: Path, archive: WebArchive) -> None:
    archive.robots = page("User-agent: *\nDisallow: /web/2019", "Content-Type: text/plain")
    result = crawled_past(tmp_path, past(archive))
    assert set(kept(tmp_path)) == {f"{SITE}/d"}
    assert result.reasons == {"robots": 5}


def test_an_archive_that_asks_for_peace_rests_for_a_minute_at_least() -> None:
    words = {"contact": "a@example.org", "operator": None, "name": "x", "scope": "host", "include": (), "exclude": ()}
    more = {"depth": 2, "sitemaps": True, "pages": None, "bytes": None, "time": None, "host_pages": 9, "connections": 1}
    asked = {"as_of": DAY, "from_": "wayback", "within": None, "by": "enumerate"}
    options = options_of([f"{SITE}/"], **words, **more, **asked, delay=0.0, allow_private=False)  # type: ignore[arg-type]
    assert (options.manners.delay, options.manners.shortest_pause, options.sitemaps) == (1.0, 60.0, False)
    assert ARCHIVES["wayback"].pace == 60 / 24


def test_429_rests_the_archive_and_loses_nothing(tmp_path: Path, archive: WebArchive) -> None:
    busy = Answer([b"HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"], "keep")
    seen = set[str]()

    def answer(path: str, request: bytes) -> Answer:
        if path in seen or path.endswith(("robots.txt", "tdmrep.json")) or "2018" in path:
            return archive.answer(path, request)
        seen.add(path)
        return busy

    with serving(answer) as server:
        archive.server = server
        crawled_past(tmp_path, past(archive), manners=replace(FAST, shortest_pause=0.1))
    assert {url.removeprefix(SITE) for url in kept(tmp_path)} == {*ALL, "/moved"}
    moments = server.times(("/robots.txt", "/.well-known/tdmrep.json"))
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert sum(gap >= 0.1 for gap in gaps) >= len(seen)


def test_an_archive_that_is_gone_behind_its_list_ends_the_crawl(tmp_path: Path, archive: WebArchive) -> None:
    def answer(path: str, request: bytes) -> Answer:
        return Answer([], "reset") if "resumeKey" in path else archive.answer(path, request)

    impatient = replace(FAST, failures=1, rests=1, connections=1)
    with serving(answer) as server:
        archive.server = server
        result = crawled_past(tmp_path, past(archive, resumes=True, lines=5), manners=impatient)
    assert (result.ended, result.waiting, result.failed, result.left_out) == ("finished", 0, 1, {})
    assert (result.reasons["unreachable"], list(result.unreachable)) == (3, [f"http://web.archive.org:{server.port}"])


def test_the_sidecar_has_each_memento_by_its_address_and_time(tmp_path: Path, archive: WebArchive) -> None:
    crawled_past(tmp_path, past(archive))
    lines = (tmp_path / "original.cdxj").read_text().splitlines()
    assert lines == sorted(lines)
    assert [line.split(" ", 2)[:2] for line in lines] == [
        ["example,site)/", "20190501000000"], ["example,site)/a", "20190601235959"],
        ["example,site)/b", "20190301000000"], ["example,site)/c", "20190504000000"],
        ["example,site)/d", "20170101000000"], ["example,site)/moved", "20190503000000"],
    ]  # fmt: skip
    fields = json.loads(lines[1].split(" ", 2)[2])
    assert fields["url"] == f"{SITE}/a"
    with (tmp_path / fields["filename"]).open("rb") as stream:
        from warcio.archiveiterator import ArchiveIterator

        stream.seek(int(fields["offset"]))
        record = next(iter(ArchiveIterator(stream)))
        assert record.rec_headers.get_header("WARC-Target-URI") == archive.raw(f"{SITE}/a", "20190601235959")
        assert record.content_stream().read() == text("a")


@pytest.mark.parametrize("by", ["enumerate", "follow"])
def test_a_crawl_of_the_past_that_was_killed_goes_on(tmp_path: Path, by: str) -> None:
    links = b"".join(b"<a href=/%d>" % number for number in range(1, 60))
    held = [Held(f"{SITE}/", "20190101000000", text("0") + links)]
    held += [Held(f"{SITE}/{number}", "20190101000000", text(str(number))) for number in range(1, 60)]
    with archiving(WebArchive(held)) as archive:
        folder = tmp_path / "out"
        with crawls(folder, f"{by} {archive.replay}") as runs:
            for least in (20, 60):
                process = runs.begin()
                until = time.monotonic() + 20
                while len(archive.server.asked) < least and time.monotonic() < until:
                    time.sleep(0.005)
                os.kill(process, signal.SIGKILL)
                assert runs.end() == signal.SIGKILL
            runs.begin()
            assert runs.end() == 0
    assert kept(folder) == {each.url: each.stamp for each in held}
    assert len((folder / "original.cdxj").read_text().splitlines()) == 60
    check(folder)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"as_of": DAY}, "--from"), ({"from_": "wayback"}, "--as-of"), ({"within": 3}, "--as-of"),
        ({"as_of": "June", "from_": "wayback"}, "a date"), ({"as_of": "2999-01-01", "from_": "wayback"}, "past"),
        ({"as_of": DAY, "from_": "somewhere"}, "--from"), ({"as_of": DAY, "from_": "wayback", "by": "luck"}, "--by"),
        ({"as_of": DAY, "from_": "wayback", "within": -1}, "--within"),
    ],
)  # fmt: skip
def test_a_wrong_option_of_the_past_is_said_in_one_line(tmp_path: Path, words: dict[str, Any], line: str) -> None:
    with pytest.raises(CrawlError, match=line) as error:
        crawl(SITE, out=tmp_path / "out", contact="a@example.org", **words)
    assert "\n" not in str(error.value)


def test_a_digest_is_compared_with_the_payload_as_archives_compute_it() -> None:
    import gzip

    packed = gzip.compress(b"text")
    block = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n%x\r\n" % len(packed)
    block += packed + b"\r\n0\r\n\r\n"
    message = parse(block)
    assert message is not None
    for payload, word in (
        (packed, "agrees"), (b"text", "agrees, without its content coding"), (b"other", "differs"),
        (block[message.start :], "agrees, with its chunks"),
    ):  # fmt: skip
        assert agreement(sha1(payload), message, block) == word
        assert agreement(sha1(payload).removeprefix("sha1:"), message, block) == word
    assert agreement("-", message, block) == agreement("", message, block) == "not stated"


def test_the_day_of_a_date_belongs_to_it_to_its_last_second() -> None:
    assert as_of(DAY, "wayback", 1, "follow").until == datetime(2019, 6, 1, 23, 59, 59, tzinfo=UTC)
    assert as_of(DAY, "wayback", 1, "follow").since == datetime(2019, 5, 31, 23, 59, 59, tzinfo=UTC)
    assert as_of("2019-06-01T10:00+02:00", "wayback", 0, "follow").until == datetime(2019, 6, 1, 8, tzinfo=UTC)
