"""The crawler is polite: delays, rests, robots.txt, one request a host at a time; and no private address is reached."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawl_process import crawls
from crawls import crawled, of, pages
from rawserver import Answer, Server, missing, page, serving

from crawler.frontier.hosts import Host, Manners
from crawler.wire import addresses

QUICK = Manners(delay=0.0, factor=0.0, rest=0.01)
Serve = Callable[[str, bytes], Answer]


def gaps(server: Server, skipped: int = 0) -> list[float]:
    """The seconds between two requests."""
    return [later - before for before, later in pairwise(server.times()[skipped:])]


def tree(robots: Answer | None = None, size: int = 5) -> Serve:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/robots.txt" and robots is not None:
            return robots
        return (
            page("".join(f"<a href=/{n}>" for n in range(1, size)))
            if path == "/"
            else page(path)
            if path[1:].isdigit()
            else missing()
        )

    return answer


def text(body: str, status: str = "200 OK", *fields: str) -> Answer:
    return page(body, "Content-Type: text/plain", *fields, status=status)


def test_no_two_requests_are_closer_than_the_delay(tmp_path: Path) -> None:
    with serving(tree()) as server:
        crawled(tmp_path, server.address + "/", manners=Manners(delay=0.15, factor=0.0))
    assert len(server.asked) == 7
    assert min(gaps(server)) >= 0.15


def test_a_slow_server_is_left_in_peace_for_longer(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        time.sleep(0.1 if path != "/" else 0.0)
        return tree()(path, request)

    with serving(answer) as server:
        crawled(tmp_path, server.address + "/", manners=Manners(delay=0.0, factor=3.0, longest=5.0))
    assert min(gaps(server, 3)) >= 0.1 * 4 * 0.9


def test_crawl_delay_is_kept(tmp_path: Path) -> None:
    robots = text("User-agent: *\nCrawl-delay: 0.3\n")
    with serving(tree(robots, 3)) as server:
        crawled(tmp_path, server.address + "/")
    assert min(gaps(server)) >= 0.3
    assert Host(1, "a", crawl_delay=120.0).delay(Manners(), 1.0) == 120.0
    assert Host(1, "a", crawl_delay=9999.0).delay(Manners(), 1.0) == 300.0


@pytest.mark.parametrize(("field", "least"), [("Retry-After: 1", 1.0), ("X-No: 1", 0.3)])
def test_a_busy_server_gets_its_rest_and_the_page_is_fetched_then(tmp_path: Path, field: str, least: float) -> None:
    busy: list[float] = []

    def answer(path: str, request: bytes) -> Answer:
        if path == "/2" and not busy:
            busy.append(time.monotonic())
            return page("busy", field, status="503 Service Unavailable")
        return tree()(path, request)

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", manners=Manners(delay=0.0, factor=0.0, pause=0.3))
    assert result.statuses == {"200": 5}
    after = min(at for at in server.times() if at > busy[0] + 0.01)
    assert after - busy[0] >= least
    assert sorted(each.block[9:12] for each in of(tmp_path, "response", "/2")) == [b"200", b"503"]


def test_a_rest_outlasts_the_run_to_which_the_server_gave_it(tmp_path: Path) -> None:
    busy: list[float] = []

    def answer(path: str, request: bytes) -> Answer:
        if path == "/2" and not busy:
            busy.append(time.monotonic())
            return page("busy", "Retry-After: 2", status="503 Service Unavailable")
        return tree()(path, request)

    with serving(answer) as server, crawls(tmp_path, server.address + "/") as runs:
        process = runs.begin()
        while not busy:
            time.sleep(0.005)
        time.sleep(0.2)
        os.kill(process, signal.SIGKILL)
        runs.end()
        runs.begin()
        runs.end()
    assert min(at for at in server.times() if at > busy[0] + 0.01) - busy[0] >= 2.0
    assert sorted(set(pages(tmp_path))) == ["/", "/1", "/2", "/3", "/4"]


def test_rests_without_retry_after_are_doubled_up_to_an_hour() -> None:
    host = Host(1, "a")
    assert [host.was_busy(Manners(), "", 0.1) for _ in range(8)] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert host.was_busy(Manners(), "7", 0.1) == 7
    host.answered(Manners(), 0.1)
    assert host.was_busy(Manners(), "", 0.1) == 60


def test_five_failed_connections_rest_a_host_for_an_hour_and_ten_close_it() -> None:
    host = Host(1, "a")
    waits = [host.failed(Manners()) for _ in range(10)]
    assert [wait == 3600 for wait in waits] == [False] * 4 + [True] + [False] * 4 + [True]
    assert (host.closed, host.closed_for("http://a/"), host.closed_for("https://a/")) == ("", "unreachable", "")


def test_a_host_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    result = crawled(tmp_path, url, manners=Manners(delay=0.0, factor=0.0, rest=0.05, failures=2, rests=2))
    assert (result.done, result.waiting) == (0, 0)
    assert result.ended == "finished"
    assert list(result.reasons) in (["unreachable"], ["robots-closed"])


@pytest.mark.parametrize("status", ["503 Service Unavailable", "500 Oops", "429 Too Many"])
def test_of_a_site_whose_rules_cannot_be_had_no_page_is_fetched(tmp_path: Path, status: str) -> None:
    with serving(tree(page("", status=status))) as server:
        result = crawled(tmp_path, server.address + "/")
        assert set(server.paths()) == {"/robots.txt"}
        assert 1 < len(server.asked) < 5
    assert (result.pages, result.reasons) == (0, {"robots-closed": 1})
    assert of(tmp_path, "response", "/robots.txt")[0].block.startswith(b"HTTP/1.1 " + status[:3].encode())


def test_half_of_the_rules_is_not_taken_for_the_rules(tmp_path: Path) -> None:
    half = Answer([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nUser-agent: *\nDisallow: /1\n"])
    with serving(tree(half)) as server:
        assert crawled(tmp_path, server.address + "/").reasons == {"robots-closed": 1}
        assert set(server.paths()) == {"/robots.txt"}


def test_no_answer_for_robots_is_closed_and_a_client_error_is_open(tmp_path: Path) -> None:
    with serving(tree(Answer([]))) as server:
        assert crawled(tmp_path / "a", server.address + "/").pages == 0
        assert set(server.paths()) == {"/robots.txt"}
    with serving(tree(page("", status="403 Forbidden"))) as server:
        assert crawled(tmp_path / "b", server.address + "/").pages == 5
    notes = of(tmp_path / "b", "metadata", "/3")[0].notes
    assert (notes["robots-status"], notes["robots-rule"]) == ("403", "open: robots.txt has the status 403")


@pytest.mark.parametrize(("hops", "count"), [(5, 1), (6, 5)])
def test_five_redirects_lead_to_the_rules(tmp_path: Path, hops: int, count: int) -> None:
    def answer(path: str, request: bytes) -> Answer:
        number = 0 if path == "/robots.txt" else int(path[6:]) if path.startswith("/rules") else -1
        if number == hops:
            return text("User-agent: *\nDisallow: /1\nDisallow: /2\nDisallow: /3\nDisallow: /4")
        if number >= 0:
            return page("", f"Location: /rules{number + 1}", status="302 Found")
        return tree()(path, request)

    with serving(answer) as server:
        assert crawled(tmp_path, server.address + "/").pages == count
    assert len(of(tmp_path, "response", "/rules1")) == 1


def test_what_is_disallowed_is_not_fetched_nor_reached_by_a_redirect(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/robots.txt":
            return text(
                "User-agent: *\nDisallow: /secret\n\nUser-agent: LowBackground\nDisallow: /other\nDisallow: /to/\n"
            )
        if path == "/":
            return page("<a href=/secret><a href=/other><a href=/jump>")
        return page("", "Location: /to/it", status="301 Moved") if path == "/jump" else page(path)

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/")
        assert sorted(server.paths()) == sorted(["/robots.txt", "/.well-known/tdmrep.json", "/", "/secret", "/jump"])
    assert (result.done, result.reasons) == (3, {"robots": 2})


def test_a_request_names_the_crawler_and_whom_to_write_to(tmp_path: Path) -> None:
    with serving(tree(size=1)) as server:
        crawled(tmp_path, server.address + "/")
    for _, request in server.asked:
        assert b"\r\nUser-Agent: lowbackground/" in request
        assert b"(+test@example.org)\r\n" in request
        assert b"\r\nFrom: test@example.org\r\n" in request
        assert b"Cookie" not in request


def test_of_a_host_one_thing_is_asked_at_a_time(tmp_path: Path) -> None:
    now, most, lock = 0, 0, threading.Lock()

    def answer(path: str, request: bytes) -> Answer:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1
        return tree(size=20)(path, request)

    with serving(answer) as server:
        crawled(tmp_path, server.address + "/")
    assert (most, len(server.asked)) == (1, 22)


def resolving(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> None:
    """Let names have addresses, one after the other; the last one stays."""

    async def lookup(host: str, port: int) -> list[tuple[int, str]]:
        found = names.get(host, [host])
        address = found.pop(0) if len(found) > 1 else found[0]
        return [(int(socket.AF_INET6 if ":" in address else socket.AF_INET), address)]

    monkeypatch.setattr(addresses, "lookup", lookup)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "inside.example"])
def test_a_private_address_is_refused_before_a_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    resolving(monkeypatch, {"inside.example": ["127.0.0.1"], "localhost": ["127.0.0.1"], "[::1]": ["::1"]})
    with serving(tree()) as server:
        result = crawled(tmp_path, f"http://{host}:{server.port}/", allow_private=False)
        assert (result.reasons, server.asked) == ({"private-address": 1}, [])
    assert pages(tmp_path) == []


def test_a_redirect_to_a_private_address_and_a_name_that_changes_its_address_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1" or real(address))  # our server
    monkeypatch.setattr(addresses, "_KEPT", 0.0)
    resolving(monkeypatch, {"outside.example": ["127.0.0.1"], "rebinding.example": ["127.0.0.1"] * 3 + ["127.0.0.2"]})

    def answer(path: str, request: bytes) -> Answer:
        close = Answer([b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n"])
        if b"rebinding" in request:
            close.pieces.append(b"<a href=/1><a href=/2>")
            return close
        port = server.port
        if path == "/":
            return page(f"<a href=/jump><a href=http://10.1.2.3:{port}/><a href=http://rebinding.example:{port}/>")
        return (
            page("", f"Location: http://169.254.169.254:{port}/latest", status="302 Found")
            if path == "/jump"
            else missing()
        )

    with serving(answer) as server:
        with serving(tree(), "127.0.0.2", server.port) as inside:
            result = crawled(
                tmp_path, f"http://outside.example:{server.port}/", allow_private=False, scope="any", depth=2
            )
            assert inside.asked == []
    assert result.reasons["private-address"] >= 3
    assert sorted(pages(tmp_path)) == ["/", "/", "/jump"]


def test_special_addresses_are_not_public() -> None:
    for address in ("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1",
                    "192.0.2.1", "192.168.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1",
                    "fc00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "64:ff9b::7f00:1",
                    "2002:7f00:1::", "::ffff:10.0.0.1", "2001:0:4136:e378:8000:63bf:80ff:fffe"):  # fmt: skip
        assert not addresses.is_public(address), address
    for address in ("93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::808:808"):
        assert addresses.is_public(address), address


def test_a_tarpit_is_left_after_some_tries(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        return Answer([], "hang") if path == "/2" else tree()(path, request)

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", idle=0.2, manners=Manners(delay=0.0, factor=0.0, rest=0.1))
        assert server.paths().count("/2") == 3
    assert (result.done, result.reasons) == (4, {"timeout": 1})
    notes = of(tmp_path, "metadata", "/2")[0].notes
    assert notes["error"] == "no byte for 0.2 s"
    assert of(tmp_path, "request", "/2")[0].block == next(request for _, request in server.asked if b" /2 " in request)


def test_one_host_with_the_rules_of_many_has_its_peace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"h{number}.example" for number in range(4)]
    resolving(monkeypatch, {name: ["127.0.0.1"] for name in names})

    def answer(path: str, request: bytes) -> Answer:
        host = request.lower().partition(b"host: ")[2].partition(b"\r\n")[0].decode()
        if path == "/robots.txt":
            return page("", f"Location: http://127.0.0.1:{server.port}/rules", status="301 Moved Permanently")
        return text("User-agent: *\nDisallow: /no") if path == "/rules" else page(host)

    with serving(answer) as server:
        seeds = [f"http://{name}:{server.port}/" for name in names]
        assert crawled(tmp_path, *seeds, manners=Manners(delay=0.15, factor=0.0)).pages == 4
        there = [at for at, request in server.asked if request.startswith(b"GET /rules ")]
    assert len(there) == 4
    assert min(later - before for before, later in pairwise(there)) > 0.1


@pytest.mark.parametrize(
    ("stated", "wait"),
    [("0", 60), ("-5", 60), ("nan", 60), ("1e309", 60), ("soon", 60), ("9" * 400, 86400), ("1000000000000", 86400),
     ("Fri, 31 Dec 1999 23:59:59 GMT", 60), ("Fri, 31 Dec 9999 23:59:59 GMT", 86400), ("3\n7", 7), ("soon\n7", 7),
     ("Fri, 31 Dec 9999 23:59:59 -1400", 86400), ("٣", 60), ("120, 5", 60)],
)  # fmt: skip
def test_a_rest_is_what_somebody_may_mean(stated: str, wait: float) -> None:
    assert Host(1, "a.example").was_busy(Manners(), stated, 0.1) == wait


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "①②⑦.0.0.1",
             "[::127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "LOCALHOST", "localhost."]
)  # fmt: skip
def test_a_private_address_is_refused_however_it_is_written(tmp_path: Path, host: str) -> None:
    """By the resolver of this machine, which knows all these forms of IPv4 addresses."""
    with serving(lambda *_: missing()) as server:
        result = crawled(tmp_path, f"http://{host}:{server.port}/", allow_private=False, manners=QUICK)
        assert server.asked == []
    assert result.done == 0
    assert set(result.reasons) <= {"private-address", "robots-closed"}
