"""What people see of an answer, where it goes, and the columns of the first questions."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import record, rows, take
from forked import forked

import query
from archive.lake import Lake
from query import domain
from query.answer import output
from query.sql import answer

Write = Callable[[str, bytes], str]


@pytest.fixture
def small(lake: Lake, write: Write) -> Lake:
    pages = [
        record(url="http://www.news.bbc.co.uk:80/a", body="<p>One page.</p>", date="2008-06-01T00:00:00Z"),
        record(url="https://user@EXAMPLE.org./b", body="<p>Another.</p>", date="2010-06-01T00:00:00Z"),
        record(url="http://gone.example.org/", status="404 Not Found"),
    ]
    take(lake, write("a.warc", b"".join(pages)))
    return lake


def _shown(sql: str, columns: int) -> str:
    import duckdb

    out = io.StringIO()
    os.environ["COLUMNS"] = str(columns)
    try:
        output.write(duckdb.connect().execute(sql), "table", out)
    finally:
        del os.environ["COLUMNS"]
    return out.getvalue()


def test_a_row_wider_than_the_screen_is_shown_field_under_field(small: Lake) -> None:
    done = forked(
        "query",
        "SELECT * FROM captures LIMIT 2",
        "--lake",
        small.location,
        "-f",
        "table",
        env={**os.environ, "COLUMNS": "80"},
    )
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert [line for line in lines if line.startswith("row ")] == ["row 1 ".ljust(40, "─"), "row 2 ".ljust(40, "─")]
    assert any(line.split() == ["url", "http://www.news.bbc.co.uk:80/a"] for line in lines)
    narrow = _shown("SELECT 1 AS a, 'b c' AS b", 80)
    assert narrow.split() == ["a", "b", "─" * 7, "1", "b", "c"]


def test_numbers_are_shown_plain() -> None:
    shown = _shown("SELECT 2008 AS year, 1234567 AS n, 0.5::DOUBLE AS half, 1e-9::DOUBLE AS tiny", 80)
    assert shown.split()[-4:] == ["2008", "1234567", "0.5", "1e-09"]


def test_an_error_keeps_what_duckdb_suggests(small: Lake) -> None:
    ask = lambda sql: forked("query", sql, "--lake", small.location, check=False).stderr  # noqa: E731
    column, view = ask("SELECT hosts FROM captures"), ask("FROM capturs")
    assert "Candidate bindings" in column
    assert '"host"' in column
    assert "did you mean captures?" in view
    assert column.count("\n") == view.count("\n") == 1
    assert "LINE 1" not in column


def test_two_columns_of_one_name_are_both_there_in_every_format(small: Lake, tmp_path: Path) -> None:
    sql = "SELECT 1 AS a, 2 AS a, 3 AS a_2, 4 AS a"
    for form in ("csv", "json", "jsonl", "parquet"):
        forked("query", sql, "--lake", small.location, "-o", str(tmp_path / f"x.{form}"))
    names = ["a", "a_3", "a_2", "a_4"]
    assert (tmp_path / "x.csv").read_text().splitlines()[0].split(",") == names
    assert json.loads((tmp_path / "x.json").read_text()) == [dict(zip(names, (1, 2, 3, 4), strict=True))]
    assert json.loads((tmp_path / "x.jsonl").read_text()) == dict(zip(names, (1, 2, 3, 4), strict=True))
    assert pq.read_table(tmp_path / "x.parquet").column_names == names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "x.txt"], "its ending names no format"),
        (["-o", "x"], "its ending names no format"),
        (["-o", "x.parquet", "-f", "csv"], "contradicts the ending"),
        (["-o", "there.csv"], "--overwrite replaces it"),
        (["-o", ".", "-f", "csv"], "is a folder"),
        (["-o", "no/x.csv"], "cannot be written"),
        (["-o", "/dev/full", "-f", "csv"], "no space left"),
    ],
)
def test_an_output_that_cannot_be_is_said_in_one_line(
    small: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").write_text("mine")
    before = sorted(tmp_path.iterdir())
    done = forked("query", "SELECT 1", "--lake", small.location, *words, check=False)
    assert (done.returncode, done.stderr.count("\n"), said in done.stderr) == (2, 1, True), done.stderr
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == before


def test_the_format_is_that_of_the_ending(small: Lake, tmp_path: Path) -> None:
    forked("query", "SELECT 1 AS a", "--lake", small.location, "-o", str(tmp_path / "x.parquet"))
    assert pq.read_table(tmp_path / "x.parquet").to_pylist() == [{"a": 1}]
    forked("query", "SELECT 2 AS a", "--lake", small.location, "-o", str(tmp_path / "x.parquet"), "--overwrite")
    assert pq.read_table(tmp_path / "x.parquet").to_pylist() == [{"a": 2}]
    # a device is written to, and not replaced
    forked("query", "SELECT 1", "--lake", small.location, "-f", "csv", "-o", "/dev/null")
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("words", [["query", "FROM range(300000)"], ["query", "SELECT 1"], ["stats"]])
def test_a_full_disk_and_a_reader_that_goes_away(small: Lake, words: list[str]) -> None:
    archive = [sys.executable, "-m", "archive", *words, "--lake", small.location]
    piped = subprocess.run(["bash", "-o", "pipefail", "-c", '"$@" | head -1', "-", *archive], capture_output=True)
    assert (piped.returncode, piped.stderr) == (0, b"")
    if words[0] == "query":
        with open("/dev/full", "w") as full:
            done = subprocess.run(archive, stdout=full, stderr=subprocess.PIPE, text=True)
        assert (done.returncode, done.stderr) == (2, "archive: the answer cannot be written: no space left on device\n")


def test_show_tables_names_the_views_and_nothing_else(small: Lake) -> None:
    views = [
        "captures",
        "documents",
        "moments",
        "proofs",
        "duplicates",
        "witnesses",
        "clusters",
        "quality",
        "embeddings",
        "likenesses",
        "topics",
        "text_topics",
        "rejects",
        "sources",
        "attestations",
        "retractions",
        "site_rules",
        "opt_outs",
    ]
    db = query.connect(small)
    assert [name for (name,) in answer(db, "SHOW TABLES").fetchall()] == views
    for view in views:
        assert answer(db, f"DESCRIBE {view}").fetchall()


def test_host_domain_and_year_are_columns(small: Lake) -> None:
    wanted = [
        (2008, "www.news.bbc.co.uk", "bbc.co.uk"),
        (2010, "example.org", "example.org"),
    ]
    for view in ("captures", "documents", "clean('2022-01-01')"):
        assert rows(small, f"SELECT year, host, domain FROM {view} ORDER BY year") == wanted
    assert rows(small, "SELECT host, domain FROM rejects") == [("gone.example.org", "example.org")]


def test_the_domain_in_sql_is_the_registered_domain(small: Lake) -> None:
    urls = [
        *(
            "http://a.b.kawasaki.jp/",
            "http://x.city.kawasaki.jp",
            "http://www.ck",
            "http://co.uk",
            "http://1.2.3.4:80/",
        ),
        *("http://[::1]/", "http://u:p@news.bbc.co.uk:80/w", "HTTP://X.Example.COM./", "urn:x", "", "http://a..com"),
        *("http://localhost", "http://xn--85x722f.xn--55qx5d.cn", "ftp://h.example.co.jp/x@y"),
    ]
    db = query.connect(small)
    for url in [*urls, None]:
        found = db.execute("SELECT domain_of(host_of($1::VARCHAR))", [url]).fetchall()
        assert found == [(domain.registered_domain(url),)], url


@pytest.mark.parametrize("table", ["captures", "documents", "sources"])
@pytest.mark.parametrize("harm", ["lost", "empty", "no foot", "no body"])
def test_a_lost_or_broken_file_is_named(small: Lake, table: str, harm: str) -> None:
    file = Path(small.table_uri(table)) / small.files(table)[0]
    data = file.read_bytes()
    if harm == "lost":
        file.unlink()
    else:
        body = len(data) - 8 - int.from_bytes(data[-8:-4], "little")  # up to the foot
        broken = {"empty": b"", "no foot": data[:-20], "no body": data[:4] + b"\xff" * (body - 4) + data[body:]}
        file.write_bytes(broken[harm])
    told = "max(documents.text), max(captures.title), max(sources.unit), max(captures.captured_at)"
    commands = [["query", f"SELECT {told} FROM documents JOIN captures USING (content_id), sources"]]
    if harm != "no body":  # `stats` need not read all of a file
        commands.append(["stats"])
    for words in commands:
        done = forked(*words, "--lake", small.location, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert str(file) in done.stderr
        assert ("is lost" if harm == "lost" else "is broken") in done.stderr
        assert "into a new lake" in done.stderr


def test_stats_counts_one_file_and_tells_a_lake_of_witnesses(small: Lake, tmp_path: Path) -> None:
    assert f"{small.location}: 1 file, 2 different texts" in forked("stats", "--lake", small.location).stdout
    witnesses = Lake(str(tmp_path / "witnesses"))
    witnesses.create()
    captures = small.read("captures")
    from archive.files import write_parquet
    from archive.tables import CAPTURES

    for month in ("2008-06", "2010-06"):
        part = captures.filter(pa.compute.equal(captures["month"], month)).select(CAPTURES.file_schema.names)
        witnesses.commit(CAPTURES, [write_parquet(witnesses, CAPTURES, part, "w", {"month": month})], [])
    said = forked("stats", "--lake", witnesses.location).stdout
    assert "the dates and signatures of 2 texts, to certify with" in said
    assert "records read" not in said
