"""A web archive that forges, leaves out and garbles its dates: nothing that came today is dated to the past."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawls import crawled, records
from rawserver import Answer, missing, page, serving

from crawler.asof import as_of, time_of
from crawler.past.lookups import http_date, lines_of
from crawler.wire import addresses

STAMP, DATE, LATER = "20190501000000", "Wed, 01 May 2019 00:00:00 GMT", "Wed, 01 May 2024 00:00:00 GMT"
WORDS = " ".join(f"word{number}" for number in range(60))


def raw(head: str, name: str) -> Answer:
    return Answer([f"{head}\r\n\r\n<title>{name}</title><p>{name} {WORDS}".encode()])


def stated(*dates: str, first: str = "HTTP/1.1 200 OK") -> str:
    return "\r\n".join([first, "Content-Type: text/html", *(f"Memento-Datetime: {date}" for date in dates)])


#: The header of each answer. None of them is a memento of the date that the crawl asks for.
FORGED = {
    "203": stated(first="HTTP/1.1 203 Non-Authoritative Information"),
    "206": stated(first="HTTP/1.1 206 Partial Content"),
    "icy": stated(first="ICY 200 OK"),
    "blank-in-front": stated(first="\r\nHTTP/1.1 200 OK"),
    "no-status": stated(first="HTTP/1.1 "),
    "behind-101": "HTTP/1.1 101 Switching Protocols\r\n\r\n" + stated(),
    "interim-date": f"HTTP/1.1 103 Early Hints\r\nMemento-Datetime: {DATE}\r\n\r\n" + stated(),
    "interim-404": "HTTP/1.1 103 Early Hints\r\n\r\n" + stated(first="HTTP/1.1 404 Not Found"),
    "live": stated(),
    "two": stated(DATE, LATER),
    "two-in-one": stated(f"{DATE}, {LATER}"),
    "behind-it": stated(f"{DATE}; {LATER}"),
    "no-zone": stated("Wed, 01 May 2019 00:00:00"),
    "other-zone": stated("Wed, 01 May 2019 00:00:00 XYZ"),
    "year-1": stated("Mon, 01 Jan 0001 00:00:00 GMT"),
    "year-9999": stated("Fri, 31 Dec 9999 23:59:59 GMT"),
    "leap-second": stated("Tue, 30 Apr 2019 23:59:60 GMT"),
    "digits": stated(STAMP),
    "empty": stated(""),
    "words": stated("yesterday"),
    "later": stated(LATER),
}


def test_what_no_date_of_the_archive_dates_is_not_kept_and_not_dated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lowbackground as lb

    async def lookup(host: str, port: int) -> list[tuple[int, str]]:
        return [(2, "127.0.0.1")]

    monkeypatch.setattr(addresses, "lookup", lookup)

    def answer(path: str, request: bytes) -> Answer:
        if path.startswith("/web/cdx?"):
            lines = [
                json.dumps({"url": f"http://site.example/{name}", "timestamp": STAMP, "status": "200"})
                for name in [*FORGED, "true"]
            ]
            return page("\n".join(lines), "Content-Type: text/plain")
        name = path.rpartition("/")[2]
        if name in FORGED:
            return raw(FORGED[name], name)
        return raw(stated(DATE), name) if name == "true" else missing()

    with serving(answer) as server:
        past = as_of("2019-06-01", f"http://web.archive.org:{server.port}/web/", None, "enumerate")
        past = replace(past, archive=replace(past.archive, delay=0.0, pace=0.0))
        result = crawled(tmp_path / "past", "http://site.example/", as_of=past, sitemaps=False)
    kept = [each.url.rpartition("/")[2] for each in records(tmp_path / "past") if each.kind == "response"]
    assert [each for each in kept if each in FORGED] == []
    assert sum(result.reasons.values()) == len(FORGED)
    assert set(result.reasons) == {"no-memento-datetime", "later-memento", "older-memento"}
    lb.ingest(str(tmp_path / "lake"), str(tmp_path / "past"), workers=1)
    found = lb.query(
        str(tmp_path / "lake"), "SELECT url, captured_at, grade FROM captures WHERE content_id IS NOT NULL"
    ).to_pylist()
    assert [(row["url"], f"{row['captured_at']:%Y%m%d%H%M%S}", row["grade"]) for row in found] == [
        ("http://site.example/true", STAMP, "D")
    ]


@pytest.mark.parametrize(
    "text",
    [DATE + ", " + DATE, DATE[:-4], DATE[:-3] + "PST", DATE[:-3] + "+0000", "Wed, 01 May 19 00:00:00 GMT", DATE + "x",
     "Wed, 01 May 2019 24:00:00 GMT", "Wed, ٠١ May 2019 00:00:00 GMT", "Wed, 31 Feb 2019 00:00:00 GMT", "", None],
)  # fmt: skip
def test_a_date_that_may_mean_two_times_is_none(text: str | None) -> None:
    assert http_date(text) is None


@pytest.mark.parametrize(
    "stamp", ["2019", "201905", "2019050100000", "201905010000000", "2019051٢000000", "20190532000000",
              "20190501235960", "00000101000000", "2019-05-01T00:", " 2019050100000", "+2019050100000"]
)  # fmt: skip
def test_a_stamp_has_fourteen_digits_of_ascii_and_is_a_time(stamp: str) -> None:
    assert time_of(stamp) is None


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 50_000, b'[[["a"],"b"],["x","y"]]', b'{"message": "error"}', b"null", b"[1, 2]",
     b'[["urlkey"],["com,example)/"]]', b"com,example)/ 20190501000000 http://example.com/ text/html 200 X 9",
     b'com,example)/\t20190501000000\t{"url": "http://example.com/"}', b"<html>an error with the status 200",
     b'[["timestamp","original"],["20190501000000","http://example.com/"]', b'[["timestamp","original"],["20190501']
)  # fmt: skip
def test_an_answer_that_is_no_list_of_captures_is_unreadable(body: bytes) -> None:
    found = lines_of(body)
    assert (found.cut, found.lines) == (True, [])


def test_rows_that_lack_something_do_not_take_the_others_with_them() -> None:
    found = lines_of(b'[["timestamp","original"],["20190501000000"],["20190502000000","http://example.com/"]]')
    assert (found.cut, [line.stamp for line in found.lines]) == (True, ["20190502000000"])


def test_a_page_whose_address_climbs_out_of_that_of_its_memento_is_asked_for_by_its_own() -> None:
    past = as_of("2019-06-01", "HTTP://Archive.Example:80/coll", None, "follow")
    url = past.memento("http://site.example/a/../../../%2e%2e/b?c=/../d", STAMP)
    assert url == f"http://archive.example/coll/{STAMP}id_/http://site.example/b?c=/../d"
    assert past.replayed(url) == (STAMP, "http://site.example/b?c=/../d")


@pytest.mark.parametrize("look_alike", [
    "http://archive.example.evil.example/coll/", "http://evil.example/archive.example/coll/", "http://archive.example@evil.example/coll/",
    "http://archive.example/coll2/", "http://archive.example/", "http://arсhive.example/coll/", "http://archive.example:81/coll/",
])  # fmt: skip
def test_an_address_that_only_looks_like_one_of_the_archive_is_none(look_alike: str) -> None:
    past = as_of("2019-06-01", "http://archive.example/coll/", None, "follow")
    assert past.replayed(f"{look_alike}{STAMP}id_/http://site.example/") is None


@pytest.mark.parametrize(
    ("date", "archive", "within"),
    [("9999-12-31", "wayback", None), ("9999-12-31T23:00:00-05:00", "wayback", None), ("0001-01-01", "wayback", None),
     ("0001-01-01T00:00:00+05:00", "wayback", None), ("2019-02-30", "wayback", None), ("1989-01-01", "wayback", None),
     ("2019-06-01", "ftp://archive.example/", None), ("2019-06-01", "http://", None),
     ("2019-06-01", "http://archive.example/?a", None), ("2019-06-01", "http://archive.example/#a", None)],
)  # fmt: skip
def test_a_past_that_is_none_is_a_value_error(date: str, archive: str, within: int | None) -> None:
    with pytest.raises(ValueError, match="--"):
        as_of(date, archive, within, "follow")


def test_any_number_of_days_before_the_date_is_bounded_by_the_web() -> None:
    assert as_of("2019-06-01", "wayback", 10**12, "follow").since.year == 1990
