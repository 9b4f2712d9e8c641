"""The same command, run again: what had no answer is asked again, and what it was given may change."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from click.testing import CliRunner
from crawls import FAST, crawled, pages
from rawserver import Answer, missing, page, serving

from archive.errors import CrawlError
from crawler.command import command
from crawler.frontier.frontier import Frontier
from crawler.frontier.hosts import Host, Manners
from crawler.result import status
from crawler.run import crawl

CONTACT = "a@example.org"


def site(*paths: str, robots: str = ""):  # type: ignore[no-untyped-def]
    """Serve a front page with links to paths, and those."""

    def answer(path: str, request: bytes) -> Answer:
        if path == "/robots.txt" and robots:
            return page(robots, "Content-Type: text/plain")
        if path == "/":
            return page("".join(f"<a href={each}>" for each in paths))
        return page(path) if path in paths else missing()

    return answer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_site_that_is_down_is_named_and_asked_again_by_the_next_run(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}/"
    first = crawled(tmp_path, url)
    assert (first.ended, first.answered, first.is_in_vain) == ("finished", 0, True)
    assert first.reasons == {"robots-closed": 1}
    ((origin, why),) = first.unreachable.items()
    assert origin == url[:-1]
    assert "refused" in why
    assert why.endswith("; robots.txt could not be had")
    with serving(site("/a"), port=port):
        second = crawled(tmp_path, url)
    assert (second.crawl, second.done, second.answered, second.unreachable) == (1, 2, 1, {})
    assert not second.is_in_vain


def test_rules_that_a_server_could_not_give_are_asked_for_again_and_others_are_not(tmp_path: Path) -> None:
    broken = [True]

    def answer(path: str, request: bytes) -> Answer:
        if path == "/robots.txt" and broken[0]:
            return page("", status="500 Oops")
        return site("/a")(path, request)

    with serving(answer) as server:
        first = crawled(tmp_path, server.address + "/")
        assert list(first.unreachable.values()) == ["status 500; robots.txt could not be had"]
        broken[0] = False
        assert crawled(tmp_path, server.address + "/").done == 2
        asked = len(server.asked)
        crawled(tmp_path, server.address + "/")
        assert len(server.asked) == asked


def test_a_page_without_an_answer_is_asked_for_again_by_the_next_run(tmp_path: Path) -> None:
    broken = [True]

    def answer(path: str, request: bytes) -> Answer:
        return Answer([], "reset") if path == "/a" and broken[0] else site("/a", "/b")(path, request)

    with serving(answer) as server:
        first = crawled(tmp_path, server.address + "/")
        assert (first.done, first.failed) == (2, 1)
        assert server.paths().count("/a") >= FAST.connections
        broken[0] = False
        second = crawled(tmp_path, server.address + "/")
    assert (second.done, second.failed, second.reasons) == (3, 0, {})


def test_private_addresses_wait_again_when_they_are_allowed(tmp_path: Path) -> None:
    with serving(site("/a")) as server:
        first = crawled(tmp_path, server.address + "/", allow_private=False)
        assert (first.reasons, first.is_in_vain) == ({"private-address": 1}, True)
        assert "--allow-private" in first.unreachable[f"127.0.0.1:{server.port}"]
        assert crawled(tmp_path, server.address + "/", allow_private=False).reasons == {"private-address": 1}
        second = crawled(tmp_path, server.address + "/")
    assert (second.done, second.reasons) == (2, {})


def test_a_new_crawl_reads_the_rules_again(tmp_path: Path) -> None:
    rules = ["User-agent: *\nAllow: /"]

    def answer(path: str, request: bytes) -> Answer:
        return site("/a", robots=rules[0])(path, request)

    with serving(answer) as server:
        assert crawled(tmp_path, server.address + "/").done == 2
        rules[0] = "User-agent: *\nDisallow: /a"
        again = crawled(tmp_path, server.address + "/", again=True)
        assert (again.done, again.reasons) == (1, {"robots": 1})
        assert server.paths().count("/robots.txt") == 2
        assert server.paths().count("/.well-known/tdmrep.json") == 2


def test_a_narrower_scope_refuses_what_waits_and_a_wider_one_takes_it_back(tmp_path: Path) -> None:
    with serving(site("/a/1", "/a/2", "/b/1", "/c")) as server:
        start = server.address + "/"
        crawled(tmp_path, start, pages=1)
        second = crawled(tmp_path, start, exclude=("/a/",), pages=2)
        assert (second.crawl, second.reasons, second.waiting) == (1, {"excluded": 2}, 1)
        third = crawled(tmp_path, start, exclude=("/a/2",), include=("/a/", "/b/"))
    assert (third.done, third.reasons) == (3, {"excluded": 1, "not-included": 1})
    assert pages(tmp_path) == ["/", "/b/1", "/a/1"]


def test_more_urls_are_added_fewer_stay_and_other_ones_are_refused_also_when_the_crawl_is_finished(
    tmp_path: Path,
) -> None:
    with serving(site("/a")) as one, serving(site("/b")) as two:
        crawled(tmp_path, one.address + "/")
        with pytest.raises(CrawlError, match=r"with other URLs; .* --again to begin a new crawl"):
            crawled(tmp_path, two.address + "/")
        assert two.asked == []
        both = crawled(tmp_path, one.address + "/", two.address + "/")
        assert (both.crawl, both.done, one.paths().count("/")) == (1, 4, 1)
        fewer = crawled(tmp_path, two.address + "/")
        assert (fewer.crawl, fewer.done, fewer.waiting) == (1, 4, 0)
        with pytest.raises(CrawlError, match="with other --scope"):
            crawled(tmp_path, one.address + "/", scope="any")


def test_more_pages_of_a_host_open_it_again(tmp_path: Path) -> None:
    with serving(site("/a", "/b", "/c")) as server:
        first = crawled(tmp_path, server.address + "/", host_pages=2)
        assert (first.done, first.reasons) == (2, {"host-budget": 2})
        assert crawled(tmp_path, server.address + "/", host_pages=10).done == 4


def test_a_broken_https_does_not_rest_http_and_the_delay_is_of_the_host(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "crawl.sqlite")
    urls = [f"{scheme}://a.example/{n}" for scheme in ("https", "http") for n in range(2)]
    frontier.begin("{}", urls, anew=True)
    manners = Manners(delay=0.05, factor=0.0, failures=1, rest=3600.0, rests=9)
    first = frontier.take()
    assert first is not None
    assert first.url == "https://a.example/0"
    first.host.failed(manners, "https", "broken")
    frontier.put_back(first)
    frontier.release(first.host)
    assert frontier.take() is None  # the delay
    time.sleep(0.06)
    found = []
    while (task := frontier.take()) is not None:
        found.append(task.url)
        task.host.answered(Manners(delay=0.0, factor=0.0), 0.0, "http")
        frontier.release(task.host)
    assert found == ["http://a.example/0", "http://a.example/1"]
    assert (frontier.next_ready() or 0.0) - time.monotonic() > 3000
    frontier.found("http://a.example/new", 1, None)  # it need not wait for https
    frontier.commit([], 0.0)
    task = frontier.take()
    assert task is not None
    assert task.url == "http://a.example/new"
    frontier.close()
    frontier = Frontier(tmp_path / "crawl.sqlite")
    frontier.begin("{}", (), anew=False)  # a new run asks it once
    task = frontier.take()
    assert task is not None
    assert task.url == "https://a.example/0"
    assert task.host.failed(manners, "https") == 3600
    assert not task.host.closed_for(task.url)
    frontier.close()


def test_a_rest_that_the_server_asked_for_outlasts_a_new_run(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "crawl.sqlite")
    frontier.begin("{}", ["http://a.example/"], anew=True)
    task = frontier.take()
    assert task is not None
    task.host.was_busy(Manners(), "600", 0.0)
    frontier.put_back(task)
    frontier.release(task.host)
    frontier.commit([], 0.0)
    frontier.close()
    frontier = Frontier(tmp_path / "crawl.sqlite")
    frontier.begin("{}", (), anew=False)
    assert frontier.take() is None
    hosts, resting, ready, why = frontier.report.rests()
    assert (hosts, resting, why) == (1, 1, "it asked for peace")
    assert 500 < ready - time.time() < 601
    frontier.close()


def test_when_all_hosts_rest_the_result_has_until_when_and_why(tmp_path: Path) -> None:
    frontier = Frontier(tmp_path / "crawl.sqlite")
    frontier.begin("{}", ["http://a.example/"], anew=True)
    task = frontier.take()
    assert task is not None
    for _ in range(5):
        task.host.failed(Manners(), "http", "connection refused")
    frontier.put_back(task)
    frontier.release(task.host)
    frontier.commit([], 0.0)
    frontier.end("stopped")
    frontier.close()
    result = status(tmp_path)
    assert (result.hosts, result.resting, result.resting_because) == (1, 1, "connection refused, 5 times")
    assert 3500 < datetime.fromisoformat(result.next_request or "").timestamp() - time.time() < 3601


def test_a_busy_answer_is_no_page_and_spends_no_budget(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path in ("/a", "/b"):
            return page("busy", "Retry-After: 0", status="503 Service Unavailable")
        return site("/a", "/b", "/c", "/d")(path, request)

    quick = Manners(delay=0.0, factor=0.0, pause=0.01, longest_pause=0.01, tries=2)
    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", pages=3, manners=quick)
    assert (result.pages, result.statuses) == (3, {"200": 3, "503": 2})


def test_links_that_are_not_of_the_crawl_are_counted_once_and_kept_over_the_runs(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        return page("<a href=/a><a href=http://other.example/>") if path in ("/", "/a") else missing()

    with serving(answer) as server:
        assert crawled(tmp_path, server.address + "/").left_out == {"scope": 1}
        assert crawled(tmp_path, server.address + "/").left_out == {"scope": 1}
    assert status(tmp_path).left_out == {"scope": 1}


def test_the_pages_that_a_spider_failed_at_are_given_to_it_again(tmp_path: Path) -> None:
    module = sys.modules.setdefault("own_spiders", __import__("own_spiders"))
    with serving(lambda path, _: page(f"<p>{path}") if path in ("/", "/second") else missing()) as server:
        first = crawled(tmp_path, server.address + "/", spider="own_spiders:Failing")
        assert first.spider_errors == 2
        assert status(tmp_path).spider_errors == 2
        asked = len(server.asked)
        again = crawled(tmp_path, server.address + "/", spider="own_spiders:Failing")
        assert len(server.asked) == asked + 2
    assert module is not None
    assert again.spider_errors == 2


def test_seeds_come_from_a_file_and_the_folder_is_enough_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with serving(site("/a", "/b", "/x")) as server:
        start = server.address
        Path("seeds.txt").write_text(f"# what is fetched\n\n{start}/a  # one\n{start}/b\n")
        run = CliRunner().invoke
        begun = run(command, [start, "--seeds", "seeds.txt", "--out", "out", "--contact", CONTACT, "--allow-private",
                              "--delay", "0", "--exclude", "/x", "--pages", "1", "--json"])  # fmt: skip
        assert begun.exit_code == 0, begun.output
        assert json.loads(begun.stdout)["waiting"] == 2
        gone_on = run(command, ["out", "--pages", "9", "--json"])
        assert gone_on.exit_code == 0, gone_on.output
        result = json.loads(gone_on.stdout)
        assert (result["crawl"], result["done"], result["waiting"], result["left_out"]) == (1, 3, 0, {"excluded": 1})
        assert crawl("out").done == 3
        piped = run(command, ["--seeds", "-", "--out", "piped", "--contact", CONTACT, "--allow-private", "--json",
                              "--delay", "0", "--depth", "0"], input=f"{start}/a\n")  # fmt: skip
        assert json.loads(piped.stdout)["done"] == 1
    with sqlite3.connect("out/crawl.sqlite") as db:
        assert json.loads(db.execute("SELECT options FROM given").fetchone()[0])["contact"] == CONTACT
    db.close()


def test_what_is_no_url_is_refused_with_what_was_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seeds.txt").write_text("http://a.example/")
    Path("folder").mkdir()
    for word, line in [
        ("seeds.txt", "seeds.txt is a file: --seeds seeds.txt"),
        ("@seeds.txt", "@seeds.txt is a file: --seeds seeds.txt"),
        ("-", "--seeds -"),
        ("folder", "is a folder"),
        ("http:/example.org/", "no address of a page"),
        ("https:example.org", "no address of a page"),
    ]:
        with pytest.raises(CrawlError, match=line):
            crawl(word, out="out", contact=CONTACT)
    with pytest.raises(CrawlError, match=r"--seeds none\.txt: No such file"):
        crawl(seeds="none.txt", out="out", contact=CONTACT)


def test_files_close_at_the_size_that_is_given(tmp_path: Path) -> None:
    with serving(site("/a", "/b", "/c")) as server:
        result = crawl(server.address, out=tmp_path, contact=CONTACT, allow_private=True, delay=0, file_size="1kB")
    assert len(result.files) > 1
    with pytest.raises(CrawlError, match="--file-size"):
        crawl("http://a.example/", out=tmp_path / "b", contact=CONTACT, file_size=0)


def test_a_site_that_is_down_ends_the_command_with_1(tmp_path: Path) -> None:
    words = [f"http://127.0.0.1:{free_port()}/", "--out", str(tmp_path), "--contact", CONTACT, "--delay", "0"]
    done = CliRunner().invoke(command, [*words, "--allow-private"])
    assert done.exit_code == 1
    assert "robots.txt could not be had" in done.stdout
    private = CliRunner().invoke(command, ["http://127.0.0.1/", *words[1:2], str(tmp_path / "b"), *words[3:]])
    assert private.exit_code == 1
    assert "--allow-private connects to it" in private.stdout


def test_failures_of_a_scheme_end_with_its_answer() -> None:
    host = Host(1, "a.example")
    for _ in range(4):
        host.failed(Manners(), "https", "broken")
        host.answered(Manners(), 0.1, "http")
    assert host.failed(Manners(), "https", "broken") == 3600
    host.answered(Manners(), 0.1, "https")
    assert host.failed(Manners(), "https", "broken") == 2


def test_a_status_has_the_hosts_and_what_was_not_fetched(tmp_path: Path) -> None:
    port = free_port()
    with serving(site("/a", "/no", robots="User-agent: *\nDisallow: /no")) as server:
        crawled(tmp_path, server.address + "/", f"http://127.0.0.1:{port}/")
    result = status(tmp_path, hosts=True, failed=True)
    rows = [(each.host, each.done, each.refused, each.state) for each in result.by_host]
    assert rows[0] == (f"127.0.0.1:{server.port}", 2, 1, "open")
    assert rows[1][:3] == (f"127.0.0.1:{port}", 0, 1)
    assert "refused" in result.by_host[1].error
    assert {(each.url.rpartition(":")[2], each.reason) for each in result.not_fetched} == {
        (f"{server.port}/no", "robots"),
        (f"{port}/", "robots-closed"),
    }
    assert len(status(tmp_path, hosts=True, most=1).by_host) == 1
    shown = CliRunner().invoke(command, [str(tmp_path), "--status", "--hosts", "--failed"])
    assert shown.exit_code == 0, shown.output
    assert f"robots\t{server.address}/no" in shown.stdout
    assert re.search(rf"127\.0\.0\.1:{port} .* 1 .* refused", shown.stdout)
    assert CliRunner().invoke(command, ["http://a.example/", "--hosts"]).exit_code == 2
