"""`--json` of every command prints JSON that any reader takes, whatever values its result holds."""

from __future__ import annotations

import dataclasses
import decimal
import enum
import inspect
import json
import math
import types
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click
import numpy as np
import pytest

import lowbackground as lb
from archive import cli
from archive.show import json_text

ODD_TEXT = 'a\0\n"\\ \u2028 \U0001f600 \udcff'
ODD_FLOATS = [math.nan, math.inf, -math.inf, 1e308, -0.0, 5e-324]
ODD_INTEGERS = [2**63 - 1, -(2**63), 2**53 + 1, 10**40, 0]


def strict(text: str) -> Any:
    """Read JSON as a strict reader does, from the bytes that a pipe carries."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs), "a key twice"
        return dict(pairs)

    return json.loads(text.encode(), parse_constant=pytest.fail, object_pairs_hook=once)


def odd(hint: Any, number: int) -> Any:
    """Make a value of a type: an odd one, another for each number."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return arguments[number % len(arguments)]
    if origin in (Union, types.UnionType):
        return odd(arguments[number % len(arguments)], number)
    if hint is type(None) or hint is Any:
        return None
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        fields = [field for field in dataclasses.fields(hint) if field.init]
        return hint(**{field.name: odd(hints[field.name], number + at) for at, field in enumerate(fields)})
    if origin is not None and issubclass(origin, dict) and len(arguments) == 1:  # Counter[str]
        return origin({odd(arguments[0], number): 3})
    if origin is not None and hasattr(origin, "keys"):
        return {odd(arguments[0], number + at): odd(arguments[1], number + at) for at in range(2)}
    if origin is tuple:
        kinds = [arguments[0]] * 2 if arguments[1:] == (...,) else arguments
        return tuple(odd(each, number + at) for at, each in enumerate(kinds))
    if origin in (list, set, frozenset):
        return origin(odd(arguments[0], number + at) for at in range(2))
    if hint is datetime:
        return datetime(1, 1, 1, tzinfo=UTC) if number % 2 else datetime(9999, 12, 31, 23, 59, 59, 999999)
    plain: dict[Any, Any] = {
        str: f"{ODD_TEXT}{number}", bytes: b"\xff\0", bool: bool(number % 2), date: date(1, 1, 1), Path: Path("/a\udcff"),
        int: ODD_INTEGERS[number % len(ODD_INTEGERS)], float: ODD_FLOATS[number % len(ODD_FLOATS)],
    }  # fmt: skip
    if hint in plain:
        return plain[hint]
    assert issubclass(hint, enum.Enum)
    return next(iter(hint))


def json_commands() -> list[str]:
    context = click.Context(cli.main)
    found = []
    for name in cli.main.list_commands(context):
        command = cli.main.get_command(context, name)
        assert command is not None
        if any("--json" in each.opts for each in command.params):
            found.append(name)
    return found


def result_of(name: str) -> Any:
    function = getattr(lb, name)
    return get_type_hints(function)["return"]


def test_there_are_commands_with_json() -> None:
    assert {"ingest", "export", "verify", "certify", "stats", "show", "audit"} <= set(json_commands())


#: `collapse` has a form of its own, in which NaN is null: `collapse.json_form`.
OTHERS = [name for name in json_commands() if name != "collapse"]


@pytest.mark.parametrize("name", OTHERS)
def test_the_result_of_a_command_is_json_whatever_it_holds(name: str) -> None:
    hint = result_of(name)
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else [hint]
    for kind in kinds:
        for number in range(12):
            result = odd(kind, number)
            found = strict(json_text(result))
            if dataclasses.is_dataclass(result):
                assert list(found) == [field.name for field in dataclasses.fields(result)]


@pytest.mark.parametrize("name", OTHERS)
def test_a_command_prints_its_json_by_one_function(name: str) -> None:
    command = cli.main.get_command(click.Context(cli.main), name)
    assert command is not None
    assert command.callback is not None
    source = inspect.getsource(inspect.unwrap(command.callback))
    assert source.count("json_text(") >= 1
    assert "json.dumps" not in source


@dataclasses.dataclass
class Odd:
    values: Any


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (math.inf, "inf"),
        ([-math.inf], ["-inf"]),
        (b"\xff\0", "ff00"),
        (decimal.Decimal("1.10"), "1.10"),
        (decimal.Decimal("NaN"), "NaN"),
        (10**40, 10**40),
        (date(2020, 1, 2), "2020-01-02"),
        (datetime(2020, 1, 2, tzinfo=UTC), "2020-01-02T00:00:00Z"),
        (timedelta(days=1), "1 day, 0:00:00"),
        (Path("a/b"), "a/b"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"b", "a"}, ["a", "b"]),
        ({None: 1, True: 2, 3: 4, "x": 5}, {"null": 1, "true": 2, "3": 4, "x": 5}),
        ({1: "a", "1": "b"}, [[1, "a"], ["1", "b"]]),
        ({(1, 2): 3}, {"[1, 2]": 3}),
        (np.float64("nan"), None),
        (np.int64(2**62), 2**62),
        (Colour.RED, "red"),
        ("\udcff", "\udcff"),
        (range(2), "range(0, 2)"),
    ],
)
def test_every_value_becomes_json(value: Any, expected: Any) -> None:
    assert strict(json_text(Odd(value))) == {"values": expected}


def test_text_is_written_as_it_is() -> None:
    assert json_text(Odd("é 猫")) == '{\n  "values": "é 猫"\n}'
