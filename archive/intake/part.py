"""The result of a task: immutable Parquet files that no table names yet, and the counts of their records."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive.capture import Capture, Reject
from archive.evidence.claims import kinds
from archive.evidence.file_state import Info
from archive.files import parquet_options, write_parquet
from archive.intake.unit import SpanEnd
from archive.lake import Lake, NewFile, statistics
from archive.sources.base import Spent
from archive.tables import CAPTURES, DOCUMENTS, REJECTS, Table
from archive.text import content_id, language_of

#: Characters of text in one row group of `documents`; what a writer holds before it writes.
_GROUP_CHARS = 16 << 20
#: Rows of captures or rejects that are held before they are written.
_ROWS = 50_000
#: Different texts remembered to keep a part free of duplicates; beyond it, the commit drops them.
_REMEMBERED = 2_000_000


@dataclass(slots=True)
class Tally:
    """The counts of one unit. `records` = `captures` + all `rejects` + all `skipped`."""

    unit: str
    records: int = 0
    captures: int = 0
    bounded: int = 0  #: captures with `existed_by`
    site_rules: int = 0  #: captures that are what a site allows or reserves
    revisited: Counter[str] = field(default_factory=Counter)  #: name of a file that revisits refer to -> revisits
    texts: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    grades: Counter[str] = field(default_factory=Counter)  #: captures by grade
    months: Counter[str] = field(default_factory=Counter)  #: captures by partition
    problems: Counter[str] = field(default_factory=Counter)  #: date problem -> captures
    columns: str = ""  #: names of the columns, where a row of a data set had no text or no date
    unparsable: str = ""  #: the first date that could not be read, as written
    hint: str = ""  #: advice about a file of an unknown format
    bytes: int = 0
    spent: Spent = Spent()  #: on a server that is asked at a certain rate
    seconds: float = 0.0
    peak: int = 0  #: bytes of memory that the worker had used at most when the unit was done
    format: str = ""
    size: int | None = None  #: of the whole file, in bytes
    sha256: str | None = None  #: of the whole file
    first_offset: int | None = None  #: of the first record that the worker found
    infos: tuple[Info, ...] = ()  #: the warcinfo records in front of the span, as far as the worker knew
    reached: SpanEnd = SpanEnd()


@dataclass(slots=True)
class Part:
    """The files that came of a batch, and a tally for each of its units."""

    batch: str
    tallies: list[Tally]
    files: list[NewFile]


class PartWriter:
    """Writes the outcomes of a batch as Parquet files. It holds a bounded number of rows in memory."""

    def __init__(self, lake: Lake, batch: str) -> None:
        self._lake = lake
        self._batch = batch
        self._files: list[NewFile] = []
        self._captures: list[tuple[Any, ...]] = []
        self._rejects: list[tuple[Any, ...]] = []
        self._documents: list[tuple[Any, ...]] = []
        self._chars = self._rules_chars = 0
        self._known: set[bytes] = set()
        self._sink: Any = None
        self._document_writer: pq.ParquetWriter | None = None
        self._document_rows = 0

    def add_capture(self, unit: str, file: str, capture: Capture) -> bool:
        """Add a capture, and its text where the part does not have it yet. Return whether the text was added."""
        new, key = False, None
        if capture.text is not None:
            key = content_id(capture.text)
            digest = bytes.fromhex(key)
            if digest not in self._known:
                new = True
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known.add(digest)
                self._add_document(key, capture.text)
        dated = capture.dated
        self._captures.append(
            (
                key,
                capture.url,
                capture.via,
                dated.captured_at,
                dated.source,
                dated.problem,
                capture.record_type,
                file,
                capture.offset,
                capture.length,
                capture.skip,
                capture.record_id,
                capture.status,
                capture.mime,
                capture.charset,
                capture.title,
                capture.extractor,
                capture.truncated,
                capture.payload_digest,
                capture.transfer_digest,
                capture.payload_check,
                capture.block_check,
                capture.refers_to_url,
                capture.refers_to_date,
                capture.robots,
                capture.rules,
                capture.rules_text,
                dated.captured_from,
                list(kinds(dated)),
                capture.integrity,
                capture.record_sha256,
                capture.operator,
                capture.crawl,
                capture.existed_by,
                capture.attested_by,
                capture.grade,
                capture.charset_stated,
                capture.charset_own,
                unit,
                dated.month,
            )
        )
        self._rules_chars += len(capture.rules_text or "")
        if len(self._captures) >= _ROWS or self._rules_chars >= _GROUP_CHARS:
            self._write_captures()
        return new

    def add_reject(self, unit: str, file: str, reject: Reject) -> None:
        """Add a record that could not be used."""
        self._rejects.append(
            (
                reject.reason,
                reject.detail,
                reject.url,
                reject.date,
                reject.record_type,
                file,
                reject.offset,
                reject.length,
                reject.skip,
                reject.record_id,
                unit,
            )
        )
        if len(self._rejects) >= _ROWS:
            self._write_rejects()

    def _add_document(self, key: str, text: str) -> None:
        language, score = language_of(text)
        self._documents.append((key, text, language, score, len(text), text.count(" ") + text.count("\n") + 1))
        self._chars += len(text)
        if self._chars >= _GROUP_CHARS:
            self._write_documents()

    def _write_documents(self) -> None:
        """Write a row group. The texts keep the order of their records: neighbours compress well together."""
        if not self._documents:
            return
        if self._document_writer is None:
            self._document_path = f"part-{self._batch[:16]}-{uuid.uuid4().hex[:12]}.parquet"
            self._sink = self._lake.filesystem.open_output_stream(
                f"{self._lake.table_path('documents')}/{self._document_path}"
            )
            self._document_writer = pq.ParquetWriter(self._sink, DOCUMENTS.schema, **parquet_options(DOCUMENTS))
        self._document_writer.write_table(_table(self._documents, DOCUMENTS))
        self._document_rows += len(self._documents)
        self._documents, self._chars = [], 0

    def _write_captures(self) -> None:
        if not self._captures:
            return
        table = _table(self._captures, CAPTURES).sort_by([("month", "ascending"), ("captured_at", "ascending")])
        for month in pc.unique(table.column("month")).to_pylist():
            rows = table.filter(pc.equal(table.column("month"), month)).drop_columns(["month"])
            self._files.append(write_parquet(self._lake, CAPTURES, rows, f"part-{self._batch[:16]}", {"month": month}))
        self._captures, self._rules_chars = [], 0

    def _write_rejects(self) -> None:
        if self._rejects:
            table = _table(self._rejects, REJECTS).sort_by("reason")
            self._files.append(write_parquet(self._lake, REJECTS, table, f"part-{self._batch[:16]}"))
            self._rejects = []

    def finish(self, tallies: list[Tally]) -> Part:
        """Write the rest, and close the files."""
        self._write_documents()
        self._write_captures()
        self._write_rejects()
        if self._document_writer is not None:
            self._document_writer.close()
            size = self._sink.tell()
            self._sink.close()
            stats = statistics(self._document_rows)
            self._files.insert(0, NewFile("documents", self._document_path, size, {}, stats))
        return Part(self._batch, tallies, self._files)


def _table(rows: Iterable[tuple[Any, ...]], table: Table) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = [_array(column, kind.type) for column, kind in zip(columns, table.schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _array(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:  # unpaired surrogates, which JSON can hold and Parquet cannot
        return pa.array([value and value.encode("utf-8", "replace").decode() for value in values], kind)
