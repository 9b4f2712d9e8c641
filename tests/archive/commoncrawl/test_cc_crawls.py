"""A name stands for the crawls that it names, and for no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from minicc.fixtures import cc, minicc, reach_of  # noqa: F401
from minicc.serve import Fault, Server

from archive.commoncrawl.crawls import Crawl, crawls_of
from archive.commoncrawl.gate import Gate
from archive.commoncrawl.mirror import Access
from archive.commoncrawl.reach import Reach
from archive.commoncrawl.surt import host_key, key_of
from archive.errors import SourceError
from archive.evidence.crawls import frozen

NOW = datetime(2021, 3, 5, tzinfo=UTC)
ReachOf = Callable[..., Reach]


def ids(source: str) -> list[str]:
    return [each.id for each in crawls_of(source, frozen, NOW)]


def test_one_crawl_has_the_times_that_are_published() -> None:
    (crawl,) = crawls_of("cc:CC-MAIN-2019-35", frozen)
    assert crawl == Crawl(
        "CC-MAIN-2019-35",
        datetime(2019, 8, 17, 10, 26, 24, tzinfo=UTC),
        datetime(2019, 8, 26, 11, 13, 56, tzinfo=UTC),
    )
    assert ids("cc:cc-main-2019-35") == ["CC-MAIN-2019-35"]


def test_a_range_of_years_holds_the_crawls_that_ran_within_it() -> None:
    of_2019 = ids("cc:2019")
    assert of_2019 == ids("cc:2019..2019") == [name for name in frozen() if name.startswith("CC-MAIN-2019-")]
    assert len(of_2019) == 12
    assert ids("cc:2008..2012") == ["CC-MAIN-2008-2009", "CC-MAIN-2009-2010", "CC-MAIN-2012"]
    assert ids("cc:..2021")[:4] == [*ids("cc:2008..2012"), "CC-MAIN-2013-20"]
    assert ids("cc:..2021")[-1] == "CC-MAIN-2021-49"
    assert ids("cc:2024..")[-1] == "CC-MAIN-2025-33"
    assert ids("cc:CC-MAIN-2019-35..CC-MAIN-2019-43") == ["CC-MAIN-2019-35", "CC-MAIN-2019-39", "CC-MAIN-2019-43"]
    assert ids("cc:..") == list(frozen())


def test_crawls_are_in_the_order_of_time() -> None:
    starts = [each.start for each in crawls_of("cc:..", frozen)]
    assert starts == sorted(starts)


def test_months_of_the_news() -> None:
    assert ids("cc:CC-NEWS-2019-08") == ["CC-NEWS-2019-08"]
    assert ids("cc:CC-NEWS-2019-11..2020-02") == [
        f"CC-NEWS-{each}" for each in ("2019-11", "2019-12", "2020-01", "2020-02")
    ]
    assert ids("cc:CC-NEWS-2019-11..CC-NEWS-2019-12") == ["CC-NEWS-2019-11", "CC-NEWS-2019-12"]
    assert len(ids("cc:CC-NEWS-2017..2018")) == 24
    assert len(ids("cc:CC-NEWS-2018")) == 12
    assert ids("cc:CC-NEWS-..2016") == [f"CC-NEWS-2016-{month:02}" for month in range(8, 13)]
    assert ids("cc:CC-NEWS-2021..")[-1] == "CC-NEWS-2021-03"
    (month,) = crawls_of("cc:CC-NEWS-2019-12", frozen, NOW)
    assert (month.start, month.end) == (
        datetime(2019, 12, 1, tzinfo=UTC),
        datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC),
    )
    assert month.folder == "crawl-data/CC-NEWS/2019/12"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("cc:CC-MAIN-2019-36", "no crawl of this name; near it are"),
        ("cc:", "names no crawl; write"),
        ("cc:2019-35", "names no crawl"),
        ("cc:hello", "names no crawl"),
        ("cc:1999..2005", "no crawl of Common Crawl is within"),
        ("cc:2021..2019", "no crawl of Common Crawl is within"),
        ("cc:CC-NEWS", "names no crawl"),
        ("cc:CC-NEWS-2015-01", "began in August 2016"),
        ("cc:CC-NEWS-2019-13", "names no crawl"),
    ],
)
def test_what_names_no_crawl_is_an_error_that_says_what_does(source: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        ids(source)


def test_the_list_of_crawls_is_asked_for_once_a_day(cc: Server, reach_of: ReachOf) -> None:
    for _ in range(2):
        assert [each.id for each in reach_of(cc.address).crawls(["cc:2014..2019"])] == [
            "CC-MAIN-2014-35",
            "CC-MAIN-2019-35",
        ]
    assert len(cc.requests("collinfo.json")) == 1


def test_sources_that_overlap_give_each_crawl_once(cc: Server, reach_of: ReachOf) -> None:
    found = reach_of(cc.address).crawls(["cc:2019..2020", "cc:CC-MAIN-2019-35", "cc:CC-NEWS-2019-08"])
    assert [each.id for each in found] == ["CC-NEWS-2019-08", "CC-MAIN-2019-35", "CC-MAIN-2020-34"]


@pytest.mark.parametrize("kind", ["html", "error"])
def test_a_mirror_without_a_list_of_crawls_is_an_error_and_common_crawl_itself_is_not(
    cc: Server, reach_of: ReachOf, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "_hold", lambda *_: None)
    cc.faults = [Fault(kind, "collinfo.json", times=None)]
    with pytest.raises(SourceError, match=r"collinfo\.json"):
        reach_of(cc.address).crawls(["cc:2019"])
    monkeypatch.setattr(Access, "is_own", property(lambda _: True))
    monkeypatch.setattr("archive.commoncrawl.mirror.OWN_INDEX", cc.address)
    monkeypatch.setattr("archive.commoncrawl.mirror.INDEX_RATE", 1e6)
    assert len(reach_of(cc.address).crawls(["cc:2019"])) == 12


def test_keys_are_those_of_the_index_servers(data: Path) -> None:
    pairs = set()
    for file in sorted((data / "cc-index-responses").glob("*.jsonl")):
        for line in file.read_text().splitlines():
            for answer in (json.loads(line)["response_text"] or "").splitlines():
                if answer.startswith("{") and '"urlkey"' in answer:
                    fields = json.loads(answer)
                    pairs.add((fields["url"], fields["urlkey"]))
    assert len(pairs) >= 15
    assert [pair for pair in pairs if key_of(pair[0]) != pair[1]] == []


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://www.example.com", "com,example)/"),
        ("https://www2.example.com:443/a/", "com,example)/a"),
        ("http://example.com:8080/", "com,example:8080)/"),
        ("example.com/A?B=2&a=1", "com,example)/a?a=1&b=2"),
        ("http://example.com/%7Ejoe/x%20y", "com,example)/~joe/x%20y"),
        ("http://example.com/?", "com,example)/"),
        ("http://example.com/x#part", "com,example)/x"),
        ("http://example.com/;jsessionid=0123456789abcdef0123456789abcdef", "com,example)/"),
        ("http://example.com/?phpsessid=0123456789abcdef0123456789abcdef&a=1", "com,example)/?a=1"),
        ("http://müller.de/", "de,xn--mller-kva)/"),
    ],
)
def test_keys_of_addresses(url: str, key: str) -> None:
    assert key_of(url) == key


@pytest.mark.parametrize("url", ["", "http://", "http://host:port/"])
def test_what_is_no_address_has_no_key(url: str) -> None:
    with pytest.raises(ValueError, match=r"host|port|Port|Invalid"):
        key_of(url)


def test_www_is_no_host_of_its_own() -> None:
    assert host_key("www.com") == "com"
    assert host_key("wwwx.com") == "com,wwwx"
