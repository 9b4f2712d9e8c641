"""`archive audit`: clocks, anachronisms and contradictions, without a lake."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, rows, take
from forked import forked

import lowbackground as lb
from archive.attestations import audit as audit_module
from archive.attestations.audit import FINDINGS, FileAudit
from archive.errors import SourceError
from archive.evidence.software import RELEASES, earliest
from archive.lake import Lake

Write = Callable[[str, bytes], str]
AT = datetime(2015, 3, 4, 5, 6, 7, tzinfo=UTC)


def http_date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


def warcinfo(software: str, date: str = "2015-03-04T05:06:07Z", **fields: str) -> bytes:
    block = "".join(f"{name}: {value}\r\n" for name, value in {"software": software, **fields}.items()).encode()
    head = f"WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: {date}\r\nWARC-Record-ID: <urn:uuid:0>\r\n"
    return (
        (head + f"Content-Type: application/warc-fields\r\nContent-Length: {len(block)}\r\n\r\n").encode()
        + block
        + b"\r\n\r\n"
    )


def one(source: str) -> FileAudit:
    (found,) = lb.audit(source).files
    return found


def kinds(source: str) -> dict[str, int]:
    return {finding.kind: finding.records for finding in one(source).findings}


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
def test_an_honest_file_has_no_findings(write: Write, suffix: str) -> None:
    records = [warcinfo("Wget/1.16 (linux-gnu)"), *(record(http={"Date": http_date(AT)}) for _ in range(3))]
    found = one(write(f"a{suffix}", members(*records) if suffix.endswith("gz") else b"".join(records)))
    assert (found.findings, found.records, found.compared, found.clock_offset) == ([], 4, 3, 0.0)
    assert (found.first, found.last, found.software) == (AT, AT, "Wget/1.16 (linux-gnu)")


@pytest.mark.parametrize("seconds", [-90_000, -3_601, -3_600, 0, 3_600, 3_601, 25_200])
def test_the_clock_is_the_median_of_the_servers(write: Write, seconds: int) -> None:
    http = [{"Date": http_date(AT + timedelta(seconds=seconds + more))} for more in (-5, 0, 7)]
    http += [{"Date": "yesterday"}, {}]
    source = write("a.warc", b"".join(record(http=each) for each in http))
    found = one(source)
    assert (found.compared, found.clock_offset) == (3, float(seconds))
    assert ("clock-offset" in kinds(source)) == (abs(seconds) > 3600)


def test_two_responses_say_nothing_of_a_clock(write: Write) -> None:
    assert not kinds(write("a.warc", record(http={"Date": http_date(AT + timedelta(hours=7))}) * 2))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("server-later", record(http={"Date": "Tue, 03 Jan 2023 00:00:00 GMT"})),
        ("server-later", record(http={"Last-Modified": "Tue, 03 Jan 2023 00:00:00 GMT"})),
        ("made-later", record(warc={"WARC-Creation-Date": "2026-01-01T00:00:00Z"})),
        ("refers-later", record(kind="revisit", warc={"WARC-Refers-To-Date": "2023-01-01T00:00:00Z"})),
        ("altered", record(warc={"WARC-Payload-Digest": "sha1:" + "A" * 32}).replace(b"WARC-Block-Digest", b"X-Block")),
        ("altered", record(warc={"WARC-Payload-Digest": "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"}).replace(b"words", b"other")),
        ("unparsable", record(date="2015-13-45T00:00:00Z")),
        ("damaged", record()[:-30]),
        ("unreadable", record(http={"Date": "the third of May"})),
        ("conflict", record(http={"Memento-Datetime": "Tue, 03 Jan 2023 00:00:00 GMT"})),
        ("missing", record(date=None)),
        ("anachronism", warcinfo("Wget/1.21.3 (linux-gnu)")),
        ("anachronism", warcinfo("Heritrix/3.4.0-20210923")),
        ("anachronism", record().replace(b"WARC/1.0", b"WARC/1.1", 1)),
        ("outside-crawl", warcinfo("a", isPartOf="CC-MAIN-2023-23") + record()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_each_contradiction_is_told_with_the_first_record(
    write: Write, kind: str, content: bytes, packed: bool
) -> None:
    assert kind in FINDINGS
    source = write("a.warc.gz", members(record(), content)) if packed else write("a.warc", record() + content)
    (finding,) = one(source).findings
    assert (finding.kind, finding.records) == (kind, 1)
    assert finding.offset is not None
    assert finding.offset > 0
    assert finding.detail


def test_the_new_format_is_right_after_2017(write: Write) -> None:
    assert not kinds(write("a.warc", record(date="2017-01-01T00:00:00Z").replace(b"WARC/1.0", b"WARC/1.1", 1)))
    assert kinds(write("b.warc", record(date="2016-12-31T23:59:59Z").replace(b"WARC/1.0", b"WARC/1.1", 1)))


def test_archives_may_be_packed_later_than_their_records(write: Write) -> None:
    assert not kinds(write("a.warc", warcinfo("pypi_cdx_toolkit iter", "2022-01-01T00:00:00Z") + record()))
    # a crawler packs nothing, so an ingest does not take it either
    assert kinds(write("b.warc", warcinfo("Wget/1.21.3", "2022-01-01T00:00:00Z") + record())) == {"made-later": 1}


@pytest.mark.parametrize(
    ("software", "day"),
    [
        ("Wget/1.14 (darwin)", "2012-08-05"),
        ("Wget/1.21.9", "2020-12-31"),
        ("Wget/1.12-2507-dirty", None),
        ("Nutch 1.0-dev (modified for clueweb09)", None),
        ("Apache Nutch 1.17 (modified, https://github.com/commoncrawl/nutch/)", "2020-06-18"),
        ("Apache Nutch 1.17-SNAPSHOT", "2019-10-02"),
        ("Heritrix/3.1.1-SNAPSHOT-20120210.102032 http://crawler.archive.org", "2012-02-10"),
        ("Heritrix/@VERSION@ http://crawler.archive.org", None),
        ("Webrecorder ArchiveWeb.page 0.9.8, using warcio.js 2.0.1", "2022-11-24"),
        ("browsertrix (pywb 2.6.7, warcio 1.7.4)", "2021-08-11"),
        ("call 20121231 for help, or 12345678", "2012-12-31"),
        ("", None),
    ],
)
def test_software_is_not_older_than_its_release(software: str, day: str | None) -> None:
    found = earliest(software)
    if day is None:
        assert found is None
    else:
        assert found is not None
        assert found[1].endswith(day)
        assert found[0] < datetime.fromisoformat(day).replace(tzinfo=UTC)


def test_releases_are_in_their_order_and_have_a_source() -> None:
    for name, _, source, releases in RELEASES:
        assert list(releases.values()) == sorted(releases.values()), name
        assert "https://" in source


def test_a_replaced_file_of_a_package_is_altered(data: Path, write: Write) -> None:
    with zipfile.ZipFile(data / "wacz" / "valid_signed_example_1.wacz") as package:
        entries = {info.filename: package.read(info) for info in package.infolist()}
    source = write("a.wacz", b"")
    for replaced, kind in ((False, {}), (True, {"altered": 1})):
        with zipfile.ZipFile(source, "w") as package:
            for name, content in entries.items():
                package.writestr(name, members(record()) if replaced and name.startswith("archive/") else content)
        assert kinds(source) == kind
        assert (one(source).existed_by is None) == replaced


def test_what_is_no_archive_is_passed_over_and_what_is_not_there_is_said(write: Write, tmp_path: Path) -> None:
    write("a.jsonl", b'{"text": "a"}\n')
    write("b.warc", record())
    write("c.wacz", b"PK\x03\x04 and nothing else")
    result = lb.audit(tmp_path / "sources")
    assert [Path(file.file).name for file in result.files] == ["b.warc", "c.wacz"]
    assert [Path(file).name for file in result.passed_over] == ["a.jsonl"]
    assert not result.is_clean
    with pytest.raises(SourceError):
        lb.audit(tmp_path / "none")


def test_the_command_shows_a_table_and_exits_with_1_for_findings(write: Write) -> None:
    good, bad = (
        write("good.warc", record()),
        write("bad.warc", record(warc={"WARC-Creation-Date": "2026-01-01T00:00:00Z"})),
    )
    done = forked("audit", good, "--quiet")
    assert (done.returncode, "good.warc" in done.stdout) == (0, True)
    done = forked("audit", good, bad, "--quiet")
    assert done.returncode == 1
    assert "bad.warc: made-later: 1 record, the first at 0: WARC-Creation-Date 2026-01-01" in done.stdout
    found = json.loads(forked("audit", bad, "--json").stdout)
    assert found["files"][0]["findings"][0]["kind"] == "made-later"


def test_the_clocks_of_the_shared_data(data: Path) -> None:
    found = {Path(file.file).name: file for file in lb.audit(data / "commoncrawl").files}
    assert found["CC-2008-1213893279526_0.arc"].clock_offset == 25_200
    assert found["CC-2009-1262850551027_8.arc"].clock_offset == pytest.approx(28_798, abs=1)
    others = [file.clock_offset for name, file in found.items() if file.compared >= 3 and not name.endswith(".arc")]
    assert others
    assert all(abs(offset or 0) < 60 for offset in others)


LATE = "Fri, 05 May 2023 00:00:00 GMT"
REPLAY = "https://web.archive.org/web/20120101000000id_/http://example.org/page"


@pytest.mark.parametrize(
    "content",
    [
        record(http={"Last-Modified": LATE}),
        record(http={"X-Archive-Orig-Date": LATE}),
        record(http={"Memento-Datetime": LATE}),
        record(warc={"WARC-Source-URI": "https://anywhere.example/web/20230101000000/http://example.org/page"}),
        record(warc={"WARC-Creation-Date": "yesterday"}),
        record(url=REPLAY, date="2015-01-01T00:00:00Z"),
        record(url=REPLAY, date="2009-01-01T00:00:00Z", http={"Memento-Datetime": "Sun, 01 Jan 2012 00:00:00 GMT"}),
        record(date="1970-01-01T00:00:00Z"),
        record(date="2080-01-01T00:00:00Z"),
        record(body="<p>The first words.</p>").replace(b"first words", b"other words"),
        record().replace(b"WARC-Date", b"WARC-Date: 2023-01-01T00:00:00Z\r\nWARC-Date", 1),
    ],
)
def test_an_audit_finds_what_an_ingest_finds(content: bytes, write: Write, lake: Lake) -> None:
    source = write("a.warc", content)
    take(lake, source)
    (problem,) = rows(lake, "SELECT date_problem FROM captures")
    assert kinds(source) == {problem[0]: 1}


def test_an_audit_finds_what_an_ingest_finds_in_real_files(data: Path, lake: Lake) -> None:
    for folder in ("commoncrawl", "awkward"):
        take(lake, str(data / folder))
    found: Counter[str] = Counter()
    for file in [*lb.audit(data / "commoncrawl").files, *lb.audit(data / "awkward").files]:
        found.update({finding.kind: finding.records for finding in file.findings})
    problems = (
        "SELECT date_problem, count(*) FROM captures WHERE date_problem IS NOT NULL AND record_type <> 'row' GROUP BY 1"
    )
    for problem, count in rows(lake, problems):
        assert found[problem] >= count, problem  # records that are no pages may have it too


def test_responses_that_are_no_pages_are_judged_too(write: Write) -> None:
    late = {"Date": "Tue, 03 Jan 2023 00:00:00 GMT"}
    assert kinds(write("a.warc", record(status="404 Not Found", http=late))) == {"server-later": 1}
    image = record(content_type="image/png", body=b"\x89PNG", http=late)
    assert kinds(write("b.warc", image)) == {"server-later": 1}
    assert kinds(write("c.warc", record(content_type="image/png", body=b"\x89PNG").replace(b"PNG", b"GIF"))) == {
        "altered": 1
    }


@pytest.mark.parametrize("content", [b"", b"\n\n", record()[:40]])
def test_a_file_without_a_record_is_damaged(write: Write, content: bytes) -> None:
    done = forked("audit", write("a.warc", content), "--quiet")
    assert (done.returncode, "a.warc: damaged: " in done.stdout, done.stderr) == (1, True, "")


def test_where_no_file_is_a_web_archive_nothing_is_clean(write: Write, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source in (write("a.jsonl", b'{"text": "a"}\n'), str(tmp_path / "empty")):
        done = forked("audit", source, "--quiet")
        assert (done.returncode, "no web archive was read" in done.stdout) == (1, True)
    assert forked("audit", "-", check=False).returncode == 2  # a name like any other, and not there


def test_a_file_is_read_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    class Counting(io.FileIO):
        def readinto(self, buffer: Any) -> int | None:
            nonlocal read
            count = super().readinto(buffer)
            read += count or 0
            return count

    content = b"".join(record(body=os.urandom(50_000).hex()) for _ in range(40))
    source = write("a.warc", content)
    monkeypatch.setattr(audit_module, "open_bytes", lambda uri: io.BufferedReader(Counting(uri)))
    assert one(source).records == 40
    assert read < len(content) + (1 << 20)


def test_a_signed_package_tells_since_when_it_existed(data: Path) -> None:
    done = forked("audit", str(data / "wacz" / "valid_signed_example_1.wacz"), "--quiet")
    assert done.returncode == 0
    assert "existed by 2022-01-18 19:00:12 UTC" in " ".join(done.stdout.split())
