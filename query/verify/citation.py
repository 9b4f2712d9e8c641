"""What a row states of a record: where it is, and what is in it."""

from __future__ import annotations

import pyarrow as pa

#: What a record is cited for: it proves the date, it holds the text, or both.
PROOF, TEXT, BOTH = "proof", "text", "both"
#: … or it proves a row that somebody certified.
PROVEN = "proven"

#: A citation for each record. A row whose proof is a revisit has two: the revisit, which has the date, and the
#: record that holds the text.
CITATIONS = pa.schema(
    [
        ("row", pa.int64()),  # the number of the row in the set
        ("role", pa.string()),
        ("file", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("skip", pa.int64()),
        ("record_type", pa.string()),
        ("record_id", pa.string()),
        ("record_sha256", pa.string()),  # null in sets and lakes of older versions, as `evidence` is
        ("operator", pa.string()),
        ("grade", pa.string()),
        ("evidence", pa.list_(pa.string())),  # null in sets and lakes of older versions
        ("date_source", pa.string()),
        ("url", pa.string()),
        ("title", pa.string()),
        ("robots", pa.string()),
        ("captured_at", pa.timestamp("us", tz="UTC")),
        ("payload_digest", pa.string()),
        ("extractor", pa.string()),
        ("content_id", pa.string()),
        ("language", pa.string()),
        ("token_count", pa.int64()),
        (
            "masked",
            pa.int64(),
        ),  # addresses that were masked before these hashes were computed; null: none were looked for
        ("text_sha256", pa.string()),  # of the text as exported, or …
        ("tokens_sha256", pa.string()),  # … of its tokens
        ("claim", pa.string()),  # of a row that was certified, JSON: its text, and how similar that of the record is
    ]
)
_PROOF = ("record_type", "record_id", "date_source", "url", "title", "robots", "captured_at", "payload_digest",
          "grade", "evidence", "record_sha256", "operator")  # fmt: skip


def citations(rows: pa.Table, numbers: list[int], payloads: list[str]) -> pa.Table:
    """Return the citations of some rows.

    Args:
        numbers: of the rows, in the set.
        payloads: the SHA-256 of each row's text or tokens, hexadecimal.
    """
    cited = []
    payload_name = "tokens_sha256" if "tokens" in rows.column_names else "text_sha256"
    dropped = [name for name in ("text", "tokens", "contaminated") if name in rows.column_names]
    for number, payload, row in zip(numbers, payloads, rows.drop_columns(dropped).to_pylist(), strict=True):
        where = {name: row[name] for name in ("file", "offset", "length", "skip")}
        proof = {name: row.get(name) for name in _PROOF}
        content = {name: row.get(name) for name in ("extractor", "content_id", "language", "token_count")}
        content |= {payload_name: payload, "masked": row.get("masked")}
        if row["record_type"] != "revisit":
            cited.append({"row": number, "role": BOTH, **where, **proof, **content})
            continue
        text = {name: row[f"text_{name}"] for name in where}
        cited.append({"row": number, "role": PROOF, **where, **proof, "content_id": row["content_id"]})
        cited.append({"row": number, "role": TEXT, **text, "payload_digest": row["payload_digest"], **content})
    return pa.Table.from_pylist(cited, schema=CITATIONS)
