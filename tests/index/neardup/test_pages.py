"""Some values of a column, read without the others, are those that Parquet's own reader gives, however they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from archive.files import write_parquet
from archive.lake import Lake
from index import tables
from index.minhash.procedure import Parameters
from index.neardup import bands, pages
from index.neardup.bands import Bands, BandsTask, work
from index.neardup.signatures import PARQUET_OPTIONS, signature_rows
from index.tables import BANDS, SIGNATURES

_DICE = np.random.default_rng(1)
_VALUES = _DICE.integers(0, 256, (3000, 12), np.uint8)
_WANTED = np.sort(_DICE.choice(3000, 200, replace=False))
_SMALL: dict[str, Any] = {"row_group_size": 700, "data_page_size": 500, "write_batch_size": 10}
LAYOUTS: dict[str, dict[str, Any]] = {
    "bare": {"compression": "none", "use_dictionary": False},
    "zstd": {"compression": "zstd", "use_dictionary": False},
    "zstd with statistics": {"compression": "zstd", "use_dictionary": False, "write_statistics": True},
    "snappy": {"compression": "snappy", "use_dictionary": False},
    "dictionary": {"compression": "none", "use_dictionary": True},
    "version 2": {"compression": "zstd", "use_dictionary": False, "data_page_version": "2.0"},
    "deltas": {"compression": "none", "use_dictionary": False, "column_encoding": {"v": "DELTA_BYTE_ARRAY"}},
    "checksums": {"compression": "none", "use_dictionary": False, "write_page_checksum": True},
}


def _written(path: Path, values: pa.Array, layout: str) -> str:
    pq.write_table(pa.table({"other": np.arange(len(values)), "v": values}), path, **{**_SMALL, **LAYOUTS[layout]})
    return str(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_some_rows_are_the_same_in_each_layout(layout: str, tmp_path: Path) -> None:
    path = _written(tmp_path / "file", pa.array([bytes(row) for row in _VALUES], pa.binary()), layout)
    with pages.Column(fs.LocalFileSystem(), path, "v", 12) as column:
        found = list(column.read(_WANTED))
    assert np.array_equal(np.concatenate([values for _, _, values in found]), _VALUES[_WANTED])
    assert [first for first, _, _ in found] == [0, *(last for _, last, _ in found[:-1])]
    assert found[-1][1] == len(_WANTED)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_plain_pages_are_read_past_the_reader_of_parquet(layout: str, tmp_path: Path) -> None:
    path = _written(tmp_path / "file", pa.array([bytes(row) for row in _VALUES], pa.binary()), layout)
    data, metadata = np.memmap(path, np.uint8, "r"), pq.read_metadata(path)
    wanted = _WANTED[_WANTED < 700]
    if layout in ("bare", "zstd", "zstd with statistics", "checksums"):
        assert np.array_equal(pages._read_rows(data, metadata, 0, 1, wanted, 12), _VALUES[wanted])
    else:
        with pytest.raises(pages.OtherLayoutError):
            pages._read_rows(data, metadata, 0, 1, wanted, 12)


def test_a_column_with_nulls_or_with_values_of_other_lengths_is_left_to_the_reader_of_parquet(tmp_path: Path) -> None:
    for number, values in enumerate(([b"123", None, b"456"], [b"1234", b"12", b"123"], [b"1234567", b"", b"12"])):
        path = _written(tmp_path / str(number), pa.array(values, pa.binary()), "bare")
        data, metadata = np.memmap(path, np.uint8, "r"), pq.read_metadata(path)
        with pytest.raises(pages.OtherLayoutError):
            pages._read_rows(data, metadata, 0, 1, np.arange(3), 3)
    path = _written(tmp_path / "numbers", pa.array([1, None, 3], pa.int64()), "bare")
    with pytest.raises(pages.OtherLayoutError):
        pages.bare(np.memmap(path, np.uint8, "r"), pq.read_metadata(path), 0, 1, "<i8")


def _lake(folder: Path, count: int = 500) -> tuple[Lake, str]:
    """Make a lake with one file of signatures, whose bands have keys that several texts share."""
    lake, parameters = Lake(str(folder)), Parameters(bands=2, rows=4)
    lake.create()
    tables.create(lake, parameters)
    signatures = _DICE.integers(0, 3, (count, parameters.hashes)).astype(np.uint16)
    names = pa.array([f"{number:064x}" for number in range(count)])
    rows = signature_rows(names, np.full(count, 9, np.int32), signatures)
    file = write_parquet(lake, SIGNATURES, rows, "made", **PARQUET_OPTIONS)
    lake.commit(SIGNATURES, [file], [])
    made = work(BandsTask(lake.location, file.path, parameters), None)  # type: ignore[arg-type]
    lake.commit(BANDS, [made], [])
    return lake, file.path


def test_signatures_and_bands_are_written_so_that_some_are_read_without_the_others(tmp_path: Path) -> None:
    lake, segment = _lake(tmp_path / "lake")
    path = f"{lake.table_path(SIGNATURES.name)}/{segment}"
    number = pq.read_schema(path).names.index("signature")
    wanted = np.array([0, 7, 499])
    found = pages._read_rows(np.memmap(path, np.uint8, "r"), pq.read_metadata(path), 0, number, wanted, 16)
    stored = pq.read_table(path)["signature"].to_pylist()
    assert [bytes(row) for row in found] == [stored[row] for row in wanted]
    path = f"{lake.table_path(BANDS.name)}/{bands.segment_files(lake)[segment]}"
    whole, data, metadata = (
        pq.read_table(path, partitioning=None),
        np.memmap(path, np.uint8, "r"),
        pq.read_metadata(path),
    )
    for at, (name, kind) in enumerate((("key", "<i8"), ("row", "<i4"))):
        assert np.array_equal(pages.bare(data, metadata, 0, at, kind), whole[name].to_numpy())


@pytest.mark.parametrize("older", [False, True])
def test_the_bands_of_some_keys_are_those_of_a_search_in_all(
    older: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if older:  # as files were written before, and as those of a lake that is handed out are
        monkeypatch.setattr(bands, "_OPTIONS", dict(bands._COMPACT))
    monkeypatch.setitem(bands._OPTIONS, "row_group_size", 64)
    lake, segment = _lake(tmp_path / "lake")
    stored = Bands(lake, [segment], None, Parameters(bands=2, rows=4))
    keys, rows = bands.compute(lake, segment, Parameters(bands=2, rows=4))
    low, high = int(keys[len(keys) // 5]), int(keys[-len(keys) // 5])
    wanted = np.unique(np.concatenate([keys[::7], keys[::5] + 1, np.array([-(1 << 63), (1 << 63) - 1])]))
    for chosen in (wanted, None, wanted[:0]):
        found = list(stored.within(0, low, high, chosen))
        inside = (keys >= low) & (keys < high) & (np.isin(keys, chosen) if chosen is not None else True)
        got = [np.concatenate([np.empty(0, np.int64), *(part[column] for part in found)]) for column in range(2)]
        assert np.array_equal(got[0], keys[inside])
        assert np.array_equal(got[1], rows[inside])
