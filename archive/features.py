"""The columns of a data set, as the `datasets` library and the Hugging Face hub read them from the head of a data card.

Without them the library infers the columns of JSON lines from the first of them, and fails at the first value of a
column that was null until then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

import pyarrow as pa

#: The types of Arrow that the library names in another way than Arrow does.
_NAMES = {"double": "float64", "float": "float32", "halffloat": "float16", "date32[day]": "date32", "null": '"null"'}


#: What YAML folds or does not take between quotes, unless it is escaped.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def quoted(text: str) -> str:
    """Return a text as YAML and JSON both write it between quotes."""
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def dataset_info(schemas: Mapping[str, pa.Schema]) -> list[str]:
    """Return the lines of YAML under `dataset_info:`, which state the columns of each configuration.

    Configurations with the same columns share them by an anchor of YAML, so that a card of 200 months stays short.

    Args:
        schemas: the columns, by the name of the configuration.

    Raises:
        TypeError: a column is of a type that the library does not have.
    """
    lines = ["dataset_info:"]
    anchors: list[tuple[pa.Schema, str]] = []
    for name, schema in schemas.items():
        lines.append(f"- config_name: {quoted(name)}")
        known = next((anchor for stated, anchor in anchors if stated.equals(schema)), None)
        if known is not None:
            lines.append(f"  features: *{known}")
            continue
        anchors.append((schema, f"columns{len(anchors) + 1}"))
        lines += [f"  features: &{anchors[-1][1]}", *(f"  {line}" for line in _fields(schema))]
    return lines


def _fields(fields: Iterable[pa.Field]) -> list[str]:
    """Return the lines of some columns, or of the members of a struct."""
    lines = []
    for field in fields:
        lines.append(f"- name: {quoted(field.name)}")
        lines += [f"  {line}" for line in _type(field.type)]
    return lines


def _type(kind: pa.DataType) -> list[str]:
    """Return the lines that state a type: `dtype: string`, `list: string`, `struct:` and what is in it.

    The form is that of `Features._to_yaml_list` in datasets/features/features.py (datasets 5.0.1).
    """
    if pa.types.is_struct(kind):
        return ["struct:", *_fields(kind)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = _type(kind.value_type)
        name = "large_list" if pa.types.is_large_list(kind) else "list"
        more = [f"length: {kind.list_size}"] if pa.types.is_fixed_size_list(kind) else []
        if len(inner) == 1 and inner[0].startswith("dtype: "):
            return [f"{name}: {inner[0].removeprefix('dtype: ')}", *more]
        if inner[0] == "struct:":
            return [f"{name}:", *inner[1:], *more]
        return [f"{name}:", *(f"  {line}" for line in inner), *more]
    if pa.types.is_dictionary(kind):
        return _type(kind.value_type)
    if pa.types.is_map(kind) or pa.types.is_union(kind) or isinstance(kind, pa.BaseExtensionType):
        raise TypeError(f"{kind}: `datasets` has no such type")
    return [f"dtype: {_NAMES.get(str(kind), str(kind))}"]
