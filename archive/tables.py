"""The tables of a lake and their columns, each with what it means."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

_UTC = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Table:
    """A Delta table: its name, its columns, and what it is partitioned by."""

    name: str
    schema: pa.Schema
    partition_by: tuple[str, ...] = ()

    @property
    def file_schema(self) -> pa.Schema:
        """The columns that stand in the Parquet files; a partition column stands in their path."""
        return pa.schema([column for column in self.schema if column.name not in self.partition_by])


CAPTURES = Table(
    "captures",
    pa.schema(
        [
            ("content_id", pa.string()),  # of the text that was seen; null for a revisit, see `payload_digest`
            ("url", pa.string()),  # of the page
            ("via", pa.string()),  # the replay URL, where the page was fetched from a web archive
            ("captured_at", _UTC),
            ("date_source", pa.string()),  # archive.reasons.DATE_SOURCES
            ("date_problem", pa.string()),  # null, or why the date proves nothing: archive.reasons.DATE_PROBLEMS
            ("record_type", pa.string()),  # response, resource, conversion, revisit; row in a data set
            ("file", pa.string()),  # where the record lies; `a.wacz!/b.warc.gz` is an entry of a WACZ
            ("offset", pa.int64()),  # bytes from the start of the file to the record, or to its compressed member
            ("length", pa.int64()),  # bytes of the record or member there; null where it was not known
            ("skip", pa.int64()),  # decompressed bytes in front of the record, inside the member
            ("record_id", pa.string()),
            ("status", pa.int16()),  # HTTP
            ("mime", pa.string()),  # as stated
            ("charset", pa.string()),  # as used
            ("title", pa.string()),
            ("extractor", pa.string()),  # name/version that made the text
            ("truncated", pa.string()),  # null, or why the record holds less than was sent
            ("payload_digest", pa.string()),  # computed; for a revisit, the one it states
            ("payload_check", pa.string()),  # verified, mismatch, absent, unsupported; claimed for a revisit
            ("block_check", pa.string()),
            ("refers_to_url", pa.string()),  # of a revisit
            ("refers_to_date", _UTC),
            ("robots", pa.string()),  # what the page said to robots, if anything: `noai, noindex, ccbot:nofollow`
            ("unit", pa.string()),  # the unit of work that brought it: `sources.unit`
            ("month", pa.string()),  # YYYY-MM of captured_at, or `unproven` where there is a date_problem
        ]
    ),
    ("month",),
)

DOCUMENTS = Table(
    "documents",
    pa.schema(
        [
            ("content_id", pa.string()),  # sha256(text), hexadecimal
            ("text", pa.string()),
            ("language", pa.string()),  # ISO 639-1, or null
            ("language_score", pa.float32()),  # 0 (a guess) to 1
            ("chars", pa.int32()),
            ("words", pa.int32()),  # runs of non-space
        ]
    ),
)

REJECTS = Table(
    "rejects",
    pa.schema(
        [
            ("reason", pa.string()),  # archive.reasons.REJECTS
            ("detail", pa.string()),
            ("url", pa.string()),
            ("date", pa.string()),  # as written
            ("record_type", pa.string()),
            ("file", pa.string()),
            ("offset", pa.int64()),
            ("length", pa.int64()),
            ("skip", pa.int64()),
            ("record_id", pa.string()),
            ("unit", pa.string()),
        ]
    ),
)

#: The ledger. A row here is the decision that a unit of work is in the lake; `files` is what the
#: other tables must then hold (archive.intake.commit).
SOURCES = Table(
    "sources",
    pa.schema(
        [
            ("unit", pa.string()),
            ("file", pa.string()),
            ("version", pa.string()),  # what tells this state of the file from another
            ("size", pa.int64()),
            ("start", pa.int64()),  # the span of the file that the unit covers: records that start in [start, end)
            ("end", pa.int64()),
            ("next_offset", pa.int64()),  # where the first record behind the span starts; null at the end
            ("recovered", pa.bool_()),  # the end of the span lies behind damage
            ("floor", _UTC),  # the earliest believed date in front of damage, in this span or before it
            ("format", pa.string()),
            ("extractor", pa.string()),
            ("records", pa.int64()),  # = captures + sum(rejects) + sum(skipped)
            ("captures", pa.int64()),
            ("dated", pa.int64()),  # of these, the ones whose date may prove something
            ("texts", pa.int64()),  # different texts among the captures
            ("new_texts", pa.int64()),  # of these, the ones that the lake did not hold
            ("rejects", pa.map_(pa.string(), pa.int64())),
            ("skipped", pa.map_(pa.string(), pa.int64())),
            ("bytes", pa.int64()),  # read from the file
            ("seconds", pa.float64()),  # of work
            ("ingested_at", _UTC),
            ("files", pa.string()),  # JSON: {batch, units, files: {table: [{path, size, partition, stats}, …]}}
        ]
    ),
)

TABLES = {table.name: table for table in (CAPTURES, DOCUMENTS, REJECTS, SOURCES)}
#: The order in which a unit becomes visible: a text before the captures that cite it.
DATA_TABLES = (DOCUMENTS, REJECTS, CAPTURES)
