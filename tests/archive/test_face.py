"""The Python face: a single path is one source, names are complete, and a lake is made nowhere else than asked."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import record

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
