"""Compare a citation with the record: what agrees, and what differs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa

from archive import dates
from archive.capture import Capture, Limits, Reject, Skipped
from archive.dates import Dated
from archive.evidence.claims import FileState, row_date
from archive.examine import Examiner
from archive.intake.extraction import Isolated
from archive.reasons import Unusable
from archive.records.rows import Columns, column_names, row_of
from archive.text import EXTRACTORS, Page, content_id, language_of
from archive.text.extract import from_plain
from query import merkle
from query.clean import OPTED_OUT
from query.mask import mask
from query.rows import claims_text
from query.tokenizer import Tokenizer, once_opened
from query.verify.bounds import KINDS, FileBounds, compare_bound
from query.verify.citation import PROOF, TEXT
from query.verify.result import Finding

Row = dict[str, Any]
#: What is at the cited offset: what `archive ingest` makes of the record, or a row of a data set.
Outcome = Capture | Reject | Skipped | Mapping[str, Any]


def compare(
    citation: Row,
    outcome: Outcome,
    tokenizer: Tokenizer | None,
    honours: bool = False,
    bounds: FileBounds | None = None,
) -> Finding:
    """Compare a citation with what is there.

    Args:
        bounds: by when the file existed; needed where the date of the row is such a bound.
        honours: the set promises that no text opts out.
    """
    try:
        return _compare(citation, outcome, tokenizer, honours, bounds)
    except Exception as error:  # a forged row may hold anything
        return Finding(citation["row"], "differs", f"cannot be compared: {error!r}")


def _compare(
    citation: Row, outcome: Outcome, tokenizer: Tokenizer | None, honours: bool, bounds: FileBounds | None
) -> Finding:
    row, is_bound = citation["row"], citation["date_source"] in KINDS
    if isinstance(outcome, Reject):
        return Finding(row, "differs", f"the record gives no text: {outcome.reason} {outcome.detail}".strip())
    if isinstance(outcome, Skipped):
        return Finding(row, "differs", f"the record is of a kind that holds no page: {outcome.kind}")
    if isinstance(outcome, Mapping):
        return _compare_row(citation, outcome, tokenizer, honours, bounds)
    if honours and opts_out(outcome.robots):
        return Finding(row, "differs", f"the record opts out: {outcome.robots}")
    compared: dict[str, tuple[Any, Any]] = {"digest": (citation["payload_digest"], outcome.payload_digest)}
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
        if not is_bound:
            compared["date"] = (citation["captured_at"], outcome.dated.captured_at)
            compared["kind of date"] = (citation["date_source"], outcome.dated.source)
        if outcome.dated.problem and not is_bound:
            return Finding(row, "differs", f"the date of the record proves nothing: {outcome.dated.problem}")
    if citation["length"] is not None and outcome.length is not None:
        compared["length"] = (citation["length"], outcome.length)
    for name, (claimed, there) in compared.items():
        if claimed != there:
            return Finding(row, "differs", f"{name}: the row says {claimed}, the record {there}")
    if citation["role"] != TEXT:
        same = compare_bound(citation, bounds, outcome.dated) if is_bound else _compare_grade(citation, outcome)
        if same is not None:
            return same
    if citation["role"] == PROOF:
        return Finding(row, "agrees")
    return _compare_text(citation, outcome.text, outcome.extractor, tokenizer)


def _compare_grade(citation: Row, outcome: Capture) -> Finding | None:
    """Compare the grade and the evidence; None where they agree, or the row states none."""
    row, stated = citation["row"], citation["grade"]
    if stated is None:  # a set of an older version
        return None
    if citation["evidence"] is None:  # a capture of an older lake: its columns support no more than what is there now
        if stated < outcome.grade:
            return Finding(row, "differs", f"grade: the row says {stated}, the record {outcome.grade}")
        return None
    claims, there = (_comparable(each) for each in (citation["evidence"], claims_text(outcome.dated)))
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


def _comparable(claims: list[str]) -> list[str]:
    """Return the claims without those of names of files, which may be others by now, and of the URL of a row, for
    which the user may have named a column."""
    return [claim for claim in claims if not claim.startswith(("crawl-window ", "row-url "))]


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
    if citation["language"] != language_of(text)[0]:
        return differs(f"language: the text is not in {citation['language']}")
    exported = mask(text)[0] if citation["masked"] else text
    if citation["text_sha256"] is not None and citation["text_sha256"] != content_id(exported):
        return differs("text: the row has another")
    if tokenizer is not None:
        tokens = pa.array(once_opened(tokenizer).encode([exported]), pa.list_(pa.int32()))
        if citation["token_count"] != len(tokens[0]):
            return differs("tokens: there are more or fewer in the text of the record")
        if citation["tokens_sha256"] not in {None, merkle.payloads(pa.table({"tokens": tokens}))[0]}:
            return differs("tokens: the text of the record gives others")
    return Finding(citation["row"], "agrees")


def _compare_row(
    citation: Row, row: Mapping[str, Any], tokenizer: Tokenizer | None, honours: bool, bounds: FileBounds | None
) -> Finding:
    """Compare a row of a data set. Which of its columns holds the text is not recorded: each string may be it."""
    is_bound = citation["date_source"] in KINDS
    if citation["record_type"] != "row" or (citation["date_source"] != "dataset" and not is_bound):
        return Finding(citation["row"], "differs", "this is a row of a data set, whose date is what somebody wrote")
    values = list(_values(row))
    strings = [value for value in values if isinstance(value, str)]
    outcome = Examiner("", extractor_of(citation["extractor"])).examine(row_of(row, Columns(), 0, 0, None))
    by_known_columns = outcome if isinstance(outcome, Capture) else None
    text, extractor = None, citation["extractor"]
    if by_known_columns and content_id(by_known_columns.text or "") == citation["content_id"]:
        text = by_known_columns.text
    else:
        texts = [page.text for each in strings for page in _pages(each, citation["extractor"])]
        text = next((each for each in texts if content_id(each) == citation["content_id"]), None)
    if (finding := _compare_text(citation, text, extractor, tokenizer)).kind != "agrees":
        return finding
    if citation["url"] and citation["url"] not in strings:
        return Finding(citation["row"], "differs", f"url: the row of the data set has no {citation['url']}")
    if honours and by_known_columns and opts_out(by_known_columns.robots):
        return Finding(citation["row"], "differs", f"the row opts out: {by_known_columns.robots}")
    if is_bound:
        return compare_bound(citation, bounds, None) or finding
    return _compare_row_date(citation, row, values) or finding


def _compare_row_date(citation: Row, row: Mapping[str, Any], values: list[str | date]) -> Finding | None:
    """Compare the date of a row with the one that the reader takes; None where they agree.

    The user may have named another column. Since of several dates the latest counts, it may not be an earlier one.
    """

    def differs(why: str) -> Finding:
        return Finding(citation["row"], "differs", why)

    at, state = citation["captured_at"], FileState("", datetime.now(UTC))
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
        return _compare_claims(citation, known)
    if known.captured_at and at < known.captured_at:
        return differs(f"date: the row says {at}, the row of the data set {known.captured_at}")
    for name in column_names(row):
        named = row_date_of(row, Columns(date=name), state)
        if named.captured_at == at:
            return _compare_claims(citation, named)
    return differs(f"date: the row of the data set has no {at}")


def _compare_claims(citation: Row, dated: Dated) -> Finding | None:
    """Compare the evidence of a row; None where it agrees."""
    if dated.problem:
        return Finding(citation["row"], "differs", f"the date of the row proves nothing: {dated.problem}")
    claims, there = (_comparable(each) for each in (citation["evidence"], claims_text(dated)))
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


@lru_cache(maxsize=8)
def _isolated(name: str) -> Isolated:
    return Isolated(name, Limits().seconds)


def extractor_of(stated: str | None) -> Isolated:
    """Return the extractor that made a text, in a process of its own: a hostile page cannot end this one."""
    name = (stated or "").partition("/")[0]
    return _isolated(EXTRACTORS[name if name in EXTRACTORS else "resiliparse"])
