"""The lies: what each one claims, and the fact in the same file that contradicts it.

`claim` is the early moment that a record claims, `late` the moment that its text was written at. A kind writes at least
one fact into the record, or into the file around it, that a careful reader can use; `fact` says which, and `expected`
what the product should make of it: a code of `archive.reasons.DATE_PROBLEMS`, or "no proof".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from liar.write import Fields, Row, http_date, stamp, w3c, week

DAY = timedelta(days=1)
#: Days from 1999-01-01 to 2014-05-01: files that begin later have no lies of the kind `old`.
OLD = 5599


@dataclass
class Draft:
    """A web record before it is written. It begins honest, and lies change it."""

    dice: Random
    base: str  #: response, replay, resource, conversion
    claim: datetime
    late: datetime
    born: datetime  #: when the text was really written
    page: str  #: the URL of the page
    url: str  #: of the record: of a replay, for one
    dates: list[str]  #: values of WARC-Date
    warc: Fields
    http: Fields
    body: bytes
    version: str
    digests: str
    digest_of: bytes | None = None  #: another body, that the digests are of
    interim: str = ""  #: responses in front of the final one
    further: list[tuple[str, bool]] = field(default_factory=list)  #: more digests, and whether each is right
    foreign: str | None = None  #: words that a lie puts into the page

    def says(self, name: str, value: str) -> None:
        """Add an HTTP field; its name is written as servers do, or otherwise."""
        self.http.append((self.dice.choice([name, name, name.lower(), name.upper()]), value))

    def without(self, *names: str) -> None:
        """Drop these HTTP fields."""
        self.http = [(name, value) for name, value in self.http if name.lower() not in names]


@dataclass
class Around:
    """A file before it is written: its path, and what its warcinfo says."""

    dice: Random
    claim: datetime
    late: datetime
    folder: str = ""
    stem: str = "part"
    info: Fields = field(default_factory=list)  #: lines of the warcinfo
    head: Fields = field(default_factory=list)  #: further WARC fields of the warcinfo
    cites: str | None = "own"  #: which warcinfo the records cite: `own`, `other`, None
    second: Fields | None = None  #: lines of a second warcinfo with the same ID, behind the first
    broken: bool = False  #: the warcinfo states a wrong length


@dataclass(frozen=True)
class Kind:
    """A kind of lie, or of loss.

    Attributes:
        row: the row of the list of reproductions that it stands for; "new" for none.
        fact: what in the file contradicts the claim.
        expected: what should be said of it.
        apply: changes a draft of a record, of a row or of a file; None for a scene (`liar.scenes`).
        gap: days between claim and truth, at least.
        soft: believed where grade E is asked for; a contradiction is not.
        alone: it shifts a date and does not contradict it, so that it goes with no other lie.
        group: of these a record tells one at most, because one would undo the other.
    """

    name: str
    row: str
    fact: str
    expected: str
    apply: Callable[..., None] | None = None
    on: frozenset[str] = frozenset()  #: response, replay, resource, conversion; arc; row, jsonl; file, rows
    gap: int = 2
    soft: bool = False
    alone: bool = False
    old: bool = False  #: the claim has to be before 2015, the truth after 2023
    group: str = ""
    rejected: bool = False  #: that it has no text, with a reason, is right too


KINDS: dict[str, Kind] = {}
_GROUPS = {
    "memento": "replay-url-only replay-unreadable-date replay-no-memento replay-unreadable-memento replay-other-memento "
    "two-mementos memento memento-unreadable",
    "rewritten": "rewritten-toolbar rewritten-print rewritten-banner rewritten-pywb",
    "date": "two-warc-dates second-date-unreadable unreadable-date zone-out-of-range zone-less zone-west cut-digits",
    "http-date": "http-date http-date-iso http-date-forms http-date-unreadable two-http-dates",
    "created": "creation-date creation-date-unreadable",
    "refers": "refers-to-date refers-to-unreadable",
    "source": "source-uri source-uri-crawl two-source-uris source-uri-unreadable",
    "digests": "altered two-digests",
    "file": "file-name is-part-of two-parts warcinfo-twice warcinfo-broken warc-filename names-disagree missing-warcinfo software format-version",
    "columns": "row-two-dates row-unreadable-date row-two-keys",
    "dump": "row-dump row-dump-and-path",
}


def _kind(
    name: str, row: str, fact: str, expected: str, on: str, gap: int = 2, **more: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def add(apply: Callable[..., None]) -> Callable[..., None]:
        group = more.pop("group", next((group for group, names in _GROUPS.items() if name in names.split()), ""))
        KINDS[name] = Kind(name, row, fact, expected, apply, frozenset(on.split()), gap, group=group, **more)
        return apply

    return add


def chosen(names: Iterable[str], base: str, begins: int, of_file: bool) -> list[Kind]:
    """Return those of some lies that a record can tell together, in the order in which they are applied."""
    made: list[Kind] = []
    for kind in (kind for kind in of(base) if kind.name in set(names)):
        fits = not (kind.old and begins > OLD) and not (kind.group and kind.group in {other.group for other in made})
        # the crawl of a file that holds replays is that of the tool: its names contradict nothing
        fits = fits and not (of_file and kind.group == "source")
        if fits and not (kind.alone and (of_file or made)) and not (made and made[0].alone):
            made.append(kind)
    return made


def of(base: str) -> list[Kind]:
    """Return the kinds for a kind of draft, in the order in which they are applied."""
    return [kind for kind in KINDS.values() if base in kind.on]


# -- of replays. Those that drop a header come first, so that the others can add one ---------------------------------


@_kind("replay-url-only", "A7", "no WARC-Date and no Memento-Datetime: the address that was asked for is all", "no proof",
       "replay", soft=True)  # fmt: skip
def _(draft: Draft) -> None:
    draft.without("memento-datetime", "x-archive-orig-date")
    draft.dates = []


@_kind("replay-unreadable-date", "A6", "a WARC-Date that cannot be read, no Memento-Datetime", "unreadable", "replay")
def _(draft: Draft) -> None:
    draft.without("memento-datetime", "x-archive-orig-date")
    draft.dates = [draft.dice.choice(["2023-13-45T10:00:00Z", "20231345101010", "yesterday", "2023-05-06T25:61:00Z"])]


@_kind("replay-no-memento", "held", "WARC-Date late, no Memento-Datetime", "conflict", "replay", 3)
def _(draft: Draft) -> None:
    draft.without("memento-datetime", "x-archive-orig-date")
    draft.dates = [w3c(draft.late)]


@_kind("replay-unreadable-memento", "A9", "a Memento-Datetime that cannot be read", "unreadable", "replay")
def _(draft: Draft) -> None:
    draft.without("memento-datetime")
    draft.says("Memento-Datetime", draft.dice.choice(["Sat, 99 May 2023", "06/05/2023 noon", "2023-99-99"]))
    draft.dates = [w3c(draft.claim)]


@_kind("replay-other-memento", "held", "Memento-Datetime early, the stamp in the address late", "conflict", "replay")
def _(draft: Draft) -> None:
    draft.url = f"https://web.archive.org/web/{stamp(draft.late)}id_/{draft.page}"


@_kind("two-mementos", "A9", "a second Memento-Datetime, late", "conflict", "replay")
def _(draft: Draft) -> None:
    second = ("Memento-Datetime", http_date(draft.late))
    draft.http.insert(len(draft.http) if draft.dice.random() < 0.7 else 0, second)


@_kind("archived-date", "A9", "X-Archive-Orig-Date: the origin's own clock is later than the memento", "server-later",
       "replay")  # fmt: skip
def _(draft: Draft) -> None:
    draft.without("x-archive-orig-date")
    draft.says("X-Archive-Orig-Date", http_date(draft.late))


@_kind("archived-last-modified", "A9", "X-Archive-Orig-Last-Modified: the page was changed after the memento", "conflict",
       "replay")  # fmt: skip
def _(draft: Draft) -> None:
    draft.says("X-Archive-Orig-Last-Modified", http_date(draft.late))


_TOOLBAR = (
    '<!-- BEGIN WAYBACK TOOLBAR INSERT --><div id="wm-ipp-base" lang="en"><div id="wm-ipp"><a>17 captures</a>'
    "<p>About this capture: {words}</p></div></div><!-- END WAYBACK TOOLBAR INSERT -->"
)
_PRINT = '<div id="wm-ipp-print">The Wayback Machine - https://web.archive.org/web/{stamp}/{page} {words}</div>'
_AIT = '<div id="wm-ait-banner"><div>This is an archived page of the Example Library. {words}</div></div>'
_PYWB = '<div id="_wb_frame_top_banner"><p>This page is archived. {words}</p></div>'


def _rewritten(draft: Draft, insert: str, host: str) -> None:
    when = draft.url.partition("/web/")[2][:14]
    draft.url = f"https://{host}/{when}/{draft.page}"
    assert draft.foreign
    words = insert.format(words=draft.foreign, stamp=when, page=draft.page)
    draft.body = draft.body.replace(b"<body>", b"<body>" + words.encode(), 1)


@_kind("rewritten-toolbar", "A1", "no `id_` in the address; the marks of the toolbar in the page", "no proof", "replay",
       soft=True)  # fmt: skip
def _(draft: Draft) -> None:
    _rewritten(draft, _TOOLBAR, "web.archive.org/web")


@_kind("rewritten-print", "A1", "no `id_` in the address; the line for printing in the page", "no proof", "replay",
       soft=True)  # fmt: skip
def _(draft: Draft) -> None:
    _rewritten(draft, _PRINT, "web.archive.org/web")


@_kind("rewritten-banner", "A1", "no `id_` in the address; Archive-It's banner in the page", "no proof", "replay",
       soft=True)  # fmt: skip
def _(draft: Draft) -> None:
    _rewritten(draft, _AIT, "wayback.archive-it.org/121")


@_kind("rewritten-pywb", "A1", "no `id_` in the address; a banner of pywb in the page", "no proof", "replay", soft=True)
def _(draft: Draft) -> None:
    _rewritten(draft, _PYWB, "arquivo.pt/wayback")


# -- of records that a crawler would have written --------------------------------------------------------------------

_OFTEN = "response resource conversion"


@_kind("two-warc-dates", "A5", "a second WARC-Date, late", "conflict", _OFTEN)
def _(draft: Draft) -> None:
    second = draft.dice.choice([w3c(draft.late), stamp(draft.late), draft.late.strftime("%Y-%m-%d")])
    draft.dates = [*draft.dates, second] if draft.dice.random() < 0.7 else [second, *draft.dates]


@_kind("second-date-unreadable", "A5", "a second WARC-Date that cannot be read", "unreadable", _OFTEN)
def _(draft: Draft) -> None:
    draft.dates = [*draft.dates, draft.dice.choice(["2023-13-45T10:00:00Z", "not known", "20239999"])]


@_kind("unreadable-date", "held", "the WARC-Date cannot be read; the server's Date is early", "unparsable", _OFTEN)
def _(draft: Draft) -> None:
    draft.dates = [draft.dice.choice(["2009-03-65T08:43:19-0800", "spring", "2010-02-30"])]


@_kind("zone-out-of-range", "A18", "an offset whose minutes are no minutes", "unparsable", "response", alone=True)
def _(draft: Draft) -> None:
    draft.dates = [draft.claim.strftime("%Y-%m-%dT%H:%M:%S") + draft.dice.choice(["+00:99", "+01:60", "+0075"])]
    draft.born = draft.claim - timedelta(minutes=10)


@_kind("zone-less", "A18", "a time without a zone: the late side is that of every zone", "the latest zone", "response",
       alone=True)  # fmt: skip
def _(draft: Draft) -> None:
    draft.dates = [draft.claim.strftime("%Y-%m-%dT%H:%M:%S")]
    draft.born = draft.claim + timedelta(hours=draft.dice.randint(1, 11))


@_kind(
    "zone-west",
    "A18",
    "an offset west of UTC, which makes the time later",
    "the offset applied",
    "response",
    alone=True,
)
def _(draft: Draft) -> None:
    hours = draft.dice.randint(3, 12)
    draft.dates = [draft.claim.strftime("%Y-%m-%dT%H:%M:%S") + f"-{hours:02}:{draft.dice.choice(['00', '30'])}"]
    draft.born = draft.claim + timedelta(hours=hours - 1)


@_kind("cut-digits", "held", "a date of digits that ends inside a month or a day", "unparsable", "response", alone=True)
def _(draft: Draft) -> None:
    year = draft.claim.year
    draft.dates = [f"{year}1"]  # of October to December; who takes it for January is months early
    draft.born = datetime(year, 12, 31, tzinfo=UTC)


@_kind("http-date", "A9", "the server's Date is late", "server-later", "response arc")
def _(draft: Draft) -> None:
    draft.without("date")
    draft.says("Date", http_date(draft.late))


@_kind("http-date-forms", "A9", "the server's Date is late, in another of the forms that servers write", "server-later",
       "response arc")  # fmt: skip
def _(draft: Draft) -> None:
    draft.without("date")
    forms = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S +0000", "%d %b %Y %H:%M GMT"]
    draft.says("Date", draft.late.strftime(draft.dice.choice(forms)))


@_kind("http-date-iso", "A9", "the server's Date is late, in the form of WARC-Date", "server-later", "response arc")
def _(draft: Draft) -> None:
    draft.without("date")
    draft.says("Date", draft.late.strftime(draft.dice.choice(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"])))


@_kind("http-date-unreadable", "new", "the server's Date cannot be read", "unreadable", "response arc", soft=True)
def _(draft: Draft) -> None:
    draft.without("date")
    draft.says("Date", draft.dice.choice(["Sat, 99 May 2023 10:00:00 GMT", "6 May noon", "2023-99-99"]))


@_kind("two-http-dates", "A9", "a second Date, late", "server-later", "response arc")
def _(draft: Draft) -> None:
    draft.without("date")
    draft.http += [("Date", http_date(draft.claim)), ("Date", http_date(draft.late))]


@_kind("interim-date", "A9", "behind an interim response, the Date of the final one is late", "server-later", "response",
       group="http-date", rejected=True)  # fmt: skip
def _(draft: Draft) -> None:
    draft.without("date")
    draft.says("Date", http_date(draft.late))
    draft.interim = f"HTTP/1.1 103 Early Hints\r\nDate: {http_date(draft.claim)}\r\n\r\n"


@_kind("last-modified", "A9", "Last-Modified is late: the page was changed after it was captured", "conflict",
       "response arc")  # fmt: skip
def _(draft: Draft) -> None:
    draft.without("last-modified")
    draft.says("Last-Modified", http_date(draft.late))


@_kind("memento", "A9", "a Memento-Datetime, late", "conflict", "response arc")
def _(draft: Draft) -> None:
    draft.says("Memento-Datetime", http_date(draft.late))


@_kind("memento-unreadable", "A9", "a Memento-Datetime that cannot be read", "unreadable", "response")
def _(draft: Draft) -> None:
    draft.says("Memento-Datetime", "Sat, 99 May 2023 10:00:00 GMT")


@_kind("x-archive-memento", "A3", "X-Archive-memento-datetime, late, as cdx_toolkit writes it", "conflict", "response")
def _(draft: Draft) -> None:
    value = draft.dice.choice([http_date(draft.late), stamp(draft.late)])
    draft.says("X-Archive-memento-datetime", value)


@_kind("x-archive-orig", "A3", "X-Archive-Orig-Date, late: the page came out of a replay", "conflict", "response")
def _(draft: Draft) -> None:
    draft.says(draft.dice.choice(["X-Archive-Orig-Date", "X-Archive-Orig-Last-Modified"]), http_date(draft.late))


@_kind("source-uri", "A3", "WARC-Source-URI is a replay of a late capture", "conflict", _OFTEN)
def _(draft: Draft) -> None:
    host = draft.dice.choice(["web.archive.org/web", "pywb.example/all"])
    draft.warc.append(("WARC-Source-URI", f"https://{host}/{stamp(draft.late)}id_/{draft.page}"))


@_kind("creation-date", "A2", "WARC-Creation-Date, late, as warcit writes it", "made-later", _OFTEN)
def _(draft: Draft) -> None:
    draft.warc.append(("WARC-Creation-Date", w3c(draft.late)))


@_kind("creation-date-unreadable", "A2", "a WARC-Creation-Date that cannot be read", "unreadable", _OFTEN)
def _(draft: Draft) -> None:
    draft.warc.append(("WARC-Creation-Date", "2023-13-45T10:00:00Z"))


@_kind("refers-to-date", "A10", "WARC-Refers-To-Date, late", "refers-later", "response conversion")
def _(draft: Draft) -> None:
    draft.warc += [("WARC-Refers-To-Target-URI", draft.page), ("WARC-Refers-To-Date", w3c(draft.late))]


@_kind("warc-memento", "A9", "Memento-Datetime in the WARC header, late", "conflict", "response")
def _(draft: Draft) -> None:
    draft.warc.append(("Memento-Datetime", http_date(draft.late)))


@_kind("altered", "A4", "the digests are of another text", "altered", _OFTEN + " replay")
def _(draft: Draft) -> None:
    draft.digest_of = b"<html><body><p>What was there before.</p></body></html>"
    draft.digests = draft.dice.choice(["both", "payload", "block", "header", "sha256", "md5"])


@_kind("warc-version", "anachronism", "WARC/1.1 in a record from before 2015: the standard is of 2017", "made-later", _OFTEN,
       old=True)  # fmt: skip
def _(draft: Draft) -> None:
    draft.version = "WARC/1.1"


@_kind("two-digests", "A4", "a second digest, of another text", "altered", "response resource")
def _(draft: Draft) -> None:
    name = draft.dice.choice(["WARC-Payload-Digest", "WARC-Block-Digest"])
    draft.digests = "none"
    draft.further = [(name, True), (name, False)][:: draft.dice.choice([1, -1])]


@_kind("refers-to-unreadable", "A10", "a WARC-Refers-To-Date that cannot be read", "unreadable", "response conversion")
def _(draft: Draft) -> None:
    draft.warc += [("WARC-Refers-To-Target-URI", draft.page), ("WARC-Refers-To-Date", "2023-13-45T10:00:00Z")]


@_kind("two-source-uris", "A3", "a second WARC-Source-URI, a replay of a late capture", "conflict", "response")
def _(draft: Draft) -> None:
    for when in (draft.claim, draft.late):
        draft.warc.append(("WARC-Source-URI", f"https://web.archive.org/web/{stamp(when)}id_/{draft.page}"))


@_kind("source-uri-unreadable", "A3", "WARC-Source-URI is of a web archive, and its stamp cannot be read", "no proof",
       "response", soft=True)  # fmt: skip
def _(draft: Draft) -> None:
    when = draft.dice.choice(["2023*", "20231345101010", ""])
    draft.warc.append(("WARC-Source-URI", f"https://web.archive.org/web/{when}/{draft.page}".replace("web//", "web/")))


@_kind("source-uri-crawl", "A3", "WARC-Source-URI is a file of a late crawl", "outside-crawl", "response", 170)
def _(draft: Draft) -> None:
    place = f"crawl-data/{week(draft.late)}/segments/1.2/warc/CC-MAIN-{stamp(draft.late)}-00042.warc.gz"
    draft.warc.append(("WARC-Source-URI", f"https://data.commoncrawl.org/{place}"))


@_kind(
    "address-stamp",
    "A7",
    "the address is that of a late replay, of an archive that is not known",
    "conflict",
    "response",
)
def _(draft: Draft) -> None:
    draft.url = f"http://pywb.example/all/{stamp(draft.late)}/{draft.page}"


@_kind("x-archive-src", "A3", "X-Archive-Src: an archive's server took the page from a file of a late crawl", "conflict",
       "response")  # fmt: skip
def _(draft: Draft) -> None:
    draft.says("X-Archive-Src", f"CC-MAIN-{stamp(draft.late)}-crawl811/CC-MAIN-{stamp(draft.late)}-00042.warc.gz")


@_kind("toolbar-in-page", "A1", "the marks of the Wayback toolbar in a page of an ordinary address", "no proof", "response",
       soft=True, group="rewritten")  # fmt: skip
def _(draft: Draft) -> None:
    assert draft.foreign
    words = _TOOLBAR.format(words=draft.foreign)
    draft.body = draft.body.replace(b"<body>", b"<body>" + words.encode(), 1)


# -- of what is around the records -----------------------------------------------------------------------------------


@_kind("row-file-name", "A20", "the path of the data set names a late crawl", "outside-crawl", "rows", 170)
@_kind("file-name", "held", "the file's path names a late crawl", "outside-crawl", "file", 170)
def _(around: Around) -> None:
    if around.dice.random() < 0.5:
        around.folder = f"crawl-data/{week(around.late)}/segments"
    else:
        around.stem = f"CC-{around.dice.choice(['MAIN', 'NEWS'])}-{stamp(around.late)}-00042"


@_kind("is-part-of", "held", "isPartOf in the warcinfo names a late crawl", "outside-crawl", "file", 170)
def _(around: Around) -> None:
    around.info.append(("isPartOf", week(around.late)))


@_kind("two-parts", "A16", "two isPartOf in the warcinfo, an early and a late one", "outside-crawl", "file", 170)
def _(around: Around) -> None:
    around.info += [("isPartOf", week(around.claim)), ("isPartOf", week(around.late))][:: around.dice.choice([1, -1])]


@_kind("warcinfo-twice", "A16", "two warcinfo records of one ID, which name an early and a late crawl", "outside-crawl", "file",
       170)  # fmt: skip
def _(around: Around) -> None:
    first, second = (around.late, around.claim)[:: around.dice.choice([1, -1])]
    around.second = [*around.info, ("isPartOf", week(second))]
    around.info.append(("isPartOf", week(first)))


@_kind("warcinfo-broken", "A16", "the warcinfo, which names a late crawl, states a wrong length", "no proof", "file", 170,
       soft=True)  # fmt: skip
def _(around: Around) -> None:
    around.info.append(("isPartOf", week(around.late)))
    around.broken = True


@_kind("warc-filename", "A16", "WARC-Filename of the warcinfo names a late crawl, isPartOf an early one", "outside-crawl",
       "file", 170)  # fmt: skip
def _(around: Around) -> None:
    around.info.append(("isPartOf", week(around.claim)))
    around.head.append(("WARC-Filename", f"CC-MAIN-{stamp(around.late)}-00042.warc.gz"))


@_kind("names-disagree", "A16", "isPartOf names an early crawl, the path a late one", "outside-crawl", "file", 170)
def _(around: Around) -> None:
    around.info.append(("isPartOf", week(around.claim)))
    around.folder = f"crawl-data/{week(around.late)}/segments"


@_kind("missing-warcinfo", "A16", "the file's warcinfo names a late crawl; the records cite one that is not there",
       "outside-crawl", "file", 170)  # fmt: skip
def _(around: Around) -> None:
    around.info.append(("isPartOf", week(around.late)))
    around.cites = "other"


@_kind(
    "software", "anachronism", "the warcinfo names software that is newer than the date", "made-later", "file", old=True
)
def _(around: Around) -> None:
    names = [
        "Heritrix/3.4.0-20220727 http://crawler.archive.org",
        "Browsertrix-Crawler 0.11.2 (with warcio.js 2.1.1)",
        "Webrecorder ArchiveWeb.page 0.11.3, using warcio.js 2.2.0",
        "Wget/1.21.4 (linux-gnu)",
    ]
    around.info = [("software", around.dice.choice(names)), *(each for each in around.info if each[0] != "software")]


@_kind("format-version", "anachronism", "the warcinfo says WARC 1.1 of records from before 2015", "made-later", "file",
       old=True)  # fmt: skip
def _(around: Around) -> None:
    around.info = [each for each in around.info if each[0] not in {"format", "conformsTo"}]
    around.info += [
        ("format", "WARC File Format 1.1"),
        ("conformsTo", "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"),
    ]


# -- of rows of data sets --------------------------------------------------------------------------------------------


@dataclass
class RowDraft:
    """A row of a data set before it is written."""

    dice: Random
    claim: datetime
    late: datetime
    born: datetime
    columns: Row  #: text, date and url first

    def set(self, name: str, value: object) -> None:
        self.columns = [*(each for each in self.columns if each[0] != name), (name, value)]


_DATES = ["WARC-Date", "date_download", "crawl_date", "warc_date", "timestamp", "captured_at"]


@_kind("row-two-dates", "A20", "a second column of dates, late", "conflict", "row jsonl")
def _(row: RowDraft) -> None:
    row.set(
        row.dice.choice(_DATES), row.dice.choice([w3c(row.late), row.late.strftime("%Y-%m-%d"), http_date(row.late)])
    )


@_kind("row-other-column", "A20", "a column whose name says that it holds a date, late", "conflict", "row jsonl")
def _(row: RowDraft) -> None:
    names = ["retrieved", "scraped_at", "download_date", "Date", "crawl-date", "last_modified", "fetched"]
    row.set(row.dice.choice(names), w3c(row.late))


@_kind("row-nested-date", "A20", "a late date in a column of columns", "conflict", "row jsonl")
def _(row: RowDraft) -> None:
    outer, inner = row.dice.choice(
        [
            ("metadata", "date_download"),
            ("metadata", "WARC-Date"),
            ("metadata", "warc_date"),
            ("domain_record", "timestamp"),
        ]
    )
    row.set(outer, {inner: w3c(row.late)})


@_kind("row-unreadable-date", "A20", "a second column of dates that cannot be read", "unreadable", "row jsonl")
def _(row: RowDraft) -> None:
    row.set(row.dice.choice(_DATES), row.dice.choice(["2023-13-45", "last spring", str(int(row.late.timestamp()))]))


@_kind("row-added", "A20", "`created` early, `added` late, as in Dolma", "conflict", "row jsonl")
def _(row: RowDraft) -> None:
    row.columns = [("created" if name == "date" else name, value) for name, value in row.columns]
    row.set("added", w3c(row.late))


@_kind("row-replay-url", "A20", "the URL is a replay of a late capture", "conflict", "row jsonl")
def _(row: RowDraft) -> None:
    host = row.dice.choice(["web.archive.org/web", "arquivo.pt/wayback", "archive.ph", "pywb.example/all"])
    row.set("url", f"https://{host}/{stamp(row.late)}/http://site.example/{row.dice.randrange(10**6)}")


@_kind("row-dump", "held", "`dump` names a late crawl", "outside-crawl", "row jsonl", 170)
def _(row: RowDraft) -> None:
    row.set("dump", week(row.late))


@_kind("row-dump-and-path", "A20", "`dump` names an early crawl, another column a late one", "outside-crawl", "row jsonl",
       170)  # fmt: skip
def _(row: RowDraft) -> None:
    row.set("dump", week(row.claim))
    place = f"s3://commoncrawl/crawl-data/{week(row.late)}/segments/1.2/warc/CC-MAIN-{stamp(row.late)}-00001.warc.gz"
    row.set(row.dice.choice(["file_path", "filename"]), place)


@_kind("row-two-keys", "A20", "two keys `date`, one of them late", "conflict", "jsonl")
def _(row: RowDraft) -> None:
    if row.dice.random() < 0.3:
        row.columns.append(("metadata", [("warc_date", w3c(row.late)), ("warc_date", w3c(row.claim))]))
        return
    row.columns.insert(row.dice.choice([0, len(row.columns)]), ("date", w3c(row.late)))
    if row.dice.random() < 0.5:  # whichever of them a reader takes
        row.columns.append(("date", w3c(row.claim)))


@_kind("row-zone-out-of-range", "A18", "an offset whose minutes are no minutes", "unparsable", "row jsonl", alone=True)
def _(row: RowDraft) -> None:
    row.set("date", row.claim.strftime("%Y-%m-%dT%H:%M:%S+00:99"))
    row.born = row.claim - timedelta(minutes=10)


@_kind("row-zone-less", "A18", "a time without a zone", "the latest zone", "row jsonl", alone=True)
def _(row: RowDraft) -> None:
    row.set("date", row.claim.strftime(row.dice.choice(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])))
    row.born = row.claim + timedelta(hours=row.dice.randint(1, 11))


# -- scenes: whole files, built in `liar.scenes` ---------------------------------------------------------------------


def scene(name: str, row: str, fact: str, expected: str, soft: bool = False) -> None:
    KINDS[name] = Kind(name, row, fact, expected, None, frozenset({"scene"}), soft=soft)
