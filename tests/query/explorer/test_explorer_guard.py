"""Others than readers are kept out, in bounded time."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette")

import httpx
from explored import address, client, files_of, serving, shown  # noqa: F401

from archive.lake import Lake


def test_every_answer_forbids_scripts_and_styles_of_others(client: httpx.Client) -> None:
    for path in ("/", "/index.json", "/static/style.css", "/nothing", "/text/xyz"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "a:b:c"])
def test_a_name_that_is_not_this_server_s_is_refused(client: httpx.Client, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code in {400, 421}


def test_what_is_too_long_or_no_reading_is_refused(client: httpx.Client) -> None:
    assert client.get("/text/" + "a" * 3_000).status_code == 414
    assert client.get("/?a=" + "a" * 9_000).status_code == 414
    assert client.get("/?" + "&".join(f"a{each}=1" for each in range(100))).status_code == 400
    assert client.request("DELETE", "/").status_code == 405
    assert client.post("/", content=b"a" * (2 << 20)).status_code == 413
    assert client.post("/", content=b"a").status_code == 405
    assert client.request("GET", "/", content=b"a").status_code == 413


def test_files_outside_are_not_served(client: httpx.Client) -> None:
    parts = urlsplit(str(client.base_url))
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/..%5capp.py"):
        with socket.create_connection((parts.hostname, parts.port)) as raw:
            raw.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            assert raw.recv(12) == b"HTTP/1.1 404"


def test_another_site_may_link_and_nothing_else(client: httpx.Client) -> None:
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/", headers=embedded).status_code == 403
    assert client.get("/", headers={**embedded, "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_a_token_opens_once_and_is_no_more_in_the_address(shown: Lake) -> None:
    with serving("--lake", shown.location, "--read-only-token", "secret") as address:
        base = address.partition("?")[0].rstrip("/")
        with httpx.Client(base_url=base, timeout=60) as client:
            assert client.get("/").status_code == 401
            assert client.get("/", params={"token": "other"}).status_code == 401
            assert client.get("/", headers={"Authorization": "Bearer secret"}).status_code == 200
            entered = client.get("/", params={"token": "secret"})
            assert (entered.status_code, entered.headers["location"]) == (303, "/")
            assert "HttpOnly" in entered.headers["set-cookie"]
            assert client.get("/").status_code == 200  # by the cookie
            assert (
                client.get(f"{base}//evil.example", params={"token": "secret"}).headers["location"] == "/evil.example"
            )


def test_a_proxy_that_does_not_state_who_asks_gets_nothing(shown: Lake) -> None:
    options = ("--user-header", "X-User", "--host-name", "team.example")
    with serving("--lake", shown.location, *options) as address:
        assert httpx.get(address).status_code == 403
        asked = httpx.get(address, headers={"X-User": "ann", "Host": "team.example:8080"}, timeout=60)
        assert asked.status_code == 200


def test_the_lake_is_only_read(shown: Lake, client: httpx.Client) -> None:
    before = files_of(shown.location)
    for path in ("/", *client.get("/index.json").json()["links"]):
        assert client.get(path).status_code == 200
    assert files_of(shown.location) == before


def test_a_page_that_takes_too_long_is_given_up(shown: Lake) -> None:
    from query.explorer.busy import Busy
    from query.explorer.context import Context
    from query.explorer.open_lake import OpenLake

    def endless(context: Context) -> object:
        return context.rows(
            "For ever", "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range < b.range"
        )

    with OpenLake(shown.location, seconds=0.5) as opened:
        started = time.monotonic()
        with pytest.raises(Busy, match="longer than it may"):
            opened.answer("endless", endless)
        assert time.monotonic() - started < 60
        assert opened.answer("short", lambda context: context.rows("One", "SELECT 1")) == [(1,)]


def test_a_page_shows_the_lake_as_it_is_now(shown: Lake, tmp_path: object) -> None:
    from pathlib import Path

    from conftest import record, take

    from query.explorer.open_lake import OpenLake

    folder = Path(str(tmp_path))
    lake = Lake(str(folder / "lake"))
    for number in (1, 2):
        (folder / f"{number}.warc").write_bytes(record(f"http://a.example/{number}", f"<p>Words of page {number}."))
    take(lake, str(folder / "1.warc"))

    def count(opened: OpenLake) -> int:
        return int(
            opened.answer("count", lambda context: context.rows("Captures", "SELECT count(*) FROM captures"))[0][0]
        )

    with OpenLake(lake.location) as opened:
        assert count(opened) == 1
        take(lake, str(folder / "2.warc"))
        until = time.monotonic() + 30
        while count(opened) == 1 and time.monotonic() < until:
            time.sleep(0.1)
        assert count(opened) == 2
