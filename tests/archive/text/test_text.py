"""From bytes to text: the charset, the body's encoding, extraction, the normal form."""

from __future__ import annotations

import gzip
import json
import time
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard
from conftest import record, rows, take
from forked import forked
from hypothesis import given
from hypothesis import strategies as st

from archive.lake import Lake
from archive.records.chunks import dechunk
from archive.records.codings import BadEncoding, BodyTooLarge, decompress
from archive.records.http import parse_response
from archive.text import content_id, language_of, normalise
from archive.text.charset import decode
from archive.text.extract import from_html

Write = Callable[[str, bytes], str]

WORDS = "Füße, naïve café, “quoted” — 日本語 текст"


@pytest.mark.parametrize(
    ("body", "content_type", "charset"),
    [
        (WORDS.encode(), "text/html; charset=utf-8", "utf-8"),
        (WORDS.encode(), "text/html; charset=iso-8859-1", "utf-8"),  # a lie that the bytes disprove
        (WORDS.encode(), "text/html", "utf-8"),
        (b"\xef\xbb\xbf" + WORDS.encode(), "text/html; charset=windows-1251", "utf-8"),
        (b"\xff\xfe" + WORDS.encode("utf-16-le"), "text/html; charset=utf-8", "utf-16le"),
        (b"\xfe\xff" + WORDS.encode("utf-16-be"), "", "utf-16be"),
    ],
)
def test_the_charset_is_found_by_bom_bytes_and_header(body: bytes, content_type: str, charset: str) -> None:
    assert decode(body, content_type) == (WORDS, charset)


@pytest.mark.parametrize(
    ("text", "codec", "content_type", "meta"),
    [
        ("Füße und Äpfel", "latin-1", "text/html; charset=ISO-8859-1", ""),
        ("Füße und Äpfel", "cp1252", "text/html", '<meta charset="windows-1252">'),
        (
            "Русский текст",
            "cp1251",
            "text/html",
            "<META http-equiv=Content-Type content='text/html; charset=windows-1251'>",
        ),
        ("日本語のページ", "shift_jis", "text/html; charset=Shift_JIS", ""),
        ("日本語のページ", "iso2022_jp", "text/html; charset=ISO-2022-JP", ""),
        ("日本語のページです。これは検出のための文章です。" * 5, "euc_jp", "text/html", ""),
        ("简体中文网页", "gb2312", "text/html; charset=gb2312", ""),
        ("Ελληνικά", "iso8859_7", "text/html; charset=no-such-charset", '<?xml version="1.0" encoding="iso-8859-7"?>'),
    ],
)
def test_declared_and_detected_charsets_give_the_text(text: str, codec: str, content_type: str, meta: str) -> None:
    assert decode(meta.encode() + text.encode(codec), content_type)[0] == meta + text


@given(st.binary(max_size=300), st.text(max_size=30))
def test_decoding_never_fails_and_its_text_can_be_stored(body: bytes, content_type: str) -> None:
    normalise(decode(body, content_type)[0]).encode()


@given(st.text(max_size=200))
def test_the_normal_form_of_a_normal_form_is_itself(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert content_id(once) == content_id(normalise(text))


def test_the_normal_form_drops_what_cannot_be_seen_and_keeps_what_can() -> None:
    assert normalise("a\u00a0\t b\r\nc\rd\u2028e\x0cf") == "a b\nc\nd\ne\nf"
    assert normalise("so\u00adft \x00\x07 \ufeffbom \ud800x") == "soft bom x"
    assert normalise("Cafe\u0301") == "Café"
    assert normalise("One  Two\n\n\n\n three") == "One Two\n\nthree"
    assert normalise("Case. punctuation!") != normalise("case punctuation")
    assert content_id("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("marks", ["\u0300\u0316", "\u0316\u0300", "\u0f73", "\u0344\u0316"])
def test_a_long_run_of_marks_is_put_in_order_in_little_time(marks: str) -> None:
    short = "e" + marks * 100 + "z" * 5000
    assert normalise(short) == unicodedata.normalize("NFC", short)
    started = time.process_time()
    long = normalise("e" + marks * 200_000)
    assert time.process_time() - started < 5
    assert normalise(long) == long


def test_main_content_leaves_boilerplate_and_bare_pages_give_what_they_have() -> None:
    page = "<title> A  title </title><nav><a href=/>Home</a></nav><main><h1>Head</h1><p>Words of the page.</p><ul><li>One</ul></main>"
    found = from_html(page)
    assert found.title == "A title"
    assert "Words of the page." in found.text
    assert "•" not in found.text
    links = from_html("<body><nav><a href=1>Only</a> <a href=2>links</a></nav></body>")
    assert links.text.split() == ["Only", "links"]
    assert links.extractor.endswith("+all")
    assert from_html("<script>var a = 1</script>").text == ""


def test_languages_have_a_score() -> None:
    german, score = language_of(
        "Der schnelle braune Fuchs springt über den faulen Hund und läuft dann in den Wald hinein."
    )
    assert german == "de"
    assert 0.4 < score <= 1
    assert language_of("Le renard brun saute par-dessus le chien paresseux et court dans la forêt.")[0] == "fr"
    for nothing in ("zzzz", "", "123 456", "[1]"):
        assert language_of(nothing) == (None, 0.0), "nothing fits"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Home\nAbout us\nProducts\nContact\nNews\nSupport\nDownloads\nSite map", "en"),
        ("Pages\n© Copyright SnipClip | www.snipclip.com\n© Copyright Blender Foundation", "en"),
        ("resort description\nresort info\nlift tickets\ntrail maps\nweather conditions", "en"),
        ("Example Domain\n\nThis domain is for use in illustrative examples in documents. You may use this domain in "
         "literature without prior coordination or asking for permission.\n\nMore information...", "en"),
        ("Startseite\nÜber uns\nImpressum\nDatenschutz\nKontakt", "de"),
        ("限定品 取扱専門 通販店\nID パスワード\n新作入荷！更新\nすべての商品を見る", "ja"),
    ],
)  # fmt: skip
def test_a_menu_or_a_few_lines_have_the_language_that_they_are_in(text: str, language: str) -> None:
    found, score = language_of(text)
    assert found == language
    assert 0.3 <= score <= 1


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def _raw_deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(data) + engine.flush()


@pytest.mark.parametrize("name", [*ENCODERS, "raw deflate", "gzip, br"])
def test_bodies_are_decoded_and_cut_ones_give_what_is_there(name: str) -> None:
    body = b"".join(b"<p>Paragraph %d</p>" % n for n in range(20_000))
    if name == "raw deflate":
        packed, name = _raw_deflate(body), "deflate"
    elif name == "gzip, br":
        packed = brotli.compress(gzip.compress(body))
    else:
        packed = ENCODERS[name](body)
    assert decompress(packed, name, 1 << 20) == (body, True)
    with pytest.raises(BodyTooLarge):
        decompress(packed, name, 100_000)
    if "," not in name:
        start, whole = decompress(packed[: len(packed) * 2 // 3], name, 1 << 20)
        assert not whole
        assert start
        assert body.startswith(start)


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_stored_decoded_passes_as_it_is(name: str) -> None:
    body = b"<html><p>Not compressed at all, only called so.</p></html>" * 10
    assert decompress(body, name, 1 << 20) == (body, True)


def test_a_body_that_is_not_what_it_says_is_an_error() -> None:
    with pytest.raises(BadEncoding):
        decompress(b"\x1f\x8b" + b"\xff" * 50, "gzip", 1 << 20)


def test_chunks_are_joined_and_broken_chunks_lose_nothing() -> None:
    assert dechunk(b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n") == (b"hello world", True)
    assert dechunk(b"<html>not chunked</html>") == (b"<html>not chunked</html>", True)
    assert dechunk(b"8\r\n<p>hello\r\nbroken here") == (b"<p>hellobroken here", False)
    assert dechunk(b"ff\r\n<p>short") == (b"<p>short", False)
    assert dechunk(b"5\r\nhello\r\nbroken here") == (b"5\r\nhello\r\nbroken here", True)  # a text of three lines


@pytest.mark.parametrize("ends", [b"\r\n", b"\n"])
def test_http_headers_are_read_with_either_line_end(ends: bytes) -> None:
    message = parse_response(
        ends.join(
            [b"HTTP/1.1 200 OK", b"Content-Type: text/html;charset=x", b"X-A: 1", b" 2", b"", b"body\r\n\r\nmore"]
        )
    )
    assert message is not None
    assert (message.status, message.mime, message.headers["x-a"], message.body) == (
        200,
        "text/html",
        "1 2",
        b"body\r\n\r\nmore",
    )
    assert parse_response(b"no status line") is None
    assert parse_response(b"") is None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"status": "404 Not Found"}, "http-404"),
        ({"status": "301 Moved"}, "http-301"),
        ({"content_type": "image/png", "body": b"\x89PNG\r\n\x1a\n"}, "not-text"),
        ({"body": b"\x89PNG\r\n\x1a\n rest"}, "not-text"),
        ({"body": b"%PDF-1.4 called html"}, "not-text"),
        ({"body": ""}, "empty-text"),
        ({"body": "<script>x</script>"}, "empty-text"),
        ({"body": b"\x1f\x8b\xff\xff\xff\xff", "http": {"Content-Encoding": "gzip"}}, "bad-encoding"),
        ({"status": "2oo OK"}, "bad-http"),
    ],
)
def test_a_record_without_text_has_a_reason(lake: Lake, write: Write, options: dict[str, Any], reason: str) -> None:
    assert take(lake, write("a.warc", record(**options))).rejects == {reason: 1}
    assert rows(lake, "SELECT reason, url FROM rejects") == [(reason, "http://example.com/")]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("covers", ["transferred", "joined"])
def test_digests_are_verified_over_the_body_as_sent_or_joined(
    lake: Lake, write: Write, chunked: bool, covers: str
) -> None:
    from archive.records.digest import compute

    joined = b"<p>Some words in chunks.</p>"
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(joined), joined) if chunked else joined
    claim = compute(joined if covers == "joined" else body)
    made = record(
        body=body, http={"Transfer-Encoding": "chunked"} if chunked else {}, warc={"WARC-Payload-Digest": claim}
    )
    take(lake, write("a.warc", made))
    assert rows(lake, "SELECT payload_check, block_check, payload_digest, transfer_digest FROM captures") == [
        ("verified", "verified", compute(joined), compute(body) if chunked else None)
    ]


@pytest.mark.parametrize(
    ("claim", "outcome"),
    [
        ("sha1:" + "A" * 32, "mismatch"),
        ("md5:1B2M2Y8AsgTpgAmY7PhCfg==", "mismatch"),
        ("crc32:12345678", "unsupported"),
        ("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "mismatch"),
    ],
)
def test_a_digest_that_does_not_agree_is_told(lake: Lake, write: Write, claim: str, outcome: str) -> None:
    take(lake, write("a.warc", record(warc={"WARC-Payload-Digest": claim})))
    ((check, digest),) = rows(lake, "SELECT payload_check, payload_digest FROM captures")
    assert check == outcome
    assert digest != claim


def test_trafilatura_can_be_chosen_and_is_named_with_its_version(lake: Lake, write: Write) -> None:
    page = (
        "<html><body><article><h1>Head</h1>"
        + "<p>A paragraph of an article with enough words in it.</p>" * 5
        + "</article></body></html>"
    )
    source = write("a.warc", record(body=page))
    forked("ingest", source, "--lake", lake.location, "--extractor", "trafilatura")
    ((extractor,),) = rows(lake, "SELECT extractor FROM captures")
    assert extractor.startswith("trafilatura/")


def test_resiliparse_finds_the_gold_text_of_real_pages(data: Path) -> None:
    """Words of the gold segments found, on 100 of trafilatura's evaluation pages."""
    folder = data / "html-gold" / "trafilatura"
    gold = json.loads((folder / "evaldata.json").read_text())
    found = wanted = 0
    for entry in list(gold.values())[:100]:
        path = folder / (entry["file"] + ".gz")
        if not path.exists():
            continue
        text = from_html(decode(gzip.decompress(path.read_bytes()), "text/html")[0]).text
        for segment in entry.get("with", []):
            wanted += 1
            found += " ".join(normalise(segment).split()) in " ".join(text.split())
    assert wanted > 100
    assert found / wanted > 0.85
