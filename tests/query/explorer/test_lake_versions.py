"""What a server keeps belongs to one version of its lake, and ends with it."""

from __future__ import annotations

import os
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
from query.explorer.open_lake import OpenLake
from query.explorer.places import Places


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
