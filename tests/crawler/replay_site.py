"""A site with a page of each kind that replay tools find hard, and what a reader must get of each in two crawls."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

from rawserver import Answer, missing

HTML = "text/html; charset=utf-8"
WORDS = " ".join(f"word{number}" for number in range(80))
GREETINGS = {
    "latin-1": "Die Größe der Straßen überrascht viele Gäste: où êtes-vous ?",
    "gb18030": "今天我们去海边看日出，风很大，但是天空非常蓝。㐀",
    "shift_jis": "川のそばの小さなパン屋は毎朝六時に開いて、温かいパンを売っています。",
    "koi8-r": "Добро пожаловать в нашу маленькую библиотеку на берегу реки.",
    "utf-16": "Größe, 大きさ, размер",
}
#: Names of pictures as HTML has them.
PICTURES = ("a b.png", "ü.png", "100%25.png", "one+two.png", "semi;x=1.png", "it's.png", "of.php?id=7&amp;size=a,b", "in%2Fside.png", "[1](2).png", "~t!$*@:.png")  # fmt: skip
QUERIES = ("b=2&a=1", "a=1&a=2", "q=%C3%BC+x", "u=http%3A%2F%2Fexample.com%2F%3Fx%3D1", "x", "x=", "a%5B%5D=1&a%5B%5D=2", "Q=Upper", "p=100%25", "a;b=c")  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A page as the server sends it.

    `again` is what comes in the second crawl: the `same` bytes, `304`, or `other` bytes.
    """

    kind: str
    path: str
    body: bytes  #: without codings and chunks
    content_type: str = HTML
    status: str = "200 OK"
    send: str = "length"  #: or `gzip`, `chunks`, `gzip-chunks`, `close`, `http-1.0`, `interim`
    fields: tuple[str, ...] = ()
    again: str = "same"

    @property
    def location(self) -> str:
        """Where it redirects to, as the server states it; empty where it does not."""
        return next((each.partition(": ")[2] for each in self.fields if each.startswith("Location: ")), "")

    @property
    def second(self) -> Page:
        """The page at the time of the second crawl."""
        return replace(self, body=self.body.replace(b"word0 ", b"changed0 ")) if self.again == "other" else self

    def answer(self, request: bytes) -> Answer:
        """Send the page; a 304 to who has it already, where the page has a tag."""
        tag = f'"{zlib.crc32(self.body):x}"'
        fields = [f"Content-Type: {self.content_type}"] if self.content_type else []
        fields += self.fields
        if self.again == "304":
            fields.append(f"ETag: {tag}")
            if f"If-None-Match: {tag}".encode() in request:
                return Answer([f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode()], "keep")
        body, then, version = self.body, "keep", "1.1"
        if "gzip" in self.send:
            body = gzip.compress(body, mtime=0)
            fields.append("Content-Encoding: gzip")
        if "chunks" in self.send:
            fields.append("Transfer-Encoding: chunked")
            parts = [body[at : at + 700] for at in range(0, len(body), 700)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif self.send in ("close", "http-1.0"):
            then, version = "close", "1.0" if self.send == "http-1.0" else "1.1"
        else:
            fields.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([f"HTTP/{version} {self.status}", *fields]).encode() + b"\r\n\r\n"
        first = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" if self.send == "interim" else b""
        return Answer([first + head + body], then)


def text(name: str, more: str = "") -> bytes:
    return f"<!doctype html><title>{name}</title><h1>{name}</h1>{more}<p>{name} {WORDS}</p>".encode()


def picture(width: int) -> bytes:
    """Return a PNG of so many pixels."""
    rows = b"".join(b"\0" + b"\x99" * width for _ in range(3))
    parts = (b"IHDR", struct.pack(">IIBBBBB", width, 3, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def pages(rounds: int = 1) -> Iterator[Page]:
    """Yield the pages of so many rounds of all kinds."""
    for n in range(rounds):
        for send in ("length", "gzip", "chunks", "gzip-chunks", "close", "http-1.0", "interim"):
            yield Page(send, f"/{send}-{n}", text(f"{send} {n}"), send=send)
        for again in ("304", "other"):
            for send in ("length", "gzip-chunks"):
                name = f"{again}-{send}-{n}"
                yield Page(f"{again} {send}", f"/{name}", text(name), send=send, again=again)
        yield from _charsets(n)
        yield from _moved(n)
        yield from _frames(n)
        yield from _odd_names(n)
        for status in ("404 Not Found", "410 Gone", "403 Forbidden", "500 Oops"):
            yield Page("error page", f"/e{status[:3]}-{n}", text(f"{status} {n}"), status=status)
        yield Page("text", f"/text-{n}", f"text {n} <b>{WORDS}</b>".encode(), "text/plain; charset=utf-8")
        yield Page("json", f"/json-{n}", b'{"url": "/a", "n": %d}' % n, "application/json")
        xhtml = f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{n}</title></head><body><p>{WORDS}<br/></p></body></html>'
        yield Page("xhtml", f"/xhtml-{n}", xhtml.encode(), "application/xhtml+xml; charset=utf-8")
        yield Page("no type", f"/untyped-{n}", text(f"no type {n}"), "")
        script = f"<p id=s></p><script>document.getElementById('s').append('by a script {n}')</script>"
        yield Page("script", f"/script-{n}", text(f"script {n}", script))
        yield Page("base", f"/base-{n}", text(f"base {n}", "<base href=/deep/er/><img src=../../one+two.png>"))
        odd = ("X-Odd:  two  ", "cOnTeNt-LaNgUaGe:de", "X-Odd: three", "Set-Cookie: a=b; Path=/")
        yield Page("odd fields", f"/fields-{n}", text(f"fields {n}"), fields=odd)
        for twin, send in enumerate(("chunks", "length", "chunks", "length", "close")):
            yield Page(f"twin, {send}", f"/twin-{n}-{twin}", text(f"twins {n}"), send=send)


def _charsets(n: int) -> Iterator[Page]:
    for name, words in GREETINGS.items():
        declared = f"text/html; charset={name}"
        yield Page(f"{name} by header", f"/{name}-{n}", text(f"{name} {n}", words).decode().encode(name), declared)
        if name != "utf-16":
            meta = text(f"{name} {n}", f"<meta charset={name}>{words}").decode().encode(name)
            yield Page(f"{name} by meta", f"/{name}-meta-{n}", meta, "text/html")


def _moved(n: int) -> Iterator[Page]:
    for status, target in (
        ("301 Moved", f"/length-{n}"),
        ("302 Found", f"./gzip-{n}#part"),
        ("307 Later", f"/r307-{n}/"),
    ):
        path = f"/r{status[:3]}-{n}"
        yield Page("redirect", path, b"<a href=/>moved</a>", status=status, fields=(f"Location: {target}",))
    yield Page("redirect to a slash", f"/r307-{n}/", text(f"with a slash {n}"))


def _frames(n: int) -> Iterator[Page]:
    for part in ("left", "right"):
        yield Page("frame", f"/{part}-{n}", text(f"{part} {n}"))
    frames = f"<frameset cols=50%,*><frame src=/left-{n}><frame src=right-{n}></frameset>"
    yield Page("frames", f"/frames-{n}", f"<title>frames {n}</title>{frames}".encode())
    yield Page("iframe", f"/iframe-{n}", text(f"iframe {n}", f"<iframe src=left-{n}></iframe>"))


def _odd_names(n: int) -> Iterator[Page]:
    if n == 0:
        shown = "".join(f'<img src="/{name}">' for name in PICTURES)
        yield Page("pictures", "/pictures", text("pictures", shown))
        for number, name in enumerate(PICTURES):
            path = "/" + quote(name.replace("&amp;", "&"), safe="%()+;'?&=,~!$*@:")
            yield Page("picture", path, picture(number + 2), "image/png")
    yield Page("odd name", f"/%C3%BC%20{n}/(1)/~a", text(f"odd name {n}"))
    query = QUERIES[n % len(QUERIES)]
    yield Page("query", f"/find?n={n}&{query}", text(f"query {n}"))


class Site:
    """Serves pages; the first one has links to all. `version` is 1 or 2."""

    def __init__(self, given: Iterator[Page]) -> None:
        self.version = 1
        self.pages = {each.path: each for each in given}
        links = "".join(
            f'<li><a href="{path.replace("&", "&amp;")}">{page.kind}</a>' for path, page in self.pages.items()
        )
        self.pages["/"] = Page("links", "/", text("home", links))

    def now(self, path: str) -> Page | None:
        page = self.pages.get(path.replace("[", "%5B").replace("]", "%5D"))  # browsers leave them as they are
        return page.second if page is not None and self.version == 2 else page

    def answer(self, path: str, request: bytes) -> Answer:
        page = self.now(path)
        return page.answer(request) if page is not None else missing()
