"""The cube has the counts that the lake has, and that an export writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import examples
from drawn import TEXTS, captures, controls, lake_of, name, pairs, signals
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import put

import query
from archive.errors import ArchiveError, ExportError
from archive.lake import Lake
from index.quality.presets import PRESETS
from query.explorer.cube import exact
from query.explorer.cube.build import ASKED, build
from query.explorer.cube.controls import Controls
from query.explorer.cube.cube import Cube
from query.export.command import command as export_command
from query.export.run import export
from query.sql import answer

_SLOW = settings(max_examples=examples(3), deadline=None, suppress_health_check=list(HealthCheck))


@contextmanager
def _cube(lake: Lake, folder: Path) -> Iterator[Cube]:
    about = build(lake, {}, "500MB", str(folder), folder / "cube.parquet")
    cube = Cube(pq.read_table(folder / "cube.parquet"), about)
    yield cube
    cube.close()


@_SLOW
@given(
    seen=captures(),
    near=pairs,
    measured=signals,
    bounded=st.booleans(),
    asked=st.lists(controls(), min_size=12, max_size=12),
)
def test_the_cube_counts_what_the_lake_counts_and_what_an_export_writes(
    seen: Any, near: Any, measured: Any, bounded: bool, asked: list[Controls], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cube")
    lake = lake_of(folder / "lake", seen, near, measured, bounded)
    with _cube(lake, folder) as cube, query.connect(lake) as db:
        for each in asked:
            counts, _ = cube.counts(each)
            found = exact.counts(db.execute(exact.sql(each)).fetchall(), cube.about.bytes_a_character)
            assert replace(counts, examples=()) == replace(found, examples=())
            assert set(counts.examples) <= set(found.examples), "of six texts the lake gives all"
            assert counts.examples[:1] == found.examples[:1], "that with the least id"
        counts, _ = cube.counts(asked[0])
        assert _exported(lake, asked[0].command(), folder / "set") == (counts.texts, counts.characters)


def _exported(lake: Lake, words: tuple[str, ...], out: Path) -> tuple[int, int]:
    """Return the rows and characters that the command writes that the page shows."""
    name_, _, *options = words
    given = export_command.make_context(name_, [str(out), *options]).params
    given = {key: value for key, value in given.items() if key not in ("out", "location", "as_json", "quiet")}
    try:
        result = export(lake, out, **{**given, "workers": 1})
    except ExportError as error:
        if "the set is empty" not in str(error):
            raise
        return 0, 0
    shards = json.loads((out / "manifest.json").read_text())["shards"]
    return result.rows, sum(shard["chars"] for shard in shards)


@_SLOW
@given(seen=captures(), near=pairs, measured=signals, asked=st.lists(controls(), min_size=8, max_size=8))
def test_each_choice_has_the_count_of_the_set_that_it_leads_to(
    seen: Any, near: Any, measured: Any, asked: list[Controls], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cube")
    lake = lake_of(folder / "lake", seen, near, measured, False)
    with _cube(lake, folder) as cube:
        texts = lambda **other: cube.counts(replace(each, **other))[0].texts  # noqa: E731
        for each in asked:
            _, choices = cube.counts(each)
            assert choices.grades == {grade: texts(grade=grade) for grade in ASKED}
            assert choices.presets == {preset: texts(preset=preset or None) for preset in ("", *PRESETS)}
            assert choices.near == (texts(near=False), texts(near=True))
            assert choices.honour_opt_outs == (texts(honour_opt_outs=False), texts(honour_opt_outs=True))
            assert choices.every_language == texts(language=None)
            for language in ("en", "de"):
                assert choices.languages.get(language, 0) == texts(language=language)


def test_two_operators_are_enough_for_b_from_the_second_one_on(tmp_path: Path) -> None:
    def seen(text: int, day: int, operator: str | None, grade: str = "D") -> dict[str, Any]:
        at = f"2020-01-{day:02}T12:00:00Z"
        return {"content_id": name(text), "url": f"http://e.com/{text}", "file": "a.warc", "offset": day, "skip": 0,
                "record_type": "response", "date_source": "warc", "payload_digest": f"sha1:{text}", "grade": grade,
                "captured_at": _moment(at), "month": "2020-01", "operator": operator, "length": 1}  # fmt: skip

    captured = [
        seen(0, 1, "One"), seen(0, 5, "one."), seen(0, 9, "Another"),
        seen(1, 3, None), seen(1, 4, None), seen(1, 6, "One", "B"),
        seen(2, 2, "One"), seen(2, 3, "Another", "E"),
    ]  # fmt: skip
    lake = lake_of(tmp_path / "lake", captured, {(1, 0)}, [{}] * TEXTS, False)
    with _cube(lake, tmp_path) as cube:
        count = lambda day, **more: cube.counts(Controls(date(2020, 1, day), grade="B", **more))[0].texts  # noqa: E731
        assert [count(day) for day in (6, 7, 9, 10)] == [0, 1, 1, 2]
        assert [count(day, near=True) for day in (6, 7, 9, 10)] == [0, 1, 1, 1], (
            "text 0 was seen first, and enters later"
        )
        assert count(10, after=date(2020, 1, 2)) == 1, (
            "of both the first capture counts, not that of the second archive"
        )


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written)


def test_what_a_lake_cannot_answer_is_refused_as_the_export_refuses_it(tmp_path: Path, lake: Lake) -> None:
    put(lake, tmp_path / "in", [("Some text of a few words.", "2015-01-01")])
    with _cube(lake, tmp_path) as cube:
        plain = Controls(date(2022, 1, 1))
        assert cube.counts(plain)[0].texts == 1
        for wrong in (replace(plain, near=True), replace(plain, preset="c4")):
            with pytest.raises(ArchiveError) as of_cube:
                cube.counts(wrong)
            with pytest.raises(ArchiveError) as of_export:
                export(lake, tmp_path / "set", before="2022-01-01", near=wrong.near, preset=wrong.preset, workers=1)
            assert str(of_cube.value) in str(of_export.value)
            assert "`archive" in str(of_cube.value)


@pytest.mark.parametrize("more", [{}, {"preset": "c4", "near": True, "honour_opt_outs": True, "language": "en"}])
def test_the_sql_that_is_shown_counts_the_set_for_whoever_copies_it(tmp_path: Path, more: dict[str, Any]) -> None:
    at = _moment("2020-01-01T00:00:00Z")
    seen = [
        {"content_id": name(number), "url": "http://e.com/", "file": "a.warc", "offset": number, "skip": 0, "length": 1,
         "record_type": "response", "date_source": "warc", "captured_at": at, "month": "2020-01", "grade": "C"}
        for number in range(TEXTS)
    ]  # fmt: skip
    lake = lake_of(tmp_path / "lake", seen, set(), [{}] * TEXTS, False)
    asked = Controls(date(2020, 1, 2), **more)
    with _cube(lake, tmp_path) as cube, query.connect(lake) as db:
        counts, _ = cube.counts(asked)
        assert counts.texts
        assert answer(db, asked.sql()).fetchall() == [(counts.texts, counts.characters)]
