"""An exported set, opened: what its manifest states, and its rows; also in the form of older versions."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import members, record, take
from forked import forked
from made import words

from archive.errors import ExportError
from archive.lake import Lake
from query import merkle
from query.dataset import VERSION, Dataset, load
from query.export.run import ExportResult, export
from query.rows import SINCE_3
from query.verify.run import verify

BEFORE = "2022-01-01"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    from index.neardup import index

    folder = tmp_path_factory.mktemp("dataset")
    lake = Lake(str(folder / "lake"))
    pages = [
        record(f"http://site{n}.org/", f"<p>{' '.join(words(20, n))}</p>", f"201{n % 5}-01-02T03:04:05Z")
        for n in range(40)
    ]
    (folder / "a.warc.gz").write_bytes(members(*pages))
    take(lake, str(folder / "a.warc.gz"))
    index(lake, workers=1)
    return lake


@pytest.fixture(scope="module")
def exported(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportResult]:
    out = tmp_path_factory.mktemp("exported") / "set"
    options: dict[str, Any] = {"split": {"train": 0.7, "val": 0.3}, "date_sources": "warc,arc", "slices": "year"}
    return out, export(lake.location, out, before=BEFORE, shard_size=2000, workers=1, **options)


@pytest.fixture
def dataset(exported: tuple[Path, ExportResult]) -> Dataset:
    return load(exported[0])


def test_a_set_has_the_numbers_of_its_export(dataset: Dataset, lake: Lake, exported: tuple[Path, ExportResult]) -> None:
    _, result = exported
    assert (len(dataset), dataset.splits, len(dataset.shards)) == (result.rows, result.splits, result.shards)
    assert (dataset.merkle_root, dataset.content_root) == (result.merkle_root, result.content_root)
    assert (dataset.lake, dataset.format) == (lake.location, "parquet")
    assert dataset.manifest.version == VERSION
    assert dataset.arguments.before == "2022-01-01T00:00:00+00:00"
    assert dataset.arguments.date_sources == ("warc", "arc")
    assert dataset.arguments.split == (("train", 0.7), ("val", 0.3))


def test_its_rows_are_read_one_by_one_or_as_tables_of_a_split(dataset: Dataset) -> None:
    rows = list(dataset)
    assert len(rows) == len(dataset) == 40
    assert list(rows[0]) == dataset.columns
    assert dataset.to_arrow().to_pylist() == rows
    parts = [dataset.to_arrow(split) for split in dataset.splits]
    assert [part.num_rows for part in parts] == list(dataset.splits.values())
    assert sorted(row["content_id"] for part in parts for row in part.to_pylist()) == sorted(
        row["content_id"] for row in rows
    )
    assert isinstance(next(dataset.batches("val")), pa.RecordBatch)
    with pytest.raises(ExportError, match="no split 'dev'; there are "):
        next(dataset.batches("dev"))


def test_a_set_is_verified_as_it_was_opened(dataset: Dataset) -> None:
    assert verify(dataset, all=True, root=dataset.content_root, workers=1).sound


def older(out: Path) -> None:
    """Give a manifest the keys of version 1, from before there was a content root."""
    path = out / "manifest.json"
    manifest = json.loads(path.read_bytes())
    del manifest["version"], manifest["content_root"]
    manifest["manifest"] = 1
    arguments = manifest["arguments"]
    arguments["form"], arguments["sources"] = arguments.pop("format"), arguments.pop("date_sources")
    del arguments["grade"], arguments["archives"], manifest["grades"]
    for shard in manifest["shards"]:
        (file,) = shard["files"]
        rows = out / shard["folder"] / file["name"]
        table = pq.read_table(rows).drop_columns(list(SINCE_3))
        pq.write_table(table, rows)
        file |= {"sha256": hashlib.sha256(rows.read_bytes()).hexdigest(), "bytes": rows.stat().st_size}
        del shard["merkle_root"], shard["content_root"]
        shard["root"] = merkle.root(merkle.leaves(table))
    manifest["merkle_root"] = merkle.root(merkle.part_leaf(shard["root"]) for shard in manifest["shards"])
    manifest["bytes"] = sum(shard["files"][0]["bytes"] for shard in manifest["shards"])
    path.write_text(json.dumps(manifest))


def test_a_set_of_the_first_version_is_loaded_and_verified(dataset: Dataset, tmp_path: Path) -> None:
    out = Path(shutil.copytree(dataset.path, tmp_path / "set"))
    older(out)
    old = load(out)
    assert (old.manifest.version, old.content_root) == (1, None)
    assert old.arguments == replace(dataset.arguments, grade="E")
    assert list(old) == [{name: row[name] for name in old.columns} for row in dataset]
    assert set(dataset.columns) - set(old.columns) == SINCE_3
    result = verify(out, all=True, workers=1)
    assert result.sound, (result.problems, result.findings)
    assert not verify(out, rows=0, root="0" * 64, workers=1).sound


def test_what_cannot_be_opened_is_said_in_one_line(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no export here"):
        load(tmp_path)
    (tmp_path / ".work").mkdir()
    with pytest.raises(ExportError, match="not finished"):
        load(tmp_path)
    manifest = json.loads((dataset.path / "manifest.json").read_bytes())
    for change in ({"version": 4}, {"shards": None}, {"arguments": {}}, {"shards": [{"rows": -1}]}):
        (tmp_path / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(ExportError, match="not a manifest that this version reads") as error:
            load(tmp_path)
        assert "\n" not in str(error.value)


def test_the_command_prints_the_result_of_the_function(lake: Lake, tmp_path: Path) -> None:
    args = ["--lake", lake.location, "--before", BEFORE, "--date-sources", "warc", "--json"]
    printed = json.loads(forked("export", str(tmp_path / "one"), *args).stdout)
    result = export(lake, tmp_path / "two", before=BEFORE, date_sources=["warc"], workers=1)
    assert printed.keys() == set(ExportResult.__dataclass_fields__)
    assert printed["merkle_root"] == result.merkle_root
    assert printed["rows"] == result.rows
    assert [step["dropped"] for step in printed["dropped"]] == [step.dropped for step in result.dropped]
