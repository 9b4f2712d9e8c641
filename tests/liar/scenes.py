"""Scenes: lies and losses that need a whole file, or several, around a known truth."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import zstandard

from liar import write
from liar.archives import Made, Part, Spec, Truth, page, plain, write_web
from liar.kinds import DAY, scene
from liar.write import Fields, digest, http_date, record_id, stamp, w3c, week

Build = Callable[[Made, Random], None]
SCENES: dict[str, Build] = {}

#: The collision of Wang, Feng, Lai and Yu (2004): 128 bytes each, of one MD5, and so with any ending.
_FIRST = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a"
    "085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70"
)
_SECOND = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f8955ad340609f4b30283e4888325f1415a"
    "085125e8f7cdc99fd91dbd7280373c5bd8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70"
)
#: What is in the text of the first, as windows-1252, and not in that of the second.
_MARK = "Êµ‡F"


def _scene(name: str, row: str, fact: str, expected: str, soft: bool = False) -> Callable[[Build], Build]:
    def add(build: Build) -> Build:
        scene(name, row, fact, expected, soft)
        SCENES[name] = build
        return build

    return add


def _early(dice: Random) -> datetime:
    return datetime(2008, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(3000), seconds=dice.randrange(86400))


def _response(
    made: Made,
    body: bytes,
    moment: datetime,
    url: str = "",
    *,
    http: Fields | None = None,
    more: Fields | None = None,
    mime: str = "text/html; charset=utf-8",
    digests: bool = True,
    length: int | None = None,
    kind: str = "response",
) -> bytes:
    block = write.message(body, [("Content-Type", mime), *(http or [])])
    url = url or f"http://scene.example/{made.number}/{digest(body)[5:20]}"
    fields: Fields = [
        ("WARC-Type", kind),
        ("WARC-Target-URI", url),
        ("WARC-Date", w3c(moment)),
        ("WARC-Record-ID", record_id(f"{url}{moment}")),
        ("Content-Type", "application/http; msgtype=response"),
        *(more or []),
    ]
    if digests:
        fields += [("WARC-Payload-Digest", digest(body)), ("WARC-Block-Digest", digest(block))]
    return write.warc(block, fields, length=length)


def _revisit(
    made: Made,
    url: str,
    moment: datetime,
    payload_digest: str,
    *,
    http: Fields | None = None,
    more: Fields | None = None,
) -> bytes:
    block = write.message(b"", [("Content-Type", "text/html"), *(http or [])])
    fields: Fields = [
        ("WARC-Type", "revisit"),
        ("WARC-Target-URI", url),
        ("WARC-Date", w3c(moment)),
        ("WARC-Record-ID", record_id(f"{url}{moment}")),
        ("WARC-Profile", "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"),
        ("Content-Type", "application/http; msgtype=response"),
        ("WARC-Payload-Digest", payload_digest),
        *(more or []),
    ]
    return write.warc(block, fields)


def _honest(made: Made, moment: datetime, **more: object) -> bytes:
    name = made.text(moment - 9 * DAY, by=moment + DAY)
    return _response(made, page(name), moment, **more)  # type: ignore[arg-type]


# -- lies ------------------------------------------------------------------------------------------------------------


@_scene("wacz-altered", "A23", "`datapackage.json` has the SHA-256 of another WARC", "altered")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    name = made.text(late, liars=[frozenset({"wacz-altered"})])
    new = write.gz(_response(made, page(name), early, digests=dice.random() < 0.5))
    old = write.gz(_response(made, b"<p>What was there before.</p>", early))
    made.files["a.wacz"] = write.wacz({"archive/data.warc.gz": new}, {"archive/data.warc.gz": old})
    made.spans = False


@_scene("md5-collision", "A14", "the payload digest is an MD5, which links nothing", "no proof by it")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    name = made.name()
    lie = frozenset({"md5-collision"})
    made.marks[name] = _MARK
    ending = b"\n\n" + plain(name)
    url = f"http://scene.example/{made.number}"
    stated: Fields = [("WARC-Payload-Digest", digest(_FIRST + ending, "md5"))]
    mime = "text/plain; charset=windows-1252"
    # one of the two is as old as it says; the other only has the same MD5
    old, new, old_name, new_name = _FIRST, _SECOND, name + "+", name + "-"
    if dice.random() < 0.5:
        old, new, old_name, new_name = new, old, new_name, old_name
    first = _response(made, old + ending, early, url, mime=mime, digests=False, more=stated)
    second = _response(made, new + ending, late, url, mime=mime, digests=False, more=stated)
    made.truths[old_name] = Truth(early - DAY, by=early + DAY, liars=[], loss=lie)
    made.truths[new_name] = Truth(late - DAY, by=late + DAY, liars=[lie], loss=lie)
    variant = dice.randrange(3)
    if variant == 0:  # a cache by digest would give the second the text of the first
        made.files["a.warc"] = first + second
    elif variant == 1:
        made.files["a.warc"] = second + first
    else:  # the revisit is of the first, which is in another archive
        del made.truths[old_name]
        made.files["a.warc"] = second + _revisit(made, url, early, digest(_FIRST + ending, "md5"))
    made.odd |= lie


@_scene("revisit-refers-later", "A10", "a revisit refers to a record that is later than itself", "refers-later")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    name = made.text(late - DAY, by=late + DAY, liars=[frozenset({"revisit-refers-later"})])
    url = f"http://scene.example/{made.number}"
    refers: Fields = [("WARC-Refers-To-Target-URI", url), ("WARC-Refers-To-Date", w3c(late))]
    revisit = _revisit(made, url, early, digest(page(name)), more=refers)
    made.files["a.warc"] = _response(made, page(name), late, url) + revisit


@_scene(
    "revisit-refers-unreadable", "A10", "a revisit whose WARC-Refers-To-Date cannot be read", "unreadable", soft=True
)
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    name = made.text(late - DAY, by=late + DAY, liars=[frozenset({"revisit-refers-unreadable"})])
    url = f"http://scene.example/{made.number}"
    refers: Fields = [("WARC-Refers-To-Target-URI", url), ("WARC-Refers-To-Date", "2023-13-45")]
    revisit = _revisit(made, url, early, digest(page(name)), more=refers)
    made.files["a.warc"] = _response(made, page(name), late, url) + revisit


@_scene("revisit-server-later", "A9", "the server's Date in a revisit is late", "server-later")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    name = made.text(late - DAY, by=late + DAY, liars=[frozenset({"revisit-server-later"})])
    url = f"http://scene.example/{made.number}"
    revisit = _revisit(made, url, early, digest(page(name)), http=[("Date", http_date(late))])
    made.files["a.warc"] = _response(made, page(name), late, url) + revisit


@_scene(
    "two-charsets",
    "B4",
    "one payload read in two charsets: the second reading is of 2023",
    "the earliest capture's text",
)
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    lie = frozenset({"two-charsets"})
    name = made.name()
    made.marks[name] = "é"
    body = page(name, "<p>un été à la mer</p>").decode().encode("latin-1")  # no UTF-8
    url = f"http://scene.example/{made.number}"
    made.truths[name + "+"] = Truth(early - DAY, by=early + DAY, loss=lie)
    made.truths[name + "-"] = Truth(late - DAY, by=late + DAY, liars=[lie], loss=lie)
    revisit = _revisit(made, url + "/b", early, digest(body))
    made.files["a.warc"] = _response(made, body, early + 400 * DAY, url, mime="text/html; charset=windows-1252")
    made.files["b.warc"] = revisit
    made.files["c.warc"] = _response(made, body, late, url + "/c", mime="text/html; charset=koi8-r")


@_scene(
    "embedded-length", "A11", "the length of a record is too short; a record lies in the body of its page", "recovered"
)
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    first = _honest(made, early)
    name = made.text(late, liars=[frozenset({"embedded-length"})], kept=False)
    inner = _response(made, page(name), early + dice.choice([1, 400]) * DAY)
    outer_name = made.text(late, kept=False)
    outer = page(outer_name) + dice.choice([b"\n", b"<pre>\n"]) + inner + b"</pre>"
    short = len(page(outer_name))
    last = made.text(late - DAY, kept=False)
    made.files["a.warc"] = (
        first + _response(made, outer, late, length=short, digests=False) + _response(made, page(last), late + DAY)
    )
    made.odd |= {"embedded-length"}


@_scene(
    "embedded-longer", "A11", "the length of a record is too large; a record lies in the body of its page", "recovered"
)
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    first = _honest(made, early)
    name = made.text(late, liars=[frozenset({"embedded-longer"})], kept=False)
    inner = _response(made, page(name), early + dice.choice([1, 400]) * DAY)
    outer = page(made.text(late, kept=False)) + b"\n" + inner + b"</pre>"
    last = made.text(late - DAY, kept=False)
    long = len(outer) + dice.choice([150, 300])
    made.files["a.warc"] = (
        first + _response(made, outer, late, length=long, digests=False) + _response(made, page(last), late + DAY)
    )
    made.odd |= {"embedded-longer"}


@_scene("embedded-crc", "A12", "a member with a wrong CRC; a record lies in the body of its page", "recovered")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    first = _honest(made, early)
    name = made.text(late, liars=[frozenset({"embedded-crc"})], kept=False)
    inner = write.gz(_response(made, page(name), early + dice.choice([1, 400]) * DAY))
    outer = _response(made, page(made.text(late, kept=False)) + b"\n" + inner + b"</pre>", late)
    member = bytearray(write.stored(outer))  # the inner member lies there byte for byte
    member[dice.choice([-6, -2]) if dice.random() < 0.5 else 40] ^= 0x55
    last = made.text(late - DAY, kept=False)
    made.files["a.warc.gz"] = write.gz(first) + bytes(member) + write.gz(_response(made, page(last), late + DAY))
    made.odd |= {"embedded-crc"}


@_scene("embedded-clipped", "A11", "the file begins in the middle of a page; a record lies in its body", "recovered")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    name = made.text(late, liars=[frozenset({"embedded-clipped"})], kept=False)
    inner = _response(made, page(name), early)
    outer = _response(made, page(made.text(late, kept=False)) + b"\n" + inner + b"</pre>", late)
    last = made.text(late - DAY, kept=False)
    made.files["a.warc"] = outer[400:] + _response(made, page(last), late + DAY)
    made.odd |= {"embedded-clipped"}


@_scene(
    "arc-pacific-clipped",
    "A15",
    "`x_commoncrawl_FetchTimestamp` of the record; the filedesc is cut off",
    "the later time",
)
def _(made: Made, dice: Random) -> None:
    early = _early(dice)
    name = made.text(early - timedelta(hours=1), liars=[frozenset({"arc-pacific-clipped"})])
    made.files["1213893279526_0.arc"] = _pacific(made, name, early)


@_scene(
    "arc-pacific-joined",
    "A15",
    "`x_commoncrawl_FetchTimestamp`; the filedesc in front is of another archive",
    "the later time",
)
def _(made: Made, dice: Random) -> None:
    early = _early(dice)
    name = made.text(early - timedelta(hours=1), liars=[frozenset({"arc-pacific-joined"})])
    other = made.text(early - 900 * DAY, by=early - 899 * DAY)
    block = write.message(page(other), [("Content-Type", "text/html")])
    made.files["a.arc"] = (
        write.filedesc("a.arc", early - 900 * DAY)
        + write.arc(block, f"http://scene.example/{made.number}/ia", stamp(early - 900 * DAY))
        + _pacific(made, name, early)
    )


def _pacific(made: Made, name: str, moment: datetime, stated: bool = True) -> bytes:
    """Return an ARC record of Common Crawl: its line has the time in California.

    Args:
        stated: it has x_commoncrawl_FetchTimestamp, too.
    """
    fetched = int(moment.timestamp() * 1000)
    http: Fields = [
        ("Content-Type", "text/html"),
        ("Date", http_date(moment)),
        *([("x_commoncrawl_FetchTimestamp", str(fetched))] if stated else []),
        ("x_commoncrawl_OriginalURL", "http://scene.example/"),
    ]
    block = write.message(page(name), http)
    return write.arc(block, f"http://scene.example/{made.number}/cc", stamp(moment - timedelta(hours=8)))


# -- what gets lost, or changes with the order -----------------------------------------------------------------------


@_scene("wacz-names", "B1", "entries of a WACZ whose names have no known suffix", "read, or rejected with a reason")
def _(made: Made, dice: Random) -> None:
    moment = _early(dice)
    entries = {"archive/a.warc.gz": write.gz(_honest(made, moment))}
    for name in ("archive/b.warc.gz.open", "archive/data", "archive/d.warc.lz4", "data/x.jsonl"):
        text = made.text(moment - DAY, kept=False, loss=frozenset({"wacz-names"}))
        if name.endswith("jsonl"):
            entries[name] = write.jsonl(
                [[("text", plain(text).decode()), ("date", w3c(moment)), ("url", "http://scene.example/")]]
            )
            continue
        record = write.gz(_response(made, page(text), moment))
        if name.endswith("lz4"):
            import lz4.frame

            record = lz4.frame.compress(gzip.decompress(record))
        entries[name] = record
    made.files["a.wacz"] = write.wacz(entries)
    made.spans = False


@_scene("gzip-members", "B2", "a body of two gzip members (RFC 1952)", "both, or truncated")
def _(made: Made, dice: Random) -> None:
    _in_two(made, dice, "gzip-members", "gzip", lambda data: gzip.compress(data, mtime=0))


@_scene("zstd-frames", "B2", "a body of two zstd frames (RFC 8878)", "both, or truncated")
def _(made: Made, dice: Random) -> None:
    _in_two(made, dice, "zstd-frames", "zstd", zstandard.ZstdCompressor().compress)


def _in_two(made: Made, dice: Random, kind: str, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    moment = _early(dice)
    name = made.text(moment - DAY, by=moment + DAY, loss=frozenset({kind}))
    body = page(name)
    middle = body.index(f"{name}2".encode()) - 3
    coded = pack(body[:middle]) + pack(body[middle:])
    made.files["a.warc"] = _response(made, coded, moment, http=[("Content-Encoding", encoding)])


@_scene("segments", "B3", "a response in two segments", "joined, or truncated")
def _(made: Made, dice: Random) -> None:
    moment = _early(dice)
    name = made.text(moment - DAY, by=moment + DAY, loss=frozenset({"segments"}))
    block = write.message(page(name), [("Content-Type", "text/html; charset=utf-8")])
    middle = block.index(f"{name}2".encode()) - 3
    url = f"http://scene.example/{made.number}"
    first = record_id(url)
    common: Fields = [("WARC-Target-URI", url), ("WARC-Date", w3c(moment))]
    one = [("WARC-Type", "response"), ("WARC-Record-ID", first), ("WARC-Segment-Number", "1"), *common,
           ("Content-Type", "application/http; msgtype=response")]  # fmt: skip
    two = [("WARC-Type", "continuation"), ("WARC-Record-ID", record_id(url + "2")), ("WARC-Segment-Number", "2"),
           ("WARC-Segment-Origin-ID", first), ("WARC-Segment-Total-Length", str(len(block))), *common]  # fmt: skip
    made.files["a.warc"] = write.warc(block[:middle], one) + write.warc(block[middle:], two)


@_scene("look-same", "B5", "two files of one size, time and samples", "both are read")
def _(made: Made, dice: Random) -> None:
    moment = _early(dice)
    for file in ("a.warc", "b.warc"):
        name = made.text(moment - DAY, by=moment + DAY, loss=frozenset({"look-same"}))
        middle = _response(made, page(name), moment, f"http://scene.example/{made.number}/middle")
        # the 16 samples of 8 KiB leave gaps in a file that is larger than they are together
        front = write.warc(bytes(8192 + 300), [("WARC-Type", "metadata"), ("WARC-Record-ID", record_id("m"))])
        back = write.warc(
            bytes(200_000 - len(front) - len(middle)), [("WARC-Type", "metadata"), ("WARC-Record-ID", record_id("m"))]
        )
        made.files[file] = front + middle + back
    made.mtime, made.spans = 1_600_000_000, False
    made.odd |= {"look-same"}


@_scene("chunk-like", "B8", "a text whose first line looks like the size of a chunk", "nothing is cut")
def _(made: Made, dice: Random) -> None:
    moment = _early(dice)
    lie = frozenset({"chunk-like"})
    name = made.name()
    made.marks[name] = "2021\n"
    made.truths[name + "+"] = Truth(moment - DAY, by=moment + DAY, loss=lie)
    body = b"2021\r\n" + plain(name)
    made.files["a.warc"] = _response(made, body, moment, http=[("Transfer-Encoding", "chunked")], mime="text/plain")


@_scene("two-places", "new", "one file in two folders, which name two crawls", "the same in any order")
def _(made: Made, dice: Random) -> None:
    early = _early(dice)
    late = datetime(2023, 5, 6, tzinfo=UTC)
    name = made.text(early - DAY)
    content = _response(made, page(name), early)
    made.files[f"crawl-data/{week(early)}/a.warc"] = made.files[f"crawl-data/{week(late)}/a.warc"] = content
    made.odd |= {"two-places"}


@_scene("joined-windows", "C", "two WARC files joined, each with its warcinfo", "the same for any span")
def _(made: Made, dice: Random) -> None:
    first = _early(dice)
    content = b""
    for at, moment in enumerate((first, first + 900 * DAY, first + 400 * DAY)):
        label = f"info-{made.number}-{at}"
        content += write.warcinfo(label, moment, [("isPartOf", week(moment))], [])
        for hour in range(3):
            cites: Fields = [("WARC-Warcinfo-ID", record_id(label))] if dice.random() < 0.4 else []
            content += _honest(made, moment + timedelta(hours=hour), more=cites)
    made.files["a.warc"] = content
    made.odd |= {"joined-windows"}
    for truth in made.truths.values():
        truth.loss = frozenset({"joined-windows"})


@_scene(
    "joined-pacific", "C", "ARC files of two archives joined, one with the time in California", "the same for any span"
)
def _(made: Made, dice: Random) -> None:
    moment = _early(dice)
    content = b""
    for writer in ("InternetArchive", "CommonCrawl", "InternetArchive", "CommonCrawl"):
        moment += 30 * DAY
        content += write.filedesc("a.arc", moment, writer)
        for _ in range(2):
            name = made.text(moment - timedelta(hours=1), by=moment + DAY, liars=[frozenset({"joined-pacific"})])
            if writer == "CommonCrawl":
                content += _pacific(made, name, moment, dice.random() < 0.5)
            else:
                block = write.message(page(name), [("Content-Type", "text/html")])
                content += write.arc(block, f"http://scene.example/{made.number}/{name}", stamp(moment))
    made.files["a.arc"] = content
    made.odd |= {"joined-pacific"}


@_scene("body-of-records", "held", "an honest page that quotes records of an archive", "nothing of it is a record")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    inner_name = made.text(late, liars=[frozenset({"body-of-records"})])
    inner = _response(made, plain(inner_name), early, digests=False).replace(b"<", b"&lt;")
    outer = made.text(late - DAY, by=late + DAY)
    quoted = b"<pre>\n" + inner * dice.choice([1, 3]) + b"</pre>"
    made.files["a.warc"] = (
        _honest(made, early) + _response(made, page(outer, quoted.decode()), late) + _honest(made, late)
    )
    made.vary = True


@_scene("larger-limit", "B9", "a page over the limit; the file comes again with a larger one", "the page is there")
def _(made: Made, dice: Random) -> None:
    moment = _early(dice)
    name = made.text(moment - DAY, by=moment + DAY, loss=frozenset({"larger-limit"}))
    made.files["a.warc"] = _response(made, page(name), moment)
    made.limit = 200


@_scene("revisit-of-altered", "held", "a revisit of the digest that an altered record states", "the digest as computed")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    name = made.text(late - DAY, liars=[frozenset({"revisit-of-altered"})])
    url = f"http://scene.example/{made.number}"
    was = digest(b"what was there before")
    stated: Fields = [("WARC-Payload-Digest", was)]
    made.files["a.warc"] = _response(made, page(name), late, url, digests=False, more=stated) + _revisit(
        made, url, early, was
    )


@_scene("stated-the-same", "held", "two pages state one digest; it is that of neither", "each has its own text")
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    stated: Fields = [("WARC-Payload-Digest", digest(b"what was there before"))]
    first = made.text(early - DAY)
    second = made.text(late - DAY, liars=[frozenset({"stated-the-same"})])
    records = [
        _response(made, page(name), moment, digests=False, more=stated)
        for name, moment in ((first, early), (second, late))
    ]
    made.files["a.warc"] = b"".join(records if dice.random() < 0.5 else records[::-1])


@_scene(
    "embedded-arc",
    "A11",
    "the length of an ARC record is too short; a record lies in the body of its page",
    "recovered",
)
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    url = f"http://scene.example/{made.number}"

    def record(name: str, moment: datetime, more: bytes = b"", length: int | None = None) -> bytes:
        block = write.message(page(name) + more, [("Content-Type", "text/html")])
        return write.arc(block, f"{url}/{name}", stamp(moment), length=length and len(block) - len(more))

    first = record(made.text(early - DAY, by=early + DAY), early)
    name = made.text(late, liars=[frozenset({"embedded-arc"})], kept=False)
    inner = record(name, early + dice.choice([1, 400]) * DAY)
    outer = record(made.text(late, kept=False), late, b"<pre>\n" + inner + b"</pre>", 1)
    last = record(made.text(late - DAY, kept=False), late + DAY)
    made.files["a.arc"] = write.filedesc("a.arc", early) + first + outer + last
    made.odd |= {"embedded-arc"}


@_scene("embedded-hole", "new", "a hole of zeros in front of a record that lies in the body of a page", "recovered")
def _(made: Made, dice: Random) -> None:
    """A disk lost some blocks: the header of a page is zeros now, and a record in its body comes first."""
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    first = _honest(made, early)
    name = made.text(late, liars=[frozenset({"embedded-hole"})], kept=False)
    inner = _response(made, page(name), early + dice.choice([1, 400]) * DAY)
    last = made.text(late - DAY, kept=False)
    if dice.random() < 0.5:
        outer = _response(made, page(made.text(late, kept=False)) + b"\n" + inner + b"</pre>", late)
        start = outer.index(inner)
        files = ("a.warc", first + bytes(start) + outer[start:] + _response(made, page(last), late + DAY))
    else:
        member = write.gz(inner)
        outer = write.stored(_response(made, page(made.text(late, kept=False)) + b"\n" + member + b"</pre>", late))
        start = outer.index(member)
        end = write.gz(_response(made, page(last), late + DAY))
        files = ("a.warc.gz", write.gz(first) + bytes(start) + outer[start:] + end)
    made.files[files[0]] = files[1]
    made.odd |= {"embedded-hole"}


@_scene(
    "embedded-header", "A11", "the header of a record is broken; a record lies in the body of its page", "recovered"
)
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    first = _honest(made, early)
    name = made.text(late, liars=[frozenset({"embedded-header"})], kept=False)
    inner = _response(made, page(name), early + dice.choice([1, 400]) * DAY)
    outer = _response(made, page(made.text(late, kept=False)) + b"\n" + inner + b"</pre>", late)
    broken = dice.choice([
        outer.replace(b"WARC/1.0", b"WORC/1.0", 1),
        outer.replace(b"Content-Length", b"Content-Weight", 1),
        outer.replace(b"Content-Length: ", b"Content-Length: x", 1),
    ])  # fmt: skip
    last = made.text(late - DAY, kept=False)
    made.files["a.warc"] = first + broken + _response(made, page(last), late + DAY)
    made.odd |= {"embedded-header"}


@_scene(
    "embedded-behind", "A11", "an early record is damaged, then a late one, in whose body a record lies", "recovered"
)
def _(made: Made, dice: Random) -> None:
    early, late = _early(dice), datetime(2023, 5, 6, tzinfo=UTC)
    first = _honest(made, early)
    damaged = _response(made, page(made.text(early, kept=False)), early + DAY, digests=False, length=100)
    name = made.text(late, liars=[frozenset({"embedded-behind"})], kept=False)
    inner = _response(made, page(name), early + dice.choice([1, 400]) * DAY)
    outer_name = made.text(late, kept=False)
    outer = page(outer_name) + b"<pre>\n" + inner + b"</pre>"
    between = _response(made, page(made.text(early, kept=False)), early + 2 * DAY) if dice.random() < 0.5 else b""
    last = made.text(late - DAY, kept=False)
    made.files["a.warc"] = (
        first
        + damaged
        + between
        + _response(made, outer, late, length=len(page(outer_name)), digests=False)
        + _response(made, page(last), late + DAY)
    )
    made.odd |= {"embedded-behind"}


@_scene("joined-damaged", "C", "two archives joined, with damage in the first", "the same for any span")
def _(made: Made, dice: Random) -> None:
    specs = [tuple(Spec(hours=at, seed=dice.randrange(1 << 20)) for at in range(count)) for count in (4, 5)]
    container = dice.choice(["arc", "arc", "warc"])
    behind = Part(container, 5200 + dice.randrange(900), specs[1], seed=dice.randrange(99))
    damage = dice.choice(["longer", "shorter", "junk"])
    write_web(made, Part(container, 2400, specs[0], damage=damage, place=1 + dice.randrange(3), joined=behind))
    made.odd = frozenset({"joined-damaged"})
