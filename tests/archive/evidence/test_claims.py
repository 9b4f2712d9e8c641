"""Every date that a record carries is read; what contradicts, or cannot be read, is never proof."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import at, record
from hypothesis import given
from hypothesis import strategies as st

from archive.capture import Capture
from archive.dates import Dated
from archive.evidence.claims import AGREEMENT, operator_of, row_date
from archive.evidence.file_state import FileState, Info
from archive.evidence.grade import GRADES
from archive.examine import Examiner
from archive.reasons import CLAIMS, DATE_PROBLEMS
from archive.records import RecordReader
from archive.records.rows import Columns, row_of
from archive.text.extract import from_html

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = "http://example.org/page"
RAW = f"https://web.archive.org/web/20120101000000id_/{PAGE}"
REWRITTEN = f"https://web.archive.org/web/20120101000000/{PAGE}"
OF_2012 = "Sun, 01 Jan 2012 00:00:00 GMT"
OF_2023 = "Fri, 05 May 2023 00:00:00 GMT"


def examined(content: bytes, name: str = "a.warc", infos: tuple[Info, ...] = ()) -> list[Capture]:
    """The captures of a file."""
    examiner = Examiner(name, from_html, now=NOW)
    examiner.state.infos = infos
    found = [examiner.examine(each) for each in RecordReader(io.BytesIO(content))]
    return [each for each in found if isinstance(each, Capture)]


def only(content: bytes, **options: object) -> Capture:
    (capture,) = examined(content, **options)  # type: ignore[arg-type]
    return capture


def warcinfo(fields: str, record_id: str = "<urn:uuid:info>", date: str = "2019-04-01T00:00:00Z") -> bytes:
    return (
        f"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: {date}\r\nWARC-Record-ID: {record_id}\r\n"
        f"Content-Type: application/warc-fields\r\nContent-Length: {len(fields)}\r\n\r\n{fields}\r\n\r\n"
    ).encode()


def arc(date: str, body: bytes = b"<p>Some words.</p>", http: bytes = b"", url: str = "http://a.example/") -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + http + b"\r\n" + body
    return f"{url} 1.2.3.4 {date} text/html {len(block)}\n".encode() + block + b"\n"


def filedesc(by: str) -> bytes:
    block = f"1 0 {by}\nURL IP-address Archive-date Content-type Archive-length\n\n".encode()
    return f"filedesc://x.arc 0.0.0.0 20080509000000 text/plain {len(block)}\n".encode() + block


# -- a record of a crawler ----------------------------------------------------------------------------


def test_a_verified_record_whose_server_states_the_same_day_is_consistent() -> None:
    capture = only(record(http={"Date": "Wed, 04 Mar 2015 05:06:08 GMT"}))
    assert (capture.grade, capture.integrity, capture.dated.problem) == ("C", "block", None)
    assert [claim.kind for claim in capture.dated.claims] == ["warc-date", "http-date"]
    assert all(claim.agrees for claim in capture.dated.claims)


def test_without_a_date_of_the_server_a_record_is_plain() -> None:
    assert only(record()).grade == "D"


def test_a_resource_is_only_a_claim() -> None:
    assert only(record(kind="resource", content_type="text/html")).grade == "E"


CONTRADICTIONS = {
    "server-later": {"http": {"Date": OF_2023}},
    "server-later ": {"http": {"Last-Modified": OF_2023}},
    "server-later  ": {"http": {"X-Archive-Orig-Date": OF_2023}},
    "conflict": {"http": {"Memento-Datetime": OF_2023}},
    "conflict ": {"warc": {"WARC-Source-URI": f"https://anywhere.example/web/20230101000000/{PAGE}"}},
    "conflict  ": {"url": f"https://anywhere.example/web/20230101000000id_/{PAGE}"},
    "unreadable": {"http": {"Memento-Datetime": "not a date"}},
    "unreadable ": {"warc": {"WARC-Creation-Date": "not a date"}},
    "unreadable  ": {"http": {"Date": "yesterday"}},
    "unreadable   ": {"warc": {"WARC-Source-URI": f"https://web.archive.org/web/2023*/{PAGE}"}},
    "server-later   ": {"http": {"Date": "2023-05-05T00:00:00Z"}},
    "conflict   ": {"http": {"X-Archive-Src": "CC-MAIN-20230501000000-20230501030000-00042.warc.gz"}},
    "made-later": {"warc": {"WARC-Creation-Date": "2026-01-01T00:00:00Z"}},
    "made-later ": {"warc": {"X-Repacked-Date": "2023-01-01T00:00:00Z"}},
}


@pytest.mark.parametrize(("problem", "parts"), CONTRADICTIONS.items())
def test_a_date_that_something_contradicts_proves_nothing(problem: str, parts: dict[str, str]) -> None:
    capture = only(record(**parts))  # type: ignore[arg-type]
    assert (capture.dated.problem, capture.grade) == (problem.strip(), "X")
    assert capture.dated.month == "unproven"


def test_earlier_statements_contradict_nothing() -> None:
    earlier = {"Last-Modified": OF_2012, "Date": OF_2012, "Memento-Datetime": OF_2012}
    assert only(record(http=earlier, warc={"WARC-Creation-Date": "2014-01-01T00:00:00Z"})).dated.problem is None


def test_of_two_dates_in_one_header_none_counts() -> None:
    twice = record().replace(b"WARC-Date: 2015", b"WARC-Date: 2023-01-01T00:00:00Z\r\nWARC-Date: 2015", 1)
    capture = only(twice)
    assert (capture.dated.problem, capture.dated.captured_at) == ("repeated", at(2023, 1, 1))
    same = b"WARC-Date: 2015-03-04T05:06:07Z\r\n"
    assert only(record().replace(same, same * 2, 1)).dated.problem is None


def test_a_revisit_of_a_later_capture_is_a_contradiction() -> None:
    digest = {"WARC-Payload-Digest": "sha1:B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A"}
    fine = only(record(kind="revisit", warc=digest | {"WARC-Refers-To-Date": "2014-01-01T00:00:00Z"}))
    assert fine.dated.problem is None
    assert fine.grade == "D"
    later = record(kind="revisit", warc=digest | {"WARC-Refers-To-Date": "2023-01-01T00:00:00Z"})
    assert only(later).dated.problem == "refers-later"
    unread = record(kind="revisit", warc=digest | {"WARC-Refers-To-Date": "soon"})
    assert only(unread).dated.problem == "unreadable"


# -- digests ------------------------------------------------------------------------------------------


def test_a_text_that_was_exchanged_is_altered() -> None:
    altered = record(body="<p>The first words.</p>").replace(b"first words", b"other words")
    capture = only(altered)
    assert (capture.integrity, capture.dated.problem, capture.grade) == ("contradicted", "altered", "X")


def test_a_payload_digest_of_another_reading_is_no_contradiction_where_the_block_is_verified() -> None:
    capture = only(record(warc={"WARC-Payload-Digest": "sha1:" + "A" * 32}))
    assert (capture.payload_check, capture.block_check, capture.integrity) == ("mismatch", "verified", "block")
    assert capture.dated.problem is None


def test_md5_verifies_nothing_and_links_nothing() -> None:
    body = "<p>Some words.</p>"
    md5 = "md5:" + base64.b32encode(hashlib.md5(body.encode()).digest()).decode().rstrip("=")
    capture = only(record(body=body, warc={"WARC-Payload-Digest": md5}))
    assert capture.payload_check == "unsupported"
    assert (capture.payload_digest or "").startswith("sha1:")
    other = only(record(body=body + " ", warc={"WARC-Payload-Digest": md5}))
    assert other.payload_check == "mismatch"


def test_each_of_several_digests_must_fit() -> None:
    good = record()
    line = next(line for line in good.split(b"\r\n") if line.startswith(b"WARC-Block-Digest"))
    capture = only(good.replace(line, line + b"\r\nWARC-Block-Digest: sha1:" + b"A" * 32))
    assert capture.dated.problem == "altered"


def test_the_sha256_of_a_record_covers_the_header_with_its_date() -> None:
    first, same = only(record(date="2015-01-01T00:00:00Z")), only(record(date="2015-01-01T00:00:00Z"))
    assert len(first.record_sha256 or "") == 64
    assert first.record_sha256 != only(record(date="2014-01-01T00:00:00Z")).record_sha256
    assert same.text == first.text


# -- replays ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "date", "memento", "problem", "grade"),
    [
        (RAW, "2023-05-05T00:00:00Z", OF_2012, None, "D"),
        (RAW, "2012-01-01T00:00:05Z", OF_2012, None, "D"),
        (RAW, None, OF_2012, None, "D"),
        (REWRITTEN, "2023-05-05T00:00:00Z", OF_2012, None, "E"),
        (RAW, None, None, None, "E"),
        (RAW, "2012-01-01T00:00:05Z", None, None, "E"),
        (RAW, "2023-05-05T00:00:00Z", None, "conflict", "X"),
        (RAW, "2023-05-05T00:00:00Z", "Wed, 03 Jun 2020 00:00:00 GMT", "conflict", "X"),
        (RAW, "2011-05-05T00:00:00Z", OF_2012, "conflict", "X"),
        (RAW, "the year 2012", OF_2012, "unreadable", "X"),
        (RAW, "the year 2012", None, "unreadable", "X"),
        (RAW, "2023-05-05T00:00:00Z", "not a date", "unreadable", "X"),
    ],
)
def test_of_a_replayed_page_the_archive_decides(
    url: str, date: str | None, memento: str | None, problem: str | None, grade: str
) -> None:
    capture = only(record(url=url, date=date, http={"Memento-Datetime": memento} if memento else {}))
    assert (capture.dated.problem, capture.grade) == (problem, grade)
    assert (capture.dated.source, capture.url, capture.operator) == ("cdx", PAGE, "Internet Archive")


def test_two_mementos_that_differ_prove_nothing() -> None:
    page = record(url=RAW, http={"Memento-Datetime": OF_2012})
    line = b"Memento-Datetime: " + OF_2012.encode()
    twice = page.replace(line, line + b"\r\nX-Archive-Memento-Datetime: Mon, 02 Jan 2012 10:00:00 GMT")
    length = int(page.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    grown = length + len(twice) - len(page)
    twice = twice.replace(f"Content-Length: {length}".encode(), f"Content-Length: {grown}".encode())
    assert only(twice).dated.problem in {"repeated", "altered"}
    assert "repeated" in {only(twice).dated.problem}


def test_what_a_tool_took_from_a_replay_has_the_date_of_the_memento() -> None:
    """As cdx_toolkit writes it: the address of the page, and the replay in a field of its own."""
    source = {"WARC-Source-URI": RAW, "WARC-Creation-Date": "2025-01-01T00:00:00Z"}
    honest = only(record(url=PAGE, date="2012-01-01T00:00:00Z", warc=source, http={"Memento-Datetime": OF_2012}))
    assert (honest.dated.problem, honest.dated.captured_at, honest.url, honest.via) == (None, at(2012, 1, 1), PAGE, RAW)
    # WARC-Date is what the page's server said; its clock was late
    earlier = record(url=PAGE, date="2009-01-01T00:00:00Z", warc=source, http={"X-Archive-Memento-Datetime": OF_2012})
    assert (only(earlier).dated.problem, only(earlier).dated.captured_at) == (None, at(2012, 1, 1))
    crawled = {"WARC-Source-URI": RAW}  # without WARC-Creation-Date it is the time of the fetch
    lying = record(url=PAGE, date="2009-01-01T00:00:00Z", warc=crawled, http={"X-Archive-Memento-Datetime": OF_2012})
    assert only(lying).dated.problem == "conflict"


@given(st.datetimes(datetime(1995, 1, 1), datetime(2024, 1, 1)), st.timedeltas(timedelta(-4000), timedelta(4000)))
def test_no_lie_about_a_replay_makes_a_page_older_than_both_of_its_dates(moment: datetime, later: timedelta) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    stated = (moment + later).replace(microsecond=0)
    url = f"https://web.archive.org/web/{moment:%Y%m%d%H%M%S}/{PAGE}"
    dated = only(record(url=url, date=f"{stated:%Y-%m-%dT%H:%M:%SZ}")).dated
    assert dated.captured_at == moment
    assert dated.problem == ("conflict" if abs(stated - moment) > AGREEMENT else None)


# -- crawls -------------------------------------------------------------------------------------------

INFO_2019, INFO_2023 = "isPartOf: CC-MAIN-2019-13\r\n", "isPartOf: CC-MAIN-2023-23\r\n"
CITING = {"WARC-Warcinfo-ID": "<urn:uuid:info>"}


def test_all_crawls_that_path_name_and_warcinfo_state_must_agree() -> None:
    page = record(date="2019-03-20T00:00:00Z", warc=CITING)
    fine = only(warcinfo(INFO_2019) + page, name="crawl-data/CC-MAIN-2019-13/a.warc")
    assert (fine.dated.problem, fine.crawl, fine.operator) == (None, "CC-MAIN-2019-13", "Common Crawl")
    assert only(warcinfo(INFO_2019) + page, name="CC-MAIN-2023-23/a.warc").dated.problem == "outside-crawl"
    both = "crawl-data/CC-MAIN-2019-13/CC-MAIN-20230601000000-20230601030000-00001.warc"
    assert only(warcinfo(INFO_2019) + page, name=both).dated.problem == "outside-crawl"
    assert only(warcinfo(INFO_2023) + page).dated.problem == "outside-crawl"


def test_where_the_cited_warcinfo_is_not_there_the_one_in_front_counts() -> None:
    page = record(date="2019-03-20T00:00:00Z", warc={"WARC-Warcinfo-ID": "<urn:uuid:gone>"})
    assert only(warcinfo(INFO_2023) + page).dated.problem == "outside-crawl"
    server = {"Date": "Wed, 20 Mar 2019 00:00:00 GMT"}
    cited = record(date="2019-03-20T00:00:00Z", warc={"WARC-Warcinfo-ID": "<urn:uuid:gone>"}, http=server)
    assert only(cited).grade == "D", "what cannot be read is no help"


def test_of_joined_files_each_record_has_the_warcinfo_that_it_cites() -> None:
    late = record(date="2023-06-01T00:00:00Z", warc={"WARC-Warcinfo-ID": "<urn:uuid:late>"})
    early = record(date="2019-03-20T00:00:00Z", warc=CITING)
    joined = warcinfo(INFO_2019) + warcinfo(INFO_2023, "<urn:uuid:late>") + late + early
    assert [capture.dated.problem for capture in examined(joined)] == [None, None]


def test_one_operator_does_not_corroborate_itself() -> None:
    names = ["Common Crawl Admin (info@commoncrawl.org)", "CommonCrawl", "common crawl"]
    assert {operator_of(None, Info(None, (), name), ()) for name in names} == {"Common Crawl"}
    assert operator_of(None, None, ["CC-MAIN-2019-13"]) == "Common Crawl"
    assert operator_of(None, Info(None, (), "The  Library"), ()) == "The Library"


def test_software_and_formats_are_not_newer_than_what_they_wrote() -> None:
    old = record(date="2012-01-01T00:00:00Z")
    for said in ("software: Browsertrix-Crawler 0.11.2\r\n", "software: Heritrix/3.1.0-20220727\r\n"):
        assert only(warcinfo(said) + old).dated.problem == "made-later"
    assert only(warcinfo("format: WARC File Format 1.1\r\n") + old).dated.problem == "made-later"
    assert only(old.replace(b"WARC/1.0", b"WARC/1.1", 1)).dated.problem == "made-later"
    assert only(record().replace(b"WARC/1.0", b"WARC/1.1", 1)).dated.problem is None
    assert only(warcinfo("software: Heritrix/3.1.0 http://crawler.archive.org\r\n") + old).dated.problem is None


@pytest.mark.parametrize(
    ("software", "problem"),
    [
        ("Wget/1.16.2 (darwin14.1.0)", "made-later"),  # 1.16 is of 2014-10-27
        ("Wget/1.15 (linux-gnu)", None),
        ("Heritrix/3.4.0-SNAPSHOT", None),  # of any day since 3.2.0
        ("Heritrix/3.4.0", "made-later"),
        ("warcio 1.0", "made-later"),
        ("Apache Nutch 1.17 (modified, https://github.com/commoncrawl/nutch/)", None),  # a branch has its own numbers
    ],
)
def test_a_record_is_not_older_than_the_release_of_what_wrote_it(software: str, problem: str | None) -> None:
    assert only(warcinfo(f"software: {software}\r\n") + record(date="2014-02-01T00:00:00Z")).dated.problem == problem


def test_two_warcinfo_records_of_one_id_count_both_and_a_broken_one_counts() -> None:
    page = record(date="2019-03-20T00:00:00Z", warc=CITING)
    for first, second in ((INFO_2019, INFO_2023), (INFO_2023, INFO_2019)):
        assert only(warcinfo(first) + warcinfo(second) + page).dated.problem == "outside-crawl"
    broken = warcinfo(INFO_2023).replace(b"Content-Length: 27", b"Content-Length: 67")
    assert broken != warcinfo(INFO_2023)
    assert {capture.dated.problem for capture in examined(broken + page)} == {"unreadable"}


def test_a_page_with_the_marks_of_a_replay_is_only_a_claim() -> None:
    bar = "<!-- BEGIN WAYBACK TOOLBAR INSERT --><p>17 captures</p><!-- END WAYBACK TOOLBAR INSERT -->"
    capture = only(record(body=f"<html><body>{bar}<p>The words of the page.</p></body></html>"))
    assert (capture.grade, capture.text) == ("E", "The words of the page.")


def test_a_time_without_a_zone_counts_at_the_late_side() -> None:
    assert only(record(date="2015-03-04T05:06:07")).dated.captured_at == at(2015, 3, 4, 19, 6, 7)
    assert only(record(date="2015-03-04")).dated.captured_at == at(2015, 3, 5, 13, 59, 59, 999999)


def test_what_is_behind_a_hole_in_the_file_proves_nothing() -> None:
    first, second = examined(record() + bytes(500) + record(url="http://inner.example/"))
    assert (first.grade, second.dated.problem) == ("D", "recovered")


# -- ARC ----------------------------------------------------------------------------------------------


def test_dates_of_common_crawl_arc_files_are_pacific_time() -> None:
    for date, moment in {
        "20080509190241": at(2008, 5, 10, 2, 2, 41),
        "20091121004501": at(2009, 11, 21, 8, 45, 1),
        "20091101013000": at(2009, 11, 1, 9, 30),  # the hour that the clock shows twice counts as the later one
    }.items():
        assert only(filedesc("CommonCrawl") + arc(date)).dated.captured_at == moment


def test_an_arc_record_without_its_file_counts_at_the_late_side() -> None:
    stamp = b"x_commoncrawl_FetchTimestamp: 1210384961058\r\n"
    for content in (arc("20080509190241", http=stamp), filedesc("InternetArchive") + arc("20080509190241", http=stamp)):
        dated = only(content).dated
        assert dated.captured_at == datetime.fromtimestamp(1210384961.058, UTC)
    clipped = only(arc("20080509190241")).dated
    assert (clipped.captured_from, clipped.captured_at) == (at(2008, 5, 9, 19, 2, 41), at(2008, 5, 10, 2, 2, 41))
    assert only(filedesc("InternetArchive") + arc("20080509190241")).dated.captured_at == at(2008, 5, 9, 19, 2, 41)
    later = b"x_commoncrawl_FetchTimestamp: 1310384961058\r\n"
    assert only(arc("20080509190241", http=later)).dated.problem == "conflict"


# -- damage -------------------------------------------------------------------------------------------


def damaged(inner: bytes, date: str = "2023-05-05T00:00:00Z") -> bytes:
    """A page with a record in it; the length of the page's record covers a part of the next one."""
    content = record(date=date, body=b"<p>A page.</p>\n" + inner)
    stated = content.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
    return content.replace(b"Content-Length: " + stated, b"Content-Length: " + str(int(stated) + 40).encode())


def test_a_record_found_in_a_damaged_one_is_as_late_as_that_one() -> None:
    inner = record(url="http://inner.example/", date="2015-06-01T00:00:00Z")
    front = record(date="2010-01-01T00:00:00Z")
    first, found, *rest = examined(front + damaged(inner) + front)
    assert first.dated.captured_at == at(2010, 1, 1)
    assert found.url == "http://inner.example/"
    assert found.dated.captured_at == at(2023, 5, 5)
    assert found.dated.captured_from == at(2015, 6, 1)
    assert all(capture.dated.captured_at == at(2023, 5, 5) for capture in rest), "it may be in it as well"


def test_behind_damage_of_an_unknown_date_nothing_proves() -> None:
    front = record(date="2010-01-01T00:00:00Z")
    junk = b"XARC/1.0\r\nWARC-Date: 2023-01-01T00:00:00Z\r\n\r\n<p>\n"
    (_, found) = examined(front + junk + record(url="http://inner.example/", date="2015-06-01T00:00:00Z"))
    assert (found.dated.problem, found.grade) == ("recovered", "E")


def test_of_two_clocks_that_differ_the_later_one_counts() -> None:
    stated = "2015-03-04T05:06:07Z"
    near = only(record(date=stated, http={"Date": "Wed, 04 Mar 2015 05:16:00 GMT"}))
    assert near.dated.captured_at == at(2015, 3, 4, 5, 6, 7), "so much any two clocks may differ"
    ahead = only(record(date=stated, http={"Date": "Wed, 04 Mar 2015 15:00:00 GMT"}))
    assert (ahead.dated.captured_at, ahead.dated.problem) == (at(2015, 3, 4, 15), None)
    assert ahead.dated.captured_from == at(2015, 3, 4, 5, 6, 7)


# -- rows ---------------------------------------------------------------------------------------------


def row(url: str = "", names: tuple[str, ...] = (), repeated: bool = False, **columns: Any) -> Dated:
    read = row_of({"text": "T", "url": url, **columns}, Columns(), 0, 0, None)
    return row_date(replace(read, crawls=names, repeated=repeated), FileState("a.jsonl", NOW))


def test_of_several_columns_the_latest_counts() -> None:
    dated = row(date="2019-01-01T00:00:00Z", crawl_date="2023-01-01T00:00:00Z")
    assert (dated.captured_at, dated.problem) == (at(2023, 1, 1), None)
    assert [(claim.kind, claim.agrees) for claim in dated.claims] == [("date", False), ("crawl_date", True)]
    url = "https://web.archive.org/web/20230101000000/http://a.example/"
    assert row(url, date="2019-01-01T00:00:00Z").captured_at == at(2023, 1, 1)


def test_a_column_that_cannot_be_read_is_not_absent() -> None:
    assert row(date="2019-01-01T00:00:00Z", crawl_date="lately").problem == "unparsable"
    assert row("https://web.archive.org/web/2012/http://a.example/").problem == "missing"
    assert row(repeated=True, date="2019-01-01T00:00:00Z").problem == "repeated"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retrieved", "2023-01-01T00:00:00Z"),
        ("scraped_at", "2023-01-01T00:00:00.000+00:00"),
        ("lastModified", "Sun, 01 Jan 2023 00:00:00 GMT"),
        ("crawl-date", "20230101000000"),
        ("fetched", 1672531199),
        ("first_fetch_ms", 1672531199000),
        ("fetch_time_utc", "2023-01-01T00:00:00Z"),
        ("indexed", datetime(2023, 1, 1, tzinfo=UTC)),
        ("fetched", 20230101000000),
        ("crawldate", "2023-01-01T00:00:00Z"),
        ("lastmod", "2023-01-01T00:00:00Z"),
        ("dateModified", "2023-01-01T00:00:00Z"),
        ("datemodified", "2023-01-01T00:00:00Z"),
        ("date_2", "2023-01-01T00:00:00Z"),
        ("last_edit", "2023-01-01T00:00:00Z"),
        ("fetched at (UTC)", "2023-01-01T00:00:00Z"),
        ("fetched", Decimal("1672531199.5")),
        ("fetched", {"$date": "2023-01-01T00:00:00Z"}),
        ("fetched", {"$date": {"$numberLong": "1672531200000"}}),
        ("meta", {"http": {"Date": "Sun, 01 Jan 2023 00:00:00 GMT"}}),
    ],
)
def test_a_later_date_in_a_column_that_is_not_known_counts(name: str, value: Any) -> None:
    dated = row(date="2019-01-01T00:00:00Z", **{name: value})
    assert dated.captured_at is not None
    assert at(2023, 1, 1) <= dated.captured_at <= at(2023, 1, 1, 14)
    assert dated.problem is None


def test_what_is_no_date_of_a_capture_changes_nothing() -> None:
    odd: dict[str, Any] = {
        "reading_time": "5 min",
        "time": 12.5,
        "updated": True,
        "seen": None,
        "position": "2023-01-01",
        "candidate": "2023-01-01",
        "runtime": "2023-01-01",
        "season": "2023-01-01",
        "on": 10**400,
    }
    assert row(date="2019-01-01T00:00:00Z", **odd).captured_at == at(2019, 1, 1)
    ahead = row(date="2019-01-01T00:00:00Z", renewal_date="2090-01-01")
    assert (ahead.captured_at, ahead.problem) == (at(2019, 1, 1), None)
    assert row(scraped_at="2019-01-01T00:00:00Z").problem == "missing", "nobody named it"
    assert row(date="2019-01-01T00:00:00Z", scraped_at="spring of 2023").problem == "unparsable"
    many: dict[str, Any] = {f"n{number}_date": f"2018-01-{number % 28 + 1:02}" for number in range(500)}
    dated = row(date="2019-01-01T00:00:00Z", **many, last_date="2020-01-01T00:00:00Z")
    assert dated.captured_at == at(2020, 1, 1)
    assert len(dated.claims) < 30


def test_a_time_without_a_zone_may_be_of_any_zone() -> None:
    late = {at(2020, 1, 1, 14)}
    assert {only(record(date=raw)).dated.captured_at for raw in ("2020-01-01T00:00:00", "20200101000000")} == late
    memento = record(
        "https://web.archive.org/web/20200101000000id_/http://a.example/",
        date="2020-02-01T00:00:00Z",
        http={"Memento-Datetime": "Wed, 01 Jan 2020 00:00:00"},
    )
    assert only(memento).dated.captured_at in late
    created = record(date="2020-01-01T00:00:00Z", warc={"WARC-Creation-Date": "2020-01-01T12:00:00"})
    assert only(created).dated.problem == "made-later"
    assert row(date="2021-12-31T12:00:00").captured_at == at(2022, 1, 1, 2)
    assert row(date="2021-12-31T12:00:00Z").captured_at == at(2021, 12, 31, 12)
    assert row(date="2021-12-31").captured_at == at(2022, 1, 1, 13, 59, 59, 999999)


def test_a_row_is_not_older_than_any_crawl_that_it_names() -> None:
    names = ("CC-MAIN-2019-13", "crawl-data/CC-MAIN-2023-23/x.warc")
    assert row(names=names, date="2019-03-20T00:00:00Z").problem == "outside-crawl"
    assert row(names=names[:1], date="2019-03-20T00:00:00Z").problem is None
    assert row(names=names[:1], date="2023-03-20T00:00:00Z").problem is None, "a later date claims less"


# -- every statement counts ---------------------------------------------------------------------------

OF_2015 = "Wed, 04 Mar 2015 05:06:08 GMT"
SERVERS = ["Date", "Last-Modified", "Memento-Datetime", "X-Archive-Orig-Date", "X-Archive-Orig-Last-Modified"]
CRAWL_2023 = "CC-MAIN-20230601000000-20230601030000-00001"


@pytest.mark.parametrize("name", SERVERS)
@given(
    between=st.sampled_from(
        [", ", " ; ", ";", "\0", " (", "\x0b", "\x0c", "\r\n ", "\r", "\rDate: ", "\r\nDate: ", "\t"]
    ),
    late_first=st.booleans(),
)
def test_what_follows_a_date_in_its_value_counts(name: str, between: str, late_first: bool) -> None:
    parts = [OF_2023, OF_2015] if late_first else [OF_2015, OF_2023]
    assert only(record(http={name: between.join(parts)})).grade == "X"


def test_a_last_modified_that_is_no_date_is_no_doubt_without_a_later_date() -> None:
    for value in ("yesterday", "0", "Sun, 01 Jan 123 00:00:00 GMT", f"{OF_2012}; {OF_2012}", ""):
        assert only(record(http={"Last-Modified": value, "Date": OF_2015})).grade == "C"


def test_a_server_without_a_clock_contradicts_nothing_and_confirms_nothing() -> None:
    capture = only(record(http={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}))
    assert (capture.dated.problem, capture.grade) == (None, "D")


@pytest.mark.parametrize("value", ["Sun, 01 Jan 123 00:00:00 GMT", "Thu, 01 Jan 1969 00:00:00 GMT", f"{OF_2015} 1"])
def test_a_date_of_a_server_that_cannot_be_right_is_not_absent(value: str) -> None:
    assert only(record(http={"Date": value})).dated.problem == "unreadable"
    assert only(record(url=RAW, http={"Memento-Datetime": value})).dated.problem == "unreadable"


@pytest.mark.parametrize(
    "line",
    ["\0{}", "\ufeff{}", "{}\0", "{} ", "{}\u00a0", "X: a\r{}", "X: a\r\r \0{}", "\u200b{}", "X: a\r\n\r{}"],
)
def test_a_field_counts_however_its_name_is_hidden(line: str) -> None:
    def hidden(name: str, value: str) -> str:
        return line.format(name) + ": " + value + "\r\n"

    whole = record(http={"A": "b"})
    for name, value in (("Last-Modified", OF_2023), ("Memento-Datetime", OF_2023), ("X-Archive-Orig-Date", OF_2023)):
        block = whole.partition(b"\r\n\r\n")[2].replace(b"A: b\r\n", hidden(name, value).encode())
        assert only(relengthened(whole, block)).dated.problem in {"server-later", "conflict"}
    for name, value in (("WARC-Creation-Date", "2023-01-01T00:00:00Z"), ("WARC-Date", "2023-01-01T00:00:00Z")):
        added = whole.replace(b"WARC-Type", hidden(name, value).encode() + b"WARC-Type", 1)
        assert only(added).dated.problem in {"made-later", "repeated"}


def relengthened(whole: bytes, block: bytes) -> bytes:
    """The record with another block, and without digests."""
    block = block.removesuffix(b"\r\n\r\n")
    lines = [line for line in whole.partition(b"\r\n\r\n")[0].split(b"\r\n") if b"-Digest" not in line]
    lines = [b"Content-Length: %d" % len(block) if line.startswith(b"Content-Length") else line for line in lines]
    return b"".join([b"\r\n".join(lines), b"\r\n\r\n", block, b"\r\n\r\n"])


def test_a_hidden_name_changes_nothing_else() -> None:
    whole = record()
    assert (
        only(whole.replace(b"WARC-Type", b"\0Content-Length: 5\r\nX: a\rContent-Length: 6\r\nWARC-Type", 1)).grade
        == "D"
    )


def test_dates_behind_the_last_chunk_count() -> None:
    whole = record(http={"Transfer-Encoding": "chunked"})
    head, _, page = whole.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n\r\n").partition(b"\r\n\r\n")
    body = head + b"\r\n\r\n" + b"%x\r\n" % len(page) + page + b"\r\n0\r\n"
    assert only(relengthened(whole, body + b"\r\n")).dated.problem is None
    assert only(relengthened(whole, body + f"X: a\r\nLast-Modified: {OF_2023}\r\n\r\n".encode())).grade == "X"
    assert only(relengthened(whole, body + f"\r\nLast-Modified: {OF_2023}\r\n\r\n".encode())).grade == "D"


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.10", "2.0"])
def test_a_version_of_the_format_that_came_later_counts(version: str) -> None:
    for date, problem in {"2014-01-01T00:00:00Z": "made-later", "2016-01-01T00:00:00Z": None}.items():
        newer = record(date=date).replace(b"WARC/1.0", b"WARC/" + version.encode(), 1)
        assert only(newer).dated.problem == problem
        stated = warcinfo(f"format: WARC File Format 1.0\r\nformat: WARC File Format {version}\r\n")
        if version != "1.10":
            assert only(stated + record(date=date)).dated.problem == problem
    for draft in (b"WARC/0.17", b"WARC/0.18", b"warc/1.0"):
        assert only(record(date="2009-01-01T00:00:00Z").replace(b"WARC/1.0", draft, 1)).dated.problem is None


def test_all_time_stamps_of_a_replay_count() -> None:
    raw = "https://web.archive.org/web/20120101000000id_/"
    later = f"http://web.archive.org/web/20230101000000id_/{PAGE}"
    memento = {"Memento-Datetime": OF_2012}
    for url in (
        raw + later,
        raw + f"http://b.example/20230101000000/{PAGE}",
        raw + later.replace("20230101000000", "2023"),
    ):
        assert only(record(url=url, date="2024-01-01T00:00:00Z", http=memento)).dated.problem == "conflict"
    earlier = raw + f"http://b.example/20100101000000/{PAGE}"
    assert only(record(url=earlier, date="2024-01-01T00:00:00Z", http=memento)).grade == "D"
    source = {"WARC-Source-URI": f"https://web.archive.org/web/20150304000000id_/{later}"}
    assert only(record(warc=source)).dated.problem == "conflict"
    assert only(record(url=f"http://b.example/20150301050607/{later}")).dated.problem == "conflict"
    inner = memento | {"X-Archive-Orig-Memento-Datetime": OF_2023}
    assert only(record(url=RAW, date="2024-01-01T00:00:00Z", http=inner)).dated.problem == "conflict"
    assert row(raw + later, date="2024-06-01").captured_at >= at(2024, 6, 1)  # type: ignore[operator]
    assert row(raw + later, date="2012-06-01").captured_at == at(2023, 1, 1)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("spn2-20230101000000/spn2-20230101000000-wwwb-spn01.warc.gz", "conflict"),
        (f"{CRAWL_2023}.warc.gz", "conflict"),
        ("CC-MAIN-2023-23/a.warc.gz", "outside-crawl"),
        ("WIDE-20111231235000-crawl420/WIDE-20111231235930-00042.warc.gz", None),
        ("urls_20120501000000/urls_20120501000000.megawarc.warc.gz", None),
    ],
)
def test_the_file_that_a_replay_names_is_not_later_than_the_page(source: str, problem: str | None) -> None:
    http = {"Memento-Datetime": OF_2012, "X-Archive-Src": source}
    assert only(record(url=RAW, date="2024-01-01T00:00:00Z", http=http)).dated.problem == problem


# -- the whole of a warcinfo --------------------------------------------------------------------------

LATER_INFOS = {
    "second software": "software: Heritrix/1.14\r\nsoftware: Browsertrix-Crawler 1.0\r\n",
    "second format": "format: WARC File Format 1.0\r\nformat: WARC file version 1.1\r\n",
    "second crawl": "isPartOf: CC-MAIN-2012-99\r\n" + INFO_2023,
    "far back": "isPartOf: x\r\n" * 3 + "".join(f"isPartOf: x{number}\r\n" for number in range(300)) + INFO_2023,
    "behind much software": f"software: {'x ' * 400}browsertrix\r\n",
    "behind more software": f"software: {'x ' * 4000}browsertrix\r\n",
    "behind a long field": f"description: {'x' * 270_000}\r\n{INFO_2023}",
    "behind a byte order mark": "\ufeff" + INFO_2023,
    "Mac lines": "software: x\r" + INFO_2023.replace("\r\n", "\r"),
    "prefix": "dcterms:" + INFO_2023,
    "name in lower case": INFO_2023.lower(),
}


@pytest.mark.parametrize("fields", LATER_INFOS.values(), ids=LATER_INFOS)
def test_every_value_of_a_warcinfo_counts(fields: str) -> None:
    page = record(date="2012-03-20T00:00:00Z", http={"Date": "Tue, 20 Mar 2012 00:00:00 GMT"})
    assert only(warcinfo("software: Heritrix/1.14\r\n") + page).grade == "C"
    stated = warcinfo(fields).replace(b"Length: %d" % len(fields), b"Length: %d" % len(fields.encode()))
    assert only(stated + page).grade == "X"


def test_what_is_cut_off_of_a_warcinfo_is_a_doubt() -> None:
    long = warcinfo(f"description: {'x' * (1 << 22)}\r\n{INFO_2023}")
    assert only(long + record()).dated.problem == "unreadable"
    many = "".join(f"isPartOf: CC-MAIN-2012-{number % 50 + 1:02}-{number}\r\n" for number in range(150))
    assert only(warcinfo(many) + record()).grade == "X"


@pytest.mark.parametrize("cited", ["<urn:uuid:INFO>", "<URN:UUID:info>", "urn:uuid:info", " < urn:uuid:info> "])
def test_the_identifier_of_a_warcinfo_is_compared_in_one_form(cited: str) -> None:
    page = record(date="2019-03-20T00:00:00Z", warc={"WARC-Warcinfo-ID": cited})
    other = warcinfo("software: x\r\n", "<urn:uuid:other>")
    assert only(warcinfo(INFO_2023) + other + page).dated.problem == "outside-crawl"
    twice = warcinfo(INFO_2023) + warcinfo("software: x\r\n", cited.strip()) + page
    assert only(twice).dated.problem == "outside-crawl"


def test_of_several_warcinfo_records_that_a_record_cites_all_count() -> None:
    page = record(date="2019-03-20T00:00:00Z", warc=CITING, http={"Date": "Wed, 20 Mar 2019 00:00:00 GMT"})
    other = warcinfo(INFO_2023, "<urn:uuid:other>")
    again = b"WARC-Warcinfo-ID: <urn:uuid:info>\r\nWARC-Warcinfo-ID: <urn:uuid:other>\r\n"
    both = page.replace(b"WARC-Warcinfo-ID: <urn:uuid:info>\r\n", again)
    assert only(warcinfo(INFO_2019) + other + page).grade == "C"
    assert only(warcinfo(INFO_2019) + other + both).dated.problem == "outside-crawl"
    assert only(warcinfo(INFO_2019) + both).grade == "D", "one of them is not there"
    assert only(page + warcinfo(INFO_2019)).grade == "D", "it is behind the record"


def test_a_known_operator_counts_of_several() -> None:
    fields = "operator: A. Nobody\r\noperator: Common Crawl Admin\r\n"
    assert only(warcinfo(fields) + record()).operator == "Common Crawl"
    assert only(warcinfo("operator: A. Nobody\r\npublisher: The Library\r\n") + record()).operator == "A. Nobody"


def arc_file(name: str = "x.arc", metadata: str = "", columns: str = "text/html") -> bytes:
    block = f"1 1 InternetArchive\nURL IP-address Archive-date Content-type Archive-length\n{metadata}\n".encode()
    page = arc("20120301050607").replace(b"text/html ", columns.encode() + b" ", 1)
    return f"filedesc://{name} 0.0.0.0 20120301050000 text/plain {len(block)}\n".encode() + block + b"\n" + page


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({}, None),
        ({"name": f"{CRAWL_2023}.arc"}, "outside-crawl"),
        ({"metadata": "<a><dcterms:isPartOf>CC-MAIN-2023-50</dcterms:isPartOf></a>"}, "outside-crawl"),
        ({"metadata": "<a><isPartOf x='y'><![CDATA[CC&#45;MAIN-2023-50]]></isPartOf></a>"}, "outside-crawl"),
        ({"metadata": "<a><arc:software>Heritrix 3.4.0</arc:software></a>"}, "made-later"),
        ({"metadata": "<a><arc:software>Heritrix 1.14.3 http://crawler.archive.org</arc:software></a>"}, None),
        ({"metadata": "software: Browsertrix"}, "made-later"),
        ({"columns": f"text/html 200 - - 100 {CRAWL_2023}.arc"}, "outside-crawl"),
        ({"columns": "text/html 200 - - 100 x.arc"}, None),
    ],
)
def test_the_filedesc_and_the_columns_of_an_arc_count(parts: dict[str, str], problem: str | None) -> None:
    assert only(arc_file(**parts)).dated.problem == problem


@pytest.mark.parametrize(
    "value", ["-1", "0", "1330578367", "9" * 18, "13305783670_00", "１３３０５７８３６７０００", "1330578367000, 1"]
)
def test_a_fetch_time_outside_of_the_web_cannot_be_read(value: str) -> None:
    stamp = f"x_commoncrawl_FetchTimestamp: {value}\r\n".encode()
    assert only(arc("20120301050607", http=stamp)).dated.problem in {"unreadable", "future"}


# -- tables -------------------------------------------------------------------------------------------


def test_kinds_and_grades_are_documented() -> None:
    assert list(GRADES) == ["A", "B", "C", "D", "E", "X"]
    capture = only(record(http={"Date": OF_2012, "Memento-Datetime": OF_2012}, warc={"WARC-Creation-Date": "2014"}))
    assert {claim.kind for claim in capture.dated.claims} <= CLAIMS.keys()
    assert "altered" in DATE_PROBLEMS
