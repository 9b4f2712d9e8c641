"""An engine that the product does not know: all work of a lake goes through it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import record, rows
from endless import process_of

import archive
from archive.engine import ENGINES, Context, Done, Engine, Failed, Tasks, open_engine, succeed
from archive.errors import ArchiveError
from archive.lake import Lake


class InTurn:
    """Runs one task after the other, in this process, the last one first."""

    workers = 1

    def __init__(self, folder: str = "") -> None:
        self.folder = folder or None
        self.done: list[str] = []

    def run(
        self, work: Callable[[Any, Context], Any], tasks: Iterable[Any] | Tasks[Any], *, progress: Any = lambda *_: None,
        scratch: str | None = None, isolated: bool = False, at_once: int | None = None,
        gpus: float = 0.0,
    ) -> Iterator[Done[Any, Any] | Failed[Any]]:  # fmt: skip
        tasks = tasks if isinstance(tasks, Tasks) else Tasks(tasks)
        while waiting := list(iter(tasks.take, None)):
            for task in reversed(waiting):
                self.done.append(work.__module__)
                try:
                    yield Done(task, work(task, Context(1, progress, scratch)))
                except ArchiveError as error:
                    yield Failed(task, str(error))

    def scratch(self) -> AbstractContextManager[str]:
        return tempfile.TemporaryDirectory(dir=self.folder)


def test_all_work_goes_through_an_engine_that_a_program_brings(
    lake: Lake, write: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    engine: Engine = InTurn()
    for name in ("a.warc", "b.warc"):
        body = f"<p>{' '.join(f'{name} word{number}' for number in range(60))}</p>"
        archive.ingest(lake, write(name, record(body=body)), workers=engine)
    assert set(engine.done) == {"archive.intake.work"}  # type: ignore[attr-defined]
    assert rows(lake, "SELECT count(*) FROM documents") == [(2,)]


def test_an_engine_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(ENGINES, "turn", f"{__name__}:InTurn")
    engine = open_engine(f"turn:{tmp_path}")
    with engine.scratch() as folder:
        assert Path(folder).parent == tmp_path
    assert open_engine(engine) is engine


@pytest.mark.parametrize("wrong", ["ray://here", "local:none", "local:0", 0, -1, "8"])
def test_an_engine_that_is_not_there_is_an_error_in_one_line(wrong: str | int) -> None:
    with pytest.raises(ArchiveError) as error:
        open_engine(wrong)
    assert "\n" not in str(error.value)


def test_one_task_needs_no_other_process_unless_it_must_be_isolated() -> None:
    engine = open_engine(2)
    for tasks, isolated, here in (([1], False, True), ([1, 2], False, False), ([1], True, False)):
        done = [pid for _, pid in succeed(engine.run(process_of, tasks, isolated=isolated))]
        assert all((pid == os.getpid()) == here for pid in done), tasks


def test_the_engine_of_this_machine_runs_as_many_as_it_is_told() -> None:
    assert open_engine("local:3").workers == open_engine(3).workers == 3
    assert open_engine().workers >= 1


@dataclass
class Unit:
    name: str


@pytest.mark.parametrize(
    ("error", "line"), [("it died", "a.parquet: it died"), ("/out/a.parquet: no rows", "/out/a.parquet: no rows")]
)
def test_an_error_of_the_engine_names_the_task(error: str, line: str) -> None:
    with pytest.raises(ArchiveError, match=f"^{line}$"):
        list(succeed([Failed(Unit("a.parquet"), error)]))
