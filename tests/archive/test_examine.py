"""Records as they are found, ingested: which become pages with which text, which are skipped, and why others are not."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import brotli
import pytest
from conftest import rows, take

from archive.capture import Capture, Outcome, Reject, Skipped
from archive.examine import Examiner
from archive.lake import Lake
from archive.records.record import Span
from archive.records.record_reader import RecordReader
from archive.text.extract import from_html

Write = Callable[[str, bytes], str]

WORDS = "Words of a page, in a sentence that somebody wrote."
PAGE = f"<!doctype html><html><head><title>A page</title></head><body><p>{WORDS}</p></body></html>".encode()
HTML = "Content-Type: text/html; charset=utf-8"
RESPONSE = "application/http; msgtype=response"


def sha1(body: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode()


def http(body: bytes = PAGE, *fields: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([status, *(fields or (HTML,)), "", ""]).encode() + body


def warc(
    block: bytes,
    url: str | None = "http://site.example/",
    kind: str | None = "response",
    date: str = "2016-05-04T03:02:01Z",
    content_type: str | None = RESPONSE,
    fields: Iterable[str] = (),
) -> bytes:
    lines = ["WARC/1.0", f"WARC-Date: {date}", f"WARC-Record-ID: <urn:uuid:{hashlib.md5(block).hexdigest()}>"]
    lines += [f"WARC-Type: {kind}"] if kind else []
    lines += [f"WARC-Target-URI: {url}"] if url else []
    lines += [f"Content-Type: {content_type}"] if content_type else []
    return "\r\n".join([*lines, *fields, f"Content-Length: {len(block)}", "", ""]).encode() + block + b"\r\n\r\n"


def arc(block: bytes, content_type: str = "text/html", url: str = "http://site.example/") -> bytes:
    head = b"1 0 Made\nURL IP-address Archive-date Content-type Archive-length\n"
    first = f"filedesc://made.arc 0.0.0.0 20040101000000 text/plain {len(head)}\n".encode() + head + b"\n"
    return first + f"{url} 10.0.0.1 20040925001013 {content_type} {len(block)}\n".encode() + block + b"\n"


def outcomes(content: bytes) -> list[Outcome]:
    examiner = Examiner("made.warc", from_html, now=datetime(2026, 1, 1, tzinfo=UTC))
    return [examiner.examine(each) for each in RecordReader(io.BytesIO(content), Span())]


def outcome(content: bytes) -> Outcome:
    return outcomes(content)[-1]


def capture(content: bytes) -> Capture:
    found = outcome(content)
    assert isinstance(found, Capture), found
    return found


def reason(content: bytes) -> str:
    found = outcome(content)
    assert isinstance(found, Reject), found
    return found.reason


# -- HTTP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\n\r\n",
    ],
)
def test_the_final_response_is_the_page(interim: bytes) -> None:
    found = capture(warc(interim + http()))
    assert (found.status, found.text) == (200, WORDS)


def test_a_later_date_in_an_interim_answer_contradicts_the_record() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nDate: Sun, 05 May 2024 00:00:00 GMT\r\n\r\n"
    found = capture(warc(hints + http(PAGE, HTML, "Date: Wed, 04 May 2016 03:02:01 GMT")))
    assert found.dated.problem == "server-later"
    assert capture(warc(http(PAGE, HTML, "Date: Wed, 04 May 2016 03:02:01 GMT"))).dated.problem is None


def chunked(body: bytes, size: int = 20) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "codings"),
    [
        (chunked(PAGE), ["Transfer-Encoding: Chunked"]),
        (b"\r\n" + chunked(PAGE), ["Transfer-Encoding: chunked"]),
        (chunked(gzip.compress(PAGE, mtime=0)), ["Transfer-Encoding: gzip, chunked"]),
        (chunked(gzip.compress(PAGE, mtime=0)), ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"]),
        (chunked(gzip.compress(PAGE, mtime=0)), ["Transfer-Encoding: chunked", "Content-Encoding: gzip"]),
        (gzip.compress(zlib.compress(PAGE), mtime=0), ["Content-Encoding: deflate", "Content-Encoding: gzip"]),
        (zlib.compress(PAGE), ["Content-Encoding: gzip"]),
        (gzip.compress(PAGE, mtime=0), ["Content-Encoding: br"]),
        (gzip.compress(PAGE, mtime=0), []),
        (brotli.compress(PAGE), []),
        (zlib.compress(PAGE), ["Content-Encoding: UTF-8"]),
        (gzip.compress(gzip.compress(PAGE, mtime=0), mtime=0), ["Content-Encoding: gzip"]),
    ],
)
def test_codings_are_undone_whatever_names_them(body: bytes, codings: list[str]) -> None:
    found = capture(warc(http(body, HTML, *codings)))
    assert (found.text, found.truncated) == (WORDS, None)


@pytest.mark.parametrize(
    "text", ["1999\r\nA list of the boats.\r\n", "Cafe\nOpen daily.\n", "0\r\nNobody came.\r\n", "4b2\r\nA number.\r\n"]
)
def test_a_text_whose_chunks_were_joined_keeps_its_first_line(text: str) -> None:
    body = text.encode()
    fields = ["Content-Type: text/plain", "Transfer-Encoding: chunked", f"Content-Length: {len(body)}"]
    found = capture(warc(http(body, *fields), fields=[f"WARC-Payload-Digest: {sha1(body)}"]))
    assert found.text == text.replace("\r\n", "\n").strip()
    assert found.payload_check == "verified"


def test_the_stated_digest_shows_which_reading_is_the_payload() -> None:
    body = b"800\r\nThe page was cut behind these words"
    as_chunks = body.partition(b"\r\n")[2]
    fields = ["Content-Type: text/plain", "Transfer-Encoding: chunked"]
    assert capture(warc(http(body, *fields))).text == "800\nThe page was cut behind these words"
    found = capture(warc(http(body, *fields), fields=[f"WARC-Payload-Digest: {sha1(as_chunks)}"]))
    assert (found.text, found.payload_check, found.truncated) == (as_chunks.decode(), "verified", "chunked")


def test_a_blank_line_too_many_is_no_part_of_the_payload() -> None:
    for fields, stated in (
        ((HTML,), [f"WARC-Payload-Digest: {sha1(PAGE)}"]),
        ((HTML, f"Content-Length: {len(PAGE)}"), []),
    ):
        found = capture(warc(http(b"\r\n" + PAGE, *fields), fields=stated))
        assert (found.text, found.payload_digest) == (WORDS, sha1(PAGE))


def test_a_response_without_a_header_is_a_page_where_it_looks_like_one() -> None:
    assert capture(warc(PAGE)).text == WORDS
    assert capture(arc(b"<SCRIPT SRC='/pop.js'></SCRIPT>\n\n" + PAGE, "no-type")).text == WORDS
    assert reason(warc(b"19/Sep/2017|v1|40.0.0.1|www.example|200|GET /a.jpg HTTP/1.1||\n")) == "bad-http"
    assert reason(arc(b"only words", "text/plain")) == "bad-http"


# -- kinds of content ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stated",
    [
        *(
            "*/*",
            "unknown/unknown",
            "text",
            "html",
            "charset=utf-8",
            "text/html, text/html",
            "text/html charset=utf-8",
            "TEXT/HTML",
        ),
        *(
            "text/html;",
            "application/octet-stream",
            "text/x-html",
            "",
            "application/unknown",
            "application/x-httpd-php",
        ),
    ],
)
def test_html_of_an_odd_type_is_a_page(stated: str) -> None:
    assert capture(warc(http(PAGE, f"Content-Type: {stated}"))).text == WORDS


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Type: text/html", "Content-Type: text/html; charset=windows-1251"),
        ("Content-Type: text/html, text/html; charset=windows-1251",),
        ("Content-Type: text/html; charset=windows-1251", "Content-Type: text/html"),
        ("Content-Type: text/html; charset=windows-1251", "Content-Type: */*"),
        ("Content-Type: application/x-javascript", "Content-Type: text/html; charset=windows-1251"),
        ("Content-Type: text/html;charset=", "Content-Language: ru"),
    ],
)
def test_of_several_types_the_last_valid_one_counts_and_the_charset_of_its_kind(fields: tuple[str, ...]) -> None:
    words = "Страница о большой реке и о маленьком городе"
    found = capture(warc(http(f"<html><body><p>{words}</p></body></html>".encode("cp1251"), *fields)))
    assert (found.text, found.charset, found.mime) == (words, "windows-1251", "text/html")


def test_html_and_then_what_is_no_page_leaves_it_to_the_bytes() -> None:
    fields = ("Content-Type: text/html", "Content-Type: application/x-javascript")
    assert capture(warc(http(PAGE, *fields))).text == WORDS
    assert reason(warc(http(b"var a = 1;", *fields))) == "not-text"


def test_the_type_that_the_record_states_counts_where_http_states_none() -> None:
    body = b"<p>" + WORDS.encode()
    assert (capture(arc(http(body, "Server: x"), "text/html")).extractor or "").startswith("resiliparse")
    assert reason(arc(http(body, "Server: x"), "image/gif")) == "not-text"
    assert capture(arc(http(body, "Content-Type: text/plain"), "image/gif")).extractor == "plain"
    identified = ["WARC-Identified-Payload-Type: text/html"]
    assert capture(warc(http(b"words", "Server: x"), fields=identified)).mime == "text/html"
    assert (
        reason(warc(http(b"words", "Server: x"), fields=["WARC-Identified-Payload-Type: application/json"]))
        == "not-text"
    )


@pytest.mark.parametrize(
    ("body", "stated", "why"),
    [
        (b"Rar!\x1a\x07\0" + zlib.compress(PAGE * 9), "text/plain", "not-text"),
        (gzip.compress(b"no page at all, " * 99, mtime=0), "text/html", "not-text"),
        (brotli.compress(bytes(range(256)) * 40), "text/html", "not-text"),
        (b"%PDF-1.4\n" + PAGE, "text/html", "not-text"),
        (
            b"<?xml version='1.0'?><rss version='2.0'><channel><title>News</title></channel></rss>",
            "text/html",
            "not-text",
        ),
        (b"{\\rtf1 Words}", "text/plain", "not-text"),
        (PAGE, "application/json", "not-text"),
        (PAGE, "image/png", "not-text"),
    ],
)
def test_what_is_no_page_becomes_none(body: bytes, stated: str, why: str) -> None:
    assert reason(warc(http(body, f"Content-Type: {stated}"))) == why


@pytest.mark.parametrize("empty", ["<script src='a.js'/>", "<title/>", "<textarea/>", "<div/>"])
def test_xhtml_is_read_as_xml_is(empty: str) -> None:
    page = f"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head>{empty}</head><body>{empty}<p><![CDATA[{WORDS}]]></p></body></html>"
    for stated in ("application/xhtml+xml", "application/xml", "text/xml", "application/vnd.wap.xhtml+xml"):
        assert capture(warc(http(page.encode(), f"Content-Type: {stated}"))).text == WORDS


def test_pages_for_telephones_are_pages() -> None:
    page = (
        f"<?xml version='1.0'?><!DOCTYPE wml><wml><card id='a'><p>{WORDS}<do type='prev'><prev/></do></p></card></wml>"
    )
    assert capture(warc(http(page.encode(), "Content-Type: text/vnd.wap.wml"))).text == WORDS


# -- kinds of records ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["response", "resource", "conversion", "revisit"])
@pytest.mark.parametrize(
    ("url", "skipped"),
    [
        ("urn:text:https://site.example/", "not-web"),
        ("urn:view:https://site.example/", "not-web"),
        ("urn:pageinfo:https://site.example/", "not-web"),
        ("urn:uuid:0b0e5f3e-0000-4000-8000-000000000000", "not-web"),
        ("file:///provenance-summary.html", "not-web"),
        ("FILE:///C:/page.html", "not-web"),
        ("screenshot:http://site.example/", "not-web"),
        ("metadata://gnu.org/software/wget/warc/MANIFEST.txt", "not-web"),
        ("data:text/html,<p>x", "not-web"),
        ("about:blank", "not-web"),
        ("dns:site.example", "dns"),
        ("DNS:site.example", "dns"),
        ("Whois:site.example", "dns"),
    ],
)
def test_the_notes_of_a_crawler_are_no_pages_in_any_type_of_record(kind: str, url: str, skipped: str) -> None:
    block, content_type = (PAGE, "text/html") if kind in {"resource", "conversion"} else (http(), RESPONSE)
    stated = [f"WARC-Payload-Digest: {sha1(PAGE)}"]
    assert outcome(warc(block, url, kind, content_type=content_type, fields=stated)) == Skipped(skipped)


@pytest.mark.parametrize(
    "url",
    ["http://site.example/", "HTTPS://site.example/", "ftp://site.example/a.html", "gopher://site.example/1", None,
     "site.example/a:b", "site.example:8080/a", "/a/b", "<http://site.example/>"],
)  # fmt: skip
def test_pages_of_the_web_and_pages_without_a_scheme_are_pages(url: str | None) -> None:
    assert capture(warc(http(), url)).text == WORDS
    assert capture(warc(PAGE, url, "resource", content_type="text/html")).text == WORDS


def test_a_record_without_a_type_is_a_response_where_its_content_type_says_so() -> None:
    found = capture(warc(http(), kind=None))
    assert (found.text, found.record_type) == (WORDS, "response")
    assert outcome(warc(http(), kind=None, content_type="text/plain")) == Skipped("other")
    assert outcome(warc(http(), kind=None, fields=["WARC-Profile: x"])) == Skipped("other")
    assert outcome(warc(http(), kind="x-response")) == Skipped("other"), (
        "ISO 28500: types that are not known are ignored"
    )


def revisit(block: bytes, body: bytes = PAGE, date: str = "2014-03-10T02:17:25Z", *fields: str) -> bytes:
    return warc(block, kind="revisit", date=date, fields=[f"WARC-Payload-Digest: {sha1(body)}", *fields])


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (http(b"", HTML, status="HTTP/1.1 404 Not Found"), "http-404"),
        (http(b"", HTML, status="HTTP/1.1 302 Found"), "http-302"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"", HTML, status="HTTP/1.1 500 x"), "http-500"),
        (http(b"", "Content-Type: image/png"), "not-text"),
        (http(b"", "Content-Type: application/octet-stream"), "not-text"),
        (http(b"", "Content-Type: text/html", "Content-Type: image/png;x"), "not-text"),
    ],
)
def test_a_revisit_is_judged_as_a_response_is(block: bytes, why: str) -> None:
    assert reason(revisit(block)) == why


@pytest.mark.parametrize(
    "block",
    [
        b"",
        http(b"", HTML),
        http(b"", "Content-Type: */*"),
        http(b"", "Content-Type: text/x-html"),
        http(b"", "Content-Type: application/x-javascript", "Content-Type: text/html"),
        http(b"", "Server: x", status="HTTP/1.1 304 Not Modified"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"", HTML),
    ],
)
def test_a_revisit_of_a_page_proves_its_text(lake: Lake, write: Write, block: bytes) -> None:
    original = warc(http(), fields=[f"WARC-Payload-Digest: {sha1(PAGE)}"])
    take(lake, write("made.warc", original + revisit(block)))
    assert rows(
        lake, "SELECT min(captured_at)::DATE::VARCHAR, count(*) FROM captures JOIN documents USING (content_id)"
    ) == [("2014-03-10", 2)]


def test_a_304_with_the_digest_of_nothing_proves_nothing(lake: Lake, write: Write) -> None:
    empty = revisit(http(b"", "Server: x", status="HTTP/1.1 304 Not Modified"), b"")
    take(lake, write("made.warc", warc(http()) + warc(http(b""), "http://empty.example/") + empty))
    assert rows(lake, "SELECT content_id FROM captures WHERE record_type = 'revisit'") == [(None,)]


def test_the_payload_of_a_chunked_original_is_its_body_without_chunks(lake: Lake, write: Write) -> None:
    original = warc(http(chunked(PAGE), HTML, "Transfer-Encoding: chunked"), date="2012-05-04T03:02:01Z")
    packed = warc(
        http(chunked(gzip.compress(PAGE, mtime=0)), HTML, "Transfer-Encoding: gzip, chunked"), "http://packed.example/"
    )
    take(lake, write("made.warc", original + packed + revisit(http(b"", HTML))))
    assert rows(lake, "SELECT DISTINCT payload_digest FROM captures") == [(sha1(PAGE),)]
    assert rows(lake, "SELECT count(content_id) FROM captures WHERE record_type = 'revisit'") == [(1,)]
    (other,) = outcomes(
        warc(
            http(chunked(PAGE), HTML, "Transfer-Encoding: chunked"),
            fields=[f"WARC-Payload-Digest: {sha1(chunked(PAGE))}"],
        )
    )
    assert isinstance(other, Capture)
    assert other.payload_check == "verified", "many writers take the body as it was sent"


@pytest.mark.parametrize(
    "spelling",
    [
        lambda raw: base64.b32encode(raw).decode().lower(),
        lambda raw: raw.hex(),
        lambda raw: base64.b64encode(raw).decode(),
        lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ],
)
def test_a_revisit_that_spells_the_digest_otherwise_is_of_the_same_page(
    lake: Lake, write: Write, spelling: Callable[[bytes], str]
) -> None:
    claim = f"WARC-Payload-Digest: SHA1:{spelling(hashlib.sha1(PAGE).digest())}"
    take(lake, write("made.warc", warc(http()) + warc(http(b"", HTML), kind="revisit", fields=[claim])))
    assert rows(lake, "SELECT count(content_id) FROM captures") == [(2,)]
