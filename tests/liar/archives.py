"""Archives with a known truth: files, and for each text when it was written and what must become of it."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from liar import kinds, write
from liar.kinds import DAY, KINDS, Around, Draft, RowDraft
from liar.write import Fields, http_date, record_id, stamp, w3c, week

_LETTERS = "abcdefghijklmnop"
PARAGRAPHS = 3
_WORDS = (
    "the river",
    "of",
    "this old",
    "town",
    "runs slow",
    "and wide",
    "below the mill",
    "where",
    "people",
    "once met",
)


@dataclass
class Truth:
    """What is true of a text.

    Attributes:
        born: when it was written. Nothing may prove it before.
        liars: for each record that claims it was earlier, the kinds of its lies.
        by: it is proven at this moment, or before: an honest record says so, and nothing is odd about it.
        asked: this only holds where grade E is asked for.
        kept: it must be in the lake, whole; otherwise it is, or there is a reject in its file.
        loss: the kinds that may be to blame where it is not.
    """

    born: datetime
    liars: list[frozenset[str]] = field(default_factory=list)
    by: datetime | None = None
    asked: bool = False
    kept: bool = True
    foreign: bool = False  #: words that somebody put into the page: they may be cut
    loss: frozenset[str] = frozenset()


@dataclass
class Made:
    """The files of one archive, below a folder of its own."""

    number: int
    files: dict[str, bytes] = field(default_factory=dict)
    truths: dict[str, Truth] = field(default_factory=dict)
    #: a name -> a mark: texts of this name with the mark are those of `name+`, the others those of `name-`
    marks: dict[str, str] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)  #: all that is in it, for the counts
    odd: frozenset[str] = frozenset()  #: kinds that may be to blame where order, spans or workers change something
    spans: bool = True  #: it is worth cutting into spans
    vary: bool = False  #: it is worth ingesting in another way
    mtime: int | None = None
    limit: int = 0  #: bytes of a page: ingested with this limit first, and then without

    def name(self) -> str:
        """Return a new name of a text, a word that is in no other."""
        number = self.number * 64 + len(self.truths)
        return "zq" + "".join(_LETTERS[number >> shift & 15] for shift in (20, 16, 12, 8, 4, 0))

    def text(self, born: datetime, **more: object) -> str:
        name = self.name()
        self.truths[name] = Truth(born, **more)  # type: ignore[arg-type]
        return name


def paragraphs(name: str, count: int = PARAGRAPHS) -> list[str]:
    """Return what is written in a text: each paragraph begins with its name and number."""
    dice = Random(name)
    return [f"{name}{part} {' '.join(dice.choices(_WORDS, k=12))}." for part in range(count)]


def page(name: str, more: str = "") -> bytes:
    body = "".join(f"<p>{line}</p>\n" for line in paragraphs(name))
    return (
        f"<!DOCTYPE html><html><head><title>A page</title></head><body><main>{body}{more}</main></body></html>".encode()
    )


def plain(name: str) -> bytes:
    return "\n".join(paragraphs(name)).encode()


# -- what Hypothesis draws -------------------------------------------------------------------------------------------

STYLES = ("z", "fraction", "offset", "digits", "day", "month")
DIGESTS = ("both", "payload", "block", "none", "sha256", "md5", "payload-of-other")
BODIES = ("html", "plain", "chunked", "gzip")
BASES = ("response", "response", "response", "replay", "resource", "conversion")
CONTAINERS = ("warc", "warc.gz", "warc.zst", "wacz", "arc", "arc.gz")
DATA_SETS = ("jsonl", "jsonl.gz", "parquet")
DAMAGE = ("clip", "crc", "longer", "shorter", "junk", "hole")


@dataclass(frozen=True)
class Spec:
    """One record: what it claims, and which lies it tells."""

    base: str = "response"
    lies: tuple[str, ...] = ()
    hours: int = 0  #: after the beginning of the file
    gap: int = 0  #: days, on top of what the lies need
    style: str = "z"
    digests: str = "both"
    body: str = "html"
    clock: int = 0  #: seconds, of the server's Date after the record's
    has_date: bool = True
    modified: int = 0  #: days before; 0 for no Last-Modified
    echo: bool = False  #: the text is that of the honest record before it
    seed: int = 0


@dataclass(frozen=True)
class Part:
    """The records behind one warcinfo or filedesc, or the rows of a data set."""

    container: str = "warc"
    begins: int = 0  #: days after 1999-01-01
    records: tuple[Spec, ...] = (Spec(),)
    lies: tuple[str, ...] = ()  #: of the whole part
    named: bool = False  #: the names are those of the crawl, and right
    damage: str = ""
    place: int = 0
    joined: Part | None = None
    seed: int = 0


@dataclass(frozen=True)
class Scene:
    """A whole file or several, built by hand."""

    name: str
    seed: int = 0


Plan = Part | Scene

_BEGAN = datetime(1999, 1, 1, tzinfo=UTC)
_LAST = datetime(2025, 6, 1, tzinfo=UTC)


def make(plan: Plan, number: int) -> Made:
    """Write one archive."""
    made = Made(number)
    if isinstance(plan, Scene):
        from liar import scenes

        made.kinds.add(plan.name)
        scenes.SCENES[plan.name](made, Random(plan.seed))
    elif plan.container in DATA_SETS:
        _data_set(made, plan)
    else:
        write_web(made, plan)
    return made


# -- web archives ----------------------------------------------------------------------------------------------------


def _moments(plan: Part, spec: Spec, lies: tuple[str, ...]) -> tuple[datetime, datetime]:
    """Return what a record claims, and when a lie was written."""
    hours = spec.hours % 24 if plan.named else spec.hours
    claim = _BEGAN + timedelta(days=plan.begins, hours=hours, seconds=spec.seed % 3600)
    late = claim + timedelta(days=max((KINDS[name].gap for name in lies), default=2) + spec.gap)
    if any(KINDS[name].old for name in lies):
        late = max(late, datetime(2024, 1, 1, tzinfo=UTC))
    return claim, min(late, max(_LAST, claim + 400 * DAY))


def write_web(made: Made, plan: Part) -> None:
    parts = [plan]
    if plan.joined and plan.joined.container == plan.container and not plan.lies:
        parts.append(plan.joined)
    records: list[bytes] = []
    names: list[list[str]] = []  # of the texts in each record
    around = None
    for at, part in enumerate(parts):
        inside = _part(made, part, f"{made.number}-{at}", records, names, len(parts) > 1)
        around = around or inside
    assert around is not None
    if len(parts) > 1:
        made.kinds.add("joined")
        made.odd |= {"joined-pacific" if plan.container.startswith("arc") else "joined-windows"}
    _write_web(made, plan, around, records, names)


def _part(made: Made, part: Part, label: str, records: list[bytes], names: list[list[str]], joined: bool) -> Around:
    arc = part.container.startswith("arc")
    lies = tuple(kind.name for kind in kinds.chosen(part.lies, "file", part.begins, False))
    if arc and not set(lies) <= {"file-name"}:
        lies = ()  # there is no warcinfo to lie in
    if joined and not set(lies) <= {"is-part-of", "warc-filename", "software", "format-version"}:
        lies = ()  # the path of a joined file is not that of its second half
    dice = Random(part.seed)
    claim, late = _moments(part, Spec(gap=part.seed % 40), lies)
    around = Around(dice, claim, late, info=_software(dice, claim))
    if part.named and not lies and not arc:
        around.info.append(("isPartOf", week(claim)))
        if dice.random() < 0.5 and not joined:
            around.folder = f"crawl-data/{week(claim)}/segments/{stamp(claim)}/warc"
    for name in lies:
        KINDS[name].apply(around)  # type: ignore[misc]
    made.kinds.update(lies)
    if arc:
        records.append(write.filedesc(f"{label}.arc", claim))
    else:
        off = dice.choice([-12, 12]) if around.broken else 0
        info = write.warcinfo(f"info-{label}", claim, around.info, around.head, off)
        records.append(info)
        if around.second is not None:
            names.append([])
            records.append(write.warcinfo(f"info-{label}", claim, around.second, around.head))
    names.append([])
    honest: str | None = None
    for at, spec in enumerate(part.records):
        draft, told = _draft(part, spec, lies, around, f"{label}-{at}")
        rewritten = any(KINDS[lie].group == "rewritten" for lie in told)
        echoes = spec.echo and told and honest and draft.born >= made.truths[honest].born and not rewritten
        if echoes and honest:
            name = honest  # a lie about a text that an honest record has too
        else:
            name = made.text(draft.born)
            made.truths[name].asked = draft.base in {"resource", "conversion"}
        truth = made.truths[name]
        foreign = None
        if rewritten:
            foreign = made.text(draft.late, foreign=True, kept=False)
            made.truths[foreign].liars.append(frozenset(told))
            draft.foreign = f"{foreign}0 kept by the archive {foreign}1 in its own words {foreign}2"
            if len(told) == 1:
                truth.born = draft.claim - 40 * DAY  # the page itself is as old as the replay says
        _finish(draft, spec, told, name, arc)
        if name is not honest and any(KINDS[lie].alone for lie in told):
            truth.born = draft.born  # the lie shifts the date
        if told:
            truth.liars.append(frozenset(told))
            truth.kept &= not any(KINDS[lie].rejected for lie in told)
        else:
            truth.by = min(truth.by or _late_end(draft, spec, arc), _late_end(draft, spec, arc))
            honest = name
        made.kinds.update(told or {"honest"})
        records.append(_bytes(draft, spec, around, arc, label, at))
        names.append([name, *([foreign] if foreign else [])])
    return around


def _software(dice: Random, claim: datetime) -> Fields:
    if claim.year < 2010:
        return [("software", "Heritrix/1.14.3 http://crawler.archive.org"), ("format", "WARC File Format 0.17")]
    if claim.year < 2018:
        return [("software", dice.choice(["Heritrix/3.1.0", "Nutch 1.6 (CC)/CC WarcExport 1.0"])),
                ("format", "WARC File Format 1.0")]  # fmt: skip
    return [
        ("software", "Apache Nutch 1.15 (modified)"),
        ("format", dice.choice(["WARC File Format 1.0", "WARC File Format 1.1"])),
    ]


def _draft(
    part: Part, spec: Spec, of_file: tuple[str, ...], around: Around, label: str
) -> tuple[Draft, tuple[str, ...]]:
    arc = part.container.startswith("arc")
    base = "response" if arc or (of_file and spec.base == "replay") else spec.base
    where = "arc" if arc else base
    told = (*of_file, *(kind.name for kind in kinds.chosen(spec.lies, where, part.begins, bool(of_file))))
    dice = Random(spec.seed)
    if of_file:
        claim = around.claim + timedelta(hours=spec.hours % 72)
        late = around.late
        if any(KINDS[name].old for name in told):
            late = max(late, datetime(2024, 1, 1, tzinfo=UTC))
    else:
        claim, late = _moments(part, spec, told)
    born = late - timedelta(hours=1) if told else claim - timedelta(days=spec.seed % 900, hours=1)
    address = f"http://site{spec.seed % 7}.example/{label}"
    version = "WARC/1.1" if claim.year >= 2018 and dice.random() < 0.4 else "WARC/1.0"
    draft = Draft(dice, base, claim, late, born, address, address, [], [], [], b"", version, spec.digests)
    return draft, told


def _late_end(draft: Draft, spec: Spec, arc: bool) -> datetime:
    """Return the latest moment that the record's date stands for, and a day on top."""
    if draft.base != "replay" and not arc:
        if spec.style == "day":
            return draft.claim.replace(hour=23, minute=59, second=59) + DAY
        if spec.style == "month":
            return draft.claim.replace(day=1) + 33 * DAY
    return draft.claim + DAY


def _finish(draft: Draft, spec: Spec, told: tuple[str, ...], name: str, arc: bool) -> None:
    """Write the honest headers and the page, and let the lies change them."""
    claim = draft.claim
    style = spec.style
    if any(KINDS[lie].gap > 100 for lie in told) and style == "month":
        style = "z"
    draft.dates = [_styled(claim, style)]
    draft.body = plain(name) if spec.body == "plain" or draft.base == "conversion" else page(name)
    if draft.base == "replay":
        fetched = max(claim + 3 * DAY, datetime(2022, 3, 4, 5, 6, 7, tzinfo=UTC))
        draft.url = f"https://web.archive.org/web/{stamp(claim)}id_/{draft.page}"
        draft.dates = [w3c(fetched)]
        draft.http = [
            ("Date", http_date(fetched)),
            ("Memento-Datetime", http_date(claim)),
            ("X-Archive-Orig-Date", http_date(claim)),
        ]
    elif draft.base == "response":
        if spec.has_date:
            draft.http.append(("Date", http_date(claim + timedelta(seconds=spec.clock))))
        if spec.modified:
            draft.http.append(("Last-Modified", http_date(claim - spec.modified * DAY)))
        draft.http.append(("Server", "Apache"))
    where = "arc" if arc else draft.base
    for kind in kinds.of(where):
        if kind.name in told:
            kind.apply(draft)  # type: ignore[misc]


def _styled(moment: datetime, style: str) -> str:
    if style == "fraction":
        return moment.strftime("%Y-%m-%dT%H:%M:%S.250Z")
    if style == "offset":
        return (moment + timedelta(hours=13)).strftime("%Y-%m-%dT%H:%M:%S+13:00")
    if style == "digits":
        return stamp(moment)
    if style == "day":
        return moment.strftime("%Y-%m-%d")
    if style == "month":
        return moment.strftime("%Y-%m")
    return w3c(moment)


def _bytes(draft: Draft, spec: Spec, around: Around, arc: bool, label: str, at: int) -> bytes:
    payload, coded = draft.body, draft.http
    mime = "text/plain" if draft.body[:9] != b"<!DOCTYPE" else "text/html; charset=utf-8"
    coded = [("Content-Type", mime), *coded]
    if draft.base in {"response", "replay"}:
        if spec.body == "gzip":
            payload = write.gzip_file(payload)
            coded.append(("Content-Encoding", "gzip"))
        elif spec.body == "chunked":
            middle = len(payload) // 2
            chunks = (payload[:middle], payload[middle:], b"")
            payload = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
            coded.append(("Transfer-Encoding", "chunked"))
        block = draft.interim.encode() + write.message(payload, coded)
    else:
        block = payload
    if arc:
        return write.arc(block, draft.url, stamp(draft.claim), mime.partition(";")[0])
    kind = "response" if draft.base == "replay" else draft.base
    fields: Fields = [
        ("WARC-Type", kind),
        ("WARC-Target-URI", draft.url),
        *(("WARC-Date", date) for date in draft.dates),
        ("WARC-Record-ID", record_id(f"{label}-{at}")),
        ("Content-Type", "application/http; msgtype=response" if block is not payload else mime.partition(";")[0]),
    ]
    if around.cites:
        fields.append(("WARC-Warcinfo-ID", record_id(f"info-{label}" if around.cites == "own" else "of another file")))
    fields += [*_digests(draft, block, payload), *draft.warc]
    for name, right in draft.further:
        data = payload if "Payload" in name else block
        fields.append((name, write.digest(data if right else b"x" + data)))
    return write.warc(block, fields, draft.version)


def _digests(draft: Draft, block: bytes, payload: bytes) -> Fields:
    mode, of_block, of_payload = draft.digests, block, payload
    if draft.digest_of is not None:
        of_payload = draft.digest_of
        of_block = block.replace(payload, draft.digest_of) if payload in block else draft.digest_of
    if mode == "header":  # the payload is right, and what is around it is not
        return [("WARC-Payload-Digest", write.digest(payload)), ("WARC-Block-Digest", write.digest(b"x" + block))]
    if mode == "payload-of-other":  # as in ClueWeb: the block is as it was written
        return [("WARC-Payload-Digest", write.digest(b"x" + payload)), ("WARC-Block-Digest", write.digest(of_block))]
    algorithm = mode if mode in {"sha256", "md5"} else "sha1"
    fields = [("WARC-Payload-Digest", write.digest(of_payload, algorithm))] if mode not in {"none", "block"} else []
    if mode in {"both", "block"}:
        fields.append(("WARC-Block-Digest", write.digest(of_block)))
    return fields


def _write_web(made: Made, plan: Part, around: Around, records: list[bytes], names: list[list[str]]) -> None:
    inner = "warc.gz" if plan.container == "wacz" else plan.container
    dice = Random(plan.seed)
    damaged = 1 + plan.place % max(len(records) - 1, 1)
    hurt = plan.damage if len(records) > 1 else ""
    if hurt in {"crc", "hole"} and not inner.endswith("gz"):
        hurt = "longer"  # nobody could see the others
    pack = {"warc.gz": write.gz, "arc.gz": write.gz, "warc.zst": write.zst}.get(inner, lambda each: each)
    members = [pack(each) for each in records]
    if hurt:
        made.kinds.add(f"damage-{hurt}")
        made.odd |= {"joined-damaged"}
        members = _damage(members, records, damaged, hurt, pack, dice)
        for at, inside in enumerate(names):
            for name in inside if at >= damaged or inner == "warc.zst" else []:
                # behind damage nothing is sure but the way it went
                made.truths[name].by = None
                made.truths[name].kept = False
    content = b"".join(members)
    place = f"{around.folder}/{around.stem}.{inner}".lstrip("/")
    if plan.container == "wacz":
        content = write.wacz({f"archive/{around.stem}.{inner}": content})
        place = f"{around.folder}/{around.stem}.wacz".lstrip("/")
        made.spans = False
    made.files[place] = content


def _damage(members: list[bytes], records: list[bytes], at: int, kind: str, pack: object, dice: Random) -> list[bytes]:
    member, record = members[at], records[at]
    assert callable(pack)
    if kind == "clip":  # the file ends inside of it
        return [*members[:at], member[: dice.randint(2, len(member) - 2)]]
    if kind == "crc":
        wrong = bytearray(member)
        wrong[-5 if pack is write.gz else len(wrong) // 2] ^= 0x55
        return [*members[:at], bytes(wrong), *members[at + 1 :]]
    if kind == "hole":
        start, size = dice.randrange(len(member) // 2), len(member) // 3
        return [*members[:at], member[:start] + bytes(size) + member[start + size :], *members[at + 1 :]]
    if kind == "junk":
        return [*members[:at], bytes(dice.choices(range(1, 256), k=90)), *members[at:]]
    off = dice.choice([7, 40]) * (1 if kind == "longer" else -1)
    head, mark, rest = record.partition(b"Content-Length: ")
    if not mark:
        line, _, rest = record.partition(b"\n")
        fields, _, length = line.rpartition(b" ")
        return [*members[:at], pack(fields + b" %d\n" % (int(length) + off) + rest), *members[at + 1 :]]
    length, _, rest = rest.partition(b"\r\n")
    return [*members[:at], pack(head + mark + b"%d\r\n" % max(int(length) + off, 0) + rest), *members[at + 1 :]]


# -- data sets -------------------------------------------------------------------------------------------------------


def _agree(row: RowDraft, seed: int) -> None:
    """Add columns to an honest row that say the same."""
    name = f"CC-MAIN-{stamp(row.claim)}-{stamp(row.claim + timedelta(hours=3))}-00042.warc.gz"
    more: write.Row = [
        ("dump", week(row.claim)),
        ("file_path", f"s3://commoncrawl/crawl-data/{week(row.claim)}/segments/1.2/warc/{name}"),
        ("WARC-Date", w3c(row.claim)),
        ("metadata", {"date_download": w3c(row.claim)}),
        ("crawl_date", w3c(row.claim)),
    ]
    for at, (column, value) in enumerate(more):
        if seed >> at & 1:
            row.set(column, value)


def _data_set(made: Made, plan: Part) -> None:
    of_file = tuple(kind.name for kind in kinds.chosen(plan.lies, "rows", plan.begins, False))
    dice = Random(plan.seed)
    claim, late = _moments(plan, Spec(gap=plan.seed % 40), of_file)
    around = Around(dice, claim, late)
    for name in of_file:
        KINDS[name].apply(around)  # type: ignore[misc]
    rows = []
    honest: str | None = None
    where = "row" if plan.container == "parquet" else "jsonl"
    for at, spec in enumerate(plan.records):
        told = (*of_file, *(kind.name for kind in kinds.chosen(spec.lies, where, plan.begins, bool(of_file))))
        claimed, then = (
            (around.claim + timedelta(hours=spec.hours % 72), around.late) if of_file else _moments(plan, spec, told)
        )
        born = then - timedelta(hours=1) if told else claimed - timedelta(days=spec.seed % 900, hours=1)
        address = f"http://site{spec.seed % 7}.example/{made.number}-{at}"
        style = spec.style if spec.style != "month" or not told else "z"
        row = RowDraft(
            Random(spec.seed), claimed, then, born, [("text", ""), ("date", _styled(claimed, style)), ("url", address)]
        )
        if not told and spec.style not in {"day", "month"}:
            _agree(row, spec.seed)
        for kind in kinds.of(where):
            if kind.name in told:
                kind.apply(row)  # type: ignore[misc]
        echoes = spec.echo and told and honest and row.born >= made.truths[honest].born
        name = honest if echoes and honest else made.text(row.born, asked=True)
        truth = made.truths[name]
        if told:
            truth.liars.append(frozenset(told))
        else:
            end = _late_end(Draft(row.dice, "row", claimed, then, born, "", "", [], [], [], b"", "", ""), spec, False)
            truth.by, honest = min(truth.by or end, end), name
        made.kinds.update(told or {"honest-row"})
        row.set("text", "\n".join(paragraphs(name)))
        rows.append(row.columns)
    content = write.parquet(rows) if plan.container == "parquet" else write.jsonl(rows)
    if plan.container == "jsonl.gz":
        content = gzip.compress(content, mtime=0)
    made.files[f"{around.folder}/{around.stem}.{plan.container}".lstrip("/")] = content
    made.spans = False
