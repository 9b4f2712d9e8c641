"""A child that may hang, crash or take all memory, and the process that asks it, which is never changed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from forked import forked

from archive.engine.sandbox import ChildDied, ChildRaised, ChildTooLate, Sandbox, Service
from archive.errors import ArchiveError


def serve(memory: int | None = None) -> Service:
    """Do what a request says."""

    def answer(request: dict[str, Any]) -> Any:
        match request:
            case {"do": "echo", "value": value}:
                return value
            case {"do": "hang"}:
                time.sleep(1000)
            case {"do": "crash"}:
                os.kill(os.getpid(), signal.SIGSEGV)
            case {"do": "exit"}:
                os._exit(7)
            case {"do": "take", "bytes": size}:
                return len(bytearray(size))
            case {"do": "mend"}:
                raise ArchiveError("mend this")
            case {"do": "write", "to": number}:
                return os.write(number, b"written")
        raise ValueError(f"what is\n{request['do']}?")

    return Service(answer, memory)


def fail(why: str) -> Service:
    raise ArchiveError(why)


@pytest.fixture(scope="module")
def child() -> Iterator[Sandbox]:
    with Sandbox("test_sandbox:serve", 200 << 20) as made:
        yield made


@pytest.mark.parametrize("value", [None, 1.5, "a\nb", "ä\ud800\0", {"a": [1, "b"]}, "日" * 1_000_000])
def test_values_come_back_as_they_went(child: Sandbox, value: Any) -> None:
    assert child.call({"do": "echo", "value": value}) == value


def test_an_error_is_one_line_and_the_child_goes_on(child: Sandbox) -> None:
    with pytest.raises(ChildRaised, match=r"^ValueError: what is dance\?$") as raised:
        child.call({"do": "dance"})
    assert raised.value.kind == "ValueError"
    with pytest.raises(ChildRaised, match=r"^mend this$"):
        child.call({"do": "mend"})
    assert child.call({"do": "echo", "value": 1}) == 1


def test_a_child_that_takes_too_long_is_killed_and_replaced(child: Sandbox) -> None:
    begun = time.monotonic()
    with pytest.raises(ChildTooLate):
        child.call({"do": "hang"}, 0.2)
    assert time.monotonic() - begun < 60
    assert child.call({"do": "echo", "value": 2}, 30) == 2  # the start does not count


@pytest.mark.parametrize(("do", "status"), [("crash", -signal.SIGSEGV), ("exit", 7)])
def test_a_child_that_dies_is_replaced(child: Sandbox, do: str, status: int) -> None:
    with pytest.raises(ChildDied) as died:
        child.call({"do": do})
    assert died.value.status == status
    assert child.call({"do": "echo", "value": 3}) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts all memory of a process")
def test_memory_beyond_the_limit_is_refused(child: Sandbox) -> None:
    assert child.call({"do": "take", "bytes": 100 << 20}) == 100 << 20
    with pytest.raises(ChildRaised, match="MemoryError"):
        child.call({"do": "take", "bytes": 300 << 20})


def test_a_service_that_cannot_start_says_why() -> None:
    for service, args, why in (
        ("test_sandbox:fail", ["no lake"], "^no lake$"),
        ("test_sandbox:nothing", [], "AttributeError"),
        ("no_such_module:serve", [], "ModuleNotFoundError"),
    ):
        with Sandbox(service, *args) as broken, pytest.raises(ChildRaised, match=why):
            broken.start()


def test_it_gets_the_descriptors_that_it_is_given_and_no_others(child: Sandbox) -> None:
    there, mine = os.pipe()
    other = os.open(os.devnull, os.O_WRONLY)
    os.set_inheritable(other, True)
    with Sandbox("test_sandbox:serve", keep=[mine]) as writing:
        assert writing.call({"do": "write", "to": mine}) == 7
        with pytest.raises(ChildRaised, match="Bad file descriptor"):
            writing.call({"do": "write", "to": other})
    assert os.read(there, 100) == b"written"
    for number in (there, mine, other):
        os.close(number)


def test_a_fork_answers_as_a_new_process_does() -> None:
    code = """
from archive.engine.sandbox import ChildDied, ChildTooLate, Sandbox
with Sandbox("test_sandbox:serve", fork=True) as child:
    print(child.call({"do": "echo", "value": 1}))
    for do in ("hang", "exit"):
        try:
            child.call({"do": do}, 1)
        except (ChildTooLate, ChildDied) as error:
            print(type(error).__name__)
    print(child.call({"do": "echo", "value": 2}))
"""
    path = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})"
    assert forked(code=path + code).stdout.split() == ["1", "ChildTooLate", "ChildDied", "2"]
