"""`archive maintain`: merging, sweeping and deleting change nothing that a question or another command sees."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from made import edited, found, indexed, put, words

import lowbackground as lb
from archive import compact, leftovers
from archive.lake import Lake
from archive.tables import DOCUMENTS, SOURCES
from index import tables
from index.maintain import kinds
from index.tables import BANDS, PASSAGES, SIGNATURES
from query.sql import connect


def multiset(lake: Lake, name: str) -> list[tuple[Any, ...]]:
    """The rows of a table as DuckDB reads them from the files that the Delta log names, each with how often it is."""
    uris = DeltaTable(lake.table_uri(name)).file_uris()
    if not uris:
        return []
    with duckdb.connect() as db:
        return db.execute(
            "SELECT *, count(*) FROM read_parquet($1, hive_partitioning := true, union_by_name := true) "
            "GROUP BY ALL ORDER BY ALL",
            [uris],
        ).fetchall()


def fill(lake: Lake, folder: Path, ingests: int, seed: int = 0) -> list[str]:
    """Ingest pairs of near-duplicates one by one; return the sources."""
    for number in range(ingests):
        base = words(60, seed + number)
        texts = [
            (" ".join(base), f"201{number % 3}-05-0{1 + number % 9}"),
            (" ".join(edited(base, 1, 7)), "2014-02-02"),
        ]
        put(lake, folder, texts)
    return [str(path) for path in sorted(folder.iterdir(), key=lambda path: int(path.stem))]


def age(lake: Lake, days: float) -> None:
    """Make all files of a lake so many days older, and what its logs say."""
    for path in Path(lake.location).rglob("*"):
        if path.is_file():
            status = path.lstat()
            os.utime(path, (status.st_atime, status.st_mtime - days * 86_400))


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few small files are many."""
    monkeypatch.setattr(kinds, "_LEAST", 3)
    monkeypatch.setattr(kinds, "CROWD", 3)
    monkeypatch.setattr(kinds.Kind.__init__, "__defaults__", (3, None, (), False, ()))


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the caches and the scratch of this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(leftovers, "tempfile", SimpleNamespace(gettempdir=lambda: str(tmp_path / "tmp")))
    return tmp_path


def test_merged_tables_hold_the_same_rows_and_every_question_has_the_same_answer(
    lake: Lake, tmp_path: Path, many: None
) -> None:
    fill(lake, tmp_path / "in", 2)
    for seed in (50, 60):
        indexed(lake)
        fill(lake, tmp_path / "in", 1, seed)
    indexed(lake)
    lb.quality(lake, workers=1)
    names = [table.name for table in kinds.ours(lake) if table not in (BANDS, PASSAGES)]
    before = {name: multiset(lake, name) for name in names}
    answers, count = found(lake), {name: len(lake.files(name)) for name in names}
    assert tables.is_current(lake)
    dry = lb.maintain(lake, dry_run=True)
    assert {name: len(lake.files(name)) for name in names} == count
    result = lb.maintain(lake)
    assert {step.of for step in result.done if step.step == "merge"} >= {"captures", "documents", "signatures", "pairs"}
    planned = {(step.of, step.files, step.into) for step in dry.done if step.step == "merge"}
    assert {(step.of, step.files, step.into) for step in result.done if step.step == "merge"} == planned
    assert {name: multiset(lake, name) for name in names} == before
    assert all(len(lake.files(name)) < 3 for name in ("documents", "sources", "signatures"))
    assert tables.is_current(lake), "merging changes nothing that near-duplicates are derived from"
    assert found(lake) == answers
    assert set(lake.read(BANDS.name, ["segment"])["segment"].to_pylist()) == set(lake.files(SIGNATURES.name))
    indexed(lake)
    assert found(lake) == answers
    assert not [step for step in lb.maintain(lake).done if step.step == "merge"], "once is enough"


def test_merged_captures_are_sorted_and_skipped_by_date(lake: Lake, tmp_path: Path, many: None) -> None:
    for number in range(4):
        texts = [(" ".join(words(30, 30 * number + n)), f"2015-06-{28 - n:02}") for n in range(27)]
        put(lake, tmp_path / "in", texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "_GROUP", 4096)
        lb.maintain(lake)
    (path,) = lake.files("captures")
    metadata = pq.read_metadata(f"{lake.table_path('captures')}/{path}")
    column = next(n for n in range(metadata.num_columns) if metadata.schema.column(n).path == "captured_at")
    ranges = [metadata.row_group(number).column(column).statistics for number in range(metadata.num_row_groups)]
    assert len(ranges) > 2
    assert all(one.max <= other.min for one, other in pairwise(ranges))


def test_two_merges_of_the_same_files_keep_each_row_once(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """delta-rs lets two merge the same files, and keeps both results."""
    fill(lake, tmp_path / "in", 4)
    before = multiset(lake, "sources")
    real = compact._written

    def meanwhile(*args: Any) -> Any:
        written = real(*args)
        monkeypatch.undo()
        compact.compact(lake, SOURCES, least=3)  # another process, at the worst moment
        return written

    monkeypatch.setattr(compact, "_written", meanwhile)
    assert compact.compact(lake, SOURCES, least=3).commits == 0
    assert len(lake.files("sources")) == 1
    assert len(list(Path(lake.location, "sources").glob("*-merged-*"))) == 1, "the other result is deleted"
    assert multiset(lake, "sources") == before


def test_a_merge_that_meets_a_forget_gives_way(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = fill(lake, tmp_path / "in", 4)
    real = compact._written

    def meanwhile(*args: Any) -> Any:
        written = real(*args)
        monkeypatch.undo()
        lb.forget(lake, sources[0])
        return written

    monkeypatch.setattr(compact, "_written", meanwhile)
    assert compact.compact(lake, DOCUMENTS, least=3).commits == 0
    assert lake.rows("documents") == 6
    assert lb.maintain(lake).forgotten == 0
    assert lake.rows("documents") == 6


def test_nothing_of_a_forgotten_text_is_left_in_any_file(lake: Lake, tmp_path: Path, many: None) -> None:
    sources = fill(lake, tmp_path / "in", 3)
    lb.index(lake, workers=1, passages=True)
    lb.quality(lake, workers=1)
    whole = Lake(str(tmp_path / "whole"))
    lb.ingest(whole, sources[1:], workers=1)
    lb.index(whole, workers=1, passages=True)
    ids = {row[0] for row in connect(lake).execute("SELECT content_id FROM documents").fetchall()}
    lb.forget(lake, sources[0])
    gone = ids - {row[0] for row in connect(lake).execute("SELECT content_id FROM documents").fetchall()}
    assert len(gone) == 2
    dry = lb.maintain(lake, dry_run=True)
    assert dry.forgotten == 2
    assert _holding(lake, gone) >= {"signatures", "quality", "passages", "pairs", "duplicates"}
    swept = {step.of: step.rows for step in lb.maintain(lake, keep="0").done if step.step == "sweep"}
    assert swept == {step.of: step.rows for step in dry.done if step.step == "sweep"}
    assert swept == {"signatures": 2, "quality": 2, "passages": 2, "pairs": 1, "duplicates": 1}
    assert _holding(lake, gone) == set(), "also of older versions"
    assert lb.maintain(lake).forgotten == 0
    lb.index(lake, workers=1)
    assert found(lake) == found(whole)
    assert tables.is_current(lake)
    lb.ingest(lake, sources[0], workers=1)
    lb.index(lake, workers=1)
    lb.ingest(whole, sources[0], workers=1)
    lb.index(whole, workers=1)
    assert found(lake) == found(whole), "what comes again is computed again"


def _holding(lake: Lake, ids: set[str]) -> set[str]:
    """The folders of tables with a file that has one of these texts, committed or not."""
    holding = set()
    for path in Path(lake.location).rglob("*.parquet"):
        if "_delta_log" in path.parts:
            continue
        data = pq.read_table(path, partitioning=None)
        for name in data.schema.names:
            if name in {"content_id", "a", "b", "earlier_id", "cluster_id"} and ids & set(data[name].to_pylist()):
                holding.add(path.relative_to(lake.location).parts[0])
    return holding
