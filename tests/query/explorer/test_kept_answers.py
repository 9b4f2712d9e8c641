"""What is counted is kept outside the lake for one version of it, and made again where it is damaged."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

pytest.importorskip("starlette")

from conftest import record, rows, take

from archive.lake import Lake
from query.explorer.kept import KeptAnswers
from query.explorer.open_lake import OpenLake
from query.explorer.pages.table import PAGES

NOW = 10_000.0


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_answer_is_asked_for_once_and_again_for_another_version(cache: Path) -> None:
    asked: list[int] = []

    def ask() -> pa.Table:
        asked.append(1)
        return pa.table({"a": [len(asked)], "b": ["x"]})

    for _ in range(2):
        assert KeptAnswers("lake", {"captures": "1"}).rows("SELECT 1", ask) == [(1, "x")]
    assert KeptAnswers("lake", {"captures": "1"}).rows("SELECT 2", ask) == [(2, "x")]
    assert KeptAnswers("lake", {"captures": "2"}).rows("SELECT 1", ask) == [(3, "x")]
    assert len(list(cache.rglob("answers-*.parquet"))) == 1  # those of the earlier version are gone
    assert KeptAnswers("other", {"captures": "2"}).rows("SELECT 1", ask) == [(4, "x")]


@pytest.mark.parametrize("damage", ["content", "sum"])
def test_a_damaged_answer_is_made_again(cache: Path, damage: str) -> None:
    answers = KeptAnswers("lake", {})
    answers.rows("SELECT 1", lambda: pa.table({"a": [1]}))
    (path,) = cache.rglob(f"answers-*.parquet{'.sum' * (damage == 'sum')}")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert answers.rows("SELECT 1", lambda: pa.table({"a": [2]})) == [(2,)]


def test_the_overview_of_a_lake_that_grew_counts_what_came(tmp_path: Path, cache: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for number in (1, 2):
        path = tmp_path / f"{number}.warc"
        path.write_bytes(record(f"http://a.example/{number}", f"<p>some words {number}", date="2015-01-02T03:04:05Z"))
        take(lake, str(path))
        for _ in range(2):  # the second time from what is kept
            with OpenLake(lake.location) as opened:
                data = opened.answer("overview", lambda context: PAGES["overview"].answer(context, {})).data
            assert (data.captures, data.texts) == (number, number)
            assert data.texts_by_month == {"2015-01": {"C": number}} or data.texts_by_month == {
                "2015-01": {"D": number}
            }
            assert [(each.first, each.last) for each in data.hosts] == rows(
                lake, "SELECT min(captured_at), max(captured_at) FROM captures"
            )
    assert not list(Path(lake.location).rglob("answers-*"))
    assert list(cache.rglob("answers-*"))


def test_a_damaged_index_of_rows_is_made_again(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.warc").write_bytes(record("http://a.example/", "<p>some words", date="2015-01-02T03:04:05Z"))
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(tmp_path / "a.warc"))
    ((own,),) = rows(lake, "SELECT content_id FROM documents")
    values = PAGES["text"].parse([("content_id", own)])
    for _ in range(2):
        with OpenLake(lake.location) as opened:
            data = opened.answer(own, lambda context: PAGES["text"].answer(context, values)).data
        assert f"{data.first_seen:%Y-%m-%d}" == "2015-01-02"
        (path,) = cache.rglob("places-captures-*.parquet")
        path.write_bytes(b"no Parquet")
