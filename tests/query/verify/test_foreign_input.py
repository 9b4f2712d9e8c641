"""Sets and arguments of any kind end in one line: no traceback, no waiting."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, take
from forging import reseal
from forked import forked

import lowbackground as lb
from archive.errors import ArchiveError, ExportError
from archive.lake import Lake
from query import dataset
from query.dataset import Manifest
from query.export.run import export
from query.verify.run import verify

BEFORE = "2022-01-01"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    pages = [record(f"http://s{n}.org/", f"<p>Words of page {n}.</p>", f"201{n}-05-06T07:08:09Z") for n in range(4)]
    (folder / "a.warc.gz").write_bytes(members(*pages))
    take(Lake(str(folder / "lake")), str(folder / "a.warc.gz"))
    export(str(folder / "lake"), folder / "set", before=BEFORE, workers=1)
    return folder


@pytest.fixture
def out(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept / "set", tmp_path / "set"))


def manifest_of(out: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((out / "manifest.json").read_bytes())
    return values


def test_a_million_shards_that_are_not_there_are_told_in_seconds(out: Path) -> None:
    manifest = manifest_of(out)
    (shard,) = manifest["shards"]
    name = {"name": "train-%05d.parquet"}
    manifest["shards"] = [
        {**shard, "files": [{**shard["files"][0], **{key: value % n for key, value in name.items()}}]}
        for n in range(20_000)
    ]
    (out / "manifest.json").write_text(json.dumps(manifest))
    started = time.monotonic()
    result = verify(out, all=True, workers=1)
    assert time.monotonic() - started < 60
    assert "train/train-00001.parquet: No such file or directory" in result.problems
    assert len(result.problems) < 300


def test_a_shard_that_is_stated_twenty_thousand_times_is_read_once(out: Path) -> None:
    manifest = manifest_of(out)
    manifest["shards"] *= 20_000
    (out / "manifest.json").write_text(json.dumps(manifest))
    started = time.monotonic()
    assert not verify(out, all=True, workers=1).sound
    assert time.monotonic() - started < 60


def test_a_manifest_that_is_too_large_is_not_read(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_LARGEST", 100)
    with pytest.raises(ExportError, match="bytes; a manifest of more than 100 is not read"):
        verify(out)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_problem(out: Path) -> None:
    (out / "README.md").chmod(0)
    assert any("README.md: Permission denied" in each for each in verify(out, rows=0, workers=1).problems)


@pytest.mark.parametrize("name", [b"\xff", b"a\xfe/b"])
def test_names_that_are_not_utf8_end_in_one_line(kept: Path, tmp_path: Path, name: bytes) -> None:
    odd = os.fsdecode(bytes(tmp_path) + b"/" + name)
    with pytest.raises(ArchiveError, match="whose name is UTF-8"):
        export(str(kept / "lake"), odd, before=BEFORE)
    with pytest.raises(ArchiveError, match="whose name is UTF-8"):
        export(odd, tmp_path / "out", before=BEFORE)
    done = forked("export", odd, "--lake", str(kept / "lake"), "--before", BEFORE, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_what_is_printed_of_odd_names_is_text(out: Path) -> None:
    (out / os.fsdecode(b"\xff.parquet")).write_bytes(b"")
    done = forked("verify", str(out), "--json", check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["problems"] == ["\\udcff.parquet: not of this export"]


@pytest.mark.parametrize("before", [date(2022, 1, 1), datetime(2022, 1, 1), datetime(2022, 1, 1, tzinfo=UTC)])
def test_a_date_is_as_good_as_its_text(kept: Path, tmp_path: Path, before: date) -> None:
    one = lb.export(str(kept / "lake"), tmp_path / "one", before=before, workers=1)
    assert one.merkle_root == json.loads((kept / "set" / "manifest.json").read_bytes())["merkle_root"]


@pytest.mark.parametrize(
    "options",
    [
        {"before": 2022},
        {"before": None},
        {"near": "yes"},
        {"sample": "0.5"},
        {"grade": 3},
        {"grade": None},
        {"archives": "2"},
        {"archives": True},
        {"date_sources": 3},
        {"split": [1, 2]},
        {"split": {"a": "x"}},
        {"where": 3},
        {"where": " "},
        {"where": os.fsdecode(b"url = '\xff'")},
        {"seed": 1.5},
        {"seed": "1' || '"},
        {"shard_size": "5"},
        {"format": None},
        {"language": 1},
        {"after": 3},
        {"max_tokens": "7"},
        {"mask": 1},
    ],
)
def test_an_argument_of_another_type_is_one_clear_error(kept: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ArchiveError) as error:
        lb.export(str(kept / "lake"), tmp_path / "out", **{"before": BEFORE, "workers": 1, **options})
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"rows": "5"}, {"rows": -1}, {"root": 5}, {"moved": 5}, {"moved": [("a", "b")]}])
def test_an_argument_of_verify_of_another_type_is_one_clear_error(out: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ArchiveError):
        lb.verify(out, **options)


@pytest.mark.parametrize(
    "where", ["true) OR (true", "words > 1) OR (1=1", "(words > 1", "words > 1)", "1; SELECT 1", "a THEN true WHEN b"]
)
def test_a_condition_is_one_expression_and_no_part_of_two(kept: Path, tmp_path: Path, where: str) -> None:
    with pytest.raises(ExportError, match=r"not a condition|not one condition"):
        export(str(kept / "lake"), tmp_path / "out", before=BEFORE, where=where, workers=1)


def test_change_any_part_of_what_a_set_states_and_its_root_is_another(out: Path) -> None:
    """Rows and evidence are in the roots of the shards, which other tests change value by value."""
    root = manifest_of(out)["merkle_root"]
    for name, value in manifest_of(out).items():
        if name in {"version", "merkle_root", "content_root", "files"}:
            continue
        other = manifest_of(out)
        if name == "lake":
            other[name] = {**value, "versions": changed(value["versions"])}
        elif name == "tokenizer":
            other[name] = {"name": "x", "fingerprint": "0", "vocab_size": 1}
        elif name == "arguments":
            other[name] = {**value, "near": True}
        else:
            other[name] = changed(value)
        reseal(out, Manifest.from_json(other))
        assert manifest_of(out)["merkle_root"] != root, name


def changed(value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, dict):
        return {key: each + 1 for key, each in value.items()} or {"more": 1}
    if isinstance(value, list):
        return [{**value[0], "dropped": 7}] if value and "dropped" in value[0] else [{**value[0], "chars": 1}]
    if isinstance(value, int):
        return value + 1
    return 1 if value is None else f"{value}x"


def test_a_word_of_the_card_is_in_the_root(out: Path) -> None:
    root, before = manifest_of(out)["merkle_root"], verify(out, rows=0, workers=1)
    assert before.merkle_root == root
    (out / "README.md").write_text((out / "README.md").read_text().replace("provably", "surely"))
    assert verify(out, rows=0, workers=1).merkle_root != root
