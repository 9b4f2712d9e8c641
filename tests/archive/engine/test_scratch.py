"""Files that the caller and the workers of a run share: in a folder, and in a store of objects."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archive.engine import Context
from archive.engine.local import LocalEngine, OneProcess
from archive.engine.scratch import Mirror, Stored, discard, folder, name, stale
from archive.errors import ArchiveError


def share(task: int, ctx: Any) -> str:
    """Write a file for all, and return what the caller wrote for all."""
    Path(ctx.write(f"of/{task}")).write_text(str(task))
    return Path(ctx.read("asked")).read_text()


def pass_on(task: int, ctx: Any) -> str:
    """Return what another task wrote."""
    return Path(ctx.read(f"of/{task}")).read_text()


def write_nothing(task: int, ctx: Any) -> None:
    ctx.write("nothing")


def test_tasks_share_a_folder_with_their_caller() -> None:
    engine = LocalEngine(1)
    with engine.scratch() as scratch:
        Path(scratch, "asked").write_text("what?")
        assert [end.result for end in engine.run(share, [1, 2], scratch=scratch)] == ["what?", "what?"]  # type: ignore[union-attr]
        assert [end.result for end in engine.run(pass_on, [1, 2], scratch=scratch)] == ["1", "2"]  # type: ignore[union-attr]
    assert not os.path.exists(scratch)
    with pytest.raises(ArchiveError, match="needs a scratch folder"):
        Context().read("asked")


def test_workers_that_share_only_a_store_see_the_same_files(s3: str, tmp_path: Path) -> None:
    address, folders = f"s3://{s3}/scratch/{name()}", [tmp_path / each for each in ("caller", "first", "second")]
    for each in folders:
        each.mkdir()
    caller = Mirror(address, str(folders[0]))
    (folders[0] / "asked").write_text("what?")
    (folders[0] / "spill").mkdir()
    (folders[0] / "spill" / "own").write_text("of the caller")
    caller.store()
    processes = [OneProcess(f"{__name__}:{work}") for work in ("share", "pass_on", "write_nothing")]
    try:
        done = processes[0].do(7, 1, Stored(address, str(folders[1])), lambda *_: None)
        assert done == ("done", "what?", ["of/7"])
        assert processes[1].do(7, 1, Stored(address, str(folders[2])), lambda *_: None) == ("done", "7", [])
        assert processes[2].do(7, 1, Stored(address, str(folders[2])), lambda *_: None) == ("done", None, [])
        kind, line, _ = processes[1].do(8, 1, Stored(address, str(folders[2])), lambda *_: None)
        assert kind == "failed"
        assert f"{address}/of/8" in line
        assert "\n" not in line
    finally:
        for process in processes:
            process.stop()
    assert not (folders[2] / "spill").exists()
    caller.fetch(["of/7"])
    assert (folders[0] / "of" / "7").read_text() == "7"
    (folders[0] / "asked").write_text("and now?")
    caller.store()
    (again := tmp_path / "third").mkdir()
    assert Path(Stored(address, str(again)).fetch("asked")).read_text() == "and now?"
    discard(address)
    assert stale(f"s3://{s3}/scratch") == []


@pytest.mark.parametrize("where", ["folder", "store"])
def test_scratch_of_killed_commands_is_found(where: str, s3: str, tmp_path: Path) -> None:
    inside = f"s3://{s3}/scratch" if where == "store" else str(tmp_path)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = {
        "killed": f"lowbackground-{platform.node()}.{ended.pid}-0a",
        "running": name(),
        "elsewhere": "lowbackground-another.machine.77-0b",
        "not ours": "lowbackground-lake",
    }
    (file := tmp_path / "file").write_text("x")
    for each in names.values():
        if where == "store":
            (made := tmp_path / each).mkdir()
            (made / "file").write_text("x")
            Mirror(f"{inside}/{each}", str(made)).store()
        else:
            (tmp_path / each).mkdir()
            (tmp_path / each / "file").hardlink_to(file)
    assert stale(inside) == [f"{inside}/{names['killed']}"]
    assert stale(inside, age=-60) == sorted(f"{inside}/{names[each]}" for each in ("killed", "elsewhere"))
    for each in stale(inside):
        discard(each)
    assert stale(inside) == []
    assert stale(f"{inside}/nowhere") == []


def test_a_folder_of_scratch_is_deleted_also_where_the_work_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with folder(str(tmp_path)) as path:
            assert os.path.isdir(path)
            raise ArchiveError("as it should be")

    with pytest.raises(ArchiveError, match="as it should be"):
        fail()
    assert list(tmp_path.iterdir()) == []
