"""Read the records that rows cite, and compare them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from archive.capture import Examiner, Limits
from archive.engine import Context
from archive.errors import SourceError
from archive.records import RecordReader, Span
from archive.records.detect import kind_of
from archive.records.jsonl import read_lines
from archive.records.members import compression_of
from archive.records.parquet import python_rows
from archive.records.wacz import entries
from archive.storage import is_http, is_s3, open_bytes
from query.tokenizer import Tokenizer
from query.verify.compare import Outcome, Row, compare, extractor_of
from query.verify.result import Finding

#: Bytes. A longer line of a data set is not a row.
_LINE = 1 << 28


@dataclass(frozen=True, slots=True)
class Unit:
    """Citations of one file, by their range in a Parquet file that is sorted by file and offset."""

    citations: str
    file: str
    start: int
    end: int
    moved: tuple[tuple[str, str], ...]  #: prefixes of files, and what they begin with now
    tokenizer: Tokenizer | None


def work(unit: Unit, ctx: Context) -> list[Finding]:
    """Compare each citation with the record. Needs a scratch folder that all workers see."""
    cited: list[Row] = (
        pads.dataset(unit.citations)
        .to_table(filter=(pads.field("position") >= unit.start) & (pads.field("position") < unit.end))
        .to_pylist()
    )
    file = unit.file
    for old, new in unit.moved:
        if file.startswith(old):
            file = new + file[len(old) :]
            break
    findings: dict[int, Finding] = {}
    why = "there is no record"
    try:
        for citation, outcome in _outcomes(file, cited):
            findings[citation["position"]] = compare(citation, outcome, unit.tokenizer)
            ctx.progress(1, 0)
    except Exception as error:  # whatever is in files that anybody may have written
        why = str(error).splitlines()[0] if str(error) else repr(error)
    for each in cited:
        gone = Finding(each["row"], "gone", f"{file} at {each['offset']}+{each['skip']}: {why}")
        findings.setdefault(each["position"], gone)
    return list(findings.values())


def _outcomes(location: str, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    """Yield each citation with what is there, in the order given: sorted by offset and skip. Some may find nothing."""
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


#: Citations by the offset and skip of their record; several rows may cite one.
ByPosition = dict[tuple[int, int], list[Row]]


def _by_position(cited: list[Row]) -> ByPosition:
    positions: ByPosition = {}
    for citation in cited:
        positions.setdefault((citation["offset"], citation["skip"]), []).append(citation)
    return positions


def _in_records(location: str, file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    file.seek(0)
    if compression_of(file.read(8)) is None:
        # A page may hold what reads like a record. In a file that is not compressed, only a walk from the start tells
        # where a record begins.
        yield from _walk(location, file, Span(), _by_position(cited))
        return
    for offset, group in groupby(cited, key=lambda citation: citation["offset"]):
        yield from _walk(location, file, Span(offset, offset + 1), _by_position(list(group)))


def _walk(location: str, file: BinaryIO, span: Span, positions: ByPosition) -> Iterator[tuple[Row, Outcome]]:
    """Examine the cited records of a span as `archive ingest` did."""
    examiner = Examiner(location, extractor_of(None), Limits())
    if span.start and (head := RecordReader(file, Span(), 1 << 20).first()) is not None:
        examiner.introduce(head)
    informed = not span.start
    for record in RecordReader(file, span, Limits().record):
        examiner.introduce(record)
        here = positions.pop((record.offset, record.skip), [])
        if here and not informed and examiner.is_of_another_crawl(record):
            for info in RecordReader(file, Span(0, span.start), Limits().record):  # of joined files each has its own
                examiner.introduce(info)
            informed = True
        for citation in here:
            examiner.extract = extractor_of(citation["extractor"])
            yield citation, examiner.examine(record)
        if not positions:
            return


def _in_lines(file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    for offset, group in groupby(cited, key=lambda citation: citation["offset"]):
        positions = _by_position(list(group))
        for line in read_lines(file, _LINE, offset):
            if line.offset != offset:
                break
            here = positions.pop((line.offset, line.skip), [])
            value = json.loads(line.data.decode("utf-8-sig")) if here else None
            yield from ((citation, value) for citation in here if isinstance(value, dict))
            if not positions:
                break


def _in_parquet(file: BinaryIO, cited: list[Row]) -> Iterator[tuple[Row, Outcome]]:
    parquet = pq.ParquetFile(file)
    first, group = 0, 0
    table: pa.Table | None = None
    for (number, _), here in _by_position(cited).items():
        while group < parquet.num_row_groups and number >= first + parquet.metadata.row_group(group).num_rows:
            first, table = first + parquet.metadata.row_group(group).num_rows, None
            group += 1
        if group == parquet.num_row_groups:
            return
        table = parquet.read_row_group(group) if table is None else table
        (row,) = python_rows(table.slice(number - first, 1).combine_chunks().to_batches()[0])
        yield from ((citation, row) for citation in here if isinstance(row, dict))
