"""The frontier hands out one URL of a host at a time, in order of depth, and forgets nothing that was committed."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawler.frontier.frontier import NAME, Frontier
from crawler.frontier.hosts import Host, Task
from crawler.frontier.rows import DONE, Outcome


def opened(folder: Path, *seeds: str, anew: bool = False) -> Frontier:
    frontier = Frontier(folder / NAME)
    frontier.begin("{}", seeds, anew)
    return frontier


def finish(frontier: Frontier, task: Task) -> None:
    frontier.done(task, Outcome(DONE, 200))
    frontier.release(task.host)


def drained(frontier: Frontier) -> list[str]:
    """Take and finish all URLs, one after the other."""
    found = []
    while (task := frontier.take()) is not None:
        found.append(task.url)
        finish(frontier, task)
    frontier.commit([], 0.0)
    return found


def test_urls_come_in_order_of_their_depth_and_each_once(tmp_path: Path) -> None:
    frontier = opened(tmp_path, "http://a.example/")
    for number in range(250):
        for _ in range(2):
            frontier.found(f"http://a.example/{number}", 1 + number % 3, 1)
    frontier.commit([], 0.0)
    assert frontier.waiting == 251
    order = drained(frontier)
    assert order[0] == "http://a.example/"
    assert order[1:] == sorted(order[1:], key=lambda url: (int(url[17:]) % 3, int(url[17:])))
    assert len(set(order)) == 251
    assert frontier.waiting == 0
    frontier.close()


def test_of_each_host_one_url_is_out(tmp_path: Path) -> None:
    frontier = opened(tmp_path, *(f"http://{host}.example/{number}" for host in "abc" for number in range(5)))
    out = [task for _ in range(15) if (task := frontier.take()) is not None]
    assert sorted(task.host.name for task in out) == ["a.example", "b.example", "c.example"]
    out[0].host.ready = time.monotonic() + 0.05
    finish(frontier, out[0])
    assert frontier.take() is None
    assert frontier.next_ready() == out[0].host.ready
    time.sleep(0.06)
    assert (again := frontier.take()) is not None
    assert again.host is out[0].host
    frontier.close()


def test_what_was_not_committed_waits_again(tmp_path: Path) -> None:
    frontier = opened(tmp_path, "http://a.example/", "http://b.example/")
    finish(frontier, frontier.take())  # type: ignore[arg-type]
    frontier.commit([], 1.5)
    frontier.found("http://a.example/found", 1, 1)
    finish(frontier, frontier.take())  # type: ignore[arg-type]
    frontier.close()  # as a kill does
    frontier = opened(tmp_path)
    assert (frontier.waiting, frontier.crawl.seconds) == (1, 1.5)
    assert drained(frontier) == ["http://b.example/"]
    assert not frontier.crawl.is_new
    frontier.close()


def test_a_transaction_that_fails_changes_nothing(tmp_path: Path) -> None:
    frontier = opened(tmp_path, "http://a.example/")
    task = frontier.take()
    assert task is not None
    frontier.done(task, Outcome(DONE, 200))
    frontier.batch.lines.append((1, None))  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        frontier.commit([], 1.0)
    frontier.close()
    frontier = opened(tmp_path)
    assert (frontier.waiting, frontier.crawl.seconds) == (1, 0.0)
    frontier.close()


def test_a_url_that_is_put_back_comes_again_with_its_tries(tmp_path: Path) -> None:
    frontier = opened(tmp_path, "http://a.example/1", "http://a.example/2")
    task = frontier.take()
    assert task is not None
    frontier.put_back(task)
    frontier.release(task.host)
    frontier.commit([], 0.0)
    frontier.close()
    frontier = opened(tmp_path)
    again = frontier.take()
    assert again is not None
    assert (again.url, again.tries) == ("http://a.example/1", 1)
    frontier.close()


def test_refusing_a_part_of_a_host_leaves_the_rest_and_closing_it_leaves_nothing(tmp_path: Path) -> None:
    urls = [f"{scheme}://a.example/{number}" for scheme in ("http", "https") for number in range(150)]
    frontier = opened(tmp_path, *urls, "http://b.example/")
    task = next(task for _ in range(2) if (task := frontier.take()) is not None and task.host.name == "a.example")
    frontier.refuse_all(task.host, "http://", "why")
    frontier.commit([], 0.0)
    assert frontier.report.counts() == {"waiting": 152, "refused": 149}  # one is on its way
    finish(frontier, task)
    frontier.commit([], 0.0)
    task = frontier.take()
    assert task is not None
    assert task.url == "https://a.example/0"
    task.host.closed = "closed"
    finish(frontier, task)
    frontier.found("https://a.example/later", 1, 1)
    frontier.commit([], 0.0)
    assert frontier.report.counts() == {"waiting": 1, "done": 2, "refused": 298}
    assert frontier.report.left_out() == {"closed": 1}
    assert frontier.waiting == 1
    frontier.close()


def test_a_new_crawl_takes_what_it_finds_and_knows_what_was_there(tmp_path: Path) -> None:
    frontier = opened(tmp_path, "http://a.example/")
    frontier.found("http://a.example/gone", 1, 1)
    frontier.commit([], 0.0)
    task = frontier.take()
    assert task is not None
    frontier.done(task, Outcome(DONE, 200, None, '"tag"', "a date", b"hash"))
    frontier.release(task.host)
    assert len(drained(frontier)) == 1
    frontier.close()
    frontier = opened(tmp_path, "http://a.example/", anew=True)
    task = frontier.take()
    assert task is not None
    assert (task.etag, task.modified, task.payload) == ('"tag"', "a date", b"hash")
    assert (frontier.crawl.id, frontier.waiting) == (2, 1)
    frontier.close()


def test_a_frontier_of_another_version_is_refused(tmp_path: Path) -> None:
    opened(tmp_path, "http://a.example/").close()
    with sqlite3.connect(tmp_path / NAME) as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(ValueError, match="another version"):
        Frontier(tmp_path / NAME)


def test_of_many_hosts_few_urls_are_in_memory(tmp_path: Path) -> None:
    frontier = opened(tmp_path, "http://a.example/")
    for number in range(40_000):
        frontier.found(f"http://h{number % 400}.example/{number}", 1, 1)
    frontier.commit([], 0.0)
    hosts: list[Host] = []
    while (task := frontier.take()) is not None:
        hosts.append(task.host)
    assert len(hosts) == 401
    assert sum(len(host.queue) for host in hosts) <= 10_000
    frontier.close()
