"""The Python face: a single path is one source, names are complete, and a lake is made nowhere else than asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import command, record, rows
from deltalake import write_deltalake

import archive
import index
from archive.errors import LakeError
from archive.lake import Lake

Write = Callable[[str, bytes], str]


@pytest.mark.parametrize(
    "kind", [str, Path, lambda path: [path], lambda path: (Path(path),), lambda path: iter([path])]
)
def test_a_single_path_is_one_source_and_not_its_letters(
    lake: Lake, write: Write, kind: Callable[[str], object]
) -> None:
    source = write("a.warc", record())
    assert archive.ingest(lake, kind(source), workers=1).captures == 1  # type: ignore[arg-type]
    assert lake.read("sources", ["file"])["file"].to_pylist() == [source]


def test_the_names_that_a_package_offers_are_all_there() -> None:
    for package in (archive, index):
        assert set(dir(package)) == set(package.__all__)
        for name in package.__all__:
            assert getattr(package, name) is not None


def test_a_location_is_a_path_an_address_or_refused(tmp_path: Path) -> None:
    assert archive.open(tmp_path / "lake").location == str(tmp_path / "lake")
    assert archive.open(f"file://{tmp_path}/a%20lake").location == f"{tmp_path}/a lake"
    assert archive.open("s3://bucket/").location == "s3://bucket"
    for wrong in ("gs://bucket/lake", "s3://", "s3:///", "https://example.org/lake", "memory://a"):
        with pytest.raises(LakeError) as said:
            archive.open(wrong)
        assert "\n" not in str(said.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", ["notes.txt", "documents/letter.txt", "captures", ".hidden", "sources/deep/a"])
def test_no_lake_is_made_in_a_folder_of_something_else(tmp_path: Path, write: Write, there: str) -> None:
    folder = tmp_path / "folder"
    (folder / there).parent.mkdir(parents=True)
    (folder / there).write_text("mine")
    with pytest.raises(LakeError, match="is no lake and not empty"):
        archive.ingest(archive.open(folder), write("a.warc", record()), workers=1)
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / there]
    assert (folder / there).read_text() == "mine"


def test_a_lake_whose_making_was_killed_is_made_whole(tmp_path: Path, write: Write) -> None:
    lake = Lake(str(tmp_path / "lake"))
    lake.create()
    (tmp_path / "lake" / "documents" / "_delta_log" / f"{0:020}.json").unlink()
    for path in sorted((tmp_path / "lake" / "sources").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert archive.ingest(lake, write("a.warc", record()), workers=1).new_texts == 1


def test_the_first_run_says_that_it_compiles(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from index.compiling import announce; announce(Path({str(tmp_path)!r}), False)"
    cold = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "compiles" in cold.stderr
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "kernel.nbi").touch()
    warm = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert warm.stderr == ""


@pytest.mark.parametrize("name", ["x%20y", "p%41q", "a\\b", "new\nline"])
def test_a_path_that_delta_lake_would_take_for_another_is_refused(tmp_path: Path, write: Write, name: str) -> None:
    with pytest.raises(LakeError, match="as another one"):
        archive.ingest(archive.open(tmp_path / name), write("a.warc", record()), workers=1)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["x y", "é☃", "a#b?c", "100%", "[x]{y}", "a:b", "it's"])
def test_odd_names_of_folders_are_fine(tmp_path: Path, write: Write, name: str) -> None:
    lake = archive.open(tmp_path / name)
    assert archive.ingest(lake, write("a.warc", record()), workers=1).captures == 1
    assert rows(lake, "SELECT count(*) FROM documents") == [(1,)]


def test_tables_of_something_else_are_left_alone(tmp_path: Path, write: Write) -> None:
    for name in ("sources", "documents"):
        write_deltalake(tmp_path / "other" / name, pa.table({"id": [1, 2]}))
    before = {path: path.read_bytes() for path in (tmp_path / "other").rglob("*") if path.is_file()}
    with pytest.raises(LakeError, match="is a table of something else"):
        archive.ingest(archive.open(tmp_path / "other"), write("a.warc", record()), workers=1)
    assert {path: path.read_bytes() for path in (tmp_path / "other").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("stream", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_standard_stream_is_as_if_it_led_nowhere(lake: Lake, write: Write, stream: str) -> None:
    archive.ingest(lake, write("a.warc", record()), workers=1)
    for words in ("stats", "show http://example.com/", "query 'SELECT 7 AS a'"):
        line = f"{sys.executable} -m archive {words} --lake {lake.location} {stream}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_written_into_the_lake_by_name(lake: Lake, write: Write) -> None:
    archive.ingest(lake, write("a.warc", record()), workers=1)
    before = {path: path.stat().st_mtime_ns for path in Path(lake.location).rglob("*")}
    for words in (["query", "SELECT 1", "-o", f"{lake.location}/documents/a.csv", "--overwrite"],
                  ["export", f"{lake.location}/set", "--before", "2022-01-01"]):  # fmt: skip
        done = command(*words, "--lake", lake.location, check=False)
        assert (done.returncode, " the lake; name" in done.stderr) == (2, True), done.stderr
    assert {path: path.stat().st_mtime_ns for path in Path(lake.location).rglob("*")} == before
