"""Dataclasses as JSON, and back."""

from __future__ import annotations

import math
import types
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints


def to_json(value: Any) -> Any:
    """Return a value as `json.dumps` takes it; numbers that are NaN or infinite become null.

    A field that is None by default is left out where it is None.

    >>> to_json({1: math.nan, 2: (0.5, None)})
    {'1': None, '2': [0.5, None]}
    """
    if is_dataclass(value):
        pairs = ((item, getattr(value, item.name)) for item in fields(value))
        return {item.name: to_json(held) for item, held in pairs if held is not None or item.default is not None}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def from_json(kind: Any, value: Any) -> Any:
    """Build a value of a type from what `to_json` made of it.

    A null number is NaN. A field that is missing has its default, or else is NaN, 0, or empty. A list in place of an
    object holds its fields in order. Unknown keys are ignored.

    >>> from_json(dict[int, float], {"1": None, "2": 0.5})
    {1: nan, 2: 0.5}
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else from_json(arguments[0], value)
    if origin is dict:
        return {arguments[0](key): from_json(arguments[1], item) for key, item in (value or {}).items()}
    if origin in (list, tuple):
        return origin(from_json(arguments[0], item) for item in value or ())
    if is_dataclass(kind):
        return _build(kind, value or {})
    if kind is float:
        return math.nan if value is None else float(value)
    return kind() if value is None and kind in (int, str) else value


def _build(kind: Any, value: Any) -> Any:
    if isinstance(value, list):
        value = dict(zip((item.name for item in fields(kind)), value, strict=False))
    given = {}
    for item in fields(kind):
        has_default = item.default is not MISSING or item.default_factory is not MISSING
        if item.name in value or not has_default:
            given[item.name] = from_json(_hints(kind)[item.name], value.get(item.name))
    return kind(**given)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
