"""Files as other tools write them: no text counts before the time at which it provably existed, and honest ones count.

The headers are those that the tools wrote in `benchmarks/real_tools.py`, which runs them; the pages are made here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import record, rows, take
from test_claims import only

from archive.dates import replay_of, stamp_in
from archive.lake import Lake

#: When the old pages were captured, and when the tools ran.
OLD, RAN = datetime(2015, 3, 4, 5, 6, 7, tzinfo=UTC), datetime(2024, 6, 1, 12, 0, 0, tzinfo=UTC)
_HTTP = "%a, %d %b %Y %H:%M:%S GMT"
OF_OLD, OF_RAN, OF_2013 = f"{OLD:{_HTTP}}", f"{RAN:{_HTTP}}", "Mon, 04 Mar 2013 05:06:07 GMT"
PAGE = "http://old.example/plain"
WAYBACK = "http://web.archive.org/web"


def w3c(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def sha1(content: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(content).digest()).decode()


def raw(kind: str, block: bytes, fields: dict[str, str], version: str = "1.0") -> bytes:
    """A record with these fields, in this order."""
    lines = {"WARC-Type": kind, **fields, "Content-Length": str(len(block))}
    head = f"WARC/{version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return head.encode() + b"\r\n" + block + b"\r\n\r\n"


def response(
    url: str,
    date: datetime,
    http: dict[str, str],
    version: str = "1.0",
    words: str = "",
    digests: bool = True,
    **warc: str,
) -> bytes:
    """A response whose text names the URL."""
    body = f"<html><body><p>{words or f'The words of {url} to be read.'}</p></body></html>".encode()
    fields = {"Content-Type": "text/html; charset=utf-8", **http, "Content-Length": str(len(body))}
    block = "HTTP/1.1 200 OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    whole = block.encode() + b"\r\n" + body
    stated = {"WARC-Payload-Digest": sha1(body), "WARC-Block-Digest": sha1(whole)} if digests else {}
    further = {name.replace("_", "-"): value for name, value in warc.items()}
    return raw("response", whole, {
        "WARC-Record-ID": f"<urn:uuid:{hashlib.md5(whole).hexdigest()}>", "WARC-Target-URI": url, "WARC-Date": w3c(date), **further,
        **stated, "Content-Type": "application/http; msgtype=response",
    }, version)  # fmt: skip


def info(fields: dict[str, str], date: datetime = RAN, name: str = "", version: str = "1.0") -> bytes:
    block = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()
    named = {"WARC-Filename": name} if name else {}
    return raw("warcinfo", block, {
        "WARC-Record-ID": "<urn:uuid:00000000-0000-0000-0000-000000000001>", **named, "WARC-Date": w3c(date),
        "Content-Type": "application/warc-fields",
    }, version)  # fmt: skip


def warcit(modified: datetime) -> bytes:
    """A file of a folder: the record is dated by the time at which the file was modified."""
    body = b"<html><body><p>The words of a file in a folder.</p></body></html>"
    return info({"software": "warcit 0.4.0", "format": "WARC File Format 1.0", "cmdline": "warcit -n a http://site.example/ a"}) + raw(
        "resource", body, {
            "WARC-Date": w3c(modified), "WARC-Creation-Date": w3c(RAN), "WARC-Source-URI": "file://./a.html",
            "WARC-Record-ID": "<urn:uuid:00000000-0000-0000-0000-000000000002>", "WARC-Target-URI": "http://site.example/a.html",
            "Content-Type": "text/html; charset=UTF-8", "WARC-Payload-Digest": sha1(body), "WARC-Block-Digest": sha1(body),
        },
    )  # fmt: skip


def cdx_toolkit(
    date: datetime, http: dict[str, str], source: str = "", created: str = w3c(RAN), url: str = PAGE
) -> bytes:
    """What `fetch_wb_warc` makes of a replay: its own address is quoted, and WARC-Date is the `Date` of the page."""
    source = source or f"{WAYBACK}/20150304050607id_/{url.replace(':', '%3A')}"
    head = info({"software": "pypi_cdx_toolkit iter", "isPartOf": "a", "format": "WARC file version 1.0"})
    return head + response(url, date, http, WARC_Source_URI=source, WARC_Creation_Date=created)


MEMENTO = {"X-Archive-Memento-Datetime": OF_OLD}


def wget(url: str, http: dict[str, str]) -> bytes:
    head = info({"software": "Wget/1.21.3 (linux-gnu)", "format": "WARC File Format 1.0", "robots": "classic"})
    return head + response(url, RAN, http, WARC_Warcinfo_ID="<urn:uuid:00000000-0000-0000-0000-000000000001>")


def pywb(source: str) -> bytes:
    """What a recorder takes from another archive: Memento-Datetime is gone, and its time is in WARC-Date."""
    http = {"X-Archive-Orig-Date": OF_OLD, "Date": OF_RAN}
    return response(PAGE, OLD, http, WARC_Source_URI=source, WARC_Creation_Date=w3c(RAN))


def converted(name: str, http: dict[str, str], block: bytes = b"") -> bytes:
    """An ARC as `warcio recompress` writes it: a warcinfo of the filedesc, of which nothing but the name is left."""
    head = raw("warcinfo", block, {
        "WARC-Record-ID": "<urn:uuid:00000000-0000-0000-0000-000000000003>", "WARC-Filename": name,
        "WARC-IP-Address": "0.0.0.0", "WARC-Date": w3c(OLD), "Content-Type": "text/plain", "WARC-Block-Digest": sha1(block),
    })  # fmt: skip
    return head + response("http://arc.example/", OLD, http, WARC_IP_Address="1.2.3.4")


def har2warc(http: dict[str, str]) -> bytes:
    """A HAR of 05:06:07-08:00: the zone is lost."""
    fields = {"software": "har2warc 1.0.4", "creator": "Firefox 115", "source": "HAR Format 1.2"}
    head = info({**fields, "format": "WARC File Format 1.0"}, name="a.warc.gz")
    return head + response("http://har.example/", OLD, http, WARC_IP_Address="127.0.0.1")


@dataclass(frozen=True)
class Case:
    """A file, since when its text provably existed, and the grade that it should have."""

    content: bytes
    truth: datetime
    grade: str
    within: timedelta = timedelta(0)  #: the date that counts may be later than the truth by this much


EIGHT = timedelta(hours=8)
CASES = {
    "warcit, files of 2015": Case(warcit(OLD), RAN, "X"),
    "warcit, files of the day": Case(warcit(RAN - timedelta(hours=1)), RAN, "E"),
    "cdx_toolkit": Case(cdx_toolkit(OLD, {"Date": OF_OLD, **MEMENTO, "X-Archive-Date": OF_RAN}), OLD, "D"),
    "cdx_toolkit, without the page's Date": Case(cdx_toolkit(RAN, {**MEMENTO, "X-Archive-Date": OF_RAN}), OLD, "D"),
    "cdx_toolkit, the page's server two years late": Case(
        cdx_toolkit(datetime(2013, 3, 4, 5, 6, 7, tzinfo=UTC), {"Date": OF_2013, **MEMENTO, "X-Archive-Date": OF_RAN}), OLD, "D"
    ),
    "cdx_toolkit, the archive states no date": Case(cdx_toolkit(OLD, {"Date": OF_OLD}), RAN, "E"),
    "cdx_toolkit, no known archive": Case(
        cdx_toolkit(OLD, {"Date": OF_OLD, **MEMENTO}, f"http://replay.example/coll/20150304050607id_/{PAGE.replace(':', '%3A')}"), RAN, "X"
    ),
    "cdx_toolkit, a rewritten replay": Case(
        cdx_toolkit(OLD, {"Date": OF_OLD, **MEMENTO}, f"{WAYBACK}/20150304050607/{PAGE.replace(':', '%3A')}"), RAN, "E"
    ),
    "wget": Case(wget(PAGE, {"Date": OF_RAN}), RAN, "C"),
    "wget, the server's clock of 2015": Case(wget(PAGE, {"Date": OF_OLD}), RAN, "D"),
    "wget of a raw replay": Case(
        wget(f"{WAYBACK}/20150304050607id_/{PAGE}", {"Date": OF_RAN, "Memento-Datetime": OF_OLD, "X-Archive-Orig-Date": OF_OLD}), OLD, "D"
    ),
    "wget of a raw replay that shows another capture": Case(
        wget(f"{WAYBACK}/20120101000000id_/{PAGE}", {"Date": OF_RAN, "Memento-Datetime": OF_OLD}), OLD, "X"
    ),
    "wget of a raw replay without Memento-Datetime": Case(wget(f"{WAYBACK}/20150304050607id_/{PAGE}", {"Date": OF_RAN}), RAN, "X"),
    "wget of a rewritten replay": Case(
        wget(f"{WAYBACK}/20150304050607/{PAGE}", {"Date": OF_RAN, "Memento-Datetime": OF_OLD}), RAN, "E"
    ),
    "wget of a replay of no known archive": Case(
        wget(f"http://replay.example/web/20150304050607id_/{PAGE}", {"Date": OF_RAN, "Memento-Datetime": OF_OLD}), RAN, "C"
    ),
    "pywb, from the Wayback Machine": Case(pywb(f"{WAYBACK}/20150304050607id_/{PAGE}"), RAN, "E"),
    "pywb, from no known archive": Case(pywb(f"http://127.0.0.1:8080/web/20150304050607id_/{PAGE}"), RAN, "X"),
    "pywb, live": Case(response(PAGE, RAN, {"Date": OF_RAN}, WARC_IP_Address="127.0.0.1"), RAN, "C"),
    "scrapy-webarchive": Case(
        info({"software": "Scrapy/2.11.2 (+https://scrapy.org)", "format": "WARC File Format 1.1", "robots": "obey"}, version="1.1")
        + response(PAGE, RAN, {"Date": OF_RAN}, "1.1"), RAN, "C"
    ),
    "warcprox": Case(
        info({"software": "warcprox 2.13.1", "format": "WARC File Format 1.0"}) + response(PAGE, RAN, {"Date": OF_RAN}), RAN, "C"
    ),
    "warcio recompress, an ARC of Common Crawl": Case(converted("1213893279526_0.arc.gz", {}), OLD + EIGHT, "D"),
    "warcio recompress, any other ARC": Case(converted("IAH-2015.arc.gz", {}), OLD, "D", EIGHT),
    "an ARC's filedesc is kept": Case(converted("IAH-2015.arc.gz", {}, b"1 1 InternetArchive\n"), OLD, "D"),
    "an ARC's filedesc of Common Crawl is kept": Case(converted("a.arc.gz", {}, b"1 0 CommonCrawl\n"), OLD + EIGHT, "D"),
    "a record of Common Crawl's ARCs in a WARC": Case(
        response(PAGE, OLD, {"x_commoncrawl_FetchTimestamp": f"{(OLD + EIGHT).timestamp() * 1000:.0f}"}), OLD + EIGHT, "D"
    ),
    "warctools": Case(response(PAGE, OLD, {"Date": OF_OLD}, digests=False), OLD, "D"),
    "har2warc": Case(har2warc({}), OLD + EIGHT, "D", timedelta(hours=6)),
    "har2warc, with the server's Date": Case(har2warc({"Date": f"{OLD + EIGHT:{_HTTP}}"}), OLD + EIGHT, "C", timedelta(hours=6)),
    "a converter that lost the zone, with the server's Date": Case(
        response(PAGE, OLD, {"Date": f"{OLD + EIGHT:{_HTTP}}"}), OLD + EIGHT, "C"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_tools_record_has_the_grade_that_its_dates_allow(name: str) -> None:
    case = CASES[name]
    capture = only(case.content)
    assert (capture.grade, capture.dated.problem is None) == (case.grade, case.grade != "X"), capture.dated
    if case.grade <= "D":
        assert capture.dated.captured_at is not None
        assert case.truth <= capture.dated.captured_at <= case.truth + case.within


def test_no_text_of_a_tool_is_clean_before_it_existed_and_honest_ones_are_clean(
    lake: Lake, write: Callable[[str, bytes], str]
) -> None:
    for number, case in enumerate(CASES.values()):
        words = f"These are the own words of file {number}."
        content = case.content.replace(b"</p>", f" {words}</p>".encode())
        sources = [write(f"{number}.warc", _with_right_lengths(content))]
        take(lake, *sources)
    for number, (name, case) in enumerate(CASES.items()):
        found = "SELECT count(*) FROM clean('{}') WHERE text LIKE '%words of file {}.%'"
        before, after = case.truth, case.truth + case.within + timedelta(seconds=1)
        assert rows(lake, found.format(before.isoformat(), number)) == [(0,)], name
        assert rows(lake, found.format(after.isoformat(), number)) == [(case.grade <= "D",)], name


def _with_right_lengths(content: bytes) -> bytes:
    """Records whose content has grown, with the lengths that they have now and without their digests."""
    made = b""
    for part in content.split(b"\r\n\r\nWARC/"):
        part = part if part.startswith(b"WARC/") else b"WARC/" + part
        head, _, block = part.removesuffix(b"\r\n\r\n").partition(b"\r\n\r\n")
        lines = [
            line for line in head.split(b"\r\n") if not line.startswith((b"Content-Length", b"WARC-Block", b"WARC-Pay"))
        ]
        made += b"\r\n".join(lines) + b"\r\nContent-Length: %d\r\n\r\n" % len(block) + block + b"\r\n\r\n"
    return made


@pytest.mark.parametrize(
    ("why", "content"),
    [
        (
            "made before the archive had it",
            cdx_toolkit(OLD, {"Date": OF_OLD, **MEMENTO}, created="2014-01-01T00:00:00Z"),
        ),
        ("the page's server was two years ahead", cdx_toolkit(RAN, {"Date": OF_RAN, **MEMENTO})),
        ("the page was changed later", cdx_toolkit(OLD, {"Last-Modified": OF_RAN, **MEMENTO})),
        ("nobody can read when it was made", cdx_toolkit(OLD, {"Date": OF_OLD, **MEMENTO}, created="yesterday")),
        ("a later replay is named", cdx_toolkit(OLD, MEMENTO, f"{WAYBACK}/20230101000000id_/{PAGE}")),
        ("the archive states no date, and the page's is another", cdx_toolkit(OLD - timedelta(days=900), {})),
    ],
)
def test_what_contradicts_the_capture_of_a_replay_is_no_proof(why: str, content: bytes) -> None:
    assert only(content).grade == "X", why


@pytest.mark.parametrize(
    "page", ["http%3A//a.example/b?c=d", "http%3A%2F%2Fa.example%2Fb%3Fc%3Dd", "http://a.example/b?c=d"]
)
def test_the_page_of_a_replay_may_be_quoted(page: str) -> None:
    url = f"{WAYBACK}/20150304050607id_/{page}"
    found = replay_of(url)
    assert found is not None
    assert (found.page, found.stamp, found.raw) == ("http://a.example/b?c=d", "20150304050607", True)
    assert stamp_in(url.replace("web.archive.org", "replay.example")) == OLD


def test_quoted_letters_in_the_page_of_a_replay_stay() -> None:
    found = replay_of(f"{WAYBACK}/20150304050607id_/http://a.example/caf%C3%A9?to=http%3A//b.example/")
    assert found is not None
    assert found.page == "http://a.example/caf%C3%A9?to=http%3A//b.example/"


@pytest.mark.parametrize("minutes", [-1400, -600, -10, 0, 9, 10, 30, 600, 1400])
def test_a_servers_clock_that_is_ahead_by_a_zone_counts(minutes: int) -> None:
    served = OLD + timedelta(minutes=minutes)
    capture = only(record(http={"Date": f"{served:{_HTTP}}"}, date=w3c(OLD)))
    assert (capture.grade, capture.dated.captured_at) == ("C", served if minutes >= 10 else OLD)


@pytest.mark.parametrize(("software", "problem"), [("@harvard-lil/js-wacz 0.0.16", None), ("py-wacz 0.5.0", "altered")])
def test_the_hashes_that_js_wacz_takes_too_early_contradict_nothing(
    lake: Lake, tmp_path: Path, software: str, problem: str | None
) -> None:
    stated = {"path": "archive/data.warc", "hash": f"sha256:{hashlib.sha256(b'early').hexdigest()}"}
    with zipfile.ZipFile(tmp_path / "a.wacz", "w") as package:
        package.writestr("archive/data.warc", response(PAGE, OLD, {"Date": OF_OLD}))
        package.writestr("datapackage.json", json.dumps({"software": software, "resources": [stated]}))
    take(lake, str(tmp_path / "a.wacz"))
    assert rows(lake, "SELECT date_problem FROM captures") == [(problem,)]
