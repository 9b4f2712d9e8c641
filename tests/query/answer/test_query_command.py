"""`archive query` as a command: formats, standard streams, files, and the prompt."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import command, record, rows, take
from forked import forked

from archive.lake import Lake

_SQL = "SELECT title, captured_at, [1, 2] AS list, NULL AS nothing, 'nan'::DOUBLE AS nan FROM captures"


@pytest.fixture
def small(lake: Lake, write: Callable[[str, bytes], str]) -> Lake:
    take(lake, write("a.warc", record(body="<title>Ä, “b”</title><p>Text.</p>")))
    return lake


def test_the_formats_hold_the_same_row(small: Lake, tmp_path: Path) -> None:
    ask = lambda form: forked("query", _SQL, "--lake", small.location, "-f", form).stdout  # noqa: E731
    at = "2015-03-04T05:06:07Z"
    row = {"title": "Ä, “b”", "captured_at": at, "list": [1, 2], "nothing": None, "nan": None}
    assert json.loads(ask("json")) == [row] == [json.loads(line) for line in ask("jsonl").splitlines()]
    assert list(csv.reader(io.StringIO(ask("csv")))) == [list(row), ["Ä, “b”", at, "[1, 2]", "", ""]]
    assert "Ä, “b”" in ask("table")
    out = tmp_path / "a.parquet"
    forked("query", _SQL, "--lake", small.location, "-f", "parquet", "-o", str(out))
    piped = [sys.executable, "-m", "archive", "query", _SQL, "--lake", small.location, "-f", "parquet"]
    assert subprocess.run(piped, capture_output=True, check=True).stdout == out.read_bytes()
    assert pq.read_table(out).to_pylist()[0]["list"] == [1, 2]
    assert json.loads(forked("query", "SELECT 1 LIMIT 0", "--lake", small.location, "-f", "json").stdout) == []


def test_sql_comes_from_stdin_too(small: Lake) -> None:
    for words in ((), ("-",)):
        assert command("query", *words, "--lake", small.location, input="SELECT 7 AS a;").stdout == "a\n7\n"


def test_a_question_that_fails_leaves_the_file_as_it_was(small: Lake, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    out.write_text("before")
    failing = "SELECT CASE WHEN i = 90000 THEN error('late') ELSE i END FROM range(100000) t(i)"
    done = forked("query", failing, "--lake", small.location, "-o", str(out), "--overwrite", check=False)
    assert (done.returncode, done.stderr.count("\n"), out.read_text()) == (2, 1, "before")
    assert not list(tmp_path.glob(".a.csv*"))
    nowhere = forked("query", "SELECT 1", "--lake", small.location, "-o", str(tmp_path / "no" / "a.csv"), check=False)
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (2, True)


def test_a_reader_that_goes_away_is_no_error(small: Lake) -> None:
    asked = f"{sys.executable} -m archive query 'FROM range(3000000)' --lake {small.location} | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", asked], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "range\n", "")


def test_the_prompt_goes_on_after_an_error_and_keeps_its_history(small: Lake, tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "dumb"}
        os.execv(sys.executable, [sys.executable, "-m", "archive", "query", "--lake", small.location])
    shown = _until(terminal, "archive> ")
    for line, wanted in (
        ("SELECT nope;", "archive: "),
        (".tables", "first_seen_between"),
        ("SELECT 40", "...> "),
        ("+ 2;", "42"),
    ):
        os.write(terminal, f"{line}\n".encode())
        shown += _until(terminal, wanted)
    os.write(terminal, b".quit\n")
    assert os.waitpid(child, 0)[1] == 0, shown
    os.close(terminal)
    history = tmp_path / "state" / "lowbackground" / "query_history"
    assert "SELECT nope;" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def _until(terminal: int, wanted: str) -> str:
    shown, deadline = "", time.monotonic() + 600  # then it hangs
    while wanted not in shown and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.5)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    assert wanted in shown, shown
    return shown


def test_no_url_and_no_file_name_commands_the_terminal(lake: Lake, write: Callable[[str, bytes], str]) -> None:
    odd = "http://example.com/\x1b[2J\x07\x9b"
    take(lake, write("\x1b[2J.warc", record(odd, "<p>Some words of text.</p>")))
    ((content,),) = rows(lake, "SELECT content_id FROM documents")
    for line in (
        ["show", content],
        ["show", "http://example.com/other"],
        ["query", "SELECT url, file, [url] AS urls FROM captures", "-f", "table"],
        ["query", 'SELECT 1 AS "\x1b[2J"', "-f", "table"],
        ["ingest", "\x1b[2J"],
    ):
        done = forked(*line, "--lake", lake.location, check=False)
        assert not {"\x1b", "\x07", "\x9b"} & {*done.stdout, *done.stderr}, line
        assert "\\x1b[2J" in done.stdout + done.stderr, line
