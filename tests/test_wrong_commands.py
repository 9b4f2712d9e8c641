"""A hundred wrong commands: each ends in one line that says what is wrong, with the right exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import members, record, take
from forked import forked

from archive.lake import Lake

#: Nobody listens there.
NOWHERE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_REGION": "us-east-1",
}
#: No key, and no machine of a cloud that would have one.
NOBODY = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

#: `archive` with these words, in a folder with a lake `lake`, an empty one `empty`, files, and an export `set`
#: -> the exit status, and what the line says.
USAGE: list[tuple[str, str]] = [
    # words that do not exist
    ("nothing", "No such command"),
    ("stats --colour", "No such option"),
    ("ingest", "Missing argument"),
    ("export set2", "Missing option '--before'"),
    ("certify rows.jsonl --before 2022-01-01", "Missing option '--out'"),
    ("show", "Missing argument"),
    ("lookup", "Missing argument"),
    ("forget", "Missing argument"),
    ("verify", "Missing argument"),
    ("ingest page.warc --workers 0", "--workers"),
    ("ingest page.warc --workers many", "--workers"),
    ("ingest page.warc --workers 100000", "--workers"),
    ("index --workers 100000", "--workers"),
    ("ingest page.warc --max-page huge", "is no size"),
    ("ingest page.warc --max-page 0", "is no size"),
    ("ingest page.warc --page-timeout 0", "--page-timeout"),
    ("ingest page.warc --extractor nothing", "--extractor"),
    ("index --threshold 2", "--threshold"),
    ("index --bands 0", "--bands"),
    ("query SELECT_1 --timeout 0", "--timeout"),
    ("query SELECT_1 -f xml", "--format"),
    ("export set2 --before 2022-01-01 -f xml", "--format"),
    ("export set2 --before 2022-01-01 --max-tokens 0", "--max-tokens"),
    ("export set2 --before 2022-01-01 --slices week", "--slices"),
    ("export set2 --before 2022-01-01 --preset best", "--preset"),
    ("verify set --rows -1", "--rows"),
    ("collapse text.txt --generations none", "--generations"),
]

WRONG: list[tuple[str, str]] = [
    # sources that are not there, or not what they seem
    ("ingest nowhere.warc --lake new", "nowhere.warc: no such file or folder"),
    ("ingest no/*.warc --lake new", "nothing matches it as a pattern"),
    ("ingest gs://bucket/a.warc --lake new", "gs:// is not known"),
    ("ingest ftp://host/a.warc --lake new", "ftp:// is not known"),
    ("ingest s3:// --lake new", "names no bucket"),
    ("ingest http:// --lake new", "http://:"),
    ("ingest http://127.0.0.1:9/a.warc --lake new", "no answer"),
    ("ingest https://[::1 --lake new", "no address of a file on a web server"),
    ("ingest page.warc nowhere.warc --lake new", "nowhere.warc: no such file"),
    ("ingest page.warc --lake new --dry-run --again nowhere.warc", "nowhere.warc: no such file"),
    # lakes that are none
    ("stats --lake nowhere", "there is no lake here; `archive ingest SOURCE"),
    ("stats --lake empty", "there is no lake here"),
    ("stats --lake page.warc", "there is no lake here"),
    ("stats --lake gs://bucket/lake", "gs:// is not known"),
    ("stats --lake https://example.org/lake", "not a web server"),
    ("stats --lake s3://", "names no bucket"),
    ("query SELECT_1 --lake nowhere", "there is no lake here"),
    ("query SELECT_1 --lake hdfs://host/lake", "hdfs:// is not known"),
    ("index --lake nowhere", "there is no lake here"),
    ("quality --lake nowhere", "there is no lake here"),
    ("embed --lake nowhere", "there is no lake here"),
    ("show example.com --lake nowhere", "there is no lake here"),
    ("forget page.warc --lake nowhere", "there is no lake here"),
    ("export set2 --before 2022-01-01 --lake nowhere", "there is no lake here"),
    ("certify rows.jsonl --before 2022-01-01 --out out --lake nowhere", "there is no lake here"),
    ("ingest page.warc --lake .", "is no lake and not empty"),
    ("ingest page.warc --lake page.warc", "page.warc"),
    ("ingest page.warc --lake https://example.org/lake", "not a web server"),
    ("index --witness-only . --lake lake", "is no lake and not empty"),
    ("index --witness-only lake --lake lake", "cannot be exported into itself"),
    # questions
    ("query SELEKT_1 --lake lake", "SELEKT"),
    ("query SELECT_*_FROM_nothing --lake lake", "nothing"),
    ("query SELECT_hosst_FROM_captures --lake lake", "host"),
    ("query SELECT_1;_SELECT_2 --lake lake", "one SQL statement"),
    ("query DROP_VIEW_captures --lake lake", "can only be read"),
    ("query SELECT_*_FROM_read_text('/etc/passwd') --lake lake", "read_text"),
    ("query SELECT_1 --lake lake --memory lots", "lots"),
    ("query SELECT_1 --lake lake -o no/such/folder/a.csv", "cannot be written"),
    ("query SELECT_1 --lake lake -o rows.jsonl", "--overwrite"),
    ("query SELECT_1 --lake lake -o answer.docx", "docx"),
    ("query SELECT_*_FROM_clean('yesterday') --lake lake", "yesterday"),
    ("query FROM_clean('2022-01-01',near:=true) --lake lake", "run `archive index` first"),
    ("show nothing.example --lake lake", "the lake has no capture of it"),
    ("show http://example.com/ --at yesterday --lake lake", "is no date"),
    ("show http://example.com/ --at 2001 --lake lake", "nothing was captured"),
    ("forget other.warc --lake lake", "has nothing of it"),
    # exports
    ("export set2 --before yesterday --lake lake", "is no date"),
    ("certify rows.jsonl --before yesterday --out out --lake lake", "is no date"),
    ("export set2 --before 2022-13-01 --lake lake", "is no date"),
    ("export set2 --before 2022-01-01 --after 2023-01-01 --lake lake", "nothing is after"),
    ("export set2 --before 2001-01-01 --lake lake", "the set is empty"),
    ("export set2 --before 2022-01-01 --language xx --lake lake", "the set is empty"),
    ("export set2 --before 2022-01-01 --near --lake lake", "run `archive index` first"),
    ("export set2 --before 2022-01-01 --preset fineweb --lake lake", "archive quality"),
    ("export set2 --before 2022-01-01 --date-sources web --lake lake", "no kind of date"),
    ("export set2 --before 2022-01-01 --sample 2 --lake lake", "--sample"),
    ("export set2 --before 2022-01-01 --sample 0 --lake lake", "--sample"),
    ("export set2 --before 2022-01-01 --max-tokens 5 --lake lake", "needs a --tokenizer"),
    ("export set2 --before 2022-01-01 -f megatron --lake lake", "needs a --tokenizer"),
    ("export set2 --before 2022-01-01 --tokenizer nowhere.json --lake lake", "nowhere.json"),
    ("export set2 --before 2022-01-01 --split train --lake lake", "write it as train=0.98"),
    ("export set2 --before 2022-01-01 --split a=0.5,b=0.6 --lake lake", "sum to 1"),
    ("export set2 --before 2022-01-01 --split a=0.5,a=0.5 --lake lake", "a name of its own"),
    ("export set2 --before 2022-01-01 --mark --lake lake", "--decontaminate"),
    ("export set2 --before 2022-01-01 --drop-like --lake lake", "--decontaminate-like"),
    ("export set2 --before 2022-01-01 --decontaminate-like rows.jsonl --lake lake", "--published"),
    ("export set2 --before 2022-01-01 --where words_>> --lake lake", "--where"),
    ("export set2 --before 2022-01-01 --where EXISTS_(SHOW_memory_limit) --lake lake", "--where"),
    ("export set2 --before 2022-01-01 --where random()_<_1 --lake lake", "another answer each time"),
    ("export . --before 2022-01-01 --lake lake", "."),
    ("export page.warc --before 2022-01-01 --lake lake", "page.warc"),
    ("export set --before 2022-01-01 --lake lake", "finished export"),
    ("export s3://bucket/set --before 2022-01-01 --lake lake", "s3://bucket/set"),
    ("export gs://bucket/set --before 2022-01-01 --lake lake", "gs://bucket/set"),
    # verify
    ("verify nowhere", "nowhere"),
    ("verify empty", "no export here"),
    ("verify page.warc", "page.warc"),
    ("verify set --moved here", "write it as FROM=TO"),
    # certify
    ("certify rows.jsonl --before 2022-01-01 --out out --lake lake", "archive index"),
    # collapse
    ("collapse nowhere.txt", "nowhere.txt"),
    ("collapse text.txt --model gpt5", "gpt5"),
    ("collapse text.txt --recipe nothing", "nothing"),
    ("collapse text.txt --generations 0", "generations"),
    ("collapse text.txt --regimes nothing", "nothing"),
    ("collapse text.txt --where label", "write it as column=value"),
    ("collapse empty", "empty"),
    ("collapse text.txt --out .", "."),
]

STORES: list[tuple[str, dict[str, str], str]] = [
    ("stats --lake s3://bucket/lake", NOWHERE, "the store does not answer"),
    ("query SELECT_1 --lake s3://bucket", NOWHERE, "the store does not answer"),
    ("ingest page.warc --lake s3://bucket/lake", NOWHERE, "the store does not answer"),
    ("ingest s3://bucket/a.warc --lake new", NOWHERE, "the store does not answer"),
    ("verify s3://bucket/lake", NOWHERE, "s3://bucket/lake"),
    ("stats --lake s3://bucket/lake", NOBODY, "s3://bucket/lake"),
]

COMPILES = "The first run compiles its kernels: about half a minute.\n"

#: With some input that is of no use: exit status 1, and why on the screen.
UNUSABLE: list[tuple[str, str]] = [
    ("ingest undated.jsonl --lake new", "has a date that can prove anything (1 missing); its columns are"),
    ("ingest textless.jsonl --lake new", "gave a text (1 no-text-column); its columns are id, words"),
    ("ingest rows.jsonl --text-column txet --lake new", "did you mean text?"),
    ("ingest rows.jsonl --date-column when --lake new", "its columns are text, date"),
    ("ingest empty --lake new", "the folder holds no file"),
    ("ingest cut.warc.gz --lake new", "damaged"),
    ("ingest text.txt --lake new", "damaged: 1 unknown-format"),
    ("ingest fifo --lake new", "is no regular file"),
    ("ingest rows.jsonl --text-column txet --dry-run --lake new", "did you mean text?"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "empty").mkdir()
    (folder / "page.warc").write_bytes(record())
    (folder / "other.warc").write_bytes(record(url="http://other.example/"))
    (folder / "cut.warc.gz").write_bytes(members(record())[:-30])
    (folder / "text.txt").write_text("Words.\n")
    for name, row in {
        "rows": {"text": "Some words.", "date": "2014-05-06"},
        "undated": {"text": "Some words.", "seen": "2014-05-06"},
        "textless": {"id": "1", "words": "Some words."},
    }.items():
        (folder / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    os.mkfifo(folder / "fifo")
    take(Lake(str(folder / "lake")), str(folder / "page.warc"))
    done = forked("export", str(folder / "set"), "--before", "2022-01-01", "--lake", str(folder / "lake"), check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def inside(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def words(line: str) -> list[str]:
    """The words of a command; `_` stands for a space inside one of SQL."""
    sql = re.compile(r"SEL|FROM_|DROP_|EXISTS_|words_|random")
    return [word.replace("_", " ").replace("read text", "read_text") if sql.match(word) else word
            for word in line.split()]  # fmt: skip


@pytest.mark.parametrize(("line", "says"), WRONG, ids=[line[:70] for line, _ in WRONG])
def test_a_wrong_command_is_one_line_and_exit_status_2(inside: Path, line: str, says: str) -> None:
    before = _files(inside)
    done = forked(*words(line), check=False, server="collapse" if line.startswith("collapse") else "archive")
    assert done.returncode == 2, (done.stdout, done.stderr)
    error = done.stderr.removeprefix(COMPILES)  # of kernels, where nothing in this folder has used them yet
    assert error.startswith("archive: "), done.stderr
    assert error.count("\n") == 1, done.stderr
    assert says in error
    assert done.stdout == ""
    assert _files(inside) == before


@pytest.mark.parametrize(("line", "says"), USAGE, ids=[line[:70] for line, _ in USAGE])
def test_words_that_no_command_knows_are_told_with_the_way_to_the_help(inside: Path, line: str, says: str) -> None:
    done = forked(*line.split(), check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert says in done.stderr
    assert "--help" in done.stderr


@pytest.mark.parametrize(("line", "env", "says"), STORES, ids=[f"{line[:50]} {len(env)}" for line, env, _ in STORES])
def test_a_store_that_cannot_be_reached_is_one_line(inside: Path, line: str, env: dict[str, str], says: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = forked(*words(line), check=False, env={**clean, **env})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("archive: ")
    assert says in done.stderr


@pytest.mark.parametrize(("line", "says"), UNUSABLE, ids=[line[:70] for line, _ in UNUSABLE])
def test_input_of_no_use_is_exit_status_1_with_the_reason_on_the_screen(
    inside: Path, tmp_path: Path, line: str, says: str
) -> None:
    done = forked(*line.replace("--lake new", f"--lake {tmp_path / 'new'}").split(), check=False)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stderr == ""
    assert says in done.stdout


@pytest.mark.parametrize(
    "line",
    ["stats", "query FROM_range(1000000)", "query FROM_captures -f json", "show http://example.com/", "stats --json"],
)
def test_a_full_disk_behind_standard_output_is_one_line(inside: Path, line: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "archive", *words(line), "--lake", "lake"],
            stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert re.search("no space left|disk is full", done.stderr, re.IGNORECASE)


@pytest.mark.parametrize("line", ["stats", "query FROM_captures -f table", "show http://example.com/", "--help"])
def test_a_terminal_of_40_columns_gets_lines_that_can_be_read(inside: Path, line: str) -> None:
    env = {**os.environ, "COLUMNS": "40"}
    lake = [] if line == "--help" else ["--lake", "lake"]
    done = forked(*words(line), *lake, env=env)
    assert done.returncode == 0
    # no column of single letters: the longest word of a row is no shorter than a date
    assert max(len(word) for word in done.stdout.split()) >= 10


def _files(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if not path.is_fifo()
    }
