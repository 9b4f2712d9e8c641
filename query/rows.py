"""The columns of an exported row: the text, and the evidence that it existed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

#: In the order in which they stand in the files. The evidence is that of the first acceptable capture.
COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "content_id": (pa.string(), "SHA-256 of the text as the lake holds it, hexadecimal"),
    "text": (pa.string(), "the text of that capture"),
    "tokens": (pa.list_(pa.int32()), "token ids, in the formats that hold tokens in place of the text"),
    "token_count": (pa.int64(), "tokens by the tokenizer of the export"),
    "url": (pa.string(), "of the page"),
    "domain": (pa.string(), "the registered domain of the URL"),
    "title": (pa.string(), "of the page"),
    "language": (pa.string(), "ISO 639-1"),
    "captured_at": (pa.timestamp("us", tz="UTC"), "when the page was captured: the text existed then"),
    "date_source": (pa.string(), "how that is known: warc, arc, cdx, dataset"),
    "record_type": (pa.string(), "of the record: response, resource, conversion, revisit; row in a data set"),
    "file": (pa.string(), "where the record lies"),
    "offset": (pa.int64(), "bytes from the start of the file to the record, or to its compressed member"),
    "length": (pa.int64(), "bytes of the record or member there"),
    "skip": (pa.int64(), "decompressed bytes in front of the record, inside the member"),
    "record_id": (pa.string(), "WARC-Record-ID"),
    "payload_digest": (pa.string(), "of the payload"),
    "extractor": (pa.string(), "name/version that made the text"),
    "text_file": (pa.string(), "of a revisit: where a record with the same payload digest lies, which holds the text"),
    "text_offset": (pa.int64(), "of a revisit: its offset"),
    "text_length": (pa.int64(), "of a revisit: its length"),
    "text_skip": (pa.int64(), "of a revisit: its skip"),
    "robots": (pa.string(), "what the capture said to robots: noai, noindex, …"),
    "cluster_id": (pa.string(), "of its near-duplicates: the content id of the earliest"),
    "masked": (pa.int32(), "addresses that were masked in the text"),
    "contaminated": (pa.list_(pa.string()), "evaluation sets with which it shares an n-gram"),
}


#: Columns that are there only where they are asked for.
_ON_REQUEST = {"token_count": "tokenizer", "masked": "mask", "contaminated": "mark"}
#: Formats that hold tokens in place of the text.
TOKEN_FORMATS = frozenset({"megatron", "ds"})


def columns(arguments: Mapping[str, Any]) -> list[str]:
    """The columns of an export with these arguments, as its manifest states them."""
    absent = {"text" if arguments["form"] in TOKEN_FORMATS else "tokens"}
    absent |= {name for name, argument in _ON_REQUEST.items() if not arguments[argument]}
    return [name for name in COLUMNS if name not in absent]


def schema_of(names: Iterable[str]) -> pa.Schema:
    """The schema of rows with these columns.

    Raises:
        KeyError: there is no such column.
    """
    return pa.schema([(name, COLUMNS[name][0]) for name in names])


#: What is counted of each shard beside its rows.
TOTALS = ("chars", "tokens", "masked")


def totals(rows: pa.Table) -> dict[str, int | None]:
    """Characters, tokens and masked addresses of some rows; None where they have no such column."""
    names = set(rows.column_names)
    return {
        "chars": pc.sum(pc.utf8_length(rows["text"])).as_py() if "text" in names else None,
        "tokens": pc.sum(rows["token_count"]).as_py() if "token_count" in names else None,
        "masked": pc.sum(rows["masked"]).as_py() if "masked" in names else None,
    }
