"""What is sent to the server by those who do not read: refused, in bounded time, and readers notice nothing."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette")

import httpx
from conftest import record, rows, take
from explored import address, client, files_of, serving, shown  # noqa: F401

from archive.lake import Lake
from query.explorer import bounds, connections
from query.explorer.bounds import Patience, interrupted_after
from query.explorer.busy import Busy
from query.explorer.context import Context
from query.explorer.guard import BODY, Allowed
from query.explorer.open_lake import OpenLake


def sent(address: str, data: bytes, seconds: float = 30) -> bytes:
    """Send bytes as they are, and return what comes until the server closes, or says nothing more."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=seconds) as raw:
        answer = b""
        with suppress(ConnectionError):  # who refuses a long request does not read all of it
            raw.sendall(data)
        with suppress(ConnectionError):
            while part := raw.recv(65536):
                answer += part
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def head(line: bytes, *more: bytes) -> bytes:
    return b"\r\n".join([line, b"Host: localhost", b"Connection: close", *more, b"", b""])


@pytest.mark.parametrize(
    "target",
    [
        b"http://evil.example/", b"//evil.example/", b"/%2e%2e/%2e%2e/etc/passwd", b"/static/%2e%2e%2fapp.py",
        b"/static/%00", b"/text/%00", b"/text/..%2f..%2fetc%2fpasswd", b"/%", b"/%ff%fe", b"/\\evil.example", b"*",
        b"/static/" + b"a" * 1500, b"/static/" + b"%2f" * 400, b"/text/" + b"0" * 64 + b"/verify/../../..",
        b"/report/..%2f..%2f", b"/report/%00", b"/topic/999999999999999999999", b"/topic/%2d1",
    ],
)  # fmt: skip
def test_a_target_that_is_no_page_is_answered_with_a_line(address: str, target: bytes) -> None:
    answer = sent(address, head(b"GET " + target + b" HTTP/1.1"))
    assert status(answer) in {400, 404}, answer[:200]
    assert b"root:" not in answer
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/search?q=%00", "/search?q=%ff", "/search?q=%ed%a0%80", "/search?q=' OR 1=1 --&as=words",
        "/search?q={{7*7}}&as=words", "/url?url=javascript:alert(1)", "/url?url=%00", "/site?host='; DROP TABLE x",
        "/site?host=%00", "/site?domain=../../etc", "/set?before=9999-12-31", "/set?before=0001-01-01",
        "/set?language='", "/set?preset='", "/set?grade=Z", "/text/000000000000", "/text/000000000000/verify",
        "/?a=1", "/search?q=a&q=b", "/url?url=" + "a" * 6000, "/map?x=1e309", "/search?as=",
    ],
)  # fmt: skip
def test_no_parameter_makes_a_page_fail(client: httpx.Client, path: str) -> None:
    for written in (path, path.replace("?", ".json?", 1) if "?" in path else path + ".json"):
        answer = client.get(written)
        assert answer.status_code in {200, 303, 400, 404}, (written, answer.text[-300:])
        assert "this page failed" not in answer.text.lower()
        assert "49" not in answer.text.partition("<h1")[2].partition("</h1>")[0]  # no template is run


def test_heads_and_parameters_without_bound_are_refused(address: str, client: httpx.Client) -> None:
    assert status(sent(address, head(b"GET / HTTP/1.1", b"X: " + b"a" * 500_000))) in {400, 431}
    assert status(sent(address, b"GET /" + b"a" * 500_000 + b" HTTP/1.1\r\n\r\n")) in {400, 414}
    many = "&".join(f"q{at}=1" for at in range(10_000))
    assert client.post("/search", content=many).status_code == 400
    assert client.post("/search", content="q=" + "&" * 100_000).status_code in {303, 400}
    assert client.post("/search", content=b"a" * (BODY + 1)).status_code == 413
    assert client.get("/", headers={"Range": "bytes=0-1"}).status_code == 200
    ranges = client.get("/static/style.css", headers={"Range": "bytes=" + ",".join(["0-"] * 2_000)})
    assert len(ranges.content) < 1 << 20


@pytest.mark.parametrize(("line", "refused"), [("POST /search", 413), ("PUT /", 405), ("GET /", 200)])
def test_a_body_in_chunks_without_end_is_cut_at_once(address: str, line: str, refused: int) -> None:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as raw:
        raw.sendall(f"{line} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with suppress(ConnectionError):
            while not select.select([raw], [], [], 0)[0]:  # until the server has enough
                raw.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        assert status(raw.recv(65536)) == refused
        begun = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - begun < 15:
                raw.sendall(b"1\r\na\r\n")
        assert time.monotonic() - begun < 5  # a connection that is idle is cut after 20 s


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_methods_that_change_are_refused(address: str, method: str) -> None:
    assert status(sent(address, head(method.encode() + b" / HTTP/1.1"))) in {400, 405}


def test_the_head_of_a_page_has_no_body(address: str) -> None:
    answer = sent(address, head(b"HEAD / HTTP/1.1"))
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\n")


def test_two_hosts_or_none_are_refused(address: str) -> None:
    for lines in ([b"Host: localhost", b"Host: localhost"], [b"Host: evil.example"], []):
        answer = sent(address, b"\r\n".join([b"GET / HTTP/1.1", *lines, b"Connection: close", b"", b""]))
        assert status(answer) in {400, 421}


def test_a_form_of_another_site_does_nothing(client: httpx.Client, shown: Lake) -> None:
    ((own,), *_) = rows(shown, "SELECT content_id FROM documents ORDER BY 1 LIMIT 1")
    path, here = f"/text/{own}/verify", str(client.base_url).rstrip("/")
    for headers in (
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Origin": "["},
        {"Origin": f"{here}.evil.example"}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate", "Origin": here},
    ):  # fmt: skip
        assert client.post(path, headers=headers).status_code == 403, headers
        assert client.post("/search", data={"q": "a"}, headers=headers).status_code == 403
    for headers in ({}, {"Origin": here}, {"Sec-Fetch-Site": "same-origin", "Origin": "null"}):
        assert client.post("/search", data={"q": "a"}, headers=headers).status_code == 303


def test_a_token_is_compared_as_a_whole_and_cookies_of_others_do_not_matter(shown: Lake) -> None:
    with serving("--lake", shown.location, "--read-only-token", 'sécret;"') as address:

        def got(**headers: str) -> int:
            return httpx.get(address.partition("?")[0], headers=headers, timeout=60).status_code

        entered = httpx.get(address.partition("?")[0], params={"token": 'sécret;"'})
        assert entered.status_code == 303
        own = entered.headers["set-cookie"].partition(";")[0]
        assert "cret" not in own
        name = own.partition("=")[0]
        assert got(Cookie=own) == 200
        assert got(Cookie=f'a={{"b": [1]}}; {name}=other; {own}; =; c') == 200
        for wrong in ("", f"{name}=", f"{name}=secret", own[:-1], f"other-{own}", f'{name}="{own}"'):
            assert got(Cookie=wrong) == 401, wrong
        assert got(Authorization="Bearer") == 401
        assert got(Authorization="Basic secret") == 401


def test_two_servers_of_one_host_leave_each_other_s_token_to_a_browser(shown: Lake) -> None:
    options = ("--lake", shown.location, "--read-only-token")
    with serving(*options, "one") as one, serving(*options, "two") as two, httpx.Client(timeout=60) as browser:
        for address in (one, two):
            assert browser.get(address).status_code == 303
        for address in (one, two, one):
            assert browser.get(address.partition("?")[0]).status_code == 200


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, shown: Lake) -> Iterator[str]:
    """A server that waits a second for a head, and lets four connections be open."""
    import asyncio

    import uvicorn

    from query.explorer.app import application

    monkeypatch.setattr(connections, "SECONDS", 1.0)
    monkeypatch.setattr(connections, "MOST", 4)
    with OpenLake(shown.location) as opened, socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        config = uvicorn.Config(application(opened, Allowed()), lifespan="off", http=connections.BoundedProtocol,
                                log_config=None, access_log=False)  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)


def test_who_sends_a_head_too_slowly_is_cut(silent: str) -> None:
    parts = urlsplit(silent)
    for begin in (b"", b"GET / HTTP/1.1\r\n", b"GET /static/icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT"):
        with socket.create_connection((parts.hostname, parts.port), timeout=60) as raw:
            raw.sendall(begin)
            with pytest.raises(ConnectionError):
                _trickle(raw)


def _trickle(raw: socket.socket) -> None:
    """Send a byte now and then.

    Raises:
        ConnectionError: the server has cut the connection.
    """
    raw.settimeout(0.2)
    while True:
        try:
            if not raw.recv(65536):
                raise ConnectionError
        except TimeoutError:
            raw.sendall(b"X")


def test_many_connections_that_say_nothing_keep_nobody_out(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS", 600.0)
    parts = urlsplit(silent)
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=60))
        assert httpx.get(f"{silent}/static/icon.svg", timeout=60).status_code == 200


def test_who_takes_no_answer_is_cut() -> None:
    class Transport:
        is_cut = False

        def abort(self) -> None:
            self.is_cut = True

    import asyncio

    import uvicorn
    from uvicorn.server import ServerState

    async def waits() -> tuple[bool, bool]:
        config = uvicorn.Config(lambda *_: None, log_config=None)
        found = []
        for takes in (False, True):
            made = connections.BoundedProtocol(config, ServerState(), {}, asyncio.get_running_loop())
            transport: Any = Transport()
            made.transport, made.flow = (
                transport,
                connections.H11Protocol.__init__.__globals__["FlowControl"](transport),
            )
            made.flow.resume_reading = lambda: None
            made.pause_writing()
            if takes:
                made.resume_writing()
            await asyncio.sleep(0.2)
            found.append(transport.is_cut)
        return found[0], found[1]

    patch = pytest.MonkeyPatch()
    patch.setattr(connections, "SECONDS", 0.05)
    try:
        assert asyncio.run(waits()) == (True, False)
    finally:
        patch.undo()


def test_an_interruption_between_two_questions_is_not_lost(shown: Lake) -> None:
    endless = "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range < b.range"

    def late(context: Context) -> object:
        context.rows("One", "SELECT 1")
        time.sleep(1)  # whoever interrupts now interrupts nothing
        return context.rows("For ever", endless)

    with OpenLake(shown.location, seconds=0.5) as opened:
        with pytest.raises(Busy, match="longer than it may"):
            opened.answer("late", late)


def test_what_begins_after_the_last_look_at_the_clock_is_interrupted_too() -> None:
    heard = threading.Event()
    times = []

    def interrupt() -> None:
        times.append(time.monotonic())
        if len(times) == 2:
            heard.set()

    with interrupted_after(0, interrupt) as is_late:
        assert heard.wait(60)  # the first one was lost
        assert is_late.is_set()
    count = len(times)
    time.sleep(3 * bounds._AGAIN)
    assert len(times) == count


def test_a_lookup_that_never_ends_keeps_neither_its_reader_nor_others() -> None:
    patience, never, held = Patience(0.3), threading.Event(), []
    try:
        for _ in range(2):
            with pytest.raises(Busy, match="longer to look up"):
                patience.run(lambda: held.append(never.wait(60)))
        with pytest.raises(Busy, match="other texts"):
            patience.run(lambda: 1)
        with ThreadPoolExecutor(40) as pool:
            asked = [pool.submit(patience.run, lambda: 1) for _ in range(40)]
            assert {type(each.exception()) for each in asked} == {Busy}
    finally:
        never.set()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            assert patience.run(lambda: 1) == 1
            break
        except Busy:
            continue
    with pytest.raises(TimeoutError, match="its own"):
        patience.run(_fails)


def _fails() -> None:
    raise TimeoutError("its own")


def test_ten_who_verify_at_once_do_not_keep_readers_out(client: httpx.Client, shown: Lake) -> None:
    ((own,), *_) = rows(shown, "SELECT content_id FROM documents WHERE first_seen < '2017-01-01'")
    with ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(client.post, f"/text/{own}/verify") for _ in range(10)]
        assert client.get("/").status_code == 200
        found = [each.result().status_code for each in asked]
    assert set(found) <= {200, 503}
    assert 200 in found


@pytest.fixture
def small(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    for number in (1, 2, 3):
        (tmp_path / f"{number}.warc").write_bytes(record(f"http://a.example/{number}", f"<p>Words of page {number}."))
        take(lake, str(tmp_path / f"{number}.warc"))
    return lake


def _vacuumed(lake: Lake) -> None:
    for name in lake.tables():
        table = lake.delta(name)
        table.optimize.compact()
        table.vacuum(0, dry_run=False, enforce_retention_duration=False)


def _deleted(lake: Lake) -> None:
    import shutil

    shutil.rmtree(lake.location)


@pytest.mark.parametrize(("change", "allowed"), [(_vacuumed, {200}), (_deleted, {200, 500})])
def test_a_lake_that_changes_under_its_readers_gives_the_truth_or_a_line(
    small: Lake, change: Callable[[Lake], None], allowed: set[int]
) -> None:
    with serving("--lake", small.location) as address, httpx.Client(base_url=address, timeout=60) as client:
        links = client.get("/index.json").json()["links"]
        before = files_of(small.location)
        for link in links:
            client.get(link)
        assert files_of(small.location) == before
        change(small)
        time.sleep(1.2)  # so long nobody looks whether it has changed
        for link in ["/", "/index.json", "/search?q=words&as=words", *links]:
            answer = client.get(link)
            assert answer.status_code in allowed | {303}, answer.text[-400:]
            assert "Traceback" not in answer.text
        assert client.get("/static/style.css").status_code == 200


def test_a_search_for_alike_texts_asks_no_hub_for_the_encoder(small: Lake, tmp_path: Path) -> None:
    for module in ("numba", "huggingface_hub", "torch"):
        pytest.importorskip(module)
    import subprocess
    import sys

    import numpy as np
    from made_vectors import add
    from watched import watched

    from index.vectors.upkeep import build

    ids = [id_ for (id_,) in rows(small, "SELECT content_id FROM documents")]
    add(small, ids, np.eye(len(ids), 8, dtype=np.float32))
    build(small, workers=1)
    log = tmp_path / "watch" / "log"
    log.parent.mkdir()
    with watched(log):
        subprocess.run([sys.executable, "-c", "import socket; socket.getaddrinfo('localhost.invalid', 1)"], check=False)
        assert log.read_text() == "look up localhost.invalid\n"  # the trap works
        log.unlink()
        with serving("--lake", small.location, "--encoder", "nobody/nothing") as address:
            answer = httpx.get(f"{address}/search", params={"q": "a b c d e f g h i", "as": "text"}, timeout=300)
    assert "cache does not have it" in answer.text, answer.text[-2000:]
    assert not log.exists(), log.read_text()
