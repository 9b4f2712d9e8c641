"""Compare a citation with the record: what agrees, and what differs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa

from archive import dates
from archive.capture import Capture, Limits, Reject, Skipped
from archive.dates import Dated
from archive.evidence.claims import row_date
from archive.evidence.file_state import FileState
from archive.evidence.grade import CONTRADICTED
from archive.examine import Examiner
from archive.intake.extraction import Isolated
from archive.reasons import Unusable
from archive.records import robots
from archive.records.rows import Columns, column_names, row_of
from archive.records.rows import Row as ArchiveRow
from archive.text import EXTRACTORS, Page, content_id, language_of
from archive.text.base import address_of, name_of
from archive.text.extract import from_plain
from archive.text.language import first_language_of
from query import merkle
from query.clean import OPTED_OUT
from query.mask import mask
from query.rows import claims_text
from query.tokenizer import Tokenizer, once_opened
from query.verify.bounds import KINDS, FileBounds, compare_bound
from query.verify.citation import PROOF, PROVEN, TEXT
from query.verify.compare_proof import (
    compare_moment_of_proof,
    compare_needs,
    compare_proof,
    compare_texts,
    compare_values,
    digests,
)
from query.verify.result import Finding

Row = dict[str, Any]
#: Of a row that states no evidence, though it is not of an older version.
_NO_EVIDENCE = ["none"]
#: What is at the cited offset: what `archive ingest` makes of the record, or a row of a data set.
Outcome = Capture | Reject | Skipped | ArchiveRow


@dataclass(frozen=True, slots=True)
class Against:
    """What a row is compared with, next to its record.

    Attributes:
        file: the name of the file, which may contain that of a crawl.
        tokenizer: of the set; None where its rows hold texts.
        honours: the set promises that no text opts out.
        moved: the file is not where it was when it was ingested, so that its name may be of another crawl.
        bounds: by when the file existed; needed where the date of the row is such a bound.
    """

    file: str = ""
    tokenizer: Tokenizer | None = None
    honours: bool = False
    moved: bool = False
    bounds: FileBounds | None = None


def compare(
    citation: Row, outcome: Outcome, against: Against, texts: Callable[[], Iterator[str]] = lambda: iter(())
) -> Finding:
    """Compare a citation with what is there.

    Args:
        texts: gives the texts that all extractors take from it, for rows that were certified.
    """
    try:
        if citation["role"] == PROVEN:
            return _compare_proven(citation, outcome, against, texts)
        return _compare(citation, outcome, against)
    except Exception as error:  # a forged row may hold anything
        return Finding(citation["row"], "differs", f"cannot be compared: {error!r}")


def _compare(citation: Row, outcome: Outcome, against: Against) -> Finding:
    row, is_bound = citation["row"], citation["date_source"] in KINDS
    if isinstance(outcome, Reject):
        return Finding(row, "differs", f"the record gives no text: {outcome.reason} {outcome.detail}".strip())
    if isinstance(outcome, Skipped):
        return Finding(row, "differs", f"the record is of a kind that holds no page: {outcome.kind}")
    if isinstance(outcome, ArchiveRow):
        return _compare_row(citation, outcome, against)
    if against.honours and opts_out(outcome.robots):
        return Finding(row, "differs", f"the record opts out: {outcome.robots}")
    if outcome.integrity == CONTRADICTED:
        return Finding(row, "differs", "the record is altered: it is not what its digests say")
    if citation["role"] != TEXT and outcome.dated.problem and not is_bound:
        return Finding(row, "differs", f"the date of the record proves nothing: {outcome.dated.problem}")
    compared = stated_and_found(citation, outcome)
    if wrong := compare_values(row, compared):
        return wrong
    if citation["role"] != TEXT:
        if is_bound:
            wrong = compare_bound(citation, against.bounds, outcome.dated)
        else:
            wrong = _compare_grade(citation, outcome, against.moved)
        if wrong is not None:
            return wrong
    if citation["role"] == PROOF:
        return Finding(row, "agrees")
    return _compare_text(citation, outcome.text, outcome.extractor, against.tokenizer)


def stated_and_found(citation: Row, outcome: Capture) -> dict[str, tuple[Any, Any]]:
    """Return what a citation states of its record next to what the record has, by name."""
    compared: dict[str, tuple[Any, Any]] = {"digest": digests(citation, outcome)}
    if citation["role"] != TEXT:
        compared |= {
            "url": (citation["url"], outcome.url),
            "record type": (citation["record_type"], outcome.record_type),
            "record id": (citation["record_id"], outcome.record_id),
            "title": (citation["title"], outcome.title),
        }
        # null too in what was ingested before there was such a column, and before there was evidence
        if citation["robots"] is not None or citation["evidence"] is not None:
            compared["robots"] = (citation["robots"], outcome.robots)
        if citation["record_sha256"] is not None or citation["evidence"] is not None:
            compared["record"] = (citation["record_sha256"], outcome.record_sha256)
            compared["operator"] = (citation["operator"], outcome.operator)
        if citation["date_source"] not in KINDS:
            compared["date"] = (citation["captured_at"], outcome.dated.captured_at)
            compared["kind of date"] = (citation["date_source"], outcome.dated.source)
    if citation["length"] is not None and outcome.length is not None:
        compared["length"] = (citation["length"], outcome.length)
    return compared


def _compare_proven(citation: Row, outcome: Outcome, against: Against, texts: Callable[[], Iterator[str]]) -> Finding:
    row = citation["row"]
    if isinstance(outcome, Capture):
        return compare_proof(citation, outcome, texts(), against.bounds)
    if not isinstance(outcome, ArchiveRow):
        return Finding(row, "differs", f"the record gives no text: {outcome}")
    is_bound = citation["date_source"] in KINDS
    if citation["date_source"] not in {None, "dataset"} and not is_bound:
        return Finding(row, "differs", "this is a row of a data set, whose date is what somebody wrote")
    values = list(_values(outcome.values or {}))
    if citation["url"] and citation["url"] not in values:
        return Finding(row, "differs", f"url: the row of the data set has no {citation['url']}")
    wrong = (
        None
        if is_bound
        else _compare_row_date({**citation, "evidence": _NO_EVIDENCE}, outcome.values or {}, values, against)
    )
    if is_bound or (wrong and citation["date_source"] is None):  # a paragraph does not state the kind of its date
        wrong = compare_moment_of_proof(citation, against.bounds)
    elif not wrong:
        wrong = compare_needs(citation, "E", "dataset", against.bounds)
    strings = (value for value in values if isinstance(value, str))
    return wrong or compare_texts(citation, (page.text for each in strings for page in _every_page(each)))


def _every_page(value: str) -> Iterator[Page]:
    for name in EXTRACTORS:
        yield from _pages(value, name)


def _compare_grade(citation: Row, outcome: Capture, moved: bool) -> Finding | None:
    """Compare the grade and the evidence; None where they agree, or the row states none."""
    row, stated = citation["row"], citation["grade"]
    if stated is None:  # a set of an older version
        return None
    if citation["evidence"] is None:  # a capture of an older lake: its columns support no more than what is there now
        if stated < outcome.grade:
            return Finding(row, "differs", f"grade: the row says {stated}, the record {outcome.grade}")
        return None
    claims, there = (_comparable(each, moved) for each in (citation["evidence"], claims_text(outcome.dated)))
    if claims != there:
        return Finding(row, "differs", f"evidence: the row says {'; '.join(claims)}, the record {'; '.join(there)}")
    if stated == "B" and outcome.grade in {"C", "D"}:
        return _compare_corroboration(citation, outcome.grade)
    if stated != outcome.grade:
        return Finding(row, "differs", f"grade: the row says {stated}, the record {outcome.grade}")
    return None


def _compare_corroboration(citation: Row, own: str) -> Finding | None:
    """Return what is wrong with grade B of a row whose record has C or D; None where a lake confirms it."""
    if citation["confirmed"]:
        return None
    if citation["confirmed"] is None:
        why = f"grade: the record alone has {own}; for B, --lake names the lake that has what other archives hold"
        return Finding(citation["row"], "unchecked", why)
    return Finding(citation["row"], "differs", "grade: the row says B, and no other archive of the lake confirms it")


def _comparable(claims: list[str], moved: bool, other_url: bool = False) -> list[str]:
    """Return the claims that are the same wherever a file is, and whichever column of a row the user named."""
    without = (*(["crawl-window "] if moved else []), *(["row-url "] if other_url else []))
    return [claim for claim in claims if not claim.startswith(without)]


def _compare_text(citation: Row, text: str | None, extractor: str | None, tokenizer: Tokenizer | None) -> Finding:
    def differs(why: str) -> Finding:
        return Finding(citation["row"], "differs", why)

    if text is None or content_id(text) != citation["content_id"]:
        if extractor != citation["extractor"]:
            made_by = f"made by {citation['extractor']}, and {extractor} makes another"
            return Finding(citation["row"], "unchecked", f"the text was {made_by}")
        return differs("text: the record gives another")
    if (extractor or "").partition("/")[0] != citation["extractor"].partition("/")[0]:
        return differs(f"extractor: the text was made by {extractor}")
    if citation["language"] not in {language_of(text)[0], first_language_of(text)[0]}:  # the second: an older lake
        return differs(f"language: the text is not in {citation['language']}")
    exported, addresses = mask(text) if citation["masked"] is not None else (text, None)
    if addresses != citation["masked"]:
        return differs(f"masked: the row says {citation['masked']}, the text has {addresses}")
    if citation["text_sha256"] is not None and citation["text_sha256"] != content_id(exported):
        return differs("text: the row has another")
    if tokenizer is not None:
        tokens = pa.array(once_opened(tokenizer).encode([exported]), pa.list_(pa.int32()))
        if citation["token_count"] != len(tokens[0]):
            return differs("tokens: there are more or fewer in the text of the record")
        if citation["tokens_sha256"] not in {None, merkle.payloads(pa.table({"tokens": tokens}))[0]}:
            return differs("tokens: the text of the record gives others")
    return Finding(citation["row"], "agrees")


def _compare_row(citation: Row, item: ArchiveRow, against: Against) -> Finding:
    """Compare a row of a data set. Which of its columns holds the text is not recorded: each string may be it."""

    def differs(why: str) -> Finding:
        return Finding(citation["row"], "differs", why)

    is_bound = citation["date_source"] in KINDS
    if citation["record_type"] != "row" or (citation["date_source"] != "dataset" and not is_bound):
        return differs("this is a row of a data set, whose date is what somebody wrote")
    row = item.values or {}
    values = list(_values(row))
    strings = [value for value in values if isinstance(value, str)]
    found = _text_of_row(citation, row, strings)
    text, title, extractor, stated = found or (None, None, citation["extractor"], {None})
    if (finding := _compare_text(citation, text, extractor, against.tokenizer)).kind != "agrees":
        return finding
    if citation["title"] != title:
        return differs(f"title: the row says {citation['title']}, the row of the data set {title}")
    if citation["length"] != item.length:
        return differs(f"length: the row says {citation['length']}, the row of the data set has {item.length}")
    if citation["url"] and citation["url"] not in strings:
        return differs(f"url: the row of the data set has no {citation['url']}")
    if against.honours and (refusal := next(filter(opts_out, stated), None)):
        return differs(f"the row opts out: {refusal}")
    if citation["robots"] not in stated:
        return differs(f"robots: the row says {citation['robots']}, the row of the data set {_first(stated)}")
    if is_bound:
        return compare_bound(citation, against.bounds, None) or finding
    return _compare_row_date(citation, row, values, against) or finding


def _first(stated: set[str | None]) -> str | None:
    return next((each for each in stated if each is not None), None)


def _text_of_row(
    citation: Row, row: Mapping[str, Any], strings: list[str]
) -> tuple[str | None, str | None, str | None, set[str | None]] | None:
    """Return the text of a row that has the cited content id, with its title, its extractor and what it may say to
    robots; None where no column gives it."""
    outcome = Examiner("", extractor_of(citation["extractor"])).examine(row_of(row, Columns(), 0, 0, None))
    if isinstance(outcome, Capture) and content_id(outcome.text or "") == citation["content_id"]:
        return outcome.text, outcome.title, outcome.extractor, {outcome.robots}
    for each in strings:
        for page in _pages(each, citation["extractor"]):
            if content_id(page.text) != citation["content_id"]:
                continue
            if page.extractor == "plain":
                return page.text, page.title, "dataset", {None}
            # only a column that the user named as HTML is asked what it says to robots
            return page.text, page.title, page.extractor, {None, robots.directives({}, each.encode("utf-8", "replace"))}
    return None


def _compare_row_date(
    citation: Row, row: Mapping[str, Any], values: list[str | date], against: Against
) -> Finding | None:
    """Compare the date of a row with the one that the reader takes; None where they agree.

    The user may have named another column. Since of several dates the latest counts, it may not be an earlier one.
    """

    def differs(why: str) -> Finding:
        return Finding(citation["row"], "differs", why)

    at, state = citation["captured_at"], FileState(against.file, datetime.now(UTC))
    if citation["evidence"] is None:  # an older version, which took a date without a zone for one of UTC
        if at not in {dates.parse(value if isinstance(value, str) else value.isoformat())[0] for value in values}:
            return differs(f"date: the row of the data set has no {at}")
        stated = [dates.parse(value)[0] for _, value in row_of(row, Columns(), 0, 0, None).dates]
        latest = max((each for each in stated if each), default=None)
        return differs(f"date: the row of the data set also has {latest}") if latest and at < latest else None
    if citation["grade"] not in {None, "E"}:
        return differs(f"grade: the row says {citation['grade']}, a row of a data set has E")
    known = row_date_of(row, Columns(), state)
    if known.captured_at == at:
        return _compare_claims(citation, row, known, against)
    if known.captured_at and at < known.captured_at:
        return differs(f"date: the row says {at}, the row of the data set {known.captured_at}")
    for name in column_names(row):
        named = row_date_of(row, Columns(date=name), state)
        if named.captured_at == at:
            return _compare_claims(citation, row, named, against)
    return differs(f"date: the row of the data set has no {at}")


def _compare_claims(citation: Row, row: Mapping[str, Any], dated: Dated, against: Against) -> Finding | None:
    """Compare the evidence of a row; None where it agrees."""
    if dated.problem:
        return Finding(citation["row"], "differs", f"the date of the row proves nothing: {dated.problem}")
    if citation["evidence"] == _NO_EVIDENCE:
        return None
    other_url = (citation["url"] or "") != row_of(row, Columns(), 0, 0, None).url
    stated = (citation["evidence"], claims_text(dated))
    claims, there = (_comparable(each, against.moved, other_url) for each in stated)
    if claims != there:
        return Finding(citation["row"], "differs", f"evidence: the row says {claims}, the row of the data set {there}")
    return None


def row_date_of(row: Mapping[str, Any], columns: Columns, state: FileState) -> Dated:
    """Return the date that a reader takes from a row of a data set."""
    return row_date(row_of(row, columns, 0, 0, None), state)


def opts_out(stated: str | None) -> bool:
    """Return whether a page states that no model may be trained on it."""
    return stated is not None and re.search(OPTED_OUT, stated) is not None


def _pages(value: str, extractor: str) -> Iterator[Page]:
    """Yield a string as a text, and, where the extractor reads HTML, as a page."""
    yield from_plain(value)
    if extractor.partition("/")[0] in EXTRACTORS and "<" in value:
        with contextlib.suppress(Unusable):
            yield extractor_of(extractor)(value)


def _values(value: Any) -> Iterator[str | date]:
    """Yield every string and date in a row, however deep; times in UTC."""
    if isinstance(value, datetime):
        yield value.replace(tzinfo=UTC) if value.tzinfo is None else value
    elif isinstance(value, str | date):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _values(item)


@lru_cache(maxsize=16)
def _isolated(name: str) -> Isolated:
    return Isolated(name, Limits().seconds)


def extractor_of(stated: str | None) -> Isolated:
    """Return the extractor that made a text, in a process of its own: a hostile page cannot end this one."""
    name = name_of(stated or "")
    return _isolated(address_of(name if name.partition("+")[0] in EXTRACTORS else "resiliparse"))
