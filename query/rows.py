"""The columns of an exported row: the text, and the evidence that it existed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from archive.dates import Dated
from archive.evidence.claims import kinds
from archive.reasons import DATE_SOURCES

#: In the order of the files. The evidence is that of the first acceptable capture.
COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "content_id": (pa.string(), "SHA-256 of the text as the lake holds it, hexadecimal"),
    "text": (pa.string(), "the text of that capture"),
    "tokens": (pa.list_(pa.int32()), "token ids, in the formats that hold tokens in place of the text"),
    "token_count": (pa.int64(), "tokens by the tokenizer of the export"),
    "url": (pa.string(), "of the page"),
    "domain": (pa.string(), "the registered domain of the URL"),
    "title": (pa.string(), "of the page"),
    "language": (pa.string(), "ISO 639-1"),
    "captured_at": (
        pa.timestamp("us", tz="UTC"),
        "when the page was captured; or, with `date_source` attested or published, by when its file existed: the text "
        "existed then",
    ),
    "date_source": (pa.string(), f"how that is known: {', '.join(DATE_SOURCES)}"),
    "grade": (pa.string(), "how much that date proves: archive.evidence.grade.GRADES"),
    "evidence": (
        pa.list_(pa.string()),
        "every date that the record carries, as `warc-date 2015-05-06T07:08:09Z agrees`; null in an older lake",
    ),
    "record_type": (pa.string(), "of the record: response, resource, conversion, revisit; row in a data set"),
    "file": (pa.string(), "the file that holds the record"),
    "offset": (pa.int64(), "bytes from the start of the file to the record, or to its compressed member"),
    "length": (pa.int64(), "bytes of the record or member there"),
    "skip": (pa.int64(), "decompressed bytes in front of the record, inside the member"),
    "record_id": (pa.string(), "WARC-Record-ID"),
    "record_sha256": (pa.string(), "SHA-256 of the record's header and block; null in an older lake, and for a row"),
    "operator": (pa.string(), "who made the capture: the web archive, or by warcinfo"),
    "payload_digest": (pa.string(), "of the payload"),
    "extractor": (pa.string(), "name/version that made the text"),
    "text_file": (pa.string(), "of a revisit: the file of a record with the same payload digest, which holds the text"),
    "text_offset": (pa.int64(), "of a revisit: its offset"),
    "text_length": (pa.int64(), "of a revisit: its length"),
    "text_skip": (pa.int64(), "of a revisit: its skip"),
    "robots": (pa.string(), "what the capture said to robots: noai, noindex, …"),
    "cluster_id": (pa.string(), "of its near-duplicates: the content id of the earliest"),
    "masked": (pa.int32(), "addresses that were masked in the text"),
    "contaminated": (pa.list_(pa.string()), "evaluation sets with which it shares an n-gram"),
    "like_benchmark": (
        pa.bool_(),
        "whether a window of it is so like an item of a benchmark that it may be a rewrite; null: nobody knows, as not "
        "all of the text was compared",
    ),
    "like_cosine": (
        pa.float64(),
        "the greatest cosine of any of its windows and any item, to 6 decimals; null: it has no vector",
    ),
    "like_item": (pa.string(), "the item with that cosine: file and row, as `mmlu.jsonl:17`"),
}

#: The evidence in a row of `clean` (named `c`), in SQL, under the names of `COLUMNS`.
EVIDENCE = """
    c.content_id, c.url, c.title, c.language, c.first_seen AS captured_at, c.date_source, c.grade,
    list_transform(c.evidence, lambda claim: concat_ws(' ', claim.kind,
        coalesce(replace(strftime(claim."at", '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z'), 'unreadable'),
        CASE WHEN claim.agrees THEN 'agrees' WHEN NOT claim.agrees THEN 'contradicts' END)) AS evidence,
    c.record_type, c.file,
    c."offset", c.length, c.skip, c.record_id, c.record_sha256, c.operator, c.payload_digest, c.extractor,
    c.text_record.file AS text_file, c.text_record."offset" AS text_offset, c.text_record.length AS text_length,
    c.text_record.skip AS text_skip, c.robots
"""


def instant_text(at: datetime) -> str:
    """Return a time as the claims in the column `evidence` have it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z")


def claims_text(dated: Dated) -> list[str]:
    """Return the claims of a date as the column `evidence` of an exported row holds them, as `EVIDENCE` does in SQL."""
    found = []
    for kind, at, agrees in kinds(dated):
        stated = instant_text(at) if at else "unreadable"
        found.append(" ".join([kind, stated, *({True: ["agrees"], False: ["contradicts"]}.get(agrees, []))]))  # type: ignore[arg-type]
    return found


#: Columns that sets of manifest versions 1 and 2 do not have.
SINCE_3 = frozenset({"grade", "evidence", "record_sha256", "operator"})
#: Columns that are there only where they are asked for.
_ON_REQUEST = frozenset({"token_count", "masked", "contaminated", "like_benchmark", "like_cosine", "like_item"})
#: The formats that hold tokens in place of the text. The module of a plugged-in format of tokens adds its name.
TOKEN_FORMATS = {"megatron", "ds"}


def columns(of_tokens: bool, asked: Collection[str] = ()) -> list[str]:
    """Return the columns of an export, in their order.

    Args:
        of_tokens: the rows hold tokens in place of the text.
        asked: the columns that are there only on request.
    """
    absent = (_ON_REQUEST - set(asked)) | {"text" if of_tokens else "tokens"}
    return [name for name in COLUMNS if name not in absent]


def schema_of(names: Iterable[str]) -> pa.Schema:
    """Return the schema of rows with these columns.

    Raises:
        KeyError: there is no such column.
    """
    return pa.schema([(name, COLUMNS[name][0]) for name in names])


#: What is counted in each shard next to its rows.
TOTALS = ("chars", "tokens", "masked")


def totals(rows: pa.Table) -> dict[str, int | None]:
    """Return the characters, tokens and masked addresses of some rows; None where they have no such column."""
    names = set(rows.column_names)
    return {
        "chars": pc.sum(pc.utf8_length(rows["text"])).as_py() if "text" in names else None,
        "tokens": pc.sum(rows["token_count"]).as_py() if "token_count" in names else None,
        "masked": pc.sum(rows["masked"]).as_py() if "masked" in names else None,
    }
