"""The Encoding Standard: labels, decoders, declarations, and what an archive reads otherwise than a browser."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import cache

import plain_decoders as plain
import pytest
from conftest import examples, record, rows, take
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archive.lake import Lake
from archive.text.charset import decode, is_unreadable
from archive.text.encoding.decoders import BAD, decode_as
from archive.text.encoding.detect import detect
from archive.text.encoding.labels import LABELS, encoding_of, guessed_encoding, stated_encoding
from archive.text.encoding.prescan import declared_encoding, late_encoding, xml_encoding
from benchmarks.encoding_tables import MULTI, checksum, sequences

#: Of all labels, and of all that each decoder gives, as `benchmarks/encoding_tables.py` found them equal to the indexes
#: that the standard publishes.
LABELS_SUM = "c5110a593f6a59c9"
CHECKSUMS = """
big5 7c0981bc0ded1e44
euc-jp 9f75bba90aebf5bc
euc-kr f05394fd2195e9c3
gb18030 a286316e42129d32
ibm866 5a856a1cc72f92ff
iso-8859-10 34e36339240c8d8b
iso-8859-13 3bac58e9cc8e52cd
iso-8859-14 ec2339ae801d5107
iso-8859-15 e3f0667fe89309a7
iso-8859-16 c68ff962b68531cb
iso-8859-2 5e9a0811bf08daf5
iso-8859-3 6555258335579b89
iso-8859-4 08e4e0f402fac588
iso-8859-5 df3e28bbb226e1cd
iso-8859-6 ac5e5b97608b416e
iso-8859-7 9f68204513e94f00
iso-8859-8 16b842dbf1779d83
iso-8859-8-i 16b842dbf1779d83
koi8-r e18c51434de748aa
koi8-u 09ca3df06fe07cf2
macintosh a6af4ef8837ca7fc
shift_jis 188c26076b1a39dc
windows-1250 697d3e9c20631e29
windows-1251 046cabf3dd731926
windows-1252 b45da48fcc29fa51
windows-1253 b86ba26ea99fb622
windows-1254 233441a35d0b7823
windows-1255 63cacbae4c945413
windows-1256 8f0f0e8f96c6e90c
windows-1257 a2e34bb97e73154a
windows-1258 7ab8842d941a6717
windows-874 328a1a499919669e
x-mac-cyrillic b84eb464bfafed28
x-user-defined 87337a75680cce3d
"""

# -- labels and indexes --------------------------------------------------------------------------


def test_all_228_labels_of_the_standard_mean_what_it_says() -> None:
    lines = "".join(f"{label} {name}\n" for label, name in sorted(LABELS.items()))
    assert len(LABELS) == 228
    assert hashlib.sha256(lines.encode()).hexdigest()[:16] == LABELS_SUM


def test_a_label_is_found_in_any_case_and_between_white_space_but_not_in_other_letters() -> None:
    assert encoding_of(" \t\nWindows-1251\r\x0c") == "windows-1251"
    assert encoding_of("latin1") == encoding_of("ASCII") == "windows-1252"
    assert encoding_of("\u00a0utf-8") is encoding_of("\u212aoi8-r") is encoding_of("utf_8") is encoding_of("") is None
    assert encoding_of("iso-2022-cn") == "replacement"
    assert encoding_of("hz-gb-2312") == "hz-gb-2312", "a browser shows nothing of it"


@pytest.mark.parametrize("line", CHECKSUMS.split("\n")[1:-1], ids=lambda line: line.split()[0])
def test_every_pointer_of_an_index_decodes_as_the_standard_says(line: str) -> None:
    encoding, wanted = line.split()
    assert checksum(encoding) == wanted


def test_two_pointers_of_big5_are_two_code_points() -> None:
    assert decode_as(b"\x88\x62\x88\x64\x88\xa3\x88\xa5", "big5") == "\xca\u0304\xca\u030c\xea\u0304\xea\u030c"


# -- errors --------------------------------------------------------------------------------------


@cache
def _index(encoding: str) -> dict[int, str]:
    """The index of an encoding, from our decoder, which the checksums prove."""
    if encoding == "jis0208":  # it has more rows than EUC-JP can name
        found = {i: decode_as(data, "shift_jis") for i, data in enumerate(sequences("shift_jis"))}
        return {pointer: text for pointer, text in found.items() if len(text) == 1 and text != BAD}
    sequence = [data for data in sequences("euc-jp") if len(data) == 3] if encoding == "jis0212" else None
    pairs = sequence or [data for data in sequences(encoding) if len(data) == 2]
    decoded = enumerate(decode_as(data, "euc-jp" if encoding == "jis0212" else encoding) for data in pairs)
    return {pointer: text for pointer, text in decoded if BAD not in text}


@cache
def _four_bytes(pointer: int) -> str | None:
    rest, fourth = divmod(pointer, 10)
    rest, third = divmod(rest, 126)
    first, second = divmod(rest, 10)
    text = decode_as(bytes((first + 0x81, second + 0x30, third + 0x81, fourth + 0x30)), "gb18030")
    return None if text == BAD else text


PLAIN: dict[str, Callable[[bytes], str]] = {
    "gb18030": lambda data: plain.gb18030(data, _index("gb18030"), _four_bytes),
    "big5": lambda data: plain.big5(data, _index("big5")),
    "euc-kr": lambda data: plain.euc_kr(data, _index("euc-kr")),
    "shift_jis": lambda data: plain.shift_jis(data, _index("jis0208")),
    "euc-jp": lambda data: plain.euc_jp(data, _index("jis0208"), _index("jis0212")),
    "iso-2022-jp": lambda data: plain.iso_2022_jp(data, _index("jis0208")),
    "utf-16le": lambda data: plain.utf_16(data, big=False),
    "utf-16be": lambda data: plain.utf_16(data, big=True),
    "utf-8": plain.utf_8,
}

#: Bytes of which few sequences are whole: leads, trails, escapes, halves of surrogates.
BROKEN = st.one_of(
    st.binary(max_size=12),
    *(
        st.lists(st.sampled_from(list(pool)), max_size=12).map(bytes)
        for pool in (
            b"\x80\x81\xa1\xfe\xff09A~\x7f\x8e\x8f\xa2\xb7AB@",
            b"\x1b\x1b\x1b($BJI@A!~\x0e\x80\\",
            b"\xd8\xdc\x00\xdbA\xff",
            b"\xe0\xed\xf0\xf4\xf5\xc0\xc2\x80\x8f\x90\x9f\xa0\xbfA",
        )
    ),
)


@pytest.mark.parametrize("encoding", PLAIN)
@settings(max_examples=examples(100), deadline=None)
@given(data=BROKEN)
@example(data=b"\xa2\x41\xa1\xfe\xa2\x42\x8f\xa2\xb7~\xa8\xbc\x81\x35\xf4\x37")
def test_broken_bytes_decode_as_the_standard_describes_it_byte_by_byte(encoding: str, data: bytes) -> None:
    assert decode_as(data, encoding) == PLAIN[encoding](data)


@pytest.mark.parametrize(
    "encoding", [*sorted(set(LABELS.values())), "utf-32le", "utf-32be", "hz-gb-2312", "iso-2022-kr"]
)
@given(data=st.binary(max_size=40))
def test_no_decoder_fails_and_no_decoder_gives_surrogates(encoding: str, data: bytes) -> None:
    decode_as(data, encoding).encode()


@pytest.mark.parametrize("encoding", sorted(set(LABELS.values()) - {"utf-16le", "utf-16be", "replacement"}))
@given(text=st.text(st.characters(max_codepoint=0x7F, exclude_characters="\x0e\x0f\x1b"), max_size=40))
def test_ascii_is_ascii_in_every_encoding(encoding: str, text: str) -> None:
    assert decode_as(text.encode(), encoding) == text


@cache
def _known(encoding: str) -> list[bytes]:
    return [data for data in sequences(encoding) if len(data) < 4 and BAD not in decode_as(data, encoding)]


@pytest.mark.parametrize("encoding", MULTI)
@given(seed=st.lists(st.integers(0, 10**6), max_size=30))
def test_characters_next_to_each_other_decode_as_they_do_alone(encoding: str, seed: list[int]) -> None:
    known = _known(encoding)
    chosen = [known[number % len(known)] for number in seed]
    assert decode_as(b"".join(chosen), encoding) == "".join(decode_as(data, encoding) for data in chosen)


def test_a_text_full_of_errors_takes_no_longer_than_a_second_a_megabyte() -> None:
    noise = bytes(range(0x80, 0x100)) * 2000
    for encoding in (*MULTI, "iso-2022-jp", "utf-16le"):
        started = time.process_time()
        decode_as(noise, encoding)
        assert time.process_time() - started < 20, encoding


# -- declarations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        ("text/html; charset=windows-1251", "windows-1251"),
        ('TEXT/HTML ; a=b; CHARSET="Windows-1251"', "windows-1251"),
        ('text/html; a="; charset=big5"; charset=koi8-r', "koi8-r"),
        ("text/html; charset=gbk; charset=big5", "gbk"),
        ("text/html, text/html; charset=gbk", "gbk"),
        ("text/html; charset=gbk, text/html", "gbk"),
        ("text/html; charset=gbk, text/plain", None),
        ("text/html; charset='gbk'", None),
        ("text/html charset=gbk", None),
        ("text/html; charset=nonsense", None),
        ("charset=gbk", None),
        ("", None),
    ],
)
def test_the_charset_of_a_content_type_is_what_mime_sniffing_and_fetch_find(value: str, encoding: str | None) -> None:
    assert stated_encoding(value) == encoding


def test_a_charset_that_the_standards_do_not_see_can_still_be_guessed() -> None:
    assert guessed_encoding("text/html charset='koi8-r'") == "koi8-r"
    assert guessed_encoding("charset=nonsense") is guessed_encoding("text/html") is None


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        (b"<meta charset=gbk>", "gbk"),
        (b"<META/CHARSET = ' gbk ' />", "gbk"),
        (b"<meta content='text/html; charset=gbk' http-equiv=Content-TYPE>", "gbk"),
        (b'<!-- <meta charset="big5"> --><meta charset=gbk>', "gbk"),
        (b"<!--><meta charset=gbk>", "gbk"),
        (b'<meta name=description content="charset=big5"><meta charset=gbk>', "gbk"),
        (b'<meta name=a data-charset=big5 data-encoding="koi8-r"><meta charset=gbk>', "gbk"),
        (b'<meta http-equiv=refresh content="1; charset=big5"><meta charset=gbk>', "gbk"),
        (b'<p title="<meta charset=big5>"><meta charset=gbk>', "gbk"),
        (b"<meta charset=nonsense><meta charset=gbk>", "gbk"),
        (b"<meta charset=gbk charset=big5>", "gbk"),
        (b"<meta charset=nonsense http-equiv=content-type content='charset=big5'>", None),
        (b"<meta http-equiv=content-type content='charset charset = gbk; x'>", "gbk"),
        (b"<meta http-equiv=content-type content='charset=\"gbk'>", None),
        (b"<metadata charset=gbk>", None),
        (b"<meta charset=gbk", None),
        (b"<meta charset=utf-16>", "utf-8"),
        (b"<meta charset=x-user-defined>", "windows-1252"),
        (b'<?xml version="1.0" encoding="koi8-r"?><p>', "koi8-r"),
        (b'<?xml version="1.0" encoding="koi8-r"?><meta charset=gbk>', "gbk"),
        (b' <?xml version="1.0" encoding="koi8-r"?>', None),
        (b"<?xml version='1.0' encoding='utf-16'?>", "utf-8"),
        ("<?xml".encode("utf-16le"), "utf-16le"),
        ("<?xml".encode("utf-16be"), "utf-16be"),
        (b" " * 1020 + b"<meta charset=gbk>", None),
        (b"", None),
    ],
)
def test_the_prescan_finds_what_the_html_standard_finds(head: bytes, encoding: str | None) -> None:
    assert declared_encoding(head) == encoding


def test_a_meta_element_far_down_counts_unless_it_is_in_a_comment_or_a_script() -> None:
    far = b"<!-- <meta charset=big5> --><script>'<meta charset=big5>'</script><title><meta charset=big5></title>"
    assert late_encoding(far + b" " * 5000 + b"<meta charset=gbk>") == "gbk"
    assert late_encoding(far) is late_encoding(b"<script><meta charset=gbk>") is None
    assert xml_encoding(b'<?xml version="1.0" encoding = "koi8 r"?>') is None


@pytest.mark.parametrize("piece", [b"<meta ", b'<meta a="', b"<script", b"<!--", b"<meta>", b"</title", b"<!---->"])
def test_the_search_for_declarations_is_linear(piece: bytes) -> None:
    started = time.process_time()
    decode(piece * 50_000 + b"\xff", "text/html")
    assert time.process_time() - started < 20


# -- the choice ----------------------------------------------------------------------------------

RU = "Добро пожаловать в нашу маленькую библиотеку"
ZH = "这家小店开在河边，每天早上都有新鲜的面包。老板会说三种语言，客人很多。"
JA = "川のそばの小さなパン屋は毎朝六時に開いて、温かいパンを売っています。"
DE = "Die Größe der Straßen überrascht viele Gäste, die zum ersten Mal in die kleine Stadt am Fluss kommen. "


def html(words: bytes, head: bytes = b"") -> bytes:
    return b"<html><head>" + head + b"<title>t</title></head><body><p>" + words


@pytest.mark.parametrize(
    ("body", "content_type", "charset"),
    [
        (RU.encode("koi8-r"), "text/html; charset=koi8-r", "koi8-r"),
        (html(RU.encode("cp1251"), b"<meta charset=cp1251>"), "text/html; charset=nonsense", "windows-1251"),
        (html(RU.encode("cp1251"), b"<meta charset=big5>"), "text/html; charset=windows-1251", "windows-1251"),
        (html(RU.encode("cp1251"), b"<!--" + b"-" * 3000 + b"--><meta charset=windows-1251>"), "", "windows-1251"),
        (RU.encode("cp1251"), "text/html charset='windows-1251'", "windows-1251"),
        (b'<?xml version="1.0" encoding="koi8-r"?>' + RU.encode("koi8-r"), "application/xhtml+xml", "koi8-r"),
        (b"words", "text/html; charset=iso-8859-1", "windows-1252"),
        (b"words", "text/html", "utf-8"),
    ],
)
def test_header_prescan_and_late_meta_count_in_this_order(body: bytes, content_type: str, charset: str) -> None:
    text, name = decode(body, content_type)
    assert name == charset
    assert RU in text or "words" in text


def test_in_xhtml_a_meta_element_declares_nothing_against_valid_utf_8() -> None:
    page = html(RU.encode(), b'<meta charset="big5"/>')
    assert decode(page, "application/xhtml+xml") == (page.decode(), "utf-8")


def test_one_bad_byte_is_one_u_fffd_and_changes_nothing_else() -> None:
    for encoding, codec, words in (("gbk", "gbk", ZH), ("shift_jis", "cp932", JA), ("utf-8", "utf-8", DE)):
        for bad in (b"\xff ", b"\xa0 ", b"\x80 ") if encoding == "utf-8" else (b"\xff ",):
            body = words.encode(codec) * 5 + bad + words.encode(codec) * 5
            for content_type in (f"text/html; charset={encoding}", f"text/html; charset={encoding}; x=y"):
                text, name = decode(body, content_type)
                assert name == encoding
                assert text == words * 5 + BAD + " " + words * 5


@pytest.mark.parametrize("stray", [b"\xff", b"\x80", b"\xa0", b"\xfd", b"\x81"])
def test_a_stray_byte_in_a_text_without_ascii_leaves_the_encoding(stray: bytes) -> None:
    body = JA.encode("euc_jp") * 4
    text, name = decode(body[:60] + stray + body[60:], "text/html; charset=euc-jp")
    assert name == "euc-jp"
    assert text.startswith(JA[:30])


@pytest.mark.parametrize("declared", ["", "; charset=utf-8", "; charset=iso-8859-1", "; charset=windows-1251"])
def test_utf_8_with_a_bad_byte_or_cut_in_a_character_stays_utf_8(declared: str) -> None:
    body = (DE * 4).encode()
    assert decode(body.replace(b"Fluss", b"Fl\xc3uss", 1), f"text/html{declared}")[0].count(BAD) == 1
    assert decode(body[: body.rfind("ß".encode()) + 1], f"text/html{declared}")[1] == "utf-8"


def test_characters_cut_off_at_the_end_are_one_u_fffd() -> None:
    for encoding, codec, words in (
        ("gbk", "gbk", ZH),
        ("big5", "big5", "今天我們去海邊"),
        ("euc-kr", "cp949", "강가의"),
    ):
        body = words.encode(codec)[:-1]
        assert decode(body, f"text/html; charset={encoding}") == (words[: len(words) - 1] + BAD, encoding)


def test_vendors_characters_are_those_of_browsers() -> None:
    assert decode("㈱①髙ｶ～".encode("cp932"), "text/html; charset=Shift_JIS")[0] == "㈱①髙ｶ～"
    assert decode(b"\xad\xa1\xa1\xc1\xf9\xa1", "text/html; charset=euc-jp")[0] == "①～纊"
    assert decode(b"\x80 5 \xd2\xbb", "text/html; charset=gb2312") == ("€ 5 一", "gbk")
    assert decode(b"\xfe\x52\x87\x7a", "text/html; charset=big5")[0] == "猪㡵"


def test_few_pairs_of_a_declared_encoding_are_not_taken_for_utf_8() -> None:
    body = b"<p>Only one character: " + "一".encode("gbk")
    assert body.decode("utf-8"), "it is valid UTF-8"
    assert decode(body, "text/html; charset=gb2312") == ("<p>Only one character: 一", "gbk")
    assert decode("© 2010".encode(), "text/html; charset=gb2312") == ("© 2010", "utf-8")
    assert decode("Größe".encode(), "text/html; charset=iso-8859-1") == ("Größe", "utf-8")


def test_iso_2022_jp_is_seen_where_something_else_is_declared() -> None:
    body = JA.encode("iso2022_jp")
    for content_type in ("text/html", "text/html; charset=utf-8", "text/html; charset=shift_jis"):
        assert decode(body, content_type) == (JA, "iso-2022-jp")
    prices = b"<p>\x1b$ 5 and more"
    assert decode(prices, "text/html; charset=utf-8") == (prices.decode(), "utf-8")


def test_what_browsers_refuse_to_show_is_kept() -> None:
    assert decode("强大".encode("hz"), "text/html; charset=hz-gb-2312") == ("强大", "hz-gb-2312")
    assert decode("강가".encode("iso2022_kr"), "text/html; charset=iso-2022-kr") == ("강가", "iso-2022-kr")


def test_iso_2022_cn_is_unreadable_and_its_label_alone_costs_nothing() -> None:
    body = b"<p>\x1b$)A\x0e8D5X\x0f and more"
    for content_type in ("text/html", "text/html; charset=iso-2022-cn"):
        text, name = decode(body, content_type)
        assert is_unreadable(text)
        assert name == "replacement"
    assert decode(ZH.encode("gbk"), "text/html; charset=iso-2022-cn")[0] == ZH


def test_utf_16_and_utf_32_are_found_with_and_without_a_mark() -> None:
    page = html("Größe, 大きさ".encode()).decode()
    for encoding in ("utf-16le", "utf-16be"):
        assert decode(page.encode(encoding), "text/html") == (page, encoding)
        assert decode(page.encode(encoding), "text/html; charset=utf-16") == (page, encoding), "whatever the order"
    assert decode(b"\xff\xfe\0\0" + page.encode("utf-32le"), "text/html; charset=utf-8") == (page, "utf-32le")
    assert decode(b"\xfe\xff" + page.encode("utf-16be"), "text/html; charset=utf-8") == (page, "utf-16be")
    assert decode(page.encode(), "text/html; charset=utf-16") == (page, "utf-8"), "bytes that are no UTF-16"


@pytest.mark.parametrize(
    ("codec", "declared", "encoding"),
    [("latin-1", "utf-8", "windows-1252"), ("cp1251", "gbk", "windows-1251"), ("cp1250", "iso-8859-2", "windows-1250")],
)
def test_a_declared_encoding_that_loses_much_gives_way_to_the_detected_one(
    codec: str, declared: str, encoding: str
) -> None:
    words = {"cp1251": RU + ". ", "cp1250": "źdźbło, śnieg, škoda, „słowa” — "}.get(codec, DE) * 9
    text, name = decode(words.encode(codec), f"text/html; charset={declared}")
    assert (text, name) == (words, encoding)


@pytest.mark.parametrize(
    ("encoding", "codec", "words"),
    [
        ("euc-kr", "cp949", "오늘 우리는 바다에 가서 해돋이를 보았다. 바람이 많이 불었지만 하늘은 아주 파랬다."),
        ("big5", "big5", "今天我們去海邊看日出，風很大，但是天空非常藍。孩子們在沙灘上撿貝殼，玩得很開心。"),
        ("shift_jis", "cp932", JA),
        ("euc-jp", "euc_jp", JA),
        ("windows-1251", "cp1251", RU),
        ("koi8-u", "koi8_u", RU),
        ("windows-1252", "cp1252", DE),
        ("windows-1252", "cp1252", "© 2008 The Company. All rights reserved."),
        ("windows-1252", "cp1252", "« Back | Forward »"),
    ],
)
def test_undeclared_pages_are_detected(encoding: str, codec: str, words: str) -> None:
    assert detect(html(words.encode(codec))) == encoding
    assert words in decode(html(words.encode(codec)), "text/html")[0]


def test_a_text_that_is_mostly_u_fffd_is_unreadable() -> None:
    assert is_unreadable(BAD * 6 + " words")
    assert not is_unreadable(BAD * 3 + " words")
    assert not is_unreadable("")


# -- through the archive -------------------------------------------------------------------------


def test_an_ingest_keeps_the_text_and_names_the_decoder(lake: Lake, write: Callable[[str, bytes], str]) -> None:
    pages = {
        "x-sjis": ("cp932", "ｶﾜﾉﾊﾟﾝﾔ 川のパン屋 ①", "shift_jis"),
        "windows-949": ("cp949", "강가의 빵집입니다", "euc-kr"),
        "x-gbk": ("gbk", "这里是河边的面包店", "gbk"),
        "windows-874": ("cp874", "ร้านขนมปังริมแม่น้ำ", "windows-874"),
        "x-mac-cyrillic": ("mac_cyrillic", "Булочная у реки", "x-mac-cyrillic"),
        "sun_eu_greek": ("iso8859_7", "Το αρτοποιείο δίπλα στο ποτάμι", "iso-8859-7"),
    }
    records = [
        record(f"http://{label}.example/", html(words.encode(codec)), content_type=f"text/html; charset={label}")
        for label, (codec, words, _) in pages.items()
    ]
    broken = record("http://broken.example/", html((BAD * 40).encode()), content_type="text/html; charset=utf-8")
    take(lake, write("a.warc", b"".join([*records, broken])))
    found = rows(lake, "SELECT captures.url, charset, text FROM captures JOIN documents USING (content_id)")
    wanted = {(f"http://{label}.example/", name, words) for label, (_, words, name) in pages.items()}
    assert set(found) == wanted
    assert rows(lake, "SELECT url, reason FROM rejects") == [("http://broken.example/", "bad-charset")]
