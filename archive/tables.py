"""The tables of a lake and their columns, each with what it means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

_UTC = pa.timestamp("us", tz="UTC")
#: The claims of a capture.
EVIDENCE = pa.list_(pa.struct([("kind", pa.string()), ("at", _UTC), ("agrees", pa.bool_())]))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name, its Arrow type, and what it means."""

    name: str
    type: pa.DataType
    meaning: str


@dataclass(frozen=True)
class Table:
    """A Delta table: its name, its columns, and what it is partitioned by."""

    name: str
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()
    sorted_by: tuple[str, ...] = ()  #: the rows of each file

    @cached_property
    def schema(self) -> pa.Schema:
        """All columns, without their meanings: the Parquet files do not repeat them."""
        return pa.schema([(column.name, column.type) for column in self.columns])

    @property
    def commented_schema(self) -> pa.Schema:
        """The schema that Delta stores once for each table; `comment` is the key that Spark and others show."""
        return pa.schema(
            [pa.field(column.name, column.type, metadata={"comment": column.meaning}) for column in self.columns]
        )

    @cached_property
    def file_schema(self) -> pa.Schema:
        """The columns that the Parquet files hold; a partition column is in their path."""
        return pa.schema([column for column in self.schema if column.name not in self.partition_by])


CAPTURES = Table(
    "captures",
    (
        Column("content_id", pa.string(), "of the text that was seen; null for a revisit or a line of an index"),
        Column("url", pa.string(), "of the page"),
        Column(
            "via", pa.string(), "the replay URL, where fetched from a web archive; of an index line: its `filename`"
        ),
        Column(
            "captured_at",
            _UTC,
            "when the page was seen (UTC): the late end of what the record states; null where it cannot be read",
        ),
        Column("date_source", pa.string(), "archive.reasons.DATE_SOURCES"),
        Column("date_problem", pa.string(), "null, or why the date proves nothing: archive.reasons.DATE_PROBLEMS"),
        Column(
            "record_type",
            pa.string(),
            "response, resource, conversion, revisit; row in a data set; index: a line of an index",
        ),
        Column("file", pa.string(), "the file that holds the record; `a.wacz!/b.warc.gz` is an entry of a WACZ"),
        Column("offset", pa.int64(), "bytes from the start of the file to the record, or to its compressed member"),
        Column("length", pa.int64(), "bytes of the record or member there; null where it was not known"),
        Column("skip", pa.int64(), "decompressed bytes in front of the record, inside the member"),
        Column("record_id", pa.string(), "the WARC-Record-ID, as stated"),
        Column("status", pa.int16(), "HTTP"),
        Column("mime", pa.string(), "as stated"),
        Column("charset", pa.string(), "the decoder that was used: its name in the Encoding Standard, in lower case"),
        Column("title", pa.string(), "of the page"),
        Column("extractor", pa.string(), "name/version that made the text"),
        Column(
            "truncated",
            pa.string(),
            "null, or why the record holds less than was sent: WARC-Truncated, `chunked`, `content-encoding`, "
            "`segment`, `bad-segment`",
        ),
        Column(
            "payload_digest",
            pa.string(),
            "computed, of the body without its chunks; for a revisit or a line of an index, the one it states",
        ),
        Column(
            "transfer_digest",
            pa.string(),
            "of a body in chunks: the digest of it with its chunks, by which other records and indexes may name it",
        ),
        Column("payload_check", pa.string(), "verified, mismatch, absent, unsupported; claimed for a revisit"),
        Column("block_check", pa.string(), "the same for the digest of the whole record block"),
        Column("refers_to_url", pa.string(), "of a revisit"),
        Column("refers_to_date", _UTC, "of a revisit"),
        Column("robots", pa.string(), "what the page said to robots, if anything: `noai, noindex, ccbot:nofollow`"),
        Column(
            "rules",
            pa.string(),
            "robots.txt, tdmrep.json: the record is what a site allows or reserves, and no page; else null",
        ),
        Column(
            "rules_text",
            pa.string(),
            "what that says, its first 500 KiB; null for a revisit, or where the site has none",
        ),
        Column("captured_from", _UTC, "the early end of what the record states; it proves nothing"),
        Column("evidence", EVIDENCE, "every date that the record carries: archive.reasons.CLAIMS; whether it agrees"),
        Column("integrity", pa.string(), "what digests show: block, payload, unstated, contradicted"),
        Column("record_sha256", pa.string(), "hexadecimal, of the record's header and block"),
        Column("operator", pa.string(), "who made the capture: the web archive, or by warcinfo or --operator"),
        Column("crawl", pa.string(), "of the warcinfo (isPartOf), or of the file's name"),
        Column("existed_by", _UTC, "the earliest time by which others knew the bytes; null where nothing was verified"),
        Column("attested_by", pa.string(), "who attests that"),
        Column("grade", pa.string(), "A to E, or X: archive.evidence.grade.GRADES; null in an older lake"),
        Column("charset_stated", pa.string(), "by the Content-Type; null where it states none that is known"),
        Column("charset_own", pa.bool_(), "the page reads the same without that; null in an older lake, for a revisit"),
        Column("unit", pa.string(), "the unit of work that brought it: `sources.unit`"),
        Column("month", pa.string(), "YYYY-MM of captured_at, or `unproven` where there is a date_problem"),
    ),
    ("month",),
    sorted_by=("captured_at",),
)

DOCUMENTS = Table(
    "documents",
    (
        Column("content_id", pa.string(), "sha256(text), hexadecimal"),
        Column("text", pa.string(), "in its normal form"),
        Column("language", pa.string(), "ISO 639-1, or null"),
        Column(
            "language_score",
            pa.float32(),
            "0 to 1; over 0.5 where the text is long and near, or two agree",
        ),
        Column("chars", pa.int32(), "characters of the text"),
        Column("words", pa.int32(), "runs of non-space"),
    ),
)

REJECTS = Table(
    "rejects",
    (
        Column("reason", pa.string(), "archive.reasons.REJECTS"),
        Column("detail", pa.string(), "what exactly was found"),
        Column("url", pa.string(), "of the record"),
        Column("date", pa.string(), "as written"),
        Column("record_type", pa.string(), "as in `captures`"),
        Column("file", pa.string(), "as in `captures`"),
        Column("offset", pa.int64(), "as in `captures`"),
        Column("length", pa.int64(), "as in `captures`"),
        Column("skip", pa.int64(), "as in `captures`"),
        Column("record_id", pa.string(), "the WARC-Record-ID, as stated"),
        Column("unit", pa.string(), "as in `captures`"),
    ),
    sorted_by=("reason",),
)

#: The ledger. A row here is the decision that a unit of work is in the lake; `files` is what the
#: other tables must then hold (archive.intake.commit).
SOURCES = Table(
    "sources",
    (
        Column("unit", pa.string(), "the name of the unit of work: a file, or a span of a large one"),
        Column("file", pa.string(), "the path or address of the file"),
        Column("version", pa.string(), "what tells this state of the file from another"),
        Column("size", pa.int64(), "of the file, in bytes"),
        Column(
            "sha256",
            pa.string(),
            "of the whole file, hexadecimal, in the row of its first span; null where no unit read it all: a file on a "
            "server in several spans, an older lake",
        ),
        Column("start", pa.int64(), "the span of the file that the unit covers: records that start in [start, end)"),
        Column("end", pa.int64(), "where the span ends"),
        Column(
            "taken",
            pa.list_(pa.int64()),
            "the offsets of the records that the unit took of the file (`cc:` with a selection); null where it took "
            "all of the span",
        ),
        Column("next_offset", pa.int64(), "where the first record behind the span starts; null at the end"),
        Column("recovered", pa.bool_(), "the end of the span is behind damage"),
        Column("floor", _UTC, "the date of the damaged record in front, where `recovered`; null if not known"),
        Column("behind_info", pa.bool_(), "the last record of the span is a warcinfo record"),
        Column("infos", pa.string(), "JSON: the warcinfo records up to the end of the span; null in an older lake"),
        Column("limits", pa.string(), "JSON: the limits that it was read with; null in an older lake"),
        Column("operator", pa.string(), "who made the archive, or holds what the index lists, as the user says"),
        Column("format", pa.string(), "warc, arc, wacz, jsonl, parquet, …; index"),
        Column("extractor", pa.string(), "name/version that made the texts"),
        Column("records", pa.int64(), "= captures + sum(rejects) + sum(skipped)"),
        Column("captures", pa.int64(), "rows that the unit added to `captures`"),
        Column("dated", pa.int64(), "of these, the ones whose date may prove something"),
        Column("bounded", pa.int64(), "of the captures, the ones with `existed_by`; null in an older lake"),
        Column("texts", pa.int64(), "different texts among the captures"),
        Column("new_texts", pa.int64(), "of these, the ones that the lake did not hold"),
        Column("rejects", pa.map_(pa.string(), pa.int64()), "records by reject reason"),
        Column("skipped", pa.map_(pa.string(), pa.int64()), "records by kind that never holds a page"),
        Column("bytes", pa.int64(), "read from the file"),
        Column("seconds", pa.float64(), "of one core; waiting for the network does not count"),
        Column("ingested_at", _UTC, "when the unit was committed"),
        Column("files", pa.string(), "JSON: {batch, units, files: {table: [{path, size, partition, stats}, …]}}"),
    ),
)

TABLES = {table.name: table for table in (CAPTURES, DOCUMENTS, REJECTS, SOURCES)}
#: The kind of a unit, and the record type of a capture, that come from an index (`archive witness`). Once a lake has
#: such a unit, the log of its ledger has a transaction of this name.
INDEX = "index"
#: The order in which a unit becomes visible: a text before the captures that cite it.
DATA_TABLES = (DOCUMENTS, REJECTS, CAPTURES)

#: What others attest of files and roots. A file is known by its SHA-256, wherever it is.
ATTESTATIONS = Table(
    "attestations",
    (
        Column("subject_sha256", pa.string(), "of the file, or the root of a seal, in hexadecimal"),
        Column("kind", pa.string(), "rfc3161, opentimestamps; published: `archive ingest --published`"),
        Column("at", _UTC, "by when the subject existed; null where a time stamp is not verified"),
        Column("by", pa.string(), "who attests it: the authority, the Bitcoin block, or where it was published"),
        Column("token", pa.binary(), "the time stamp itself; null where it was published"),
        Column(
            "verified",
            pa.bool_(),
            "whether the time stamp was verified, or the file has the published checksum, when it was added",
        ),
    ),
)

#: Files that prove nothing any more, whatever their captures say.
RETRACTIONS = Table(
    "retractions",
    (
        Column("source", pa.string(), "the file, as in `sources.file`"),
        Column("reason", pa.string(), "as given"),
        Column("at", _UTC, "when it was retracted"),
    ),
)

#: Made when they are first needed.
EVIDENCE_TABLES = {table.name: table for table in (ATTESTATIONS, RETRACTIONS)}
