"""Compare a citation with the record: what agrees, and what differs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa

from archive import dates
from archive.capture import Capture, Limits, Reject, Skipped
from archive.examine import Examiner
from archive.intake.extraction import Isolated
from archive.reasons import Unusable
from archive.records.rows import Columns, row_of
from archive.text import EXTRACTORS, Page, content_id, language_of
from archive.text.extract import from_plain
from query import merkle
from query.mask import mask
from query.tokenizer import Tokenizer, once_opened
from query.verify.citation import PROOF, TEXT
from query.verify.result import Finding

Row = dict[str, Any]
#: What is at the cited offset: what `archive ingest` makes of the record, or a row of a data set.
Outcome = Capture | Reject | Skipped | Row


def compare(citation: Row, outcome: Outcome, tokenizer: Tokenizer | None) -> Finding:
    """Compare a citation with what is there."""
    try:
        return _compare(citation, outcome, tokenizer)
    except Exception as error:  # a forged row may hold anything
        return Finding(citation["row"], "differs", f"cannot be compared: {error!r}")


def _compare(citation: Row, outcome: Outcome, tokenizer: Tokenizer | None) -> Finding:
    row = citation["row"]
    if isinstance(outcome, Reject):
        return Finding(row, "differs", f"the record gives no text: {outcome.reason} {outcome.detail}".strip())
    if isinstance(outcome, Skipped):
        return Finding(row, "differs", f"the record is of a kind that holds no page: {outcome.kind}")
    if isinstance(outcome, dict):
        return _compare_row(citation, outcome, tokenizer)
    compared: dict[str, tuple[Any, Any]] = {"digest": (citation["payload_digest"], outcome.payload_digest)}
    if citation["role"] != TEXT:
        compared |= {
            "url": (citation["url"], outcome.url),
            "date": (citation["captured_at"], outcome.dated.captured_at),
            "kind of date": (citation["date_source"], outcome.dated.source),
            "record type": (citation["record_type"], outcome.record_type),
            "record id": (citation["record_id"], outcome.record_id),
            "title": (citation["title"], outcome.title),
        }
        if citation["robots"] is not None:  # null too in what was ingested before there was such a column
            compared["robots"] = (citation["robots"], outcome.robots)
        if outcome.dated.problem:
            return Finding(row, "differs", f"the date of the record proves nothing: {outcome.dated.problem}")
    if citation["length"] is not None and outcome.length is not None:
        compared["length"] = (citation["length"], outcome.length)
    for name, (claimed, there) in compared.items():
        if claimed != there:
            return Finding(row, "differs", f"{name}: the row says {claimed}, the record {there}")
    if citation["role"] == PROOF:
        return Finding(row, "agrees")
    return _compare_text(citation, outcome.text, outcome.extractor, tokenizer)


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


def _compare_row(citation: Row, row: Row, tokenizer: Tokenizer | None) -> Finding:
    """Compare a row of a data set. Which of its columns were used is not recorded: each string may be the text."""
    if (citation["record_type"], citation["date_source"]) != ("row", "dataset"):
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
    moments = {dates.parse(value if isinstance(value, str) else value.isoformat())[0] for value in values}
    if citation["captured_at"] not in moments:
        return Finding(citation["row"], "differs", f"date: the row of the data set has no {citation['captured_at']}")
    dated = by_known_columns.dated if by_known_columns else None
    if dated and dated.captured_at == citation["captured_at"] and dated.problem:
        return Finding(citation["row"], "differs", f"the date of the row proves nothing: {dated.problem}")
    return finding


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
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _values(item)


@lru_cache(maxsize=8)
def _isolated(name: str) -> Isolated:
    return Isolated(name, Limits().seconds)


def extractor_of(stated: str | None) -> Isolated:
    """Return the extractor that made a text, in a process of its own: a hostile page cannot end this one."""
    name = (stated or "").partition("/")[0]
    return _isolated(EXTRACTORS[name if name in EXTRACTORS else "resiliparse"])
