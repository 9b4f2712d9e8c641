"""What a server keeps belongs to one version of its lake, and ends with it."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import record, take

pytest.importorskip("starlette")

from archive.lake import Lake
from query.explorer.background import Waiting
from query.explorer.behind import BEHIND, step_back
from query.explorer.busy import NotYet
from query.explorer.context import Context
from query.explorer.open_lake import OpenLake
from query.explorer.places import Places
from query.sql import connect


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "a.warc").write_bytes(record("http://a.example/", "<p>some words", date="2015-01-02T03:04:05Z"))
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(tmp_path / "a.warc"))
    return lake


def test_who_asked_before_the_lake_changed_is_answered_for_the_lake_as_it_was(lake: Lake, tmp_path: Path) -> None:
    count = "SELECT count(*) FROM captures"
    with OpenLake(lake.location) as opened, opened._version.context() as before:
        assert before.rows("", count) == [(1,)]
        (tmp_path / "b.warc").write_bytes(record("http://b.example/", "<p>other words", date="2016-01-02T03:04:05Z"))
        take(lake, str(tmp_path / "b.warc"))
        time.sleep(1.1)  # so long nobody looks whether it has changed
        assert opened.answer(None, lambda after: after.rows("", count)) == [(2,)]
        assert opened._version.versions != before.versions
        assert before.rows("", count) == [(1,)]
        asked = time.monotonic()
        assert isinstance(before.in_background("new", 1, lambda _: 1), Waiting)  # nothing is begun for it any more
        assert time.monotonic() - asked < 5


def test_a_page_that_needs_what_is_still_made_is_told_to_ask_again_and_keeps_nobody_from_pages(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, make = threading.Event(), Places._make

    def slow(places: Places) -> None:
        assert go.wait(60)
        make(places)

    monkeypatch.setattr(Places, "_make", slow)
    monkeypatch.setattr("query.explorer.open_lake._WAIT", 5.0)
    with OpenLake(lake.location, at_once=1, patience=0) as opened:
        told: list[BaseException] = []

        def ask() -> None:
            try:
                opened.answer(None, lambda context: context.rows("", "SELECT 1", "0" * 64))
            except NotYet as error:
                told.append(error)

        waits = threading.Thread(target=ask)
        waits.start()
        assert opened.answer(None, lambda context: context.rows("", "SELECT 1")) == [(1,)]
        assert waits.is_alive()
        waits.join(30)
        assert len(told) == 1
        go.set()
        while told:
            told.clear()
            ask()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread a priority")
def test_a_thread_that_steps_back_takes_the_threads_of_its_connections_with_it_and_no_other() -> None:
    import duckdb

    before, seen = os.getpriority(os.PRIO_PROCESS, threading.get_native_id()), []
    known = set(os.listdir("/proc/self/task"))

    def work() -> None:
        step_back()
        with duckdb.connect(config={"threads": 3}) as db:
            db.execute("SELECT sum(range) FROM range(1000000)").fetchall()
            own = set(os.listdir("/proc/self/task")) - known
            seen.extend(os.getpriority(os.PRIO_PROCESS, int(each)) for each in own)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen.count(BEHIND) >= 3  # others may have started threads meanwhile
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


@pytest.mark.parametrize("way", ["made anew", "restored"])
def test_a_lake_of_as_many_commits_at_the_same_place_is_another_one(lake: Lake, tmp_path: Path, way: str) -> None:
    day = "SELECT min(captured_at)::DATE::VARCHAR FROM captures"

    def first_seen(opened: OpenLake) -> str:
        def ask(context: Context) -> str:
            cube = context.counting.cube_now(context.lake.location, context.versions, context.marks)
            answers = [context.count("", day), context.rows("", day), context.rows("", day, text), [(str(cube.first),)]]
            ((found,),) = answers[0] or [("not counted",)]
            assert answers == [[(found,)]] * 4
            return str(found)

        return opened.answer("first", ask)

    def put(name: str, date: str) -> None:
        (tmp_path / name).write_bytes(record("http://a.example/", "<p>some words", date=date))
        take(lake, str(tmp_path / name))

    ((text,),) = connect(lake).execute("SELECT content_id FROM documents").fetchall()
    copy = tmp_path / "copy"
    shutil.copytree(lake.location, copy)
    put("b.warc", "2014-01-02T03:04:05Z")
    with OpenLake(lake.location) as opened:
        assert first_seen(opened) == "2014-01-02"
        shutil.rmtree(lake.location)
        if way == "restored":
            shutil.copytree(copy, lake.location)
        else:
            put("a2.warc", "2023-01-02T03:04:05Z")
        put("c.warc", "2024-01-02T03:04:05Z")
        time.sleep(1.1)  # so long nobody looks whether it has changed
        now = "2015-01-02" if way == "restored" else "2023-01-02"
        assert first_seen(opened) == now
    with OpenLake(lake.location) as again:
        assert first_seen(again) == now
