"""`archive certify` reads a data set in parts: the result is the same, however it is cut and whoever reads it."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forked import forked
from made import edited, indexed, put, words

from archive.lake import Lake
from archive.owned import JOURNAL
from archive.sources import open_bytes
from index.certify import certify, rows
from index.certify import run as certify_run
from index.certify.rows import Lines, Part


def data_set(lake: Lake, tmp_path: Path) -> Path:
    """A plain, a compressed and a Parquet file; of the rows some are proven."""
    old = [words(60, seed) for seed in range(12)]
    put(lake, tmp_path / "in", [(" ".join(text), "2015-06-01") for text in old])
    indexed(lake)
    texts = [" ".join(edited(old[n % 12], n % 3, n)) for n in range(72)] + [
        " ".join(words(40, 100 + n)) for n in range(8)
    ]
    lines = [json.dumps({"n": n, "text": text}) + "\n" for n, text in enumerate(texts)]
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.jsonl").write_text("".join([*lines[:30], "\n", "{broken\n", *lines[30:]]).removesuffix("\n"))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress("".join(lines[::2]).encode(), mtime=0))
    table = pa.table({"n": range(len(texts)), "text": texts})
    pq.write_table(table, folder / "c.parquet", row_group_size=30)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != JOURNAL
    }


def test_any_number_of_workers_and_of_parts_gives_the_same_bytes(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = data_set(lake, tmp_path)
    once = tmp_path / "once"
    certify(lake, source, once, before="2022-01-01", paragraphs=True, workers=1)
    expected = contents(once)
    assert b'"proof": "near"' in expected["a.jsonl"]
    assert b'"proof": "exact"' in expected["a.jsonl"]
    monkeypatch.setattr(rows, "_PART", 3000)
    monkeypatch.setattr(certify_run, "_ROWS", 90)  # blocks end inside of files, behind parts that were read ahead
    assert len(list(rows.cut(str(source / "a.jsonl"), (source / "a.jsonl").stat().st_size))) > 10
    for workers in (1, 2, 3):
        out = tmp_path / f"by-{workers}"
        certify(lake, source, out, before="2022-01-01", paragraphs=True, workers=workers)
        assert contents(out) == expected, workers


def test_killed_before_each_file_it_goes_on_to_the_same_bytes(lake: Lake, tmp_path: Path) -> None:
    source = data_set(lake, tmp_path)
    certify(lake, source, tmp_path / "once", before="2022-01-01", workers=1)
    args = ("certify", str(source), "--before", "2022-01-01", "--out", str(tmp_path / "out"), "--lake", lake.location)
    for number, name in enumerate(("a.jsonl", "b.jsonl.gz", "c.parquet")):
        died = forked(*args, "--workers", f"{1 + number}", kill=rf"os\.\w+ .*{name}$", check=False)
        assert died.returncode == -9, died.stderr
    forked(*args, "--workers", "2", check=False)
    assert contents(tmp_path / "out") == contents(tmp_path / "once")


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_each_line_is_in_one_part(tmp_path: Path, end: str) -> None:
    path = tmp_path / "set.jsonl"
    lines = [f'{{"n": {n}, "x": "{"y" * (n % 7 * 9)}"}}' for n in range(40)]
    path.write_bytes("\n".join(lines).encode() + end.encode())
    size = path.stat().st_size
    with open_bytes(str(path)) as file:
        for part in (1, 7, 64, size):
            edges = [*range(0, size, part), size]
            cuts = [rows._lines_between(file, start, behind) for start, behind in pairwise(edges)]
            assert b"".join(line for cut in cuts for line in cut.lines) == path.read_bytes(), part


def test_row_groups_are_put_together_and_cut_into_the_same_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.table({"n": range(5000)})
    for size, parts, slices in ((5000, 1, 3), (100, 5, 5), (1700, 3, 3), (5001, 1, 3)):
        path = tmp_path / f"{size}.parquet"
        pq.write_table(table, path, row_group_size=size)
        with monkeypatch.context() as patch:
            found = [each for each in rows.cut(str(path), None) if isinstance(each, Part)]
            patch.setattr(rows, "_SLICE_ROWS", 2000)
            sliced = [each for each in rows.cut(str(path), None) if isinstance(each, Part)]
        assert (len(found), len(sliced)) == (parts, slices)
        chunks = [[chunk for part in cut for chunk in rows.read(part)] for cut in (found, sliced)]
        for each in chunks:
            assert pa.Table.from_batches([chunk.batch for chunk in each if not isinstance(chunk, Lines)]) == table
        assert list(map(len, chunks[0])) == list(map(len, chunks[1]))
