"""Reads made pages with headless Chromium and with `archive.text.charset`, and compares encodings and texts.

    python benchmarks/browser_encoding.py [--browser chromium] [--show]

It serves the pages on this machine and talks to the browser through a pipe, so it needs no package but the browser
(Debian: `apt-get install chromium`). It prints a table, and exits with 1 where a page differs for none of the reasons
that the docstring of `archive.text.charset` numbers.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chromium import Browser

from archive.text.charset import decode
from archive.text.encoding.decoders import decode_as
from archive.text.encoding.labels import LABELS

HEAD = b"<!doctype html><html><head>%s<title>t</title></head><body><p id=t>"
#: Words in the encodings of each script: a browser's detector needs some.
SAMPLES = {
    "windows-1251": "Добро пожаловать в нашу маленькую библиотеку на берегу реки, здесь тихо и тепло.",
    "koi8-r": "Добро пожаловать в нашу маленькую библиотеку на берегу реки, здесь тихо и тепло.",
    "windows-1252": "Die Größe der Straßen überrascht viele Gäste, die zum ersten Mal hierher kommen. Où êtes-vous ?",
    "windows-1250": "Žluťoučký kůň úpěl ďábelské ódy, a přitom pršelo celý den nad městem i nad řekou.",
    "windows-1253": "Το αρτοποιείο δίπλα στο ποτάμι ανοίγει κάθε πρωί στις έξι και πουλάει ζεστό ψωμί.",
    "windows-1254": "Nehrin kıyısındaki küçük fırın her sabah altıda açılır ve sıcak ekmek satar, şeker de.",
    "windows-1255": "המאפייה ליד הנהר נפתחת בכל בוקר בשש ומוכרת לחם חם לכל מי שבא מן הכפר",
    "windows-1256": "يفتح المخبز الصغير بجانب النهر كل صباح في الساعة السادسة ويبيع الخبز الساخن",
    "windows-874": "ร้านขนมปังริมแม่น้ำเปิดทุกเช้าตอนหกโมงและขายขนมปังร้อนให้คนในหมู่บ้าน",
    "gbk": "今天我们去海边看日出，风很大，但是天空非常蓝。孩子们在沙滩上捡贝壳，玩得很开心。",
    "big5": "今天我們去海邊看日出，風很大，但是天空非常藍。孩子們在沙灘上撿貝殼，玩得很開心。",
    "euc-kr": "오늘 우리는 바다에 가서 해돋이를 보았다. 바람이 많이 불었지만 하늘은 아주 파랬다.",
    "shift_jis": "川のそばの小さなパン屋は毎朝六時に開いて、温かいパンを売っています。①ｶﾀｶﾅ髙橋",
    "euc-jp": "川のそばの小さなパン屋は毎朝六時に開いて、温かいパンを売っています。",
    "iso-2022-jp": "川のそばの小さなパン屋は毎朝六時に開いて、温かいパンを売っています。",
    "utf-8": "Größe, 大きさ, размер",
}
CODECS = {
    "windows-874": "cp874",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "iso-2022-jp": "iso2022_jp",
}
HTML = "text/html"
RU = SAMPLES["windows-1251"].encode("cp1251")


@dataclass(frozen=True)
class Made:
    """A page. `reason` is the number in the docstring of `archive.text.charset` for which it may differ, or what
    Chromium does otherwise than the standard says."""

    group: str
    name: str
    content_type: str | None
    body: bytes
    reason: int | str | None = None
    decoder: str | None = None  #: compare this decoder alone, whatever `decode` would choose


def encoded(encoding: str) -> bytes:
    return SAMPLES[encoding].encode(CODECS.get(encoding, encoding))


def made_pages() -> Iterator[Made]:
    yield from _labels()
    yield from _metas()
    yield from _prescans()
    yield from _headers()
    yield from _marks()
    yield from _broken()
    yield from _tables()
    yield from _xml()
    yield from _undeclared()


def _labels() -> Iterator[Made]:
    """Each label in the header, over bytes that are no UTF-8 and something else in most encodings."""
    for label, encoding in LABELS.items():
        words = b"\xc4\xe3\xba\xc3 \xa4\xa2 ~{VPND~} end" if encoding != "utf-8" else SAMPLES["utf-8"].encode()
        body, reason = HEAD % b"" + words, None
        if encoding.startswith("utf-16"):
            body = (HEAD % b"").decode().encode(encoding) + "Größe, 大きさ".encode(encoding)
        if encoding == "iso-2022-jp":
            body = HEAD % b"" + encoded("iso-2022-jp")
        if encoding == "replacement":
            reason = 4
        yield Made("labels", label, f"{HTML}; charset={label}", body, reason)


def _metas() -> Iterator[Made]:
    for encoding in SAMPLES:
        meta = b'<meta charset="%s">' % encoding.encode()
        yield Made("meta charset", encoding, HTML, HEAD % meta + encoded(encoding))
        meta = b"<META content='text/html; charset=%s' HTTP-EQUIV=Content-Type>" % encoding.encode()
        yield Made("meta http-equiv", encoding, HTML, HEAD % meta + encoded(encoding))
    words = "Größe".encode()
    for label in ("utf-16", "utf-16be", "unicode", "ucs-2"):
        yield Made("meta charset", label, HTML, HEAD % b'<meta charset="%s">' % label.encode() + words)
    yield Made("meta charset", "x-user-defined", HTML, HEAD % b"<meta charset=x-user-defined>" + b"caf\xe9")


#: What the page has in its head, all of it windows-1251.
PRESCANS = {
    "comment": b'<!-- <meta charset="big5"> --><meta charset=windows-1251>',
    "comment of five characters": b"<!--><meta charset=windows-1251><!-- -->",
    "comment with dashes": b"<!-- -- > <meta charset=big5> --><meta charset=windows-1251>",
    "description": b'<meta name="description" content="charset=big5"><meta charset=windows-1251>',
    "data attribute": b'<meta name=a data-charset="koi8-r" data-encoding="big5"><meta charset=windows-1251>',
    "content without http-equiv": b'<meta content="text/html; charset=big5"><meta charset=windows-1251>',
    "http-equiv of another kind": b'<meta http-equiv=refresh content="1; charset=big5"><meta charset=windows-1251>',
    "content in front": b"<meta content='text/html; charset=windows-1251' http-equiv='content-type'>",
    "pragma in capitals": b'<META HTTP-EQUIV="CONTENT-TYPE" CONTENT="TEXT/HTML; CHARSET=WINDOWS-1251">',
    "unknown, then known": b"<meta charset=nonsense><meta charset=windows-1251>",
    "two attributes": b"<meta charset=windows-1251 charset=big5>",
    "charset and content": b'<meta http-equiv=content-type content="text/html; charset=big5" charset=windows-1251>',
    "two declarations": b"<meta charset=windows-1251><meta charset=big5>",
    "slash": b"<meta/charset=windows-1251/>",
    "spaces": b"<meta \t\n charset \n = \t ' windows-1251 ' >",
    "no quotes": b"<meta http-equiv=content-type content=text/html;charset=windows-1251>",
    "quotes in content": b"<meta http-equiv=content-type content='text/html; charset=\"windows-1251\"'>",
    "charset charset": b"<meta http-equiv=content-type content='text/html; charset charset = windows-1251;x'>",
    "in an attribute": b'<link title="<meta charset=big5>" rel=a><meta charset=windows-1251>',
    "in an attribute without quotes": b"<link title=<meta rel=a><meta charset=windows-1251>",
    "greater-than in an attribute": b'<link title="a > b" rel=a><meta charset=windows-1251>',
    "processing instruction": b"<?php echo '<meta charset=big5>' ?><meta charset=windows-1251>",
    "end tag with attributes": b"</p charset=big5><meta charset=windows-1251>",
    "other element": b"<metadata charset=big5></metadata><meta charset=windows-1251>",
    "upper case": b"<META CHARSET=WINDOWS-1251>",
    "behind a title": b"<title>It's</title><meta charset=windows-1251>",
    "behind a script": b"<script>if (1 < 2) { a = 'b' }</script><meta charset=windows-1251>",
    "behind a style": b"<style>p > a { content: '<' }</style><meta charset=windows-1251>",
    "at byte 900": b"<!--" + b"x" * 850 + b"--><meta charset=windows-1251>",
    "over byte 1024": b"<!--" + b"x" * 950 + b"--><meta charset=windows-1251>",
    "at byte 3000": b"<!--" + b"x" * 2950 + b"--><meta charset=windows-1251>",
    "at byte 3000, behind a script": b"<script>'" + b"x" * 2950 + b"'</script><meta charset=windows-1251>",
    "label with spaces": b"<meta charset='\t windows-1251\n'>",
    "label cp1251": b"<meta charset=cp1251>",
    "doctype": b'<!doctype html "<meta charset=big5>"><meta charset=windows-1251>',
}


def _prescans() -> Iterator[Made]:
    for name, head in PRESCANS.items():
        reason = "Chromium takes the last attribute" if name == "two attributes" else None
        yield Made("prescan", name, HTML, HEAD % head + RU, reason)
    xml = b'<?xml version="1.0" encoding="%s"?>'
    yield Made("prescan", "XML declaration", HTML, xml % b"windows-1251" + HEAD % b"" + RU)
    yield Made(
        "prescan", "XML declaration, then meta", HTML, xml % b"big5" + HEAD % b"<meta charset=windows-1251>" + RU
    )
    yield Made("prescan", "XML declaration of UTF-16", HTML, xml % b"utf-16" + HEAD % b"" + "Größe".encode())
    yield Made(
        "prescan", "XML declaration behind a space", HTML, b" " + xml % b"koi8-r" + HEAD % b"" + encoded("koi8-r"), 7
    )
    yield Made(
        "prescan",
        "UTF-16 as an XML declaration shows",
        HTML,
        (xml % b"utf-16").decode().encode("utf-16le")
        + (HEAD % b"").decode().encode("utf-16le")
        + "Größe".encode("utf-16le"),
    )
    yield Made("prescan", "header against meta", f"{HTML}; charset=windows-1251", HEAD % b"<meta charset=big5>" + RU)
    yield Made(
        "prescan", "unknown header, then meta", f"{HTML}; charset=nonsense", HEAD % b"<meta charset=windows-1251>" + RU
    )


def _headers() -> Iterator[Made]:
    values = {
        "text/html;charset=windows-1251": None,
        'text/html; charset="windows-1251"': None,
        "text/html; CHARSET=Windows-1251": None,
        "TEXT/HTML; Charset=cp1251": None,
        "text/html; charset=windows-1251; x=y": None,
        "text/html; x=y; charset=windows-1251": None,
        'text/html; x="charset=big5"; charset=windows-1251': None,
        "text/html; charset=windows-1251; charset=big5": None,
        "text/html;charset=windows-1251 ": None,
        "text/html ; charset=windows-1251": None,
        "text/html; charset=x-cp1251,": None,
        "text/html, text/html; charset=windows-1251": None,
        "text/html; charset=windows-1251, text/html": None,
        "text/html; charset='windows-1251'": 6,
        "text/html; charset =windows-1251": 6,
        "text/html; charset= windows-1251": None,
        "text/html charset=windows-1251": 6,
        "text/html; charset:windows-1251": 6,
        "text/html;; charset=windows-1251": None,
        'text/html; charset="windows-1251': None,
    }
    for value, reason in values.items():
        yield Made("header", value, value, HEAD % b"" + RU, reason)
    yield Made("header", "text/plain", "text/plain; charset=windows-1251", RU)
    yield Made(
        "header",
        "text/plain, a meta is text",
        "text/plain; charset=koi8-r",
        b"<meta charset=big5> " + encoded("koi8-r"),
    )


def _marks() -> Iterator[Made]:
    """Byte order marks, against every declaration."""
    page = (HEAD % b"<meta charset=big5>").decode() + "Größe, 大きさ"
    for encoding, mark in (("utf-8", b"\xef\xbb\xbf"), ("utf-16le", b"\xff\xfe"), ("utf-16be", b"\xfe\xff")):
        for header in (HTML, f"{HTML}; charset=windows-1251", f"{HTML}; charset=utf-8", f"{HTML}; charset=utf-16be"):
            yield Made("byte order mark", f"{encoding} against {header}", header, mark + page.encode(encoding))
    for encoding, mark in (("utf-32le", b"\xff\xfe\0\0"), ("utf-32be", b"\0\0\xfe\xff")):
        yield Made("byte order mark", encoding, HTML, mark + page.encode(encoding), 3)
    plain = (HEAD % b"").decode() + "Größe, 大きさ"
    yield Made("byte order mark", "UTF-16LE without one", HTML, plain.encode("utf-16le"), 3)
    yield Made("byte order mark", "UTF-16BE called utf-16", f"{HTML}; charset=utf-16", plain.encode("utf-16be"), 3)
    yield Made("byte order mark", "UTF-8 called windows-1251", f"{HTML}; charset=windows-1251", plain.encode(), 1)
    yield Made("byte order mark", "UTF-8 called utf-16le", f"{HTML}; charset=utf-16le", plain.encode(), 1)


def _broken() -> Iterator[Made]:
    """Stray, missing and random bytes, where one encoding is declared."""
    chance = random.Random(8)
    for encoding in ("gbk", "gb18030", "big5", "euc-jp", "shift_jis", "euc-kr", "iso-2022-jp", "utf-8"):
        words = encoded({"gb18030": "gbk"}.get(encoding, encoding)) * 8
        head = f"{HTML}; charset={encoding}"
        ends = "Chromium shows the bracket of an escape sequence that breaks off" if encoding == "iso-2022-jp" else None
        yield Made("broken bytes", f"{encoding}, cut", head, HEAD % b"" + words[:-1], ends)
        for stray in (
            b"\xff",
            b"\x80",
            b"\xa0",
            b"\xfd",
            b"\xfe",
            b"\x81",
            b"\x8f\xa2",
            b"\x1b",
            b"\x1b(",
            b"\xe4\xb8",
            b"\x84\x31\x95\x33",
        ):
            at = len(words) // 2 + chance.randrange(9)
            yield Made("broken bytes", f"{encoding}, {stray.hex()}", head, HEAD % b"" + words[:at] + stray + words[at:])
        some = bytes(byte for byte in range(1, 256) if byte not in (b"\r<&\x8f" if encoding == "euc-jp" else b"\r<&"))
        for number in range(6):
            noise = bytes(chance.choice(some) for _ in range(200))
            yield Made("random bytes", f"{encoding} {number}", head, HEAD % b"" + noise, None, encoding)
    kept = "Chromium takes the next pair for JIS X 0212, too"
    yield Made("broken bytes", "euc-jp, JIS X 0212", f"{HTML}; charset=euc-jp", HEAD % b"" + b"\x8f\xbd1\xee\xde", kept)
    for encoding in ("utf-16le", "utf-16be"):
        page = (HEAD % b"").decode().encode(encoding)
        for name, units in {
            "lone high": "a\ud800b",
            "lone low": "a\udc00b",
            "two high": "\ud800\ud800\udc00",
            "high at the end": "a\ud800",
        }.items():
            body, header = page + units.encode(encoding, "surrogatepass"), f"{HTML}; charset={encoding}"
            ends = "Chromium drops half a character at the end"
            yield Made("broken bytes", f"{encoding}, {name}", header, body, ends if name.endswith("the end") else None)
            yield Made("broken bytes", f"{encoding}, {name}, cut", header, body + b"\xd8", ends)


#: The byte sequences of Big5 that stand for two code points.
_TWO = frozenset({b"\x88\x62", b"\x88\x64", b"\x88\xa3", b"\x88\xa5"})


def _tables() -> Iterator[Made]:
    """All pairs of bytes, and all of three where a lead byte allows it, a line each."""
    pairs = b"\n".join(
        bytes((a, b))
        for a in range(0x80, 0x100)
        for b in range(0x30, 0x100)
        if b not in b"<&" and bytes((a, b)) not in _TWO
    )
    for encoding in ("gbk", "big5", "euc-jp", "shift_jis", "euc-kr"):
        if encoding == "big5":
            two = b"|".join(sorted(_TWO))
            yield Made(
                "all pairs", "big5, two code points", f"{HTML}; charset=big5", HEAD % b"" + two, "Chromium breaks them"
            )
        body = HEAD % b"" + (pairs.replace(b"\x8f", b"\x8e") if encoding == "euc-jp" else pairs)
        yield Made("all pairs", encoding, f"{HTML}; charset={encoding}", body, None, encoding)
    three = b"\n".join(bytes((0x8F, a, b)) for a in range(0xA1, 0xFF) for b in range(0xA1, 0xFF))
    yield Made("all pairs", "euc-jp, JIS X 0212", f"{HTML}; charset=euc-jp", HEAD % b"" + three, None, "euc-jp")
    four = b"\n".join(
        bytes((a, b, c, d))
        for a in (*range(0x81, 0x86), 0x90, 0xE3, 0xFE)
        for b in range(0x30, 0x3A)
        for c in range(0x81, 0xFF)
        for d in range(0x30, 0x3A)
    )
    yield Made("all pairs", "gb18030, four bytes", f"{HTML}; charset=gb18030", HEAD % b"" + four, None, "gb18030")
    high = b"\n".join(bytes((byte,)) for byte in range(0x80, 0x100))
    for encoding in sorted(set(LABELS.values())):
        if encoding.startswith(("iso-8859", "windows", "koi8", "mac", "x-", "ibm")):
            yield Made("all bytes", encoding, f"{HTML}; charset={encoding}", HEAD % b"" + high, None, encoding)


def _xml() -> Iterator[Made]:
    kind = "application/xhtml+xml"
    page = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>t</title>%s</head><body><p id="t">%s</p></body></html>'
    )
    xml = '<?xml version="1.0" encoding="%s"?>'
    ru, plain = SAMPLES["windows-1251"], page % ("", SAMPLES["windows-1251"])
    yield Made("XHTML", "declaration", kind, (xml % "windows-1251" + plain).encode("cp1251"))
    yield Made(
        "XHTML",
        "header against declaration",
        f"{kind}; charset=koi8-r",
        (xml % "windows-1251" + plain).encode("koi8-r"),
    )
    yield Made("XHTML", "nothing is UTF-8", kind, plain.encode())
    yield Made("XHTML", "meta is nothing", kind, (page % ('<meta charset="big5"/>', ru)).encode())
    yield Made("XHTML", "byte order mark", kind, b"\xef\xbb\xbf" + (xml % "utf-8" + plain).encode())
    yield Made("XHTML", "UTF-16 with a mark", kind, b"\xff\xfe" + (xml % "utf-16" + plain).encode("utf-16le"))
    yield Made("XHTML", "single quotes", kind, (xml.replace('"', "'") % "koi8-r" + plain).encode("koi8-r"))


def _undeclared() -> Iterator[Made]:
    for encoding in SAMPLES:
        yield Made("undeclared", encoding, HTML, HEAD % b"" + encoded(encoding) * 4, 7)
    yield Made("undeclared", "ASCII", HTML, HEAD % b"" + b"Words in ASCII alone.", 7)
    yield Made("undeclared", "one sign", HTML, HEAD % b"" + b"\xa9 2008 The Company. All rights reserved.", 7)
    yield Made(
        "undeclared", "ISO-2022-JP called utf-8", f"{HTML}; charset=utf-8", HEAD % b"" + encoded("iso-2022-jp"), 2
    )
    latin = ("Größe und Länge, " * 30).encode("latin-1")
    yield Made("wrong header", "latin1 called utf-8", f"{HTML}; charset=utf-8", HEAD % b"" + latin, 5)
    yield Made("wrong header", "windows-1251 called gbk", f"{HTML}; charset=gbk", HEAD % b"" + RU * 9, 5)
    polish = ("źdźbło, śnieg, šķ, „słowa” — " * 30).encode("cp1250", "ignore")
    yield Made("wrong header", "windows-1250 called iso-8859-2", f"{HTML}; charset=iso-8859-2", HEAD % b"" + polish, 5)
    few = "Größe " * 40
    yield Made("undeclared", "UTF-8 with one bad byte", HTML, HEAD % b"" + few.encode() + b"\xff", 1)
    yield Made(
        "undeclared",
        "UTF-8 with one bad byte, called latin1",
        f"{HTML}; charset=latin1",
        HEAD % b"" + few.encode() + b"\xff",
        1,
    )


# -- the server ---------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    pages: list[Made]

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if not name.isdigit():
            return self.send_error(404)
        page = self.pages[int(name)]
        self.send_response_only(200)
        if page.content_type is not None:
            self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)
        return None

    def log_message(self, *_: Any) -> None:
        pass


def ours(page: Made) -> tuple[str, str]:
    """Decode a page, and take the text of its element `t`; a text file as it is."""
    kind = page.content_type or ""
    if page.decoder:
        return page.decoder, decode_as(page.body, page.decoder).partition("id=t>")[2]
    text, name = decode(page.body, kind, not kind.startswith("text/plain"))
    _, mark, rest = text.partition("id=t>")
    if not mark:
        _, mark, rest = text.partition('id="t">')
    return name, rest.partition("</p>")[0] if mark else text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--show", action="store_true", help="print every page that differs")
    args = parser.parse_args()
    pages = list(made_pages())
    _Handler.pages = pages
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(args.browser, folder)
        try:
            for number, page in enumerate(pages):
                theirs = browser.open(f"http://127.0.0.1:{server.server_port}/{number}")
                mine = ours(page)
                kind = _compare(page, mine, theirs)
                counts.setdefault(page.group, Counter())[kind] += 1
                if kind == "unexplained" or (args.show and kind != "same"):
                    print(f"{kind}: {page.group}, {page.name}\n  browser {_short(theirs)}\n  ours    {_short(mine)}")
        finally:
            browser.close()
            server.shutdown()
    print(
        f"{browser.version}\n| pages | number | same | same text, other name | differs, for a reason | unexplained |\n"
        "| --- | --: | --: | --: | --: | --: |"
    )
    total: Counter[str] = sum(counts.values(), Counter())
    for group, count in [*counts.items(), ("all", total)]:
        kinds = ("same", "same text", "reason", "unexplained")
        print(f"| {group} | {count.total()} | {' | '.join(str(count[kind]) for kind in kinds)} |")
    return 1 if total["unexplained"] else 0


def _compare(page: Made, mine: tuple[str, str], theirs: tuple[str, str]) -> str:
    if mine == theirs:
        return "same"
    if page.reason is None:
        return "unexplained"
    return "same text" if mine[1] == theirs[1] else "reason"


def _short(found: tuple[str, str]) -> str:
    name, text = found
    return f"{name} {text[:90]!r}{'…' if len(text) > 90 else ''}"


if __name__ == "__main__":
    sys.exit(main())
