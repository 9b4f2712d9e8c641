"""The second half: back to the records that the rows cite."""

from __future__ import annotations

import hashlib
import json
import zipfile
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
from archive.capture import Capture, Examiner, Limits, Reject, Skipped
from archive.errors import SourceError
from archive.guard import Isolated
from archive.records import RecordReader, Span
from archive.records.datasets import Columns, python_rows, read_lines, row_of
from archive.records.kind import kind_of
from archive.records.wacz import entries
from archive.storage import open_bytes
from archive.text import content_id, language_of
from archive.text.extract import EXTRACTORS, from_plain
from archive.work import examine_row
from query import merkle
from query.mask import mask
from query.tokenizer import once_opened

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
    found: list[Finding] = []
    looked_at: set[int] = set()
    try:
        for citation, outcome in _outcomes(file, cited):
            found.append(_compare(citation, outcome, unit))
            looked_at.add(citation["place"])
            progress(1, 0)
    except (SourceError, OSError, pa.ArrowException, zipfile.BadZipFile) as error:
        why = str(error).splitlines()[0]
        found += [Finding(each["row"], "gone", why) for each in cited if each["place"] not in looked_at]
    return found


Outcome = Capture | Reject | Skipped | Row | None


def _outcomes(location: str, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    """Each citation with what stands there, in the order given: sorted by offset and skip."""
    outer, _, inner = location.partition("!/")
    with open_bytes(outer) as file:
        if not inner:
            yield from _in_file(location, file, cited)
            return
        for entry in entries(file):
            if entry.name == inner and entry.file is not None:
                yield from _in_records(location, entry.file, cited)
                return
        raise SourceError(f"{location}: the package has no such entry")


def _in_file(location: str, file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    kind = kind_of(file, location)
    if kind == "jsonl":
        yield from _in_lines(file, cited)
    elif kind == "parquet":
        yield from _in_parquet(file, cited)
    else:
        yield from _in_records(location, file, cited)


def _in_records(location: str, file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    for offset, group in groupby(cited, key=lambda citation: citation["offset"]):
        same = list(group)
        by_skip: dict[int, list[Row]] = {}
        for citation in same:
            by_skip.setdefault(citation["skip"] or 0, []).append(citation)
        examiner = Examiner(location, _extractor(same[0]["extractor"]), Limits())
        if offset and (head := RecordReader(file, Span(), 1 << 20).first()) is not None:
            examiner.introduce(head)
        for record in RecordReader(file, Span(offset), Limits().record):
            if record.offset != offset or not by_skip:
                break
            for citation in by_skip.pop(record.skip, []):
                examiner.extract = _extractor(citation["extractor"])
                yield citation, examiner.examine(record)
            if not by_skip:
                break
        for missing in by_skip.values():
            yield from ((citation, None) for citation in missing)


def _in_lines(file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    for offset, group in groupby(cited, key=lambda citation: citation["offset"]):
        left = {citation["skip"] or 0: citation for citation in group}
        for line in read_lines(file, _LINE, offset):
            if line.offset != offset and line.offset + line.skip != offset:
                break
            if (citation := left.pop(line.skip, None)) is not None:
                try:
                    value = json.loads(line.data.decode("utf-8-sig"))
                except ValueError:
                    value = None
                yield citation, value if isinstance(value, dict) else None
            if not left:
                break
        yield from ((citation, None) for citation in left.values())


def _in_parquet(file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    parquet = pq.ParquetFile(file)
    first, group = 0, 0
    table: pa.Table | None = None
    for citation in cited:
        number = citation["offset"]
        while group < parquet.num_row_groups and number >= first + parquet.metadata.row_group(group).num_rows:
            first, table = first + parquet.metadata.row_group(group).num_rows, None
            group += 1
        if group == parquet.num_row_groups:
            yield citation, None
            continue
        if table is None:
            table = parquet.read_row_group(group)
        (row,) = python_rows(table.slice(number - first, 1).combine_chunks().to_batches()[0])
        yield citation, row if isinstance(row, dict) else None


# -- comparing -------------------------------------------------------------------------------------


def _compare(citation: Row, outcome: Outcome, unit: Unit) -> Finding:
    row = citation["row"]
    if outcome is None:
        return Finding(row, "gone", f"{citation['file']} has no record at {citation['offset']}+{citation['skip']}")
    if isinstance(outcome, Reject):
        return Finding(row, "differs", f"the record gives no text: {outcome.reason} {outcome.detail}".strip())
    if isinstance(outcome, Skipped):
        return Finding(row, "differs", f"the record is of a kind that holds no page: {outcome.kind}")
    if isinstance(outcome, dict):
        return _compare_row(citation, outcome, unit)
    stated = {
        "url": (citation["url"], outcome.url),
        "date": (citation["captured_at"], outcome.dated.captured_at),
        "digest": (citation["payload_digest"], outcome.payload_digest),
        "record type": (citation["record_type"], outcome.record_type),
        "record id": (citation["record_id"], outcome.record_id),
        "title": (citation["title"], outcome.title),
        "robots": (citation["robots"], outcome.robots),
    }
    for name, (claimed, there) in stated.items():
        if claimed is not None and claimed != there:
            return Finding(row, "differs", f"{name}: the row says {claimed}, the record {there}")
    if citation["record_type"] is not None and outcome.dated.problem:
        return Finding(row, "differs", f"the date of the record proves nothing: {outcome.dated.problem}")
    return _compare_text(citation, outcome.text, outcome.extractor, unit)


def _compare_text(citation: Row, text: str | None, extractor: str | None, unit: Unit) -> Finding:
    if citation["content_id"] is None:
        return Finding(citation["row"], "agrees")
    if content_id(text or "") != citation["content_id"]:
        if extractor != citation["extractor"]:
            made_by = f"made by {citation['extractor']}, and {extractor} makes another"
            return Finding(citation["row"], "unchecked", f"the text was {made_by}")
        return Finding(citation["row"], "differs", "text: the record gives another")
    if citation["language"] and citation["language"] != language_of(text or "")[0]:
        return Finding(citation["row"], "differs", f"language: the text is not in {citation['language']}")
    if citation["text_sha256"] and citation["text_sha256"] != _sha256(mask(text or "")[0].encode()):
        return Finding(citation["row"], "differs", "text: that of the record gives another when it is masked")
    if citation["tokens_sha256"] and unit.tokenizer and citation["tokens_sha256"] != _tokens(text or "", unit):
        return Finding(citation["row"], "differs", "tokens: the text of the record gives others")
    return Finding(citation["row"], "agrees")


def _compare_row(citation: Row, row: Row, unit: Unit) -> Finding:
    """A row of a data set. Which of its columns were taken is not known any more: each string may be the text."""
    values = list(_values(row))
    strings = [value for value in values if isinstance(value, str)]
    text = next((text for each in strings if content_id(text := from_plain(each).text) == citation["content_id"]), None)
    if text is None:  # of HTML, by the columns that are known
        outcome = examine_row(row_of(row, Columns(), 0, 0, None), Examiner("", _extractor(citation["extractor"])))
        if not isinstance(outcome, Capture):
            return Finding(citation["row"], "differs", "text: no column of the row gives it")
        if (finding := _compare_text(citation, outcome.text, outcome.extractor, unit)).kind != "agrees":
            return finding
        text = outcome.text
    if citation["url"] and citation["url"] not in strings:
        return Finding(citation["row"], "differs", f"url: the row of the data set has no {citation['url']}")
    moments = {dates.parse(value if isinstance(value, str) else value.isoformat())[0] for value in values}
    if citation["captured_at"] not in moments:
        return Finding(citation["row"], "differs", f"date: the row of the data set has no {citation['captured_at']}")
    return _compare_text(citation, text, citation["extractor"], unit)


def _values(value: Any) -> Iterator[str | date]:
    """Every string and date in a row, however deep; times in UTC."""
    if isinstance(value, datetime):
        yield value.replace(tzinfo=UTC) if value.tzinfo is None else value
    elif isinstance(value, str | date):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _values(item)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _tokens(text: str, unit: Unit) -> str:
    """The SHA-256 of the tokens of a text."""
    assert unit.tokenizer is not None
    ids = pa.array(once_opened(unit.tokenizer).encode([text]), pa.list_(pa.int32()))
    return merkle.payloads(pa.table({"tokens": ids}))[0]


@lru_cache(maxsize=len(EXTRACTORS))
def _isolated(name: str) -> Isolated:
    return Isolated(name, Limits().seconds)


def _extractor(stated: str | None) -> Isolated:
    """The extractor that made a text, in a process of its own, which a hostile page cannot make ours end."""
    name = (stated or "").partition("/")[0]
    return _isolated(name if name in EXTRACTORS else EXTRACTORS[0])
