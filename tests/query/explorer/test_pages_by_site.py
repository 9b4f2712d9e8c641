"""A page about a URL or a site reads the rows of that site, and says what all rows of the lake say."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, rows, take

pytest.importorskip("starlette")

from explored import files_of
from made import indexed, words

import lowbackground as lb
from archive.lake import Lake
from query.explorer.open_lake import OpenLake
from query.explorer.page import Answer
from query.explorer.pages import search
from query.explorer.pages.table import PAGES
from query.explorer.parameters import NotThere
from query.explorer.sites import Of, Sites, SiteViews
from query.sql import connect

REFUSES = "User-agent: GPTBot\nDisallow: /\n"
#: Addresses whose host is not what one expects.
ODD = (
    "http://user@www.one.example.com:8080/port",
    "http://a@b@odd.example.com/two",
    "http://203.0.113.7/number",
    "http://www.one.example.com./dot",
)
SHARED = "<p>" + " ".join(words(50, 1))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Several sites in several files: revisits whose text another site has, rules, rejects, and dates of no proof."""
    folder = tmp_path_factory.mktemp("sites")
    lake = Lake(str(folder / "lake"))
    robots: dict[str, Any] = {"content_type": "text/plain"}
    shared = record("http://www.one.example.com/", SHARED, date="2012-01-02T03:04:05Z")
    refused = record("http://www.one.example.com/robots.txt", REFUSES, date="2012-01-02T03:04:00Z", **robots)
    again = [{"WARC-Payload-Digest": str(re.search(rb"WARC-Payload-Digest: (\S+)", each)[1], "ascii")}  # type: ignore[index]
             for each in (shared, refused)]  # fmt: skip
    given = [
        [
            shared,
            refused,
            record("http://www.one.example.com/gone", "gone", status="404 Not Found", date="2019-01-02T03:04:05Z"),
            record("https://one.example.com/", f"<p>{' '.join(words(60, 2))}", date="2016-01-02T03:04:05Z"),
        ],
        [
            record("http://two.example.org/", b"", kind="revisit", date="2013-01-02T03:04:05Z", warc=again[0]),
            record(
                "http://two.example.org/robots.txt", b"", kind="revisit", date="2013-01-02T03:04:05Z", warc=again[1]
            ),
            record("http://two.example.org/", f"<p>{' '.join(words(60, 3))}", date="2999-01-02T03:04:05Z"),
            record("http://two.example.org/own", f"<p>{' '.join(words(60, 4))}", date="2015-01-02T03:04:05Z"),
        ],
        [record(url, f"<p>{' '.join(words(40, 10 + at))}", date="2014-05-06T00:00:00Z") for at, url in enumerate(ODD)],
    ]
    for at, records in enumerate(given):
        (folder / f"{at}.warc.gz").write_bytes(members(*records))
        take(lake, str(folder / f"{at}.warc.gz"))
    indexed(lake)
    return lake


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def shown(opened: OpenLake, name: str, **given: str) -> Answer:
    values = PAGES[name].parse(list(given.items()))
    return opened.act(lambda context: PAGES[name].answer(context, values))


def pages(lake: Lake) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    for name in ("url", "host", "domain"):
        values = rows(lake, f"SELECT {name} FROM captures UNION SELECT {name} FROM rejects ORDER BY 1")
        found += [("url" if name == "url" else "site", {name: each}) for (each,) in values if each]
    return found


def test_what_a_page_asks_of_its_site_is_what_all_rows_answer(lake: Lake) -> None:
    asked = pages(lake)
    assert len(asked) > 15
    with connect(lake) as all_rows, OpenLake(lake.location) as opened:
        found = [(given, shown(opened, name, **given)) for name, given in asked]
        for given, answer in found:
            assert len(answer.sql) > 1
            of = Of(**{f"{name}s": (value,) for name, value in given.items()})
            for question in answer.sql:
                few = opened.act(lambda context, sql=question.sql, of=of: context.rows("", sql, of_sites=of))
                assert few == rows(all_rows, question.sql), question
    by_host = {given["host"]: answer.data for given, answer in found if "host" in given}
    assert by_host["two.example.org"].texts == 3
    assert [each.shut_out is not None for each in by_host["two.example.org"].rules] == [True]
    assert by_host["www.one.example.com"].rejects


def test_only_the_rows_of_a_site_are_seen(lake: Lake, tmp_path: Path) -> None:
    versions = {name: lake.delta(name).version() for name in ("captures", "documents", "rejects")}
    sites = Sites(lake.at(versions), {name: lake.mark(name) for name in versions}, str(tmp_path / "spill"))
    assert sites.wait(60)
    assert sites.is_ready
    views = SiteViews(lake.at(versions), sites, "200MB", str(tmp_path / "spill"))
    for of, seen in (
        (Of(hosts=("two.example.org",)), {"example.org"}),
        (Of(urls=("http://www.one.example.com/",)), {"example.com"}),
        (Of(domains=("203.0.113.7",)), {"203.0.113.7"}),
        (Of(), {domain for (domain,) in rows(lake, "SELECT DISTINCT domain FROM captures")}),
    ):
        views.see(of)
        assert {domain for (domain,) in views.db.execute("SELECT DISTINCT domain FROM captures").fetchall()} == seen
    views.close()


def test_rows_by_site_are_kept_outside_the_lake_and_made_again_for_another_version_or_where_they_are_damaged(
    tmp_path: Path, cache: Path
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for number in (1, 2):
        page = record(f"http://a.example/{number}", SHARED, date=f"201{4 + number}-01-02T03:04:05Z")
        (tmp_path / f"{number}.warc").write_bytes(page)
        take(lake, str(tmp_path / f"{number}.warc"))
        before = files_of(lake.location)
        for _ in range(2):
            with OpenLake(lake.location) as opened:
                assert shown(opened, "site", host="a.example").data.captures == number
            assert files_of(lake.location) == before
            kept = list(cache.rglob("sites-*.parquet"))
            assert {path.name.split("-")[1] for path in kept} == {"captures", "rejects", "rules"}
            assert len(kept) == 3
            for path in kept:
                path.write_bytes(b"no Parquet")


def test_what_was_retracted_proves_nothing_on_the_page_of_its_site(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(record("http://a.example/", SHARED, date="2015-01-02T03:04:05Z"))
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(tmp_path / "a.warc"))
    with OpenLake(lake.location) as opened:
        assert shown(opened, "site", host="a.example").data.first is not None
    lb.retract(lake, [str(tmp_path / "a.warc")], reason="wrong clock")
    with OpenLake(lake.location) as opened:
        assert shown(opened, "site", host="a.example").data.first is None


def test_a_site_that_the_lake_does_not_have_is_told(lake: Lake) -> None:
    with OpenLake(lake.location) as opened:
        for given in ({"host": "nowhere.example.org"}, {"domain": "b@odd.example.com'"}):
            with pytest.raises(NotThere):
                shown(opened, "site", **given)


def test_words_are_searched_for_in_all_sites_and_texts_have_their_first_date(lake: Lake) -> None:
    with OpenLake(lake.location) as opened:
        found = shown(opened, "search", q=words(50, 1)[7]).data.words
        hosts = shown(opened, "search", q="example.com", **{"as": "words"}).data.words
    expected = dict(rows(lake, "SELECT content_id, first_seen FROM documents"))
    assert found.texts
    assert all(each.first_seen == expected[each.content_id] for each in found.texts if each.grade <= "D")
    assert {each.host for each in hosts.hosts} == {
        host for (host,) in rows(lake, "SELECT DISTINCT host FROM captures") if host and "example.com" in host
    }


def test_a_search_that_was_stopped_says_so(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_SECONDS", 0.0)
    endless = "SELECT 'a', 'b' FROM range(1000000) AS a, range(1000000) AS b WHERE a.range + b.range < 0"
    for name in ("_IN_PAGES", "_IN_TEXTS"):
        monkeypatch.setattr(search, name, endless)
    with OpenLake(lake.location) as opened:
        found = shown(opened, "search", q="example", **{"as": "words"}).data.words
    assert (found.pages, found.are_pages_all, found.texts, found.are_all) == ((), False, (), False)
    assert found.hosts


def test_of_many_who_search_at_once_each_is_answered_in_time_and_nobody_else_waits(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has the whole time, which the others share; meanwhile pages are answered."""
    monkeypatch.setattr(search, "_SECONDS", 2.0)
    endless = "SELECT 'a', 'b' FROM range(1000000) AS a, range(1000000) AS b WHERE a.range + b.range < 0"
    monkeypatch.setattr(search, "_IN_TEXTS", endless)
    with OpenLake(lake.location, at_once=2) as opened, ThreadPoolExecutor(8) as pool:
        shown(opened, "site", host="two.example.org")  # the sites are sorted now
        begun = time.monotonic()
        asked = [pool.submit(shown, opened, "search", q="example", **{"as": "words"}) for _ in range(8)]
        time.sleep(0.3)
        assert shown(opened, "site", host="two.example.org").data.texts == 3
        assert not all(each.done() for each in asked)
        found = [each.result().data.words for each in asked]
        took = time.monotonic() - begun
    assert not any(each.are_all for each in found)
    assert all(each.hosts for each in found)
    assert sum(each.seconds for each in found) <= 2 + 7 * 1.0
    assert took < 2.0 * 8
