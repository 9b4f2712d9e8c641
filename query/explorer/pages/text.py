"""A text: its captures through time, the evidence for its date, its witness and its neighbours, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from archive.errors import visible_line
from archive.evidence.grade import DEFAULT, GRADES
from archive.files import sql_literal
from archive.proofs import ACCEPTABLE
from archive.reasons import DATE_PROBLEMS, DATE_SOURCES
from query.explorer.context import Context
from query.explorer.draw.line import Point
from query.explorer.page import Answer, Page, to
from query.explorer.parameters import NotThere, Parameter, content_id

#: The most captures and neighbours that are listed, and characters that are shown, of the text and of one line.
_CAPTURES, _NEIGHBOURS, _TEXT, _LINE = 300, 50, 100_000, 4_000

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
    url: str
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
    text: str | None  #: its beginning; null where the lake does not hold it
    cut: int  #: characters of it that are not shown

    @property
    def points(self) -> Iterator[Point]:
        """The captures on a time line, and the witness."""
        first = self.proof
        for each in self.captures:
            if each.captured_at is not None:
                when = f"{each.captured_at:%Y-%m-%d %H:%M:%S}, grade {each.grade}: {each.url[:200]}"
                yield Point(each.captured_at, each.grade, when, "first" if each == first else "")
        if self.witness:
            about = (
                f"{self.witness.first_seen:%Y-%m-%d %H:%M:%S}: a near-duplicate, {self.witness.similarity:.2f} alike"
            )
            yield Point(self.witness.first_seen, "w", about, "witness")

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
    neighbours = tuple(Neighbour(*row) for row in context.rows("Its near-duplicates", _NEIGHBOURED.format(id=literal), own))
    language, chars, words, first_seen, last_seen, witness_id, similarity, near, text, length = document or (None,) * 10
    ranked = [(rank, _capture(row)) for rank, _, *row in seen]
    proof = next((each for rank, each in ranked if rank == 1 and _is_proof(each)), None)
    captures = sorted((each for _, each in ranked), key=_by_date)[:_CAPTURES]
    estimated = next((each.estimated for each in neighbours if each.content_id == witness_id), False)
    witness = Witness(witness_id, near, similarity, estimated) if witness_id else None
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
        text=text,
        cut=max((length or 0) - _TEXT, 0),
    )
    linked = {each.content_id: None for each in neighbours} | ({witness.content_id: None} if witness else {})
    return Answer(
        title=_title(page),
        data=page,
        sql=context.asked,
        command=("show", own),
        links=(*(to("text", content_id=each) for each in linked), to("verify", content_id=own)),
    )


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
    return (
        f"This text {seen} {_moment(proof.captured_at)}. A {visible_line(proof.record_type)} of "
        f"{visible_line(proof.url)} has it, at {where}. The date is {known}. "
        f"Grade {proof.grade}, {grade.name}: {grade.proves}. It leaves open: {grade.leaves_open}."
    )


def _undated(captures: tuple[TextCapture, ...]) -> str:
    problems = sorted({each.date_problem for each in captures if each.date_problem})
    why = "; ".join(f"{code}: {DATE_PROBLEMS.get(code, code)}" for code in problems)
    return "No capture proves when this text existed" + (f" ({why})." if why else ".")


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"


PAGE = Page("text", "/text/{content_id}", answer, (Parameter("content_id", content_id),))
