"""JSON that anybody may have written, as dataclasses: each key is known, each value is of the type of its field."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_Test = Callable[[Any], bool]


def parse(data: bytes) -> Any:
    """Read JSON. A name twice in one object is refused: which of the values counts differs between readers.

    Raises:
        ValueError, RecursionError: it is no such JSON.
    """
    return json.loads(data, object_pairs_hook=_once, parse_constant=_no_number)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"it states {next(name for name in names if names.count(name) > 1)!r} twice")
    return values


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def build(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make a dataclass of values by name.

    Raises:
        ValueError: a key is unknown or missing, or a value is of another type than its field.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"a {type(values).__name__} where a {kind.__name__} belongs")
    tests, needed = _tests(kind)  # type: ignore[arg-type]
    if unknown := values.keys() - tests.keys():
        raise ValueError(f"{kind.__name__}: no such key: {', '.join(sorted(map(str, unknown)))}")
    if missing := needed - values.keys():
        raise ValueError(f"{kind.__name__}: no {', '.join(sorted(missing))}")
    for name, value in values.items():
        if not tests[name](value):
            raise ValueError(f"{kind.__name__}: {name} is {str(value)[:60]!r}, a {type(value).__name__}")
    return kind(**values)


def wrong_types(instance: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a dataclass whose values are of another type, or text that is no Unicode."""
    tests, _ = _tests(type(instance))  # type: ignore[arg-type]
    for name, test in tests.items():
        value = getattr(instance, name)
        if not test(value) or not _is_unicode(value):
            yield name, value


def _is_unicode(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_unicode, value))
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=64)
def _tests(kind: Any) -> tuple[dict[str, _Test], frozenset[str]]:
    """Return the test of each field, and the fields without a default."""
    hints = get_type_hints(kind)
    fields = [each for each in dataclasses.fields(kind) if each.init]
    none = dataclasses.MISSING
    needed = {each.name for each in fields if each.default is none and each.default_factory is none}
    return {each.name: _test(hints[each.name]) for each in fields}, frozenset(needed)


def _test(hint: Any) -> _Test:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        every = [_test(each) for each in arguments]
        return lambda value: any(test(value) for test in every)
    if origin is dict:
        key, item = (_test(each) for each in arguments)
        return lambda value: type(value) is dict and all(key(name) and item(each) for name, each in value.items())
    if origin is tuple and arguments[1:] == (...,):
        each = _test(arguments[0])
        return lambda value: type(value) is tuple and all(map(each, value))
    if origin is tuple:
        parts = [_test(part) for part in arguments]
        return lambda value: (
            type(value) is tuple
            and len(value) == len(parts)
            and all(test(part) for test, part in zip(parts, value, strict=True))
        )
    if hint is float:
        return lambda value: type(value) in {int, float}
    return lambda value: type(value) is hint
