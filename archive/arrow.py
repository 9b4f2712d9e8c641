"""Arrow tables as this program computes with them."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

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


class _Absent(MetaPathFinder):
    """Finds no pandas, also where it is installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def spare_pandas() -> None:
    """Spare this process the import of pandas, which takes PyArrow 0.4 s where it is installed.

    PyArrow imports it with `pyarrow.dataset`, or with the first list that becomes an array, to see whether that is one
    of pandas. If it finds no pandas then, it looks no more; `to_pandas` and `from_pandas` still import it. Until then,
    `pyarrow.array` reads a series as a list, and a NaN in it is no null. So this is for processes of this program only.
    """
    if "pandas" in sys.modules:
        return
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(absent)
