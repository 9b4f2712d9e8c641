"""What bytes are: the rows of the tables of the MIME Sniffing Standard, and texts that only look like them."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.page import page_kind
from archive.text import sniff
from archive.text.charset import decode

#: MIME Sniffing, 7.1: the tags of the table, in both cases.
TAGS = ("!DOCTYPE HTML", "HTML", "HEAD", "SCRIPT", "IFRAME", "H1", "DIV", "FONT", "TABLE", "A", "STYLE", "TITLE", "B",
        "BODY", "BR", "P")  # fmt: skip
#: MIME Sniffing, 6.1, 6.2, 6.4 and 7.1: patterns of what is no text.
PATTERNS = (
    *(b"\x00\x00\x01\x00", b"\x00\x00\x02\x00", b"BM", b"GIF87a", b"GIF89a", b"RIFF\0\0\0\0WEBPVP", b"\x89PNG\r\n\x1a\n"),
    *(b"\xff\xd8\xff", b"FORM\0\0\0\0AIFF", b"ID3", b"OggS\0", b"MThd\0\0\0\6", b"RIFF\0\0\0\0AVI ", b"RIFF\0\0\0\0WAVE"),
    *(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x82\x84webm", b"\xff\xfb\x90\x64"),
    *(b"\0" * 34 + b"LP", b"\0\1\0\0", b"OTTO\0", b"ttcf\0", b"wOFF", b"wOF2"),
    *(b"\x1f\x8b\x08", b"PK\3\4", b"Rar \x1a\7\0", b"Rar!\x1a\7\0"),
    *(b"%PDF-", b"%!PS-Adobe-"),
)  # fmt: skip
#: And further ones that servers call text.
FURTHER = (
    *(
        b"7z\xbc\xaf\x27\x1c\0\4",
        b"CWS\6",
        b"FWS\x05",
        b"BZh91AY&SY",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",
        b"MZ\x90\0\3",
    ),
    *(
        b"\x7fELF\2\1\1",
        b"\xca\xfe\xba\xbe\0\0\0\x32",
        b"II*\0",
        b"MM\0*",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        b"FLV\1\5",
    ),
    *(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"SQLite format 3\0",
        b"8BPS\0\1",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"!<arch>\n",
    ),
    *(b"{\\rtf1\\ansi", b"\x1f\x9d\x90", b"AT&TFORM\0\0", b"\0asm\1\0\0\0", b".snd\0\0\0\x18", b"MSCF\0\0\0\0"),
)
_DICE = random.Random(3)
NOISE = bytes(_DICE.randrange(256) for _ in range(6000))
WORDS = b"Words that somebody wrote, and more of them.\n" * 40


def kind(body: bytes, mime: str) -> str | None:
    """What `page_of` makes of a body."""
    found = page_kind(mime, body)
    if found is None or sniff.binary_type(body):
        return None
    return None if sniff.has_controls(body) and sniff.is_no_text(decode(body, mime)[0], found != "plain") else found


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("mime", ["", "unknown/unknown", "application/unknown"])
def test_tags_of_the_table_make_html_of_an_unknown_type(tag: str, mime: str) -> None:
    for lead in (b"", b"\t\n\f\r ", b"\n" * 100):
        for end in (b" ", b">"):
            for name in (tag, tag.lower(), tag.title()):
                assert kind(lead + b"<" + name.encode() + end + WORDS, mime) == "html"
    assert kind(b"<" + tag.encode() + b"X>" + WORDS, mime) == "plain", "no end of the tag"
    assert kind(b"x<" + tag.encode() + b">" + WORDS, mime) == "plain"


def test_a_comment_begins_html_and_an_xml_declaration_begins_xml() -> None:
    assert kind(b"<!-- x --><p>" + WORDS, "") == "html"
    assert kind(b"<?xml version='1.0'?><a>" + WORDS, "") is None
    assert kind(b"<?xml version='1.0'?><!DOCTYPE html><html xmlns='http://www.w3.org/1999/xhtml'>", "") == "xhtml"


@pytest.mark.parametrize("mime", ["text/plain", "text/html", "", "application/octet-stream", "text/markdown"])
@pytest.mark.parametrize("pattern", [*PATTERNS, *FURTHER])
def test_archives_fonts_sounds_and_programs_are_no_page_whatever_their_type(pattern: bytes, mime: str) -> None:
    assert kind(pattern + NOISE, mime) is None


@pytest.mark.parametrize(
    "head", [b"BM", b"MZ", b"ID3", b"BZh", b"PK", b"II*", b"OTTO ", b"Rar! ", b"FWS", b"RIFF raff", b"GIF", b"8BPS"]
)
def test_a_text_may_begin_like_such_a_file(head: bytes) -> None:
    assert kind(head + b" is how this text begins. " + WORDS, "text/plain") == "plain"


@given(st.integers(0, 255), st.integers(800, 3000))
def test_compressed_bytes_are_no_text(seed: int, size: int) -> None:
    dice = random.Random(seed)
    body = zlib.compress(bytes(dice.randrange(256) for _ in range(size)))
    assert kind(body, "text/plain") is None
    assert kind(WORDS * 20 + body * 30, "text/plain") is None, "nor behind a text"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe" + "Größe der Wörter".encode("utf-16-le"),
        b"\xfe\xff" + "Größe der Wörter".encode("utf-16-be"),
        b"\xef\xbb\xbfWords",
        ("Größe der Wörter, 大きさ. " * 30).encode("utf-16-le"),
        "日本語のページ".encode("iso2022_jp"),
        "한국어 문서입니다".encode("iso2022_kr"),
        "这里是河边的面包店".encode("hz"),
        "Führung".encode("cp1252"),
        b"N\x08NA\x08AM\x08ME\x08E\n     ls - list the files of a folder\n" * 3,
        b"A text of DOS ends with a byte of its own.\r\n\x1a",
        b"Page one\x0cPage two\x0b and so on",
        b"A bell\x07 in a text",
        bytes(range(0x80, 0x100)) * 3,
        "ятаган и яуза".encode("cp1251"),
        "яыяъ".encode("cp1251"),
        b"\xca\xfe\xba\xbe\xb5\xc4\xce\xc4\xd7\xd6",
        b"\xc5\xd0\xd3\xc6\xb5\xc4\xce\xc4\xd7\xd6",
    ],
)
def test_texts_in_any_encoding_are_text(body: bytes) -> None:
    assert kind(body, "text/plain") == "plain"


@pytest.mark.parametrize(
    ("body", "mime", "found"),
    [
        (b"<html><p>x", "text/plain", "html"),
        (b"<p>x", "text/plain", "plain"),
        (b"<html><p>x", "text/x-html", "html"),
        (b"<html><p>x", "text/vnd.example", "html"),
        (b"int main() {}", "text/x-c", None),
        (b"<html><p>x", "application/octet-stream", "html"),
        (b"words", "application/octet-stream", None),
        (b"<html><p>x", "application/x-httpd-php", "html"),
        (b"<html><p>x", "magnus-internal/cgi", "html"),
        (b"<html><p>x", "application/json", None),
        (b"<html><p>x", "application/javascript", None),
        (b"<html><p>x", "text/css", None),
        (b"<html><p>x", "image/png", None),
        (b"<html><p>x", "application/pdf", None),
        (b"<?xml version='1.0'?>\n<html xmlns='http://www.w3.org/1999/xhtml'>", "application/xml", "xhtml"),
        (b"<!-- x --><!DOCTYPE html><html>", "text/xml", "xhtml"),
        (b"<html><p>x", "text/xml", None),
        (b"<rss version='2.0'><channel>", "application/xml", None),
        (b"<?xml version='1.0'?><wml><card>", "text/vnd.wap.wml", "xhtml"),
        (b"# A title", "text/markdown", "plain"),
        (b"anything", "text/html", "html"),
        (b"BEGIN:VCALENDAR", "text/calendar", None),
    ],
)  # fmt: skip
def test_the_stated_type_and_the_bytes_together(body: bytes, mime: str, found: str | None) -> None:
    assert kind(body, mime) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'<?xml version="1.0"?>\n<rss version="2.0">', True),
        (b"\xef\xbb\xbf<!-- x --> <feed xmlns='http://www.w3.org/2005/Atom'>", True),
        (b"<?xml-stylesheet href='x'?><!DOCTYPE rss><rss>", True),
        (b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns='http://purl.org/rss/1.0/'>", True),
        (b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>", False),
        (b"<html><rss>", False),
        (b"<rssx>", False),
        (b"words <rss>", False),
    ],
)
def test_feeds_are_no_pages(body: bytes, found: bool) -> None:
    assert sniff.is_feed(body) is found
    assert (page_kind("text/html", body) is None) is found


def test_zeros_behind_a_page_are_padding() -> None:
    page = b"<html><p>" + WORDS
    assert kind(page + bytes(9000), "text/html") == "html"
    assert kind(WORDS + bytes(9000), "text/plain") == "plain"
    assert kind(page * 20 + NOISE[:100], "text/html") == "html"


@pytest.mark.parametrize(
    "name",
    [
        "cp1251",
        "koi8_r",
        "cp1252",
        "cp1253",
        "cp1255",
        "cp1256",
        "gbk",
        "big5",
        "euc_jp",
        "shift_jis",
        "euc_kr",
        "utf-8",
    ],
)
@settings(max_examples=30)
@given(st.data())
def test_no_text_of_letters_is_taken_for_another_kind_of_file(name: str, data: st.DataObject) -> None:
    letters = st.characters(codec="utf-8" if name == "utf-8" else name, categories=("L",), exclude_characters="\u3164")
    body = data.draw(st.text(letters, min_size=3, max_size=12)).encode(name, "ignore")
    if not body.startswith((b"GIF8", b"\xff\xd8\xff")):
        assert sniff.binary_type(body + b" and more words") is None
