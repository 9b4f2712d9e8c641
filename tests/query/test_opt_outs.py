"""robots.txt and tdmrep.json are evidence of what sites allowed when their pages were captured, and no texts."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.dataset as pads
import pytest
from conftest import record, rows, take

import lowbackground as lb
from archive.lake import Lake

Write = Callable[[str, bytes], str]
OPEN = "User-agent: *\nDisallow: /private\n"
SHUT = "Content-Signal: ai-train=no\nUser-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n"
ROBOTS, TDMREP = "http://example.com/robots.txt", "http://example.com/.well-known/tdmrep.json"


def robots(date: str, body: str = "", **more: object) -> bytes:
    return record(url=ROBOTS, body=body, date=date, content_type="text/plain", **more)  # type: ignore[arg-type]


def page(date: str, path: str = "/", host: str = "example.com") -> bytes:
    return record(url=f"http://{host}{path}", body=f"<p>A page of {date} at {path} of {host}.", date=date)


@pytest.fixture
def site(lake: Lake, write: Write) -> Lake:
    """A site without a robots.txt in 2014, with one in 2016, that shuts AI out in 2018, and says so again in 2020."""
    sent = f"{len(SHUT):x}\r\n{SHUT}\r\n0\r\n\r\n"
    stated, again = {"WARC-Payload-Digest": _digest(sent)}, {"WARC-Payload-Digest": _digest(sent), "WARC-Profile": "x"}
    tdm = json.dumps([{"location": "/mine/*", "tdm-reservation": 1}, {"location": "/", "tdm-reservation": 0}])
    written = [
        robots("2014-01-01T00:00:00Z", "<p>Not found.", status="404 Not Found"),
        robots("2016-01-01T00:00:00Z", OPEN),
        robots("2018-01-01T00:00:00Z", sent, http={"Transfer-Encoding": "chunked"}, warc=stated),
        robots("2020-01-01T00:00:00Z", "", kind="revisit", warc=again),
        robots("2021-01-01T00:00:00Z", status="503 Service Unavailable"),
        robots("2021-02-01T00:00:00Z", "User-agent: *\nAl", warc={"WARC-Truncated": "disconnect"}),
        record(url=TDMREP, body=tdm, date="2020-01-01T00:00:00Z", content_type="application/json"),
        *(page(f"{year}-02-03T00:00:00Z") for year in range(2013, 2022)),
        page("2016-05-01T00:00:00Z", "/private/a"),
        page("2020-05-01T00:00:00Z", "/mine/a"),
        page("2018-05-01T00:00:00Z", host="other.example"),
        record(url="http://example.com/a/robots.txt", body="A page about robots.", content_type="text/plain"),
    ]
    result = take(lake, write("a.warc", b"".join(written)))
    assert (result.captures, result.site_rules, result.new_texts) == (19, 6, 13)
    assert result.rejects == {"http-503": 1}
    return lake


def _digest(text: str) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(text.encode()).digest()).decode()


def asked(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    return rows(lake, sql)


def test_each_record_of_rules_is_evidence_with_date_and_grade(site: Lake) -> None:
    found = asked(site, "SELECT year(captured_at), kind, status, text, len(shut_out), usage, grade FROM site_rules "
                        "WHERE origin = 'http://example.com' ORDER BY captured_at, kind")  # fmt: skip
    usage = ["Content-Signal: ai-train=no"]
    assert found[:3] == [
        (2014, "robots.txt", 404, None, 0, None, "D"),
        (2016, "robots.txt", 200, OPEN, 0, [], "D"),
        (2018, "robots.txt", 200, SHUT, 2, usage, "D"),
    ]
    assert [each[:6] for each in found[3:5]] == [
        (2020, "robots.txt", 200, SHUT, 2, usage),
        (2020, "tdmrep.json", 200, found[4][3], None, None),
    ]
    assert asked(site, "SELECT count(*) FROM documents WHERE text LIKE '%Disallow%' OR text LIKE '%tdm%'") == [(0,)]


def test_the_rules_nearest_in_time_count_for_a_page(site: Lake) -> None:
    found = asked(site, "SELECT year(captured_at), year(robots_at), shut_out FROM opt_outs "
                        "WHERE url = 'http://example.com/' ORDER BY 1")  # fmt: skip
    shut = ["CCBot", "GPTBot"]
    assert found == [
        (2013, 2014, []), (2014, 2014, []), (2015, 2016, []), (2016, 2016, []), (2017, 2018, shut), (2018, 2018, shut),
        (2019, 2020, shut), (2020, 2020, shut), (2021, 2020, shut),
    ]  # fmt: skip
    (private,) = asked(site, "SELECT len(shut_out) > 10 FROM opt_outs WHERE url LIKE '%/private/a'")
    assert private == (True,)
    reserved = lb.query(site.location, "SELECT tdm_reserved FROM opt_outs WHERE url LIKE '%/mine/a'")  # in its process
    assert reserved.to_pylist() == [{"tdm_reserved": True}]
    assert asked(site, "SELECT robots_at, shut_out, tdm_reserved FROM opt_outs WHERE url LIKE '%other%'") == [
        (None, None, None)
    ]


def test_a_set_can_leave_out_pages_that_were_shut_out(site: Lake, tmp_path: Path) -> None:
    where = "content_id NOT IN (SELECT content_id FROM opt_outs WHERE len(shut_out) > 0 OR tdm_reserved)"
    lb.export(site.location, tmp_path / "set", before="2022-01-01", where=where)
    files = [str(path) for path in (tmp_path / "set").rglob("*.parquet")]
    urls = pads.dataset(files).to_table(columns=["url"])["url"].to_pylist()
    assert sorted(urls) == ["http://example.com/"] * 4 + ["http://example.com/a/robots.txt", "http://other.example/"]
    assert lb.verify(tmp_path / "set", all=True, workers=1).sound


def test_the_same_file_again_adds_nothing(site: Lake, write: Write, tmp_path: Path) -> None:
    before = asked(site, "SELECT count(*) FROM site_rules")
    assert take(site, str(tmp_path / "sources" / "a.warc")).captures == 0
    assert asked(site, "SELECT count(*) FROM site_rules") == before == [(6,)]


def test_a_revisit_of_a_robots_txt_proves_no_text_that_somebody_kept_of_its_bytes(lake: Lake, write: Write) -> None:
    stated = {"WARC-Payload-Digest": _digest(OPEN)}
    take(
        lake, write("a.warc", robots("2016-01-01T00:00:00Z", "", kind="revisit", warc={**stated, "WARC-Profile": "x"}))
    )
    other = record(url="http://other.example/rules", body=OPEN, date="2017-01-01T00:00:00Z", content_type="text/plain")
    assert take(lake, write("b.warc", other)).new_texts == 1
    bare = record(url="http://other.example/robots.txt", body=OPEN, kind="resource", content_type="text/plain")
    result = take(lake, write("c.warc", bare))
    assert (result.captures, result.site_rules, result.rejects) == (1, 1, {})
    assert asked(lake, "SELECT url FROM captures WHERE content_id IS NOT NULL") == [("http://other.example/rules",)]
    assert asked(lake, "SELECT count(*) FROM site_rules WHERE text IS NOT NULL") == [(2,)]
