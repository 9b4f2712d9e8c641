"""What a row says of a record: where it lies, and what stands in it."""

from __future__ import annotations

import pyarrow as pa

#: A citation for each record. A row whose proof is a revisit has two: the revisit, which has the date, and the
#: record that holds the text. What is null is not compared.
CITATIONS = pa.schema(
    [
        ("row", pa.int64()),  # the number of the row in the set
        ("file", pa.string()),
        ("offset", pa.int64()),
        ("skip", pa.int64()),
        ("record_type", pa.string()),
        ("extractor", pa.string()),
        ("record_id", pa.string()),
        ("url", pa.string()),
        ("title", pa.string()),
        ("robots", pa.string()),
        ("captured_at", pa.timestamp("us", tz="UTC")),
        ("payload_digest", pa.string()),
        ("content_id", pa.string()),
        ("language", pa.string()),
        ("text_sha256", pa.string()),  # of the text as exported, where addresses were masked in it
        ("tokens_sha256", pa.string()),
    ]
)

#: What the record that proves the date says itself.
_PROOF = ("record_type", "record_id", "url", "title", "robots", "captured_at", "payload_digest")


def citations(rows: pa.Table, numbers: list[int], payloads: list[str]) -> pa.Table:
    """The citations of some rows.

    Args:
        numbers: of the rows, in the set.
        payloads: the SHA-256 of each row's text or tokens, hexadecimal.
    """
    made = []
    tokens = "tokens" in rows.column_names
    masked = "masked" in rows.column_names
    dropped = [name for name in ("text", "tokens", "contaminated") if name in rows.column_names]
    for number, payload, row in zip(numbers, payloads, rows.drop_columns(dropped).to_pylist(), strict=True):
        where = {"row": number, "file": row["file"], "offset": row["offset"], "skip": row["skip"]}
        proof = {name: row[name] for name in _PROOF}
        content = {
            "extractor": row["extractor"],
            "content_id": row["content_id"],
            "language": row["language"],
            "tokens_sha256": payload if tokens else None,
            "text_sha256": payload if masked and not tokens else None,
        }
        if row["text_file"] is None:
            made.append({**where, **proof, **content})
            continue
        text = {name: row[f"text_{name}"] for name in ("file", "offset", "skip")}
        made.append({**where, **proof})
        made.append({"row": number, **text, "payload_digest": row["payload_digest"], **content})
    return pa.Table.from_pylist(made, schema=CITATIONS)
