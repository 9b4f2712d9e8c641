"""Every format of an export gives the same rows, passes verification, and is found by the library that reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, take
from made import words

from archive.errors import ExportError
from archive.lake import Lake
from query.dataset import load
from query.export.run import export
from query.formats import FORMATS
from query.verify.run import verify

BEFORE = "2022-01-01"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("formats")
    lake = Lake(str(folder / "lake"))
    pages = [
        record(f"http://site{n}.org/", f"<p>{' '.join(words(30, n))}</p>", f"201{n % 5}-01-02T03:04:05Z")
        for n in range(30)
    ]
    (folder / "a.warc.gz").write_bytes(members(*pages))
    take(lake, str(folder / "a.warc.gz"))
    return lake


def rows(out: Path) -> list[dict[str, Any]]:
    return list(load(out))


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_the_same_rows_and_is_sound(
    made: Lake, tmp_path: Path, byte_tokenizer: str, form: str
) -> None:
    options: dict[str, Any] = {"shard_size": 2500, "tokenizer": byte_tokenizer, "eos": "<end>"}
    export(made, tmp_path / "plain", before=BEFORE, **options, workers=1)
    summary = export(made, tmp_path / form, before=BEFORE, format=form, **options, workers=1)
    expected, found = rows(tmp_path / "plain"), rows(tmp_path / form)
    texts = [row.pop("text") for row in expected]
    assert summary.shards > 3
    assert summary.tokens == sum(len(text.encode()) + 1 for text in texts)
    if form in {"megatron", "ds"}:
        from query.tokenizer import Tokenizer

        encoded = [ids.tolist() for ids in Tokenizer(byte_tokenizer, "<end>").encode(texts)]
        assert [row.pop("tokens") for row in found] == encoded
    else:
        assert [row.pop("text") for row in found] == texts
    assert found == expected
    report = verify(tmp_path / form, all=True, workers=1)
    assert report.sound, (report.problems, report.findings)
    assert report.traced == 30


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_the_folder_loads_as_a_dataset_as_it_is(
    made: Lake, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    options: dict[str, Any] = {"format": form, "shard_size": 2500}
    export(made, tmp_path / "set", before=BEFORE, **options, workers=1)
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    assert loaded["train"]["text"] == [row["text"] for row in rows(tmp_path / "set")]


def test_slices_and_splits_load_as_configurations(made: Lake, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    pytest.importorskip("numba")
    from index.neardup import index

    index(made, workers=1)
    split = (("train", 0.7), ("test", 0.3))
    export(made, tmp_path / "set", before=BEFORE, slices="year", split=split, workers=1)
    every = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert sum(len(part) for part in every.values()) == 30
    one = datasets.load_dataset(str(tmp_path / "set"), "2012", cache_dir=str(tmp_path / "cache"))
    assert {at.year for part in one.values() for at in part["captured_at"]} == {2012}


def test_max_tokens_stops_before_the_limit(made: Lake, tmp_path: Path, byte_tokenizer: str) -> None:
    options: dict[str, Any] = {"tokenizer": byte_tokenizer, "eos": "<end>"}
    whole = export(made, tmp_path / "whole", before=BEFORE, **options, workers=1)
    assert whole.tokens is not None
    limit = whole.tokens // 2
    part = export(made, tmp_path / "part", before=BEFORE, max_tokens=limit, **options, workers=1)
    kept = [row["content_id"] for row in rows(tmp_path / "part")]
    assert part.tokens is not None
    assert limit * 0.8 < part.tokens <= limit
    assert kept == [row["content_id"] for row in rows(tmp_path / "whole")][: len(kept)]


def test_a_tokenizer_that_changed_is_told(made: Lake, tmp_path: Path, byte_tokenizer: str) -> None:
    own = tmp_path / "tokenizer.json"
    own.write_bytes(Path(byte_tokenizer).read_bytes())
    export(made, tmp_path / "set", before=BEFORE, format="ds", tokenizer=str(own), eos="<end>", workers=1)
    changed = json.loads(own.read_bytes())
    changed["model"]["vocab"]["<end>"] = 300
    own.write_text(json.dumps(changed))
    assert any("another tokenizer" in problem for problem in verify(tmp_path / "set", workers=1).problems)


def test_a_tokenizer_that_is_not_there_is_an_error(made: Lake, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"nowhere\.json"):
        export(made, tmp_path / "set", before=BEFORE, tokenizer=str(tmp_path / "nowhere.json"), workers=1)


@pytest.mark.parametrize(("size", "shards"), [(64_000_000, 1), (3000, None)])
def test_the_card_of_a_webdataset_names_its_shards(made: Lake, tmp_path: Path, size: int, shards: int | None) -> None:
    export(made, tmp_path / "out", before=BEFORE, format="webdataset", shard_size=size, workers=1)
    names = sorted(path.name for path in (tmp_path / "out" / "train").iterdir())
    wanted = "train-00000.tar" if shards == 1 else f"train-{{00000..{len(names) - 1:05d}}}.tar"
    assert len(names) == (shards or len(names))
    assert f'WebDataset("train/{wanted}", shardshuffle=False)' in (tmp_path / "out" / "README.md").read_text()
