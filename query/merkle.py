"""A Merkle tree over rows and their evidence (RFC 6962): one hash stands for a whole set.

A leaf is the SHA-256 of a zero byte and the fields of a row. A field is `length:bytes` with the length in bytes,
`-` where it is null; times are microseconds since 1970, lists are JSON. In place of the text or the tokens stands
the SHA-256 of the text's UTF-8 or of the token ids as 32-bit little-endian numbers. Columns come in the order of
their names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc


def payloads(rows: pa.Table) -> list[str]:
    """The SHA-256 of each row's text, or of its tokens, in hexadecimal."""
    name = "tokens" if "tokens" in rows.column_names else "text"
    return [value.as_py().hex() for value in _content(name, rows[name])]


def leaves(rows: pa.Table) -> list[bytes]:
    """The leaf of each row."""
    fields = [_field(_content(name, rows[name])) for name in sorted(rows.column_names)]
    joined = pc.binary_join_element_wise(*fields, pa.scalar(b"", pa.large_binary()))
    return [hashlib.sha256(b"\0" + row.as_py()).digest() for row in joined]


def root(hashes: Iterable[bytes]) -> str:
    """The root over leaves, or over the roots of parts, in hexadecimal."""
    # RFC 6962 splits at the largest power of two below the count: joining pairs from the left is the same
    level = list(hashes)
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = [
            hashlib.sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        level = pairs + level[len(pairs) * 2 :]
    return level[0].hex()


def part_leaf(part: str) -> bytes:
    """The root of a shard as a leaf of the tree over shards."""
    return hashlib.sha256(b"\0" + bytes.fromhex(part)).digest()


def _content(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as bytes."""
    if name == "text":
        hashes = [hashlib.sha256(text.as_buffer()).digest() for text in column]
        return pa.chunked_array([pa.array(hashes, pa.large_binary())])
    if name == "tokens":
        return pa.chunked_array([pa.array(list(_hashes(column.combine_chunks())), pa.large_binary())])
    if pa.types.is_list(column.type):
        column = pa.chunked_array(
            [[None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]],
            pa.string(),
        )
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.large_string()).cast(pa.large_binary())


def _hashes(tokens: pa.ListArray) -> Iterator[bytes]:
    """Of the token ids of each row."""
    ids = memoryview(tokens.values.cast(pa.int32()).buffers()[1] or b"").cast("b")
    at = tokens.values.offset
    for start, end in pairwise(tokens.offsets.to_pylist()):
        yield hashlib.sha256(ids[(at + start) * 4 : (at + end) * 4]).digest()


def _field(column: pa.ChunkedArray) -> pa.ChunkedArray:
    size = pc.binary_length(column).cast(pa.large_string()).cast(pa.large_binary())
    empty = pa.scalar(b"", pa.large_binary())
    field = pc.binary_join_element_wise(size, pa.scalar(b":", pa.large_binary()), column, empty)
    return pc.fill_null(field, pa.scalar(b"-", pa.large_binary()))
