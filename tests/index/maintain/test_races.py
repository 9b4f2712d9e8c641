"""`archive maintain` at the same time as other commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from made import found
from maintained import beside_others
from test_maintain import fill, many, multiset, own_home  # noqa: F401

import lowbackground as lb
from archive.lake import Lake
from index import stage
from index.maintain import sweep


@pytest.mark.slow
def test_killed_beside_four_writers_and_two_readers_it_loses_nothing(tmp_path: Path, own_home: Path) -> None:  # noqa: F811
    result = beside_others(
        tmp_path, kills=1, seed=0, files=2, few=True
    )  # `benchmarks/maintain.py kills` kills it more often
    assert result["errors"] == []
    assert result["kills"] == 1
    assert result["reads"] > 0
    assert result["files of documents"] < 3, "it has merged them"


def test_a_text_that_comes_in_again_while_its_rows_go_is_computed_again(lake: Lake, tmp_path: Path) -> None:
    """A stage plans while the text has rows still; the rows go; and the stage ends."""
    sources = fill(lake, tmp_path / "in", 2)
    lb.quality(lake, workers=1)
    before = multiset(lake, "quality")
    lb.forget(lake, sources[0])
    still = sweep._still

    def comes_again(*args: Any) -> Any:
        found = still(*args)
        lb.ingest(lake, sources[0], workers=1)
        return found

    plan, planned = stage.pending, []

    def swept_meanwhile(*args: Any) -> Any:
        tasks = list(plan(*args))
        if not planned:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sweep, "_still", lambda _lake, texts, *_: texts)  # it looked before the text came again
                assert {step.of for step in lb.maintain(lake).done if step.step == "sweep"} == {"quality"}
        planned.append(len(tasks))
        return iter(tasks)

    lb.ingest(lake, sources[0], workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "forgotten", lambda *_: gone)
        gone = _texts_of(lake, sources[0])
        patch.setattr(stage, "pending", swept_meanwhile)
        lb.quality(lake, workers=1)
    assert len(planned) == 2, "it plans again"
    assert multiset(lake, "quality") == before


def _texts_of(lake: Lake, source: str) -> Any:
    import pyarrow as pa

    captures = lake.read("captures", ["file", "content_id"]).to_pylist()
    return pa.array([row["content_id"] for row in captures if row["file"] == source], pa.string())


def test_rows_go_only_if_nobody_adds_any_in_between(lake: Lake, tmp_path: Path) -> None:
    sources = fill(lake, tmp_path / "in", 2)
    lb.quality(lake, workers=1)
    before = multiset(lake, "quality")
    lb.forget(lake, sources[0])
    still, looked = sweep._still, []

    def comes_again(*args: Any) -> Any:
        gone = still(*args)
        if not looked:
            lb.ingest(lake, sources[0], workers=1)
            lb.quality(lake, workers=1)  # marks the texts as done: they have rows
        looked.append(len(gone))
        return gone

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep, "_still", comes_again)
        lb.maintain(lake)
    assert looked[:2] == [2, 0], "it looks again, and leaves them"
    assert multiset(lake, "quality") == before


def test_a_lake_on_s3_is_kept_in_order_too(s3: str, tmp_path: Path, many: None) -> None:  # noqa: F811
    lake, local = Lake(f"s3://{s3}/lake"), Lake(str(tmp_path / "lake"))
    sources = fill(local, tmp_path / "in", 4)
    lb.index(local, workers=1)
    lb.forget(local, sources[0])
    client = boto3.client("s3")
    for path in Path(local.location).rglob("*"):
        if path.is_file():
            client.upload_file(str(path), s3, f"lake/{path.relative_to(local.location)}")
    steps = {(step.step, step.of) for step in lb.maintain(lake, keep="0").done}
    assert {("merge", "documents"), ("merge", "sources"), ("sweep", "signatures"), ("vacuum", "documents")} <= steps
    assert lake.filesystem.get_file_info(f"{lake.table_path('documents')}/{lake.files('documents')[0]}").size
    lb.index(lake, workers=1)
    lb.index(local, workers=1)
    assert found(lake) == found(local)
