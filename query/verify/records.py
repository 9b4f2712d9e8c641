"""The second half: back to the records that the rows cite."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from archive import dates
from archive.capture import Capture, Examiner, Limits, Reject, Skipped, Unusable
from archive.errors import SourceError
from archive.guard import Isolated
from archive.records import RecordReader, Span
from archive.records.datasets import Columns, python_rows, read_lines, row_of
from archive.records.kind import kind_of
from archive.records.members import compression_of
from archive.records.wacz import entries
from archive.storage import is_http, is_s3, open_bytes
from archive.text import Page, content_id, language_of
from archive.text.extract import EXTRACTORS, from_plain
from archive.work import examine_row
from query import merkle
from query.mask import mask
from query.tokenizer import once_opened
from query.verify.citation import PROOF, TEXT

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer

#: A line of a data set that is longer is no row.
_LINE = 1 << 28

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a citation.

    `kind`: `agrees`; `gone`, where the file or the record cannot be read; `differs`, with what; `unchecked`, where
    the text was made by an extractor that is not installed in that version, and comes out otherwise.
    """

    row: int
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """Citations of one file, by their range in a Parquet file that is sorted by file and place."""

    citations: str
    file: str
    start: int
    end: int
    moved: tuple[tuple[str, str], ...]  #: prefixes of files, and what stands there now
    tokenizer: Tokenizer | None


def work(unit: Unit, careful: bool, progress: Callable[[int, int], None]) -> list[Finding]:
    """Compare each citation with the record."""
    cited: list[Row] = (
        pads.dataset(unit.citations)
        .to_table(filter=(pads.field("place") >= unit.start) & (pads.field("place") < unit.end))
        .to_pylist()
    )
    file = unit.file
    for old, new in unit.moved:
        if file.startswith(old):
            file = new + file[len(old) :]
            break
    found: dict[int, Finding] = {}
    why = "there is no record"
    try:
        for citation, outcome in _outcomes(file, cited):
            found[citation["place"]] = _judged(citation, outcome, unit)
            progress(1, 0)
    except Exception as error:  # whatever stands in files that anybody may have written
        why = str(error).splitlines()[0] if str(error) else repr(error)
    for each in cited:
        gone = Finding(each["row"], "gone", f"{file} at {each['offset']}+{each['skip']}: {why}")
        found.setdefault(each["place"], gone)
    return list(found.values())


Outcome = Capture | Reject | Skipped | Row


def _outcomes(location: str, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    """Each citation with what stands there, in the order given: sorted by offset and skip. Some may find nothing."""
    outer, _, inner = location.partition("!/")
    if not is_http(outer) and not is_s3(outer) and not os.path.isfile(outer):
        raise SourceError("there is no such file")
    with open_bytes(outer) as file:
        if not inner:
            yield from _in_file(location, file, cited)
            return
        for entry in entries(file):
            if entry.name == inner and entry.file is not None:
                yield from _in_records(location, entry.file, cited)
                return
        raise SourceError("the package has no such entry")


def _in_file(location: str, file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    kind = kind_of(file, location)
    if kind == "jsonl":
        yield from _in_lines(file, cited)
    elif kind == "parquet":
        yield from _in_parquet(file, cited)
    else:
        yield from _in_records(location, file, cited)


Places = dict[tuple[int, int], list[Row]]


def _places(cited: list[Row]) -> Places:
    """Citations by where they point; several rows may cite one record."""
    places: Places = {}
    for citation in cited:
        places.setdefault((citation["offset"], citation["skip"]), []).append(citation)
    return places


def _in_records(location: str, file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    file.seek(0)
    if compression_of(file.read(8)) is None:
        # A page may hold what reads like a record. Where nothing but the record's length says where the next one
        # begins, only a walk from the start can tell.
        yield from _walk(location, file, Span(), _places(cited))
        return
    for offset, group in groupby(cited, key=lambda citation: citation["offset"]):
        yield from _walk(location, file, Span(offset, offset + 1), _places(list(group)))


def _walk(location: str, file: BinaryIO, span: Span, places: Places) -> Iterator[tuple[Row, Outcome]]:
    """Examine the cited records of a span as `archive ingest` did."""
    examiner = Examiner(location, _extractor(None), Limits())
    if span.start and (head := RecordReader(file, Span(), 1 << 20).first()) is not None:
        examiner.introduce(head)
    informed = not span.start
    for record in RecordReader(file, span, Limits().record):
        examiner.introduce(record)
        here = places.pop((record.offset, record.skip), [])
        if here and not informed and examiner.is_of_another_crawl(record):
            for info in RecordReader(file, Span(0, span.start), Limits().record):  # of joined files each has its own
                examiner.introduce(info)
            informed = True
        for citation in here:
            examiner.extract = _extractor(citation["extractor"])
            yield citation, examiner.examine(record)
        if not places:
            return


def _in_lines(file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    for offset, group in groupby(cited, key=lambda citation: citation["offset"]):
        places = _places(list(group))
        for line in read_lines(file, _LINE, offset):
            if line.offset != offset:
                break
            here = places.pop((line.offset, line.skip), [])
            value = json.loads(line.data.decode("utf-8-sig")) if here else None
            yield from ((citation, value) for citation in here if isinstance(value, dict))
            if not places:
                break


def _in_parquet(file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    parquet = pq.ParquetFile(file)
    first, group = 0, 0
    table: pa.Table | None = None
    for (number, _), here in _places(cited).items():
        while group < parquet.num_row_groups and number >= first + parquet.metadata.row_group(group).num_rows:
            first, table = first + parquet.metadata.row_group(group).num_rows, None
            group += 1
        if group == parquet.num_row_groups:
            return
        table = parquet.read_row_group(group) if table is None else table
        (row,) = python_rows(table.slice(number - first, 1).combine_chunks().to_batches()[0])
        yield from ((citation, row) for citation in here if isinstance(row, dict))


# -- comparing -------------------------------------------------------------------------------------


def _judged(citation: Row, outcome: Outcome, unit: Unit) -> Finding:
    row = citation["row"]
    try:
        return _compare(citation, outcome, unit)
    except Exception as error:  # a row that was forged may hold anything
        return Finding(row, "differs", f"cannot be compared: {error!r}")


def _compare(citation: Row, outcome: Outcome, unit: Unit) -> Finding:
    row = citation["row"]
    if isinstance(outcome, Reject):
        return Finding(row, "differs", f"the record gives no text: {outcome.reason} {outcome.detail}".strip())
    if isinstance(outcome, Skipped):
        return Finding(row, "differs", f"the record is of a kind that holds no page: {outcome.kind}")
    if isinstance(outcome, dict):
        return _compare_row(citation, outcome, unit)
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
    return _compare_text(citation, outcome.text, outcome.extractor, unit)


def _compare_text(citation: Row, text: str | None, extractor: str | None, unit: Unit) -> Finding:
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
    if unit.tokenizer is not None:
        tokens = pa.array(once_opened(unit.tokenizer).encode([exported]), pa.list_(pa.int32()))
        if citation["token_count"] != len(tokens[0]):
            return differs("tokens: there are more or fewer in the text of the record")
        if citation["tokens_sha256"] not in {None, merkle.payloads(pa.table({"tokens": tokens}))[0]}:
            return differs("tokens: the text of the record gives others")
    return Finding(citation["row"], "agrees")


def _compare_row(citation: Row, row: Row, unit: Unit) -> Finding:
    """A row of a data set. Which of its columns were taken is not known any more: each string may be the text."""
    if (citation["record_type"], citation["date_source"]) != ("row", "dataset"):
        return Finding(citation["row"], "differs", "this is a row of a data set, whose date is what somebody wrote")
    values = list(_values(row))
    strings = [value for value in values if isinstance(value, str)]
    outcome = examine_row(row_of(row, Columns(), 0, 0, None), Examiner("", _extractor(citation["extractor"])))
    by_known_columns = outcome if isinstance(outcome, Capture) else None
    text, extractor = None, citation["extractor"]
    if by_known_columns and content_id(by_known_columns.text or "") == citation["content_id"]:
        text = by_known_columns.text
    else:
        texts = [page.text for each in strings for page in _pages(each, citation["extractor"])]
        text = next((each for each in texts if content_id(each) == citation["content_id"]), None)
    if (finding := _compare_text(citation, text, extractor, unit)).kind != "agrees":
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
    """A string as a text, and, where the text was taken from HTML, as a page."""
    yield from_plain(value)
    if extractor.partition("/")[0] in EXTRACTORS and "<" in value:
        with contextlib.suppress(Unusable):
            yield _extractor(extractor)(value)


def _values(value: Any) -> Iterator[str | date]:
    """Every string and date in a row, however deep; times in UTC."""
    if isinstance(value, datetime):
        yield value.replace(tzinfo=UTC) if value.tzinfo is None else value
    elif isinstance(value, str | date):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _values(item)


@lru_cache(maxsize=len(EXTRACTORS))
def _isolated(name: str) -> Isolated:
    return Isolated(name, Limits().seconds)


def _extractor(stated: str | None) -> Isolated:
    """The extractor that made a text, in a process of its own, which a hostile page cannot make ours end."""
    name = (stated or "").partition("/")[0]
    return _isolated(name if name in EXTRACTORS else EXTRACTORS[0])
