"""The head of a card states the columns, so that `load_dataset` opens a set whatever its columns hold first."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import command, members, record, take
from made import words

from archive.errors import ExportError
from archive.features import dataset_info
from archive.lake import Lake
from query.dataset import load
from query.export.run import export
from query.formats import FORMATS
from query.rows import COLUMNS, TOKEN_FORMATS, schema_of
from query.verify.run import verify

BEFORE = "2022-01-01"
#: Formats of which `datasets` opens rows or evidence.
OPENED = ["parquet", "jsonl", "webdataset", "megatron", "ds"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Rows of a data set that know no address, title or robots, and one page that has them, and a time in fractions."""
    folder = tmp_path_factory.mktemp("nulls")
    made = Lake(str(folder / "lake"))
    texts = [" ".join(words(30, n)) for n in range(40)]
    dates = [f"2019-01-01T00:00:00{'.5' if n == 31 else ''}Z" for n in range(len(texts))]
    lines = [json.dumps({"text": text, "date": date}) for text, date in zip(texts, dates, strict=True)]
    (folder / "set.jsonl").write_text("\n".join(lines) + "\n")
    page = record(
        "http://site.org/",
        f"<title>2015-01-01 and more</title><p>{' '.join(words(30, 99))}</p>",
        "2015-01-02T03:04:05Z",
    )
    (folder / "a.warc.gz").write_bytes(members(page))
    take(made, str(folder / "set.jsonl"))
    take(made, str(folder / "a.warc.gz"))
    return made


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers

    alphabet = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    made = Tokenizer(models.BPE({**alphabet, "<end>": len(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return str(path)


def made_set(lake: Lake, out: Path, form: str, tokenizer: str, **options: Any) -> Path:
    tokens = {"tokenizer": tokenizer, "eos": "<end>"} if form in TOKEN_FORMATS else {}
    export(lake, out, before=BEFORE, grade="E", format=form, shard_size=6000, workers=1, **tokens, **options)
    return out


def head(out: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    stated: dict[str, Any] = yaml.safe_load(
        (out / "README.md").read_text().removeprefix("---\n").partition("\n---\n")[0]
    )
    return stated


def types(stated: list[dict[str, Any]]) -> dict[str, str]:
    """Columns that a head states: name -> type as Arrow writes it."""
    return {each["name"]: kind_of(each) for each in stated}


def kind_of(stated: Any) -> str:
    if isinstance(stated, str):
        return {"float64": "double", "float32": "float", "date32": "date32[day]"}.get(stated, stated)
    if isinstance(stated, list):
        return f"struct<{', '.join(f'{name}: {kind}' for name, kind in types(stated).items())}>"
    if "struct" in stated:
        return kind_of(stated["struct"])
    if "list" in stated:
        return f"list<item: {kind_of(stated['list'])}>"
    if "large_list" in stated:
        return f"large_list<item: {kind_of(stated['large_list'])}>"
    return kind_of(stated["dtype"])


def arrow_types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(field.type).replace("element: ", "item: ") for field in schema}


@pytest.mark.parametrize("form", ["parquet", "megatron", "ds"])
def test_the_card_states_the_columns_that_the_shards_have(
    lake: Lake, tmp_path: Path, tokenizer: str, form: str
) -> None:
    out = made_set(lake, tmp_path / "set", form, tokenizer)
    (stated,) = head(out)["dataset_info"]
    shards = [*out.glob("train/*.parquet")]
    assert shards
    assert all(types(stated["features"]) == arrow_types(pq.read_schema(shard)) for shard in shards)


def test_the_card_of_json_lines_states_the_columns_of_every_line(lake: Lake, tmp_path: Path, tokenizer: str) -> None:
    out = made_set(lake, tmp_path / "set", "jsonl", tokenizer, mask=True)
    (stated,) = head(out)["dataset_info"]
    names = list(types(stated["features"]))
    assert all(list(row) == names for row in load(out))
    assert types(stated["features"]) == arrow_types(schema_of(names))
    assert "masked" in names


@pytest.mark.parametrize("form", OPENED)
@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset_opens_every_format_whose_columns_are_null_at_first(
    lake: Lake, tmp_path: Path, tokenizer: str, form: str, streaming: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    out = made_set(lake, tmp_path / "set", form, tokenizer)
    opened = datasets.load_dataset(str(out), streaming=streaming, cache_dir=str(tmp_path / "cache"))
    found = list(opened["train"])
    expected = [dict(row) for row in load(out)]
    assert any(row["url"] is None for row in expected)
    assert any(row["url"] is not None for row in expected)
    for row in expected:
        row.pop("tokens", None)
    if form == "webdataset":
        for row in found:
            at = row["json"].pop("captured_at")
            row.update(row.pop("json"), content_id=row.pop("__key__"), text=row.pop("txt"), captured_at=at)
            row.pop("__url__")
        for row in expected:
            row["captured_at"] = row["captured_at"].isoformat().replace("+00:00", "Z")
    assert found == expected


@pytest.mark.parametrize("form", ["mds", "litdata"])
def test_load_dataset_takes_no_index_for_rows_of_a_format_that_it_cannot_open(
    lake: Lake, tmp_path: Path, tokenizer: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    out = made_set(lake, tmp_path / "set", form, tokenizer)
    with pytest.raises(FileNotFoundError, match=r"No \(supported\) data files"):
        datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))


def test_every_configuration_of_slices_has_its_columns(lake: Lake, tmp_path: Path, tokenizer: str) -> None:
    out = made_set(lake, tmp_path / "set", "jsonl", tokenizer, slices="year")
    stated = head(out)
    names = [each["config_name"] for each in stated["configs"]]
    assert names == ["default", "2015", "2019"] == [each["config_name"] for each in stated["dataset_info"]]
    assert len({json.dumps(each["features"]) for each in stated["dataset_info"]}) == 1
    text = (out / "README.md").read_text()
    assert text.count('- name: "content_id"') == 1  # stated once, however many slices there are


def test_splits_named_as_yaml_writes_truth_are_text(lake: Lake, tmp_path: Path, tokenizer: str) -> None:
    pytest.importorskip("numba")
    from index.neardup import index

    index(lake, workers=1)
    out = made_set(lake, tmp_path / "set", "parquet", tokenizer, split={"no": 0.5, "Yes": 0.5})
    (config,) = head(out)["configs"]
    assert {each["split"] for each in config["data_files"]} == {"no", "Yes"}


def test_splits_are_in_the_same_order_in_every_process(lake: Lake, tmp_path: Path, tokenizer: str) -> None:
    pytest.importorskip("numba")
    from index.neardup import index

    index(lake, workers=1)
    shares = {"val": 0.2, "b": 0.2, "train": 0.2, "test": 0.2, "a": 0.2}
    out = made_set(lake, tmp_path / "set", "parquet", tokenizer, split=shares)
    (config,) = head(out)["configs"]
    assert [each["split"] for each in config["data_files"]] == ["train", "a", "b", "test", "val"]
    verified = [
        command("verify", str(out), "--rows", "0", "--json", env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    ]
    assert [json.loads(each.stdout)["problems"] for each in verified] == [[], []]


def test_a_split_cannot_have_the_name_of_the_union_of_all(lake: Lake, tmp_path: Path, tokenizer: str) -> None:
    with pytest.raises(ExportError, match="calls the union of all splits so"):
        made_set(lake, tmp_path / "set", "parquet", tokenizer, split={"all": 0.5, "train": 0.5})


@pytest.mark.parametrize("form", FORMATS)
def test_a_set_with_null_columns_is_sound(lake: Lake, tmp_path: Path, tokenizer: str, form: str) -> None:
    out = made_set(lake, tmp_path / "set", form, tokenizer)
    report = verify(out, rows=5, workers=1)
    assert report.sound, (report.problems, report.findings)


def test_types_of_every_kind_are_stated_as_the_library_states_them() -> None:
    yaml = pytest.importorskip("yaml")
    datasets = pytest.importorskip("datasets")
    schema = pa.schema([
        *((f"c{number}", kind) for number, kind in enumerate([
            pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.string(), pa.large_string(), pa.binary(),
            pa.date32(), pa.time64("us"), pa.timestamp("s"), pa.timestamp("ns", tz="Europe/Paris"), pa.duration("ms"),
            pa.decimal128(38, 9), pa.null(), pa.list_(pa.int32()), pa.large_list(pa.string()), pa.list_(pa.float32(), 3),
            pa.list_(pa.list_(pa.string())), pa.struct([("a", pa.string()), ("b: {c}", pa.list_(pa.int64()))]),
            pa.list_(pa.struct([("x", pa.struct([("y", pa.float64())]))])),
        ])),
        *((name, kind) for name, (kind, _) in COLUMNS.items()),
        ("é \u2028 'odd': - name", pa.string()),
        ("null", pa.string()),
        ("1", pa.string()),
    ])  # fmt: skip
    stated = yaml.safe_load("\n".join(dataset_info({"default": schema, "other": schema, "less": schema_of(["text"])})))
    every, other, less = stated["dataset_info"]
    features = datasets.Features._from_yaml_list(every["features"])
    assert (
        features == datasets.Features.from_arrow_schema(schema) == datasets.Features._from_yaml_list(other["features"])
    )
    assert list(features) == schema.names
    assert types(less["features"]) == {"text": "string"}
    for kind in (pa.map_(pa.string(), pa.string()), pa.uuid()):
        with pytest.raises(TypeError, match="has no such type"):
            dataset_info({"default": pa.schema([("a", kind)])})
