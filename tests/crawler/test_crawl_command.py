"""The command `archive crawl`: what it prints, and what it answers with where something is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawls import crawled
from rawserver import Answer, missing, page, serving


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "archive", "crawl", *words], capture_output=True, text=True)


def answer(path: str, request: bytes) -> Answer:
    if path == "/robots.txt":
        return page("User-agent: *\nDisallow: /no", "Content-Type: text/plain")
    return (
        page("<a href=/a><a href=/b><a href=/no><a href=http://other.example/>")
        if path == "/"
        else page(path)
        if path in ("/a", "/b")
        else missing()
    )


def test_a_crawl_is_shown_goes_on_and_has_a_status(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    with serving(answer) as server:
        words = [server.address, "--out", out, "--contact", "a@example.org", "--delay", "0.01", "--allow-private"]
        first = command(*words, "--pages", "2", "-v")
        assert first.returncode == 0
        assert first.stdout.splitlines()[:2] == [
            f"crawl 1 in {out}: stopped at --pages 2; 2 URLs wait",
            "2 responses: 2 pages",
        ]
        assert re.search(
            rf"INFO crawler\.driver .* 200 \d+ B \d\.\d\d s {server.address}/a$", first.stderr, re.MULTILINE
        )
        assert re.search(
            r"INFO crawler\.records\.files .* closed crawl-\d{17}-00001\.warc\.gz: \d+ records", first.stderr
        )
        second = command(*words, "--json")
    result = json.loads(second.stdout)
    assert (result["ended"], result["pages"], result["done"], result["waiting"]) == ("finished", 3, 3, 0)
    assert (result["statuses"], result["reasons"]) == ({"200": 3}, {"robots": 1})
    assert len(result["files"]) == 2
    status = command(out, "--status")
    assert status.stdout.splitlines() == [
        f"crawl 1 in {out}: finished: nothing waits",
        "3 responses: 3 pages",
        status.stdout.splitlines()[2],
        "not fetched: 1 URL (robots 1)",
        "not of the crawl: 1 link (scope 1)",
        "2 files closed",
    ]


def test_what_came_and_what_did_not_adds_up_in_words(tmp_path: Path) -> None:
    def site(path: str, request: bytes) -> Answer:
        if path == "/moved":
            return page("", "Location: /a", status="301 Moved")
        if path == "/sitemap.xml":
            return page("<urlset></urlset>", "Content-Type: text/xml")
        if path == "/robots.txt":
            return page(f"Sitemap: {server.address}/sitemap.xml", "Content-Type: text/plain")
        return (
            page("<a href=/a><a href=/moved><a href=/gone><a href=http://b.example/>")
            if path == "/"
            else answer(path, request)
        )

    with serving(site) as server:
        done = command(server.address, "--out", str(tmp_path / "out"), "--contact", "a@example.org", "--delay", "0.01",
                       "--allow-private")  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].endswith(": finished: nothing waits")
    assert lines[1] == "5 responses: 2 pages, 1 sitemap, 1 redirect (301), 1 error (404)"
    assert "not of the crawl: 1 link (scope 1)" in lines


def test_a_crawl_of_which_nothing_came_names_that_and_why(tmp_path: Path) -> None:
    with serving(answer) as server:
        pass
    done = crawled(tmp_path / "out", server.address + "/")
    assert done.reasons in ({"refused": 1}, {"robots-closed": 1}, {"unreachable": 1})
    status = command(str(tmp_path / "out"), "--status").stdout.splitlines()
    assert status[:2] == [
        f"crawl 1 in {tmp_path / 'out'}: finished: nothing waits, and no URL gave a response",
        "0 responses",
    ]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["http://a.example/", "--out", "out"], "needs --contact"),
        (["http://a.example/", "--contact", "a@example.org"], "needs --out"),
        (["http://a.example/", "--out", "s3://bucket/x", "--contact", "a@example.org"], "needs --state FOLDER"),
        (["nothing", "--status"], "no crawl is in this folder"),
        (["http://a.example/", "--out", "", "--contact", "a@example.org"], "--out '' is no name of a folder"),
        (["http://a.example/", "--out", "file", "--contact", "a@example.org"], "--out file is a file, not a folder"),
        (["--spider", "nope:X", "--out", "out", "--contact", "a@example.org"], "there is no module nope"),
        (["http://a.example/", "--out", "out", "--contact", "a@example.org", "--known", "no.warc"], "no.warc: no such"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    done = command(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_known_file_of_another_kind_is_named_and_none_of_its_bytes_printed(tmp_path: Path) -> None:
    (tmp_path / "crawl.wacz").write_bytes(b"PK\x03\x04\xff\xfe" * 100)
    (tmp_path / "odd.warc.gz").write_bytes(b"\xff\xfe secret" * 100)
    words = ["http://a.example/", "--out", str(tmp_path / "out"), "--contact", "a@example.org", "--known"]
    for name, line in (("crawl.wacz", "--known takes .warc and .warc.gz; unpack"), ("odd.warc.gz", "no WARC file")):
        done = command(*words, str(tmp_path / name))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert line in done.stderr
        assert "PK" not in done.stderr
        assert "secret" not in done.stderr


def test_without_the_extra_a_program_gets_the_same_line_as_a_terminal(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules.update(dict.fromkeys(['scrapy', 'twisted', 'w3lib', 'protego', 'warcio']))\n"
        "import lowbackground as lb\n"
        "try:\n    lb.crawl('http://a.example/')\nexcept lb.ArchiveError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "archive crawl needs scrapy, which is not installed: pip install 'lowbackground[crawl]'\n"


def test_a_database_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "crawl.sqlite").write_bytes(b"this is no database, and longer than a header" * 100)
    done = command("http://a.example/", "--out", str(tmp_path), "--contact", "a@example.org")
    assert done.returncode == 2
    assert "crawl.sqlite: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_second_interrupt_leaves_a_terminal_with_its_cursor_and_a_line_of_its_own(tmp_path: Path) -> None:
    def hanging(path: str, request: bytes) -> Answer:
        return missing() if path == "/robots.txt" else Answer([], "hang")

    main, side = pty.openpty()
    with serving(hanging) as server:
        words = [sys.executable, "-m", "archive", "crawl", server.address, "--out", str(tmp_path / "out")]
        words += ["--contact", "a@example.org", "--allow-private", "--delay", "0.01"]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "150"}
        with subprocess.Popen(words, stdout=side, stderr=side, env=environment) as process:
            os.close(side)
            while not any("tdmrep" in each or each == "/" for each in server.paths()):
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            said = b""
            with contextlib.suppress(OSError):  # the other side is closed
                while part := os.read(main, 65536):
                    said += part
            os.close(main)
            assert process.wait(10) == 130
    assert b"0 pages, 1 URL waits at 1 host, 0 B, 0.0 pages/s" in said
    assert b"ETA" not in said
    _, shown, last = said.rpartition(b"\x1b[?25h")
    assert b"\x1b[?25l" in said
    assert shown
    assert b"\x1b[?25l" not in last
    assert last == b"\r\narchive: stopped; what was committed stays\r\n"
