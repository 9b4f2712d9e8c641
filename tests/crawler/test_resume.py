"""A crawl that was killed, stopped or ended by a budget goes on, and each page is in the files once."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import lowbackground as lb

pytest.importorskip("scrapy")

from crawl_process import crawls
from crawls import check, crawled, pages, records
from rawserver import Answer, missing, page, serving

from archive.errors import CrawlError
from crawler.frontier.frontier import Frontier
from crawler.records.files import Files
from crawler.run import crawl, status


def site(size: int, branch: int = 10):  # type: ignore[no-untyped-def]
    """A tree of pages, each with links to the next ones."""

    def answer(path: str, request: bytes) -> Answer:
        if path == "/":
            path = "/0"
        if not path[1:].isdigit() or int(path[1:]) >= size:
            return missing()
        number = int(path[1:])
        below = range(number * branch + 1, min(number * branch + branch + 1, size))
        return page(
            f"<title>{number}</title>"
            + "".join(f"<a href=/{each}>{each}</a>" for each in below)
            + f"<p>{number} "
            + "word " * 50
        )

    return answer


def test_a_crawl_that_is_killed_again_and_again_has_each_page_once(tmp_path: Path) -> None:
    size, kills, dice = 500, 10, random.Random(1)
    folder, lake = tmp_path / "crawl", str(tmp_path / "lake")
    folder.mkdir()
    with serving(site(size)) as server, crawls(folder, server.address + "/") as runs:
        for _ in range(kills):
            process = runs.begin()
            until = len(server.asked) + dice.randint(10, 45)
            while len(server.asked) < until:
                time.sleep(0.002)
            os.kill(process, signal.SIGKILL)
            assert runs.end() == signal.SIGKILL
        early = lb.ingest(lake, str(folder), workers=1)  # the closed files
        runs.begin()
        assert runs.end() == 0
    found = Counter(pages(folder))
    assert found == Counter(["/", *(f"/{each}" for each in range(1, size))])
    assert len(server.asked) <= size + kills * (1 + 20) + 4
    ids = [each.id for each in records(folder)]
    assert len(ids) == len(set(ids))
    assert check(folder) == len(ids)
    assert not list(folder.glob("*.open"))
    result = lb.ingest(lake, str(folder), workers=1)
    rules = early.site_rules + result.site_rules  # robots.txt and tdmrep.json
    assert (early.captures + result.captures - rules, early.new_texts + result.new_texts) == (size, size)
    assert rules >= 2
    assert not early.rejects + result.rejects
    assert early.files_failed == result.files_failed == {}
    manifest = [json.loads(line)["name"] for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert manifest == sorted(path.name for path in folder.glob("*.warc.gz"))
    assert len(manifest) > 2
    lines = (folder / "index.cdxj").read_text().splitlines()
    assert (
        len(lines)
        == len(set(lines))
        == size + sum(each.endswith(("robots.txt", "tdmrep.json")) for each in server_urls(folder))
    )


def server_urls(folder: Path) -> list[str]:
    return [each.url for each in records(folder) if each.kind in ("response", "revisit")]


def test_a_budget_ends_a_crawl_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    with serving(site(60)) as server:
        first = crawled(tmp_path, server.address + "/", pages=10)
        assert (first.ended, first.pages, first.done) == ("pages", 10, 10)
        assert first.waiting > 0
        assert status(tmp_path).ended == "pages"
        second = crawled(tmp_path, server.address + "/", pages=25)
        assert (second.crawl, second.ended, second.pages) == (1, "pages", 25)
        third = crawled(tmp_path, server.address + "/", bytes=second.bytes + 1)
        assert third.ended == "bytes"
        assert third.pages == 26
        last = crawled(tmp_path, server.address + "/")
        assert (last.ended, last.pages, last.waiting) == ("finished", 60, 0)
        asked = len(server.asked)
        assert crawled(tmp_path, server.address + "/").pages == 60
        assert len(server.asked) == asked
    assert Counter(pages(tmp_path)) == Counter(["/", *(f"/{each}" for each in range(1, 60))])
    assert status(tmp_path).statuses == {"200": 60}


def test_equal_pages_one_after_the_other_are_counted_over_the_runs(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/":
            return page("".join(f"<a href=/page?sid={number}>" for number in range(200)))
        return page("the same" if path.startswith("/page") else path)

    with serving(answer) as server:
        for pages in (15, 40, 51):  # the seed, and fifty
            assert crawled(tmp_path, server.address + "/", pages=pages).reasons == {}
        assert crawled(tmp_path, server.address + "/").reasons == {"trap": 150}
        assert crawled(tmp_path, server.address + "/", again=True).reasons == {"trap": 150}


def test_time_is_a_budget_too(tmp_path: Path) -> None:
    with serving(
        lambda path, _: page(f"<a href=/{int(path[1:] or 0) + 1}>") if path[1:].isdigit() or path == "/" else missing()
    ) as server:
        result = crawled(tmp_path, server.address + "/", seconds=0.5, depth=10**6)
    assert result.ended == "time"
    assert 0.4 < result.seconds < 2.0


def test_another_crawl_does_not_begin_where_one_is_not_finished(tmp_path: Path) -> None:
    with serving(site(30)) as server:
        crawled(tmp_path, server.address + "/", pages=5)
        with pytest.raises(CrawlError, match="other URLs"):
            crawled(tmp_path, server.address + "/1", pages=5)
        result = crawled(tmp_path, server.address + "/7", again=True)
        assert (result.crawl, result.done) == (2, 1)


@pytest.mark.parametrize("wait", [0.0, 20.0])
def test_ctrl_c_ends_a_crawl_cleanly_and_it_goes_on(tmp_path: Path, wait: float) -> None:
    def answer(path: str, request: bytes) -> Answer:
        given = site(40)(path, request)
        return Answer([given.pieces[0][:30], given.pieces[0][30:]], "keep", wait) if path == "/15" else given

    with serving(answer) as server:
        words = [sys.executable, "-m", "archive", "crawl", server.address + "/", "--out", str(tmp_path), "--contact",
                 "a@example.org", "--delay", "0.05", "--allow-private", "--json"]  # fmt: skip
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while "/15" not in server.paths():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate()
        assert (process.returncode, errors) == (130, "")
        result = json.loads(out)
        assert result["ended"] == "stopped"
        assert result["done"] == (16 if wait == 0.0 else 15)
        assert not list(tmp_path.glob("*.open"))
        wait = 0.0
        assert crawled(tmp_path, server.address + "/").done == 40
    assert Counter(pages(tmp_path)) == Counter(["/", *(f"/{each}" for each in range(1, 40))])


def test_ctrl_c_twice_ends_a_crawl_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    slow = Answer([b"HTTP/1.1 200 OK\r\n", b"Content-Length: 0\r\n\r\n"], "keep", 30.0)
    with serving(lambda path, request: slow if path == "/3" else site(9)(path, request)) as server:
        words = [
            server.address + "/",
            "--out",
            str(tmp_path),
            "--contact",
            "a@example.org",
            "--delay",
            "0.01",
            "--allow-private",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", "archive", "crawl", *words], stderr=subprocess.PIPE, text=True
        )
        while "/3" not in server.paths():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        _, errors = process.communicate()
        assert time.monotonic() - asked < 2
        assert process.returncode == 130
        assert "stopped; what was committed stays" in errors
        slow.wait = 0.0
        assert crawled(tmp_path, server.address + "/").done == 9
    assert len(pages(tmp_path)) == 9


@pytest.mark.parametrize("what", ["sync", "append", "end_file"])
def test_a_full_disk_ends_a_run_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    calls = 0
    original = getattr(Files, what)

    def full(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls > 1 + 20 * (what == "append"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*args)

    with serving(site(40)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(Files, what, full)
            with pytest.raises(OSError, match="No space"):
                crawled(tmp_path, server.address + "/", batch=5, batch_seconds=0.1, file_size=5000)
        assert status(tmp_path).ended == "killed"
        result = crawled(tmp_path, server.address + "/")
    assert (result.done, result.ended) == (40, "finished")
    assert Counter(pages(tmp_path)) == Counter(["/", *(f"/{each}" for each in range(1, 40))])
    check(tmp_path)


def test_of_two_runs_in_one_folder_one_is_refused(tmp_path: Path) -> None:
    slow = Answer([b"HTTP/1.1 200 OK\r\n", b"Content-Length: 0\r\n\r\n"], "keep", 1.0)
    with serving(lambda *_: slow) as server, crawls(tmp_path, server.address + "/") as runs:
        process = runs.begin()
        while not server.asked:
            time.sleep(0.01)
        assert status(tmp_path).ended == "running"
        with pytest.raises(CrawlError, match="another process"):
            crawled(tmp_path, server.address + "/")
        os.kill(process, signal.SIGKILL)
        assert runs.end() == signal.SIGKILL
        assert status(tmp_path).ended == "killed"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ({"contact": None}, "--contact"), ({"out": None}, "--out"), ({"contact": "nobody"}, "--contact"),
        ({"scope": "all"}, "--scope"), ({"include": ["("]}, "--include"), ({"bytes": "many"}, "--bytes"),
        ({"urls": ["ftp://a.example/"]}, "ftp://"), ({"urls": []}, "no URL"), ({"name": "a/b"}, "--name"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_said_in_one_line(tmp_path: Path, words: dict[str, object], line: str) -> None:
    given = {"urls": ["http://a.example/"], "out": tmp_path / "out", "contact": "a@example.org", **words}
    with pytest.raises(CrawlError, match=line) as error:
        crawl(given.pop("urls"), **given)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_status_needs_a_crawl(tmp_path: Path) -> None:
    with pytest.raises(CrawlError, match="no crawl"):
        status(tmp_path)
    assert not list(tmp_path.iterdir())


def test_files_of_other_programs_in_the_folder_are_let_alone(tmp_path: Path) -> None:
    others = [tmp_path / name for name in ("heritrix-0001.warc.gz.open", "notes.txt", "other.warc.gz")]
    for each in others:
        each.write_bytes(b"theirs")
    with serving(site(2)) as server:
        crawled(tmp_path, server.address + "/", pages=1)
        begun = tmp_path / "crawl-20260101000000000-00002.warc.gz.open"  # a kill before its first commit leaves it
        begun.write_bytes(b"nothing of it is committed")
        assert crawled(tmp_path, server.address + "/").pages == 2
    assert [each.read_bytes() for each in others] == [b"theirs"] * 3
    assert not begun.exists()


def test_a_crawl_that_was_killed_before_its_seeds_were_written_begins(tmp_path: Path) -> None:
    """Between the two transactions of a crawl's beginning; of the first one, and of one with `again`."""
    kill = RuntimeError("killed")

    def killed(*_: object) -> None:
        raise kill

    with serving(lambda path, _: page("here") if path == "/" else missing()) as server:
        for again in (False, True):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Frontier, "commit", killed)
                with pytest.raises(RuntimeError, match="killed"):
                    crawled(tmp_path, server.address + "/", again=again)
            assert crawled(tmp_path, server.address + "/").done == 1
        assert server.paths().count("/") == 2
    assert len(pages(tmp_path)) == 2


def test_urls_and_expressions_in_another_order_are_the_same_crawl(tmp_path: Path) -> None:
    with serving(lambda path, _: page(path)) as server:
        seeds = [f"{server.address}/{name}" for name in "abc"]
        crawled(tmp_path, *seeds, pages=1, include=("a", "b"))
        result = crawled(tmp_path, *reversed(seeds), include=("b", "a"))
    assert (result.crawl, result.done, sorted(pages(tmp_path))) == (1, 3, ["/a", "/b", "/c"])


@pytest.mark.parametrize("days", [-1, 1, -400, 400])
def test_a_clock_that_jumps_loses_nothing_and_lets_nobody_wait_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    with serving(lambda path, _: page(path)) as server:
        seeds = [f"{server.address}/{name}" for name in "abc"]
        crawled(tmp_path, *seeds, pages=1)
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + days * 86400)
        frontier = Frontier(tmp_path / "crawl.sqlite")
        frontier.begin(frontier.last_crawl().plan, [], anew=False)  # type: ignore[union-attr]
        assert (frontier.next_ready() or 0.0) - time.monotonic() <= 86400
        frontier.close()
        monkeypatch.setattr("crawler.frontier.frontier._LONGEST_REST", 0.1)
        assert crawled(tmp_path, *seeds).done == 3
        assert sorted(path for path in server.paths() if len(path) == 2) == ["/a", "/b", "/c"]
        assert server.paths().count("/robots.txt") == 2  # that of another day, before or after, is asked for again


def test_files_of_a_crawl_whose_database_is_missing_are_let_alone(tmp_path: Path) -> None:
    with serving(lambda path, _: page(path)) as server:
        crawled(tmp_path, server.address + "/")
        (tmp_path / "crawl.sqlite").unlink()
        (tmp_path / "crawl-20190501000000000-00002.warc.gz.open").write_bytes(b"what a crawl wrote")
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "crawl.lock"}
        for _ in range(2):  # also with the empty database that the first one left
            with pytest.raises(CrawlError, match=r"crawl\.sqlite is missing or empty"):
                crawled(tmp_path, server.address + "/")
        assert before.items() <= {path.name: path.read_bytes() for path in tmp_path.iterdir()}.items()


def test_a_file_that_is_shorter_than_the_database_has_it_is_not_filled_up(tmp_path: Path) -> None:
    with serving(lambda path, _: page(path)) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("crawler.records.files.Files.end_file", lambda _: None)
            crawled(tmp_path, server.address + "/", f"{server.address}/a", pages=1)
        (path,) = tmp_path.glob("*.open")
        path.write_bytes(path.read_bytes()[:-7])
        before = path.read_bytes()
        with pytest.raises(OSError, match="is shorter than"):
            crawled(tmp_path, server.address + "/", f"{server.address}/a")
        assert path.read_bytes() == before


def test_a_folder_that_moves_goes_on(tmp_path: Path) -> None:
    with serving(lambda path, _: page(path)) as server:
        seeds = [f"{server.address}/{name}" for name in "abc"]
        crawled(tmp_path / "here", *seeds, pages=1)
        (tmp_path / "here").rename(tmp_path / "there")
        assert crawled(tmp_path / "there", *seeds).done == 3
    assert sorted(pages(tmp_path / "there")) == ["/a", "/b", "/c"]
    assert check(tmp_path / "there") > 9


def test_a_status_needs_no_right_to_write_the_lock_and_stops_no_run(tmp_path: Path) -> None:
    with serving(lambda path, _: page(path)) as server:
        crawled(tmp_path, server.address + "/")
        (tmp_path / "crawl.lock").chmod(0o444)
        assert status(tmp_path).ended == "finished"
        with (tmp_path / "crawl.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            assert status(tmp_path).ended == "finished"
            threading.Timer(0.05, lambda: fcntl.flock(lock, fcntl.LOCK_UN)).start()
            (tmp_path / "crawl.lock").chmod(0o644)
            assert crawled(tmp_path, server.address + "/").done == 1


@pytest.mark.parametrize(
    "words",
    [{"delay": float("nan")}, {"delay": float("inf")}, {"delay": -1.0}, {"delay": 1e300}, {"pages": 0}, {"pages": -1},
     {"depth": -1}, {"host_pages": 0}, {"connections": 0}, {"connections": 10**9}, {"bytes": "9" * 400 + "TB"},
     {"bytes": "1e9"}, {"time": float("inf")}, {"time": "-5m"}, {"contact": "\udcff@b.example"}, {"operator": "\udcff"},
     {"include": ["\udcff"]}, {"within": -1, "as_of": "2019-06-01", "from_": "wayback"},
     {"as_of": "0001-01-01T00:00:00+05:00", "from_": "wayback"}, {"as_of": "2019-06-01", "from_": "web.archive.org"}],
)  # fmt: skip
def test_a_number_or_a_text_that_nobody_means_is_refused(tmp_path: Path, words: dict[str, Any]) -> None:
    with pytest.raises(CrawlError, match="--"):
        crawl("http://a.example/", **{"out": tmp_path / "out", "contact": "a@b.example", **words})
    assert not (tmp_path / "out").exists()
