"""Arrow tables as this program computes with them."""

from __future__ import annotations

import pyarrow as pa

#: Bytes that a column of `string` may have in one chunk.
_MOST = 1 << 30


def plain(table: pa.Table) -> pa.Table:
    """Return a table whose strings are of plain types.

    Where delta-rs deletes rows of a file, it writes the others to a file whose strings are read as `string_view`. For
    these pyarrow has neither `take` nor `filter`.
    """
    schema = table.schema
    for at, field in enumerate(schema):
        if field.type in (pa.string_view(), pa.binary_view()):
            large = table.column(at).nbytes > _MOST
            if field.type == pa.string_view():
                kind = pa.large_string() if large else pa.string()
            else:
                kind = pa.large_binary() if large else pa.binary()
            schema = schema.set(at, field.with_type(kind))
    return table if schema.equals(table.schema) else table.cast(schema)
