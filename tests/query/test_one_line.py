"""What cannot be done is told in one line that says what to do: extras that are not installed, places that are no
folders, files of a lake that are gone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import record, take
from made import edited, indexed, words

from archive.cli import main
from archive.lake import Lake

Write = Callable[[str, bytes], str]


def one_line(*args: object) -> str:
    """What a command that cannot be done says."""
    done = CliRunner().invoke(main, list(map(str, args)), prog_name="archive")
    assert done.exit_code == 2, (done.output, done.exception)
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("archive: ")
    return done.stderr.removeprefix("archive: ").strip()


@pytest.fixture
def full(lake: Lake, write: Write) -> Lake:
    take(lake, write("a.warc", record(body=f"<p>{' '.join(words(80, 1))}")))
    indexed(lake)
    return lake


EXPORT = ("export", "OUT", "--before", "2022-01-01", "--quiet")


@pytest.mark.parametrize(
    ("package", "extra", "args"),
    [
        ("numba", "index", (*EXPORT, "--preset", "fineweb")),
        ("numba", "index", (*EXPORT, "--split", "train=0.5,test=0.5")),
        ("numba", "index", (*EXPORT, "--where", "stop_words > 1")),
        ("numba", "index", (*EXPORT, "--decontaminate", "SET")),
        ("torch", "embed", (*EXPORT, "--decontaminate-like", "SET", "--least-cosine", "0.9")),
        ("numba", "index", ("index",)),
        ("numba", "index", ("quality",)),
        ("numba", "index", ("certify", "SET", "--before", "2022-01-01", "--out", "OUT")),
        ("tokenizers", "tokens", (*EXPORT, "--tokenizer", "gpt2")),
        ("webdataset", "webdataset", (*EXPORT, "--format", "webdataset")),
        ("litdata", "litdata", (*EXPORT, "--format", "litdata")),
        ("matplotlib", "collapse", ("collapse", "SET", "--out", "OUT")),
        ("sklearn", "instruments", ("probe", "SET", "SET", "--out", "OUT")),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    full: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, extra: str, args: tuple[str, ...]
) -> None:
    before = sorted(tmp_path.rglob("*"))
    (tmp_path / "set.jsonl").write_text(json.dumps({"text": " ".join(map(str, range(20)))}))
    imported = ("query.formats.", "query.tokenizer", f"{package}.")
    for name in [name for name in sys.modules if name.startswith(imported)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    places = {"OUT": tmp_path / "out", "SET": tmp_path / "set.jsonl"}
    lake = () if args[0] in {"collapse", "probe"} else ("--lake", full.location)
    told = one_line(*(places.get(arg, arg) for arg in args), *lake)
    assert f"needs {package}, which is not installed: pip install 'lowbackground[{extra}]'" in told
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "set.jsonl"])


@pytest.mark.parametrize("place", ["gs://bucket/set", "https://example.org/set"])
@pytest.mark.parametrize("command", ["export", "certify"])
def test_a_place_that_is_no_folder_is_said(
    full: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set.jsonl").write_text('{"text": "words"}\n')
    before = sorted(tmp_path.iterdir())
    args = ["export", place] if command == "export" else ["certify", "set.jsonl", "--out", place]
    told = one_line(*args, "--before", "2022-01-01", "--lake", full.location)
    assert told.startswith(f"{place}: `archive {command}` writes into a folder of this machine")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-20])])
@pytest.mark.parametrize("table", ["documents", "captures"])
@pytest.mark.parametrize(
    "args", [(*EXPORT, "--lake", "LAKE"), ("verify", "LAKE"),
             ("certify", "SET", "--before", "2022-01-01", "--out", "OUT", "--lake", "LAKE")],
)  # fmt: skip
def test_a_file_of_the_lake_that_is_gone_or_damaged_is_named(
    full: Lake, tmp_path: Path, args: tuple[str, ...], table: str, damage: Callable[[Path], Any]
) -> None:
    near = " ".join(edited(words(80, 1), 1, 2))  # it is compared with the text in the lake
    (tmp_path / "set.jsonl").write_text(json.dumps({"text": near}) + "\n")
    (broken,) = (Path(full.location) / table).rglob("*.parquet")
    damage(broken)
    places = {"OUT": tmp_path / "out", "SET": tmp_path / "set.jsonl", "LAKE": full.location}
    told = one_line(*(places.get(arg, arg) for arg in args))
    assert told.startswith(f"{broken}: this file of the lake is ")
    assert not (tmp_path / "out").exists()
