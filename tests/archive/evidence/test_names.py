"""A name or an address counts as the archive or the crawl that it names, and as no other."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from conftest import at
from hypothesis import given
from hypothesis import strategies as st

from archive.evidence.names import (
    CRAWL_SLACK_AFTER,
    CRAWL_SLACK_BEFORE,
    PUBLISHED_SLACK,
    crawl_name,
    crawl_windows,
    replay_of,
    stamps_in,
)


def test_the_window_of_a_crawl_is_what_common_crawl_publishes_with_a_day_of_slack() -> None:
    (window,) = crawl_windows("s3://commoncrawl/crawl-data/CC-MAIN-2020-34/segments/1/warc/x.warc.gz")
    assert window.start == at(2020, 8, 3, 8, 31, 23) - PUBLISHED_SLACK
    assert window.end == at(2020, 8, 15, 21, 47, 56) + PUBLISHED_SLACK


@pytest.mark.parametrize(
    ("path", "crawl", "inside", "outside"),
    [
        ("crawl-001/2008/06/25/11/1214440586619_11.arc.gz", "CC-MAIN-2008-2009", at(2008, 6, 25), at(2008, 5, 7)),
        ("s3://commoncrawl/crawl-002/2009/09/17/7/1253228619531_7.arc.gz", "CC-MAIN-2009-2010", at(2009, 9, 17), at(2010, 9, 13)),
        ("parse-output/segment/1346823845675/1346864466526_10.arc.gz", "CC-MAIN-2012", at(2012, 1, 27), at(2012, 6, 8)),
    ],
)  # fmt: skip
def test_a_crawl_before_2013_is_known_by_the_paths_of_its_files(
    path: str, crawl: str, inside: datetime, outside: datetime
) -> None:
    (window,) = crawl_windows(path)
    assert window.holds(inside)
    assert not window.holds(outside)
    assert crawl_name(path) == crawl == crawl_name(f"x/{crawl}/y")
    assert crawl_windows(f"x/{crawl}/y") == (window,)
    assert crawl_windows("my-crawl-001/2008/06/25/11/1214440586619_11.arc.gz") == ()


def test_the_window_of_a_crawl_without_published_times_is_its_week_with_the_documented_slack() -> None:
    (window,) = crawl_windows("s3://commoncrawl/crawl-data/CC-MAIN-2026-34/segments/1/warc/x.warc.gz")
    assert window.start == at(2026, 8, 17) - CRAWL_SLACK_BEFORE
    assert window.end == at(2026, 8, 24) + CRAWL_SLACK_AFTER
    (stamped,) = crawl_windows("CC-MAIN-20140820021334-00006-ip-10-180-136-8.ec2.internal.warc.gz")
    assert stamped.holds(at(2014, 8, 21))
    assert not stamped.holds(at(2014, 6, 1))
    assert crawl_windows("INA-HISTORICAL-2000-GROUP-ACS-20100812000000-00001.arc") == (), "old captures, repacked"
    assert len(crawl_windows("CC-MAIN-2020-34/CC-MAIN-2021-04/CC-MAIN-2020-34")) == 2


def test_only_known_web_archives_may_name_an_earlier_time() -> None:
    assert replay_of("https://evil.example/web/20100101000000/http://example.org/") is None
    assert replay_of("https://web.archive.org.evil.example/web/20100101000000/http://example.org/") is None
    assert replay_of("https://web.archive.org/about/") is None
    replay = replay_of("http://web.archive.org/web/20110111145835id_/http:/example.org:80/a?b=/web/2009/")
    assert replay is not None
    assert (replay.page, replay.stamp) == ("http://example.org:80/a?b=/web/2009/", "20110111145835")
    assert replay.raw
    assert not replay_of("http://web.archive.org/web/20110111145835if_/http://example.org/").raw  # type: ignore[union-attr]


def test_any_site_may_state_a_later_time_in_an_address() -> None:
    assert stamps("https://x.example/web/20230101000000id_/http://example.org/") == [at(2023, 1, 1)]
    assert stamps("https://x.example/20230101/http://example.org/") == []
    assert stamps(None) == []


def stamps(url: str | None) -> list[datetime | None]:
    return [each.end for each in stamps_in(url)]


NESTED = [
    "http://my.example/20150301050607/http://web.archive.org/web/{}/http://e.example/",
    "https://web.archive.org/web/20150301050607id_/http://web.archive.org/web/{}id_/http://e.example/",
    "http://my.example/20150301050607/http%3A%2F%2Fweb.archive.org%2Fweb%2F{}%2Fhttp%3A%2F%2Fe.example%2F",
    "http://my.example/?to=http://b.example/{}/www.e.example/",
    "http://my.example/?to=http%253A%252F%252Fb.example%252F{}%252Fhttp%253A%252F%252Fe.example",
]


@pytest.mark.parametrize("url", NESTED)
@given(moment=st.datetimes(datetime(1996, 1, 1), datetime(2026, 1, 1)))
def test_every_time_stamp_of_an_address_is_found(url: str, moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    assert moment in stamps(url.format(f"{moment:%Y%m%d%H%M%S}"))


def test_a_short_time_stamp_counts_behind_a_known_archive_only() -> None:
    assert stamps("http://my.example/http://web.archive.org/web/2023/http://e.example/") == [
        at(2023, 12, 31, 23, 59, 59, 999999)
    ]
    assert stamps("http://my.example/2023/http://e.example/") == []


@pytest.mark.parametrize("name", ["cc-main-2020-34", "CC%2DMAIN%2D2020-34", "CC-MAIN-２０２０-34"])
def test_the_name_of_a_crawl_counts_however_it_is_written(name: str) -> None:
    assert crawl_windows(name) == crawl_windows("CC-MAIN-2020-34") != ()
    assert crawl_name(name) == "CC-MAIN-2020-34"
