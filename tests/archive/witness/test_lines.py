"""Lines of indexes: every form gives the same capture back, and what is none is said."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.witness.lines import BadLine, IndexLine, IndexParser, NoWitness, is_index, normal_digest
from archive.witness.work import begins_line, parsed_lines

PAGE = Path(__file__).parents[3] / "docs" / "witness.md"
HEADER = " CDX N b a m s k r M S V g"


def read(*lines: str) -> list[Any]:
    parser = IndexParser()
    return [each for line in lines for each in parser.parse(line.encode() + b"\n")]


digests = st.binary(min_size=20, max_size=20).filter(any).map(lambda raw: base64.b32encode(raw).decode())
moments = st.datetimes(datetime(1996, 1, 1), datetime(2026, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
urls = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp", "Cs"]), max_size=40).map(
    lambda path: f"http://example.com/{path}"
)


@given(digests, moments, urls, st.integers(100, 599))
def test_each_form_gives_the_capture_back(digest: str, at: datetime, url: str, status: int) -> None:
    stamp, name = at.strftime("%Y%m%d%H%M%S"), "x/a.warc.gz"
    fields = {"url": url, "mime": "text/html", "status": str(status), "digest": digest, "filename": name}
    wayback = ["com,example)/", stamp, url, "text/html", str(status), digest, "12"]
    names = ["urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length"]
    columns = f"com,example)/ {stamp} {url} text/html {status} {digest}"
    forms = {
        "7 columns": [f"{columns} 12"],
        "9 columns": [f"{columns} - 333 {name}"],
        "10 columns": [f"{columns} - - 333 {name}"],
        "11 columns": [HEADER, f"{columns} - - 12 333 {name}"],
        "a header of another order": [
            "\tCDX\tk\tb\ta\tg\ts\tm",
            f"{digest}\t{stamp}\t{url}\t{name}\t{status}\ttext/html",
        ],
        "CDXJ": [f"com,example)/ {stamp} {json.dumps(fields)}"],
        "CDXJ with a prefix": [
            f"com,example)/ {stamp} {json.dumps({**fields, 'digest': 'sha1:' + digest}, ensure_ascii=False)}"
        ],
        "an object": [json.dumps({"urlkey": "com,example)/", "timestamp": stamp, **fields})],
        "lists on one line": [json.dumps([names, wayback])],
        "lists on lines": [f"[{json.dumps(names)},", f"{json.dumps(wayback)},", f"{json.dumps(wayback)}]"],
    }
    for form, lines in forms.items():
        found = [each for each in read(*lines) if each != NoWitness("index-header")]
        assert found, form
        for each in found:
            assert isinstance(each, IndexLine), (form, each)
            assert (each.url, each.digest, each.status, each.mime) == (url, f"sha1:{digest}", status, "text/html"), form
            assert (each.at.start, each.at.end) == (at, at), form
        assert is_index("\n".join([*lines, ""]).encode()), form


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything(data: bytes) -> None:
    assert all(isinstance(each, IndexLine | NoWitness | BadLine) for each in IndexParser().parse(data))
    begins_line(data)
    list(parsed_lines(io.BytesIO(data)))


@given(digests)
def test_a_digest_has_one_form(digest: str) -> None:
    raw = base64.b32decode(digest)
    for stated in (digest, raw.hex(), raw.hex().upper(), f"sha1:{digest}", f"SHA-1:{raw.hex()}", f" {digest} "):
        assert normal_digest(stated) == f"sha1:{digest}"
    sha256 = (raw * 2)[:32]
    assert normal_digest(sha256.hex()) == normal_digest(f"sha-256:{sha256.hex()}")
    assert str(normal_digest(sha256.hex())).startswith("sha256:")
    assert normal_digest(raw.hex()[:32]) in {
        None,
        f"md5:{base64.b32encode(raw[:16]).decode().rstrip('=')}",
    } or re.fullmatch("[A-Fa-f2-7]{32}", raw.hex()[:32])


@pytest.mark.parametrize(
    "stated", ["sha1:", "sha1:ABC", "crc:ABCD", "B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36", "sha1:" + "1" * 32]
)
def test_what_is_no_digest_is_a_bad_line(stated: str) -> None:
    (found,) = read(f"com,example)/ 20150304050607 http://example.com/ text/html 200 {stated} 1")
    assert isinstance(found, BadLine)


def test_a_date_of_reduced_precision_means_its_last_instant() -> None:
    (found,) = read("com,example)/ 2015 http://example.com/ text/html 200 B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A 1")
    assert found.at.end == datetime(2016, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)
    (bad,) = read("com,example)/ 20150230050607 http://example.com/ text/html 200 B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A 1")
    assert isinstance(bad, BadLine)


def test_the_lines_of_the_manual_are_read() -> None:
    (block,) = re.findall(r"^```text\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    found = read(*block.splitlines())
    assert [each.digest for each in found] == ["sha1:B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A"] * 5


def test_common_crawls_files_name_their_holder() -> None:
    line = '0,1)/ 20130522000000 {"url": "http://1.0/", "digest": "B2LTWWPUOYAH7UIPQ7ZUPQ4VMBSVC36A", "filename": "%s"}'
    holders = {
        "crawl-data/CC-MAIN-2019-35/segments/1.2/warc/CC-MAIN-2.warc.gz": "Common Crawl",
        "common-crawl/crawl-data/CC-MAIN-2013-20/segments/1/warc/CC-MAIN-3.warc.gz": "Common Crawl",
        "crawl-data/CC-NEWS/2019/01/CC-NEWS-20190101.warc.gz": "Common Crawl",
        "mine/CC-MAIN-2019-35.warc.gz": None,
    }
    for name, holder in holders.items():
        (found,) = read(line % name)
        assert found.holder == holder, name


def answers(folder: Path) -> list[tuple[str, str]]:
    found = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            answer = json.loads(line)
            if answer["response_status_code"] == 200 and answer["request_params"]:
                found.append((answer["url"], answer["response_text"]))
    return found


def test_recorded_answers_of_index_servers_are_read(data: Path) -> None:
    holders: dict[str | None, int] = {}
    for url, text in answers(data / "cc-index-responses"):
        if "timestamp" not in text or '"digest"' not in text:
            continue
        found = read(*text.splitlines())
        assert not [each for each in found if isinstance(each, BadLine)], url
        for each in found:
            if isinstance(each, IndexLine):
                holders[each.holder] = holders.get(each.holder, 0) + 1
    assert set(holders) == {"Common Crawl", None}


def test_the_indexes_in_packages_are_read(data: Path) -> None:
    kinds = {}
    for package in sorted((data / "wacz").glob("*.wacz")):
        if not zipfile.is_zipfile(package):
            continue
        with zipfile.ZipFile(package) as opened:
            for name in opened.namelist():
                if re.search(r"indexes/index\.cdxj?(\.gz)?$", name):
                    found = [each for _, each in parsed_lines(io.BytesIO(opened.read(name)))]
                    assert found, package
                    kinds[package.name] = {type(each).__name__ for each in found}
    assert len(kinds) > 5
    assert all("BadLine" not in each and "NoneType" not in each for each in kinds.values()), kinds
