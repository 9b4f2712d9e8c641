"""Ids by ranges, in files; the order of many ids; and dates that are read in memory that does not grow with the texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import CAPTURES
from index import ids
from index.neardup import parts, texts
from index.neardup.dates import read_all
from index.neardup.kept import taken
from index.neardup.numbered import Numbered, sorted_order
from index.neardup.parts import Parts
from index.neardup.texts import NEVER

_WHOLE = 1 << 64


def _ids(dice: np.random.Generator, count: int, least: int = 0) -> ids.Ids:
    return dice.integers(least, _WHOLE, (count, 4), np.uint64)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 64, 1000])
@pytest.mark.parametrize("least", [0, _WHOLE - (1 << 20)])  # spread evenly, and all in the last range
def test_each_row_is_in_one_range_and_ranges_follow_each_other(tmp_path: Path, count: int, least: int) -> None:
    dice = np.random.default_rng(count)
    content_ids, numbers = _ids(dice, 500, least), dice.integers(-(1 << 63), 1 << 63, 500)
    held = Parts(str(tmp_path), count)
    for first in (0, 3, 400):
        last = {0: 3, 3: 400, 400: 500}[first]
        held.add(content_ids[first:last], numbers[first:last])
    held.close()
    assert max(count, 1) <= len(held) < 2 * max(count, 1) or len(held) == 256
    rows = np.concatenate([held.take(part) for part in range(len(held))])
    width = _WHOLE // len(held)
    order = np.argsort(content_ids[:, 0] // np.uint64(width) if len(held) > 1 else np.zeros(500), kind="stable")
    assert (rows[:, :2] == content_ids[order, :2]).all()
    assert (rows[:, 2].view(np.int64) == numbers[order]).all()
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_range_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROWS", 7)
    content_ids = _ids(np.random.default_rng(1), 50)
    held = Parts(str(tmp_path), 1)
    held.add(content_ids, np.arange(50))
    held.close()
    pieces = list(held.pieces(0))
    assert [len(piece) for piece in pieces] == [7] * 7 + [1]
    assert (np.concatenate(pieces)[:, :2] == content_ids[:, :2]).all()


@pytest.mark.parametrize("rows", [3, 100, 1 << 20])
def test_the_order_of_ids_by_ranges_is_that_of_a_sort_and_names_those_that_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(parts, "ROWS", rows)
    dice = np.random.default_rng(rows)
    content_ids = _ids(dice, 200)
    content_ids = content_ids[dice.integers(0, 200, 400)]  # some once, some several times, some never
    order, again, first = sorted_order(content_ids, str(tmp_path), np.empty(400, np.int64))
    names = [bytes(row) for row in content_ids.astype(">u8")]
    assert order.tolist() == sorted({names.index(name) for name in names}, key=lambda at: names[at])
    repeated = [at for at in range(400) if names.index(names[at]) < at]
    assert sorted(again.tolist()) == repeated
    assert [names.index(names[at]) for at in again.tolist()] == first.tolist()


def test_rows_of_a_mapped_file_are_taken_as_from_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.neardup.kept._TAKEN", 100)
    dice = np.random.default_rng(1)
    values = _ids(dice, 300)
    values.tofile(tmp_path / "ids")
    mapped = np.memmap(tmp_path / "ids", np.uint64, "r", shape=(300, 4))
    for count in (0, 1, 1000):
        rows = dice.integers(0, 300, count)
        assert (taken(mapped, rows) == values[rows]).all()


def test_dates_that_are_joined_by_ranges_are_those_of_the_captures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, least = 100_000, 64 << 20
    monkeypatch.setattr(texts, "_THREAD", least)
    monkeypatch.setattr(parts, "ROWS", 10_000)
    lake, dice = Lake(str(tmp_path / "lake")), np.random.default_rng(1)
    lake.create()
    content_ids, moments = _ids(dice, count), dice.integers(0, 10**15, count)
    is_proof = dice.random(count) < 0.9
    values = {
        "content_id": ids.text(content_ids),
        "captured_at": pa.array(moments, pa.timestamp("us", "UTC")),
        "date_problem": pa.array(np.where(is_proof, None, "none").tolist(), pa.string()),
        "file": pa.array(["made.warc"] * count),
        "offset": np.arange(count),
        "skip": np.zeros(count, np.int64),
    }
    table = pa.table({f.name: values.get(f.name, pa.nulls(count, f.type)) for f in CAPTURES.file_schema})
    for first in range(0, count, 25_000):
        part = table.slice(first, 25_000)
        for month in ("2020-01", "2020-02"):  # each text has two captures
            lake.commit(CAPTURES, [write_parquet(lake, CAPTURES, part, f"made-{first}", {"month": month})], [])
    known = content_ids[: count // 2]
    nobody, never = np.zeros(len(known), bool), np.full(len(known), NEVER)
    shingles = np.ones(len(known), np.int32)
    numbered = Numbered(known, shingles, ids.sort(known), never, nobody, ~nobody)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    strangers, revisits = read_all(lake, numbered, least, str(scratch))
    assert (numbered.first_seen == np.where(is_proof, moments, NEVER)[: len(known)]).all()
    assert numbered.captured.all()
    assert (strangers == np.sort(content_ids[len(known) :, 0])).all()
    assert not len(revisits)
