"""The Python face: a function for each command, with the same options and the same defaults."""

from __future__ import annotations

import inspect
import subprocess
import sys
from enum import Enum
from importlib import import_module
from typing import Any

import click
import pytest

import lowbackground as lb
from archive.cli import main

#: Options that only decide what the screen shows.
SCREEN = {"as_json", "quiet", "full", "output", "format_", "verbose", "help", "version"}
COMMANDS = main.list_commands(click.Context(main))


def parameters(name: str) -> dict[str, click.Parameter]:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    # --engine is another way to give `workers`
    return {str(each.name): each for each in command.params if each.name not in SCREEN | {"engine"}}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_function_with_its_options_and_defaults(name: str) -> None:
    signature = inspect.signature(getattr(lb, name))
    asked = parameters(name)
    ours = {each: each for each in signature.parameters if each != "reporter"}
    names = {"lake" if each == "location" else each for each in asked} - OTHER_FUNCTION.get(name, set())
    assert names == set(ours)
    command = main.get_command(click.Context(main), name)
    assert command is not None
    words = ["README.md" for each in command.params if isinstance(each, click.Argument)]
    required = [each for each in command.params if isinstance(each, click.Option) and each.required]
    words += [word for each in required for word in (each.opts[0], "2022-01-01")]
    given = command.make_context(name, words).params
    for option, parameter in asked.items():
        if not isinstance(parameter, click.Option) or option == "location" or option not in signature.parameters:
            continue
        default = signature.parameters[option].default
        if parameter.required:
            assert default is inspect.Parameter.empty
        else:
            assert plain(given[option]) == plain(default), option


#: Options whose work another function does.
OTHER_FUNCTION = {
    "crawl": {"status", "hosts", "failed", "all_"},
    "ingest": {"dry_run", "dollars_per_hour"},
    "collapse": {"dry_run"},
    "query": {"out", "overwrite"},
    "share": {"lake"},  # the argument says the same
    "topics": {"every", "number", "out", "overwrite"},
}


def plain(value: Any) -> Any:
    """What says the same: nothing chosen is None, (), {} or an unset flag."""
    if isinstance(value, Enum):
        value = value.value
    return None if value in (None, (), {}, [], False, "") else value


def test_every_name_of_the_face_is_there_and_is_named_so() -> None:
    assert set(dir(lb)) == set(lb.__all__)
    for name in lb.__all__:
        assert getattr(lb, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        lb.nothing  # noqa: B018


@pytest.mark.parametrize("room", ["archive", "index", "query", "collapse"])
def test_a_room_offers_what_it_names(room: str) -> None:
    package = import_module(room)
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_the_face_loads_nothing_before_it_is_used() -> None:
    code = (
        "import sys, lowbackground; print(sorted({'pyarrow', 'duckdb', 'torch', 'numpy', 'click'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_function_says_what_it_returns_raises_and_needs() -> None:
    for name in COMMANDS:
        function = getattr(lb, name)
        assert inspect.signature(function).return_annotation is not inspect.Signature.empty
        said = function.__doc__ or ""
        assert "Raises:" in said, name
        assert "Args:" in said, name
