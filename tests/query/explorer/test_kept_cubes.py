"""Cubes are kept outside the lake, whole, and made again when they are damaged or the lake has changed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from made import put

from archive import leftovers
from archive.engine import Context
from archive.errors import ArchiveError
from archive.lake import Lake
from query.explorer.background import Waiting
from query.explorer.cube.controls import Controls
from query.explorer.cube.counting import Counting
from query.explorer.cube.counts import Counts
from query.explorer.cube.stored import Unit, counted, read, work

_ALL = Controls(date(2030, 1, 1))


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return tmp_path / "xdg" / "lowbackground" / "explorer"


def _versions(lake: Lake) -> dict[str, int | None]:
    return counted({name: lake.delta(name).version() for name in lake.tables()})


def _marks(lake: Lake) -> dict[str, str | None]:
    return counted({name: lake.mark(name) for name in lake.tables()})


@pytest.fixture
def unit(lake: Lake, tmp_path: Path) -> Callable[[], Unit]:
    put(lake, tmp_path / "in", [("Some text of a few words.", "2015-01-01"), ("Another text.", "2016-01-01")])
    return lambda: Unit(lake.location, _versions(lake), _marks(lake), "500MB")


def _files(caches: Path) -> list[Path]:
    return sorted(caches.glob("*/cube-*"))


def test_a_cube_is_made_once_and_nothing_is_written_into_the_lake(unit: Callable[[], Unit], caches: Path) -> None:
    before = sorted(Path(unit().location).rglob("*"))
    assert read(unit()) is None
    assert work(unit(), Context())
    (path,) = _files(caches)
    stamp = path.stat().st_mtime_ns
    assert work(unit(), Context())
    assert path.stat().st_mtime_ns == stamp
    assert sorted(Path(unit().location).rglob("*")) == before
    cells, about = read(unit()) or pytest.fail("it is kept")
    assert (sum(cells["texts"].to_pylist()), about.texts, about.versions) == (4, 2, _versions(Lake(unit().location)))


@pytest.mark.parametrize("where", [0, 100, -1, -20])
def test_a_damaged_cube_is_made_again(unit: Callable[[], Unit], caches: Path, where: int) -> None:
    work(unit(), Context())
    (path,) = _files(caches)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[where] ^= 1
    for broken in (bytes(damaged), whole[:-1], whole[: len(whole) // 2], b""):
        path.write_bytes(broken)
        assert read(unit()) is None
        assert work(unit(), Context())
        assert read(unit()) is not None


def test_a_lake_that_changed_has_another_cube_and_the_old_one_goes(
    unit: Callable[[], Unit], caches: Path, lake: Lake, tmp_path: Path
) -> None:
    work(unit(), Context())
    old = _files(caches)
    (old[0].parent / f"{old[0].name}.0123abcd.part").write_bytes(b"of a process that was killed")
    put(lake, tmp_path / "in", [("A third text.", "2017-01-01")])
    assert read(unit()) is None
    work(unit(), Context())
    (new,) = _files(caches)
    assert [new] != old


def test_of_two_that_make_the_same_cube_one_does(unit: Callable[[], Unit], caches: Path) -> None:
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(work(unit(), Context()))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert True in results
    assert len(_files(caches)) == 1
    assert read(unit()) is not None


def test_where_no_cache_can_be_written_a_temporary_folder_takes_the_cube(
    unit: Callable[[], Unit], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert work(unit(), Context())
    assert read(unit()) is not None
    assert list(tmp_path.glob("lowbackground-*/explorer/*/cube-*"))


def test_pages_learn_that_a_cube_is_being_made_and_then_have_it(unit: Callable[[], Unit]) -> None:
    counting, of = Counting("500MB"), (unit().location, unit().versions, unit().marks)
    assert isinstance(counting.cube(*of), Waiting)
    cube = counting.cube_now(*of)
    assert cube.counts(_ALL)[0].texts == 2
    assert counting.cube(*of) is cube


def test_the_lake_is_asked_in_the_background_and_for_so_long_only(unit: Callable[[], Unit], lake: Lake) -> None:
    def counts(seconds: float) -> Counts | Waiting:
        counting = Counting("500MB", seconds)
        cube = counting.cube_now(lake.location, versions, marks)
        while isinstance(found := counting.counted(lake, versions, marks, cube, _ALL), Waiting) and not found.problem:
            time.sleep(0.01)
        return found

    versions, marks = unit().versions, unit().marks
    found = counts(60)
    assert isinstance(found, Counts)
    assert found.texts == 2
    late = counts(0)
    assert isinstance(late, Waiting)
    assert "longer than 0 seconds" in (late.problem or "")


def test_a_damaged_lake_gives_the_problem_and_not_an_endless_wait(unit: Callable[[], Unit], lake: Lake) -> None:
    (path,) = (Path(lake.table_path("documents"), each) for each in lake.files("documents"))
    os.unlink(path)
    counting, of = Counting("500MB"), (unit().location, unit().versions, unit().marks)
    with pytest.raises(ArchiveError, match=path.name):
        counting.cube_now(*of)
    again = counting.cube(*of)
    assert isinstance(again, Waiting)
    assert path.name in (again.problem or "")


def test_maintain_knows_the_cubes_of_lakes_that_are_gone(unit: Callable[[], Unit], lake: Lake, tmp_path: Path) -> None:
    work(unit(), Context())
    found = lambda: next(each for each in leftovers.caches(leftovers.DAY) if each.kind == "explorer")  # noqa: E731
    assert (found().files, found().old) == (3, [])
    os.rename(lake.location, tmp_path / "elsewhere")
    assert len(found().old) == 3
