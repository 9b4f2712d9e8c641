"""A text: its captures through time, the evidence for its date, its witness and its neighbours, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from archive.errors import ArchiveError, visible_line
from archive.evidence.grade import DEFAULT, GRADES
from archive.files import sql_literal
from archive.proofs import ACCEPTABLE
from archive.reasons import DATE_PROBLEMS, DATE_SOURCES
from query.domain import host_of
from query.explorer.addresses import host_page, url_page
from query.explorer.busy import Busy
from query.explorer.context import Context
from query.explorer.dated import DatedPassages, Passage, Piece
from query.explorer.diff import Diff, diff
from query.explorer.draw.line import Point
from query.explorer.page import Address, Answer, Page, to
from query.explorer.parameters import NotThere, Parameter, choice, content_id, optional

#: The most captures and neighbours that are listed, and characters that are shown, of the text and of one line.
_CAPTURES, _NEIGHBOURS, _TEXT, _LINE = 300, 50, 100_000, 4_000
#: So many near-duplicates have a link to what changed; and the most characters of a text whose passages are looked for.
_COMPARED, _ASKED = 10, 1_000_000

_FIELDS = """captured_at, captured_from, captures.grade AS grade, date_source, date_problem, record_type, url, title,
       file, "offset", length, skip, record_id, record_sha256, payload_digest, payload_check, block_check, integrity,
       operator, crawl, coalesce(extractor, text_record.extractor) AS extractor, evidence, existed_by, attested_by"""
_ORDER = 'captured_at NULLS LAST, file, "offset", skip, url, title'
_DOCUMENT = f"""
SELECT language, chars, words, first_seen, last_seen, witness_id, witness_similarity, first_seen_near,
       left(text, {_TEXT}) AS text, length(text) AS length
FROM documents WHERE content_id = {{id}}
"""
_DATES = """
SELECT NULL, NULL, NULL, proofs.first_seen, last_seen, witness.id, witness.similarity, witness."at", NULL, NULL
FROM proofs FULL JOIN witnesses USING (content_id) WHERE content_id = {id}
"""
_BOTH = """
SELECT content_id, text FROM documents WHERE content_id IN ({ids}) ORDER BY first_seen NULLS LAST, content_id
"""
_WHOLE = "SELECT text FROM documents WHERE content_id = {id}"
#: The capture that dates a text is the first of grade D or better, else the first claim: `rank` 1.
_CAPTURED = f"""
SELECT row_number() OVER (ORDER BY coalesce({ACCEPTABLE}, false) DESC, captures.grade > '{DEFAULT}', {_ORDER}) AS rank,
       count(*) OVER () AS captures, {_FIELDS}
FROM moments AS captures WHERE content_id = {{id}}
QUALIFY rank = 1 OR row_number() OVER (ORDER BY {_ORDER}) <= {_CAPTURES} ORDER BY rank
"""
_NEIGHBOURED = f"""
SELECT other, similarity, estimated, first_seen, "first".url AS url
FROM (SELECT CASE WHEN content_id = {{id}} THEN earlier_id ELSE content_id END AS other, similarity, estimated
      FROM duplicates WHERE content_id = {{id}} OR earlier_id = {{id}}
      ORDER BY similarity DESC, other LIMIT {_NEIGHBOURS})
LEFT JOIN proofs ON proofs.content_id = other
ORDER BY similarity DESC, other
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A date that a record carries."""

    kind: str
    at: datetime | None
    agrees: bool | None  #: with the date of the capture


@dataclass(frozen=True, slots=True)
class TextCapture:
    """A capture of the text, as a record of evidence."""

    captured_at: datetime | None
    captured_from: datetime | None
    grade: str
    date_source: str
    date_problem: str | None
    record_type: str
    url: str | None  #: null: it is a row of a data set without addresses
    title: str | None
    file: str
    offset: int
    length: int | None
    skip: int
    record_id: str | None
    record_sha256: str | None
    payload_digest: str | None
    payload_check: str | None
    block_check: str | None
    integrity: str | None
    operator: str | None
    crawl: str | None
    extractor: str | None
    evidence: tuple[Claim, ...]
    existed_by: datetime | None
    attested_by: str | None


@dataclass(frozen=True, slots=True)
class Witness:
    """The verified near-duplicate that was captured earliest, if earlier than the text."""

    content_id: str
    first_seen: datetime
    similarity: float
    estimated: bool  #: from the signatures, since the lake lacks a text


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A verified near-duplicate."""

    content_id: str
    similarity: float
    estimated: bool
    first_seen: datetime | None
    url: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """What changed from the earlier of two near-duplicates to the later one."""

    other: str  #: the content id of the text that this one is compared with
    earlier_id: str
    later_id: str
    diff: Diff


@dataclass(frozen=True, slots=True)
class TextPage:
    """What the page of a text shows."""

    content_id: str
    language: str | None
    chars: int | None
    words: int | None
    first_seen: datetime | None
    last_seen: datetime | None
    proof: TextCapture | None  #: the capture that dates the text: of grade D or better, else the first claim
    sentence: str  #: the evidence in words
    captures_in_all: int
    captures: tuple[TextCapture, ...]  #: in the order of their dates, the first of them
    witness: Witness | None
    neighbours: tuple[Neighbour, ...]  #: the most similar first
    change: Change | None  #: from this text or to it, the other being its witness, or a near-duplicate that was chosen
    passages: DatedPassages | None  #: null where they were not asked for, or the lake has no index of them
    no_passages: str | None  #: why there are none
    text: str | None  #: its beginning; null where the lake does not hold it
    cut: int  #: characters of it that are not shown

    @property
    def points(self) -> Iterator[Point]:
        """The captures on a time line, apart from those whose date proves nothing, and the witness."""
        first = self.proof
        for each in self.captures:
            if each.captured_at is not None and not each.date_problem:
                where = f": {each.url[:200]}" if each.url else ""
                when = f"{each.captured_at:%Y-%m-%d %H:%M:%S}, grade {each.grade}{where}"
                mark = "" if each != first else "first" if each.grade <= DEFAULT else "claimed"
                yield Point(each.captured_at, each.grade, when, mark)
        if self.witness:
            about = (
                f"{self.witness.first_seen:%Y-%m-%d %H:%M:%S}: a near-duplicate, {self.witness.similarity:.2f} alike"
            )
            yield Point(self.witness.first_seen, "w", about, "witness")

    @property
    def pieces(self) -> Iterator[Piece]:
        """The text in pieces of one date each."""
        return iter(()) if self.passages is None else self.passages.pieces(self.text or "")

    @property
    def lines(self) -> Iterator[str]:
        """The text in lines, of which none is longer than a browser lays out with ease."""
        for each in (self.text or "").split("\n"):
            left = len(each) - _LINE
            yield each if left <= 0 else f"{each[:_LINE]}… ({left:,} more characters in this line)"


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Tell since when a text has been on the web, and how that is known.

    Raises:
        NotThere: the lake has no such text, or several begin with these digits.
    """
    own = resolved(context, parameters["content_id"])
    literal = sql_literal(own)
    document = context.row("The text, since when it is known, and its witness", _DOCUMENT.format(id=literal), own)
    seen = context.rows("Its captures, the one that dates it first", _CAPTURED.format(id=literal), own)
    if not seen and not document:
        raise NotThere(f"the lake has no text {own}")
    if not document:  # a lake of dates and signatures alone has no texts
        document = context.row("Since when it is known, and its witness", _DATES.format(id=literal), own)
    neighbours = tuple(
        Neighbour(*row) for row in context.rows("Its near-duplicates", _NEIGHBOURED.format(id=literal), own)
    )
    language, chars, words, first_seen, last_seen, witness_id, similarity, near, text, length = document or (None,) * 10
    ranked = [(rank, _capture(row)) for rank, _, *row in seen]
    proof = next((each for rank, each in ranked if rank == 1 and _is_proof(each)), None)
    captures = sorted((each for _, each in ranked), key=_by_date)[:_CAPTURES]
    estimated = next((each.estimated for each in neighbours if each.content_id == witness_id), False)
    witness = Witness(witness_id, near, similarity, estimated) if witness_id else None
    shown = tuple(each.content_id for each in neighbours[:_COMPARED])
    shown += (witness.content_id,) if witness and witness.content_id not in shown else ()
    chosen = parameters["other"] or (witness.content_id if witness else next(iter(shown), None))
    if chosen is not None and chosen not in {*shown, *(each.content_id for each in neighbours)}:
        raise NotThere(f"{chosen[:12]} is no near-duplicate of this text")
    wants_passages = parameters["passages"] == "yes" and text is not None
    passages, no_passages = _passages(context, own, first_seen) if wants_passages else (None, None)
    page = TextPage(
        content_id=own,
        language=language,
        chars=chars,
        words=words,
        first_seen=first_seen,
        last_seen=last_seen,
        proof=proof,
        sentence=sentence(proof, tuple(captures), witness),
        captures_in_all=seen[0][1] if seen else 0,
        captures=tuple(captures),
        witness=witness,
        neighbours=neighbours,
        change=_change(context, own, chosen) if chosen else None,
        passages=passages,
        no_passages=no_passages,
        text=text,
        cut=max((length or 0) - _TEXT, 0),
    )
    linked = {each.content_id: None for each in neighbours} | ({witness.content_id: None} if witness else {})
    linked |= {each.content_id: None for each in passages.passages} if passages else {}
    return Answer(
        title=_title(page),
        data=page,
        sql=context.asked,
        command=("show", own),
        links=(
            *(to("text", content_id=each) for each in linked),
            *(to("text", content_id=own, other=each) for each in shown),
            to("text", content_id=own, passages="yes"),
            to("text", content_id=own),
            to("verify", content_id=own),
            *_addresses(page),
        ),
    )


def _addresses(page: TextPage) -> tuple[Address, ...]:
    """Return the pages of the addresses where it was seen, and of the host where it was seen first."""
    urls = [each.url for each in page.captures]
    found = [host_page(host_of(page.proof.url)), url_page(page.proof.url)] if page.proof else []
    return tuple(dict.fromkeys(each for each in (*found, *map(url_page, urls)) if each))


def _change(context: Context, own: str, other: str) -> Change | None:
    """Compare two near-duplicates; None where the lake lacks one of the texts."""
    ids = f"{sql_literal(own)}, {sql_literal(other)}"
    rows = context.rows("This text and the one that it is compared with", _BOTH.format(ids=ids), own, other)
    if len(rows) < 2:
        return None
    (earlier_id, old), (later_id, new) = rows
    return Change(other, earlier_id, later_id, diff(old, new))


def _passages(context: Context, own: str, first_seen: datetime | None) -> tuple[DatedPassages | None, str | None]:
    """Return the passages of a text that earlier texts have; else why there are none."""
    ((full,),) = context.rows("What it says", _WHOLE.format(id=sql_literal(own)), own)
    if len(full) > _ASKED:
        return None, f"Of texts of more than {_ASKED:,} characters, passages are not looked for here."
    try:
        found, missing = context.in_passages(lambda index: (index.find(full, first_seen), index.missing))
    except Busy:
        raise
    except ArchiveError as error:  # the lake has no such index, or this machine not what opens it
        return None, str(error)
    passages = tuple(
        Passage(each.start, each.end, each.words, each.first_seen, each.grade, each.content_id, each.url)
        for each in found.passages
    )
    return DatedPassages(found.words, passages, found.is_complete, missing), None


def resolved(context: Context, given: str) -> str:
    """Return the content id that begins with these digits.

    Raises:
        NotThere: there is none, or several.
    """
    if len(given) == 64:
        return given
    condition = f"starts_with(content_id, {sql_literal(given)})"
    found = context.rows("Which text this is", f"SELECT DISTINCT content_id FROM captures WHERE {condition} LIMIT 2")
    if not found:
        raise NotThere(f"the lake has no text {given}")
    if len(found) > 1:
        raise NotThere(f"several texts begin with {given}: give more digits")
    return str(found[0][0])


def _capture(row: Sequence[Any]) -> TextCapture:
    values = dict(zip((each.name for each in fields(TextCapture)), row, strict=True))
    values["evidence"] = tuple(Claim(each["kind"], each["at"], each["agrees"]) for each in values["evidence"] or ())
    return TextCapture(**values)


def _is_proof(capture: TextCapture) -> bool:
    """Whether a capture is acceptable, of whatever grade."""
    return capture.captured_at is not None and not capture.date_problem and capture.grade != "X"


def _by_date(capture: TextCapture) -> tuple[bool, float, str, int, int]:
    at = capture.captured_at
    return (at is None, at.timestamp() if at else 0.0, capture.file, capture.offset, capture.skip)


def _title(page: TextPage) -> str:
    shown = page.proof or next(iter(page.captures), None)
    return (shown.title if shown else None) or f"Text {page.content_id[:12]}"


def sentence(proof: TextCapture | None, captures: tuple[TextCapture, ...], witness: Witness | None) -> str:
    """Return the evidence for the date of a text in words."""
    parts = [_dated(proof) if proof else _undated(captures)]
    if witness:
        how = "estimated from signatures" if witness.estimated else "verified on both texts"
        parts.append(
            f"A near-duplicate was seen earlier, on {_moment(witness.first_seen)} "
            f"(similarity {witness.similarity:.2f}, {how}): its witness."
        )
    return " ".join(parts)


def _dated(proof: TextCapture) -> str:
    grade = GRADES[proof.grade]
    where = f"byte {proof.offset:,} of {visible_line(proof.file)}"
    if proof.skip:
        where += f", {proof.skip:,} decompressed bytes further"
    known = DATE_SOURCES.get(proof.date_source, proof.date_source)
    assert proof.captured_at is not None  # it is acceptable
    seen = "existed by" if proof.grade <= DEFAULT else "is claimed to have existed by"
    of = f" of {visible_line(proof.url)}" if proof.url else ""
    return (
        f"This text {seen} {_moment(proof.captured_at)}. A {visible_line(proof.record_type)}{of} has it, at {where}. "
        f"The date is {known}. "
        f"Grade {proof.grade}, {grade.name}: {grade.proves}. It leaves open: {grade.leaves_open}."
    )


def _undated(captures: tuple[TextCapture, ...]) -> str:
    problems = sorted({each.date_problem for each in captures if each.date_problem})
    why = "; ".join(f"{code}: {DATE_PROBLEMS.get(code, code)}" for code in problems)
    return "No capture proves when this text existed" + (f" ({why})." if why else ".")


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"


_PARAMETERS = (
    Parameter("content_id", content_id),
    Parameter("other", optional(content_id), ""),
    Parameter("passages", choice("no", "yes"), "no"),
)
PAGE = Page("text", "/text/{content_id}", answer, _PARAMETERS)
