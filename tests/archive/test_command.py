"""The command as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import command, members, record
from forked import forked

from archive.lake import Lake

Write = Callable[[str, bytes], str]
ROOT = Path(__file__).parents[2]


def test_help_loads_no_heavy_package() -> None:
    """How long it takes is measured in benchmarks/start.py."""
    code = """
import sys
from archive.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
print(sorted({"pyarrow", "duckdb", "deltalake", "torch", "numpy", "rich"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ingest" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_index_lookup_and_search_load_no_torch_until_a_text_is_encoded() -> None:
    code = "import sys; sys.modules.update(dict.fromkeys(['faiss', 'torch', 'transformers']))\n"
    modules = ("index.neardup.run", "index.certify.run", "index.passages.find", "index.vectors.search",
               "query.lookup.run", "query.export.run")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code + f"import {', '.join(modules)}"], capture_output=True, text=True)
    assert not done.returncode, done.stderr


def test_the_base_install_needs_no_torch_ray_or_scrapy() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert not any(name.startswith(("torch", "ray", "scrapy", "faiss")) for name in project["dependencies"])


def test_ingest_tells_what_became_of_every_record(lake: Lake, write: Write) -> None:
    source = write(
        "a.warc.gz", members(record(), record(status="404 Not Found"), record(body="<p>Other</p>"), record())
    )
    done = command("ingest", source, "--lake", lake.location)
    assert done.returncode == 0
    for line in ("1 file ingested", "records read", "http-404", "2 new texts, 0 texts already known", "2015-03"):
        assert line in done.stdout
    again = command("ingest", source, "--lake", lake.location)
    assert "0 files ingested, 1 known already" in again.stdout


def test_json_and_stats_give_the_same_numbers(lake: Lake, write: Write) -> None:
    source = write("a.warc.gz", members(record(), record(status="404 Not Found"), record(date="1980-01-01T00:00:00Z")))
    summary = json.loads(forked("ingest", source, "--lake", lake.location, "--json").stdout)
    stats = json.loads(forked("stats", "--lake", lake.location, "--json").stdout)
    for name in ("records", "captures", "rejects", "skipped", "captures_by_month"):
        assert summary[name] == stats[name], name
    assert stats["texts"] == summary["new_texts"] == 1
    assert stats["date_problems"] == {"before-web": 1}
    assert "captures" in forked("stats", "--lake", lake.location).stdout


def test_damage_makes_the_exit_status_1_and_other_rejects_do_not(lake: Lake, write: Write) -> None:
    fine = write("fine.warc.gz", members(record(), record(status="404 Not Found")))
    assert forked("ingest", fine, "--lake", lake.location).returncode == 0
    cut = write("cut.warc.gz", members(record(body="<p>cut</p>"))[:-30])
    assert forked("ingest", cut, "--lake", lake.location).returncode == 1


@pytest.mark.parametrize(
    "args",
    [
        ("query", "SELECT * FROM nothing"),
        ("query", "no sql at all"),
        ("ingest",),
        ("ingest", "x", "--max-page", "huge"),
        ("unknown",),
        ("stats", "--lake", "https://example.org/lake"),
        ("stats", "--lake", "/nowhere/at/all"),
    ],
)
def test_wrong_usage_is_exit_status_2_without_a_traceback(lake: Lake, args: tuple[str, ...]) -> None:
    lake.create()
    done = forked(*args, *(() if "--lake" in args or args == ("unknown",) else ("--lake", lake.location)), check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_lake_where_nothing_can_be_written_is_one_line(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = forked("ingest", write("a.warc", record()), "--lake", str(tmp_path / "file"), check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("archive: ")
    assert len(done.stderr.splitlines()) == 1


def test_query_writes_csv_json_lines_and_a_table(lake: Lake, write: Write) -> None:
    forked("ingest", write("a.warc", record(body='<title>[b]Ünï</title><p>a, "b"\nc</p>')), "--lake", lake.location)
    sql = "SELECT title, text, first_seen, captures, NULL AS nothing FROM documents"
    out = {form: forked("query", sql, "--lake", lake.location, "-f", form).stdout for form in ("csv", "jsonl", "table")}
    assert out["csv"].startswith("title,text,first_seen,captures,nothing\n")
    assert json.loads(out["jsonl"]) == {
        "title": "[b]Ünï",
        "text": 'a, "b" c',
        "first_seen": "2015-03-04T05:06:07Z",
        "captures": 1,
        "nothing": None,
    }
    assert "[b]Ünï" in out["table"]


def test_a_reader_that_goes_away_is_no_error(lake: Lake, write: Write) -> None:
    pages = [record(url=f"http://e.example/{n}", body=f"<p>Page {n}</p>") for n in range(300)]
    command("ingest", write("a.warc.gz", members(*pages)), "--lake", lake.location)
    query = f"{sys.executable} -m archive query 'SELECT * FROM captures, range(1000)' --lake {lake.location} | head -1"
    done = subprocess.run(["bash", "-c", query], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_the_reference_pages_agree_with_the_code() -> None:
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
