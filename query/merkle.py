"""A Merkle tree over rows and their evidence (RFC 6962): one hash stands for a whole set.

A leaf is the SHA-256 of a zero byte and the fields of a row, in the order of the columns' names. A field is
`name=length:bytes` with the length in bytes, and `name=-` where it is null. Times are microseconds since 1970, lists
are JSON. The text is replaced by the SHA-256 of its UTF-8, and tokens by that of their ids as 32-bit little-endian
numbers.

The content root is the root of the same tree over leaves without `LOCATION`, the names of the files. Whoever has the
same files in other folders gets the same content root.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

#: The columns that differ where somebody has the files in other folders.
LOCATION = frozenset({"file", "text_file"})


def payloads(rows: pa.Table) -> list[str]:
    """Return the SHA-256 of each row's text, or of its tokens, in hexadecimal."""
    name = "tokens" if "tokens" in rows.column_names else "text"
    return [value.as_py().hex() for value in _content(name, rows[name])]


def leaves(rows: pa.Table, without: Collection[str] = ()) -> list[bytes]:
    """Return the leaf of each row; without `LOCATION`, that of the content root."""
    return _leaves(_fields(rows), without)


def both_leaves(rows: pa.Table, texts: list[bytes] | None = None) -> tuple[list[bytes], list[bytes]]:
    """Return the leaf of each row, and that of the content root.

    Args:
        texts: the SHA-256 of each row's text, where that is known: hashing the texts takes longer than all else.
    """
    fields = _fields(rows, texts)
    return _leaves(fields), _leaves(fields, LOCATION)


def _fields(rows: pa.Table, texts: list[bytes] | None = None) -> dict[str, pa.ChunkedArray]:
    """Return the fields of each row, by the name of the column, in the order of the names."""
    known = {} if texts is None else {"text": pa.chunked_array([texts], pa.large_binary())}
    return {
        name: _field(name, known[name] if name in known else _content(name, rows[name]))
        for name in sorted(rows.column_names)
    }


def _leaves(fields: Mapping[str, pa.ChunkedArray], without: Collection[str] = ()) -> list[bytes]:
    chosen = [field for name, field in fields.items() if name not in without]
    return _hashes(pc.binary_join_element_wise(_bytes(b"\0"), *chosen, _bytes(b"")))


def text_hashes(texts: pa.ChunkedArray) -> list[bytes]:
    """Return the SHA-256 of each text."""
    return _hashes(texts.cast(pa.large_binary()))


def root(hashes: Iterable[bytes]) -> str:
    """Return the root over leaves, or over the roots of parts, in hexadecimal."""
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
    """Return the root of a shard as a leaf of the tree over shards."""
    return hashlib.sha256(b"\0" + bytes.fromhex(part)).digest()


def _content(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as bytes."""
    if name == "text":
        return pa.chunked_array([text_hashes(column)], pa.large_binary())
    if name == "tokens":
        return pa.chunked_array([_token_hashes(column.combine_chunks())], pa.large_binary())
    if pa.types.is_list(column.type):
        column = pa.chunked_array(
            [[None if value is None else json.dumps(value, ensure_ascii=False) for value in column.to_pylist()]],
            pa.string(),
        )
    elif pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    return column.cast(pa.large_string()).cast(pa.large_binary())


def _hashes(column: pa.ChunkedArray) -> list[bytes]:
    """Return the SHA-256 of each value of a column of large binary."""
    hashes: list[bytes] = []
    for chunk in column.chunks:
        _, offsets, data = chunk.buffers()
        bounds = memoryview(offsets or b"").cast("q")[chunk.offset : chunk.offset + len(chunk) + 1]
        hashes += _of_ranges(memoryview(data or b""), bounds)
    return hashes


def _token_hashes(tokens: pa.ListArray) -> list[bytes]:
    """Return the SHA-256 of the token ids of each row."""
    ids = memoryview(tokens.values.cast(pa.int32()).buffers()[1] or b"").cast("b")
    at = tokens.values.offset
    return _of_ranges(ids, [(at + end) * 4 for end in tokens.offsets.to_pylist()])


def _of_ranges(data: memoryview, bounds: Iterable[int]) -> list[bytes]:
    return [hashlib.sha256(data[start:end]).digest() for start, end in pairwise(bounds)]


def _bytes(value: bytes) -> pa.Scalar:
    return pa.scalar(value, pa.large_binary())


def _field(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    head = f"{name}=".encode()
    size = pc.binary_length(column).cast(pa.large_string()).cast(pa.large_binary())
    field = pc.binary_join_element_wise(_bytes(head), size, _bytes(b":"), column, _bytes(b""))
    return pc.fill_null(field, _bytes(head + b"-"))
