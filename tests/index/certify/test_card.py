"""A certified data set opens with `load_dataset`: its card names the files and states the columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
import pytest
from conftest import take
from hypothesis import given
from hypothesis import strategies as st
from made import indexed, words

from archive.lake import Lake
from index.certify.card import card, is_time, kind_of, merged, merged_columns
from index.certify.run import certify
from query.verify.run import verify

BEFORE = "2022-01-01"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    pytest.importorskip("numba")
    folder = tmp_path_factory.mktemp("lake")
    made = Lake(str(folder / "lake"))
    lines = [json.dumps({"text": " ".join(words(30, n)), "date": "2019-01-01T00:00:00Z"}) for n in range(5)]
    (folder / "known.jsonl").write_text("\n".join(lines) + "\n")
    take(made, str(folder / "known.jsonl"))
    indexed(made)
    return made


def rows() -> list[dict[str, Any]]:
    """Rows that prove nothing first; columns that are null, whole or missing first."""
    first: list[dict[str, Any]] = [
        {
            "text": " ".join(words(30, 1000 + n)),
            "id": n,
            "score": n,
            "note": None,
            "meta": {"tags": []},
            "day": "2019-01-01",
        }
        for n in range(300)
    ]
    last: list[dict[str, Any]] = [
        {"text": " ".join(words(30, n)), "id": 2**63 - 1 - n, "score": 0.5, "note": "a\u2028b", "meta": {"tags": ["x"], "by": "me"},
         "day": "2019-01-02T03:04:05Z", "new": True}
        for n in range(5)
    ]  # fmt: skip
    return first + last


def certified(lake: Lake, folder: Path, **options: Any) -> Path:
    result = certify(lake, folder / "set", folder / "out", before=BEFORE, grade="E", workers=1, **options)
    assert result.proof["exact"] == 5
    report = verify(folder / "out", rows=0, workers=1)
    assert report.problems == []
    return folder / "out"


def write(folder: Path, **files: list[dict[str, Any]]) -> None:
    for name, content in files.items():
        path = folder / "set" / f"{name.replace('__', '/')}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content))


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("paragraphs", [False, True])
def test_load_dataset_opens_it_whatever_is_null_at_first(
    lake: Lake, tmp_path: Path, streaming: bool, paragraphs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    given_rows = rows()
    write(tmp_path, **{"part-1": given_rows[:200], "part-2": given_rows[200:]})
    out = certified(lake, tmp_path, paragraphs=paragraphs)
    opened = datasets.load_dataset(str(out), streaming=streaming, cache_dir=str(tmp_path / "cache"))
    found = list(opened["train"])
    assert [row["text"] for row in found] == [row["text"] for row in given_rows]
    assert [row["id"] for row in found] == [row["id"] for row in given_rows]
    assert [row["score"] for row in found] == [float(row["score"]) for row in given_rows]
    assert [row["note"] for row in found] == [row["note"] for row in given_rows]
    assert [row["new"] for row in found] == [row.get("new") for row in given_rows]
    assert found[-1]["meta"] == {"tags": ["x"], "by": "me"}
    assert found[0]["meta"] == {"tags": [], "by": None}
    assert found[-1]["day"].isoformat() == "2019-01-02T03:04:05"
    assert found[0]["proof_record"] is None or found[0]["proof_record"]["file"] is None
    assert found[-1]["proof"] == "exact"
    assert found[-1]["proof_date"].isoformat() == "2019-01-01T00:00:00+00:00"
    assert ("proof_paragraphs" in found[0]) == paragraphs


def test_splits_are_those_that_the_names_say_and_the_manifest_is_no_row(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    given_rows = rows()
    write(
        tmp_path,
        **{"a[1]*-train": given_rows[:100], "test__b é": given_rows[100:], "c.validation": given_rows[:1], "none": []},
    )
    out = certified(lake, tmp_path)
    opened = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in opened.items()} == {"train": 100, "validation": 1, "test": 205}


def test_of_json_lines_and_parquet_those_with_more_rows_are_opened(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    write(tmp_path, lines=rows())
    pq.write_table(pa.table({"text": ["something else entirely"]}), tmp_path / "set" / "more.parquet")
    out = certified(lake, tmp_path)
    opened = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert len(opened["train"]) == 305
    assert 'load_dataset("parquet", data_files=["more.parquet"])' in (out / "README.md").read_text()


def test_a_second_run_leaves_the_card_as_it_is_and_another_card_is_found(lake: Lake, tmp_path: Path) -> None:
    write(tmp_path, lines=rows())
    out = certified(lake, tmp_path)
    before = (out / "README.md").read_bytes(), (out / "README.md").stat().st_mtime_ns
    again = certify(lake, tmp_path / "set", out, before=BEFORE, grade="E", workers=1)
    assert again.files_skipped == 1
    assert ((out / "README.md").read_bytes(), (out / "README.md").stat().st_mtime_ns) == before
    (out / "README.md").write_bytes(before[0].replace(b"int64", b"int32"))
    assert verify(out, rows=0, workers=1).problems == ["README.md: not what the manifest gives"]
    (out / "README.md").unlink()  # as of an older version
    assert verify(out, rows=0, workers=1).problems == []


def test_a_file_of_the_data_set_with_the_name_of_a_card_stays(lake: Lake, tmp_path: Path) -> None:
    write(tmp_path, lines=rows())
    (tmp_path / "set" / "README.md").write_text('{"text": "rows in an odd place"}\n')
    out = certified(lake, tmp_path)
    assert json.loads((out / "README.md").read_text())["proof"] == "none"


def test_columns_of_no_one_type_are_not_stated() -> None:
    about = {"rows": 1, "proof": {"none": 1}}
    arguments = {"before": "2022-01-01T00:00:00+00:00"}
    for kind in ("mixed", {"list": "mixed"}, {"struct": {}}):
        files = {"a.jsonl": {**about, "columns": {"a": json.dumps(kind)}}}
        text = card({"arguments": arguments, "files": files})
        assert text is not None
        assert "dataset_info" not in text
        assert '"a.jsonl"' in text


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=6,
)


@given(values=st.lists(_VALUES, max_size=5))
def test_the_type_of_values_is_the_same_in_any_order(values: list[Any]) -> None:
    one: Any = "null"
    other: Any = "null"
    for value in values:
        one = merged(one, kind_of(value))
    for value in reversed(values):
        other = merged(kind_of(value), other)
    assert json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert merged(one, "null") == one
    assert merged_columns({"a": one}, {}) == {"a": one}


TIMES = ["2015-01-01", "2015-01-01T00:00:00Z", "2015-01-01 10", "2015-01-01T10:00", "2015-01-01T10:00:00+02:00", "2015-01-01T10:00:00+0200",
         "2015-01-01T10:00:00.5", "2015-02-30", "0001-01-01", "2015-01-01T24:00:00", "2015-01-01T10Z", "2015-01-01T10:00:60", "2015-01-01 ",
         "2015-1-1", "20150101", "20150101T100000", "2015", "10:00", "x", ""]  # fmt: skip


@pytest.mark.parametrize("text", TIMES)
def test_times_are_those_that_arrow_takes_for_times(text: str) -> None:
    table = pyarrow.json.read_json(pa.BufferReader(json.dumps({"a": text}).encode() + b"\n"))
    assert is_time(text) == pa.types.is_timestamp(table.schema.field("a").type)
