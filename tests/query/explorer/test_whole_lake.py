"""What is counted of the whole lake in the background is what the views say, and a page does not wait for it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("starlette")

from conftest import members, record, rows, take
from explored import shown  # noqa: F401

from archive.errors import QueryError
from archive.intake.published import Published
from archive.lake import Lake
from query.explorer.open_lake import OpenLake
from query.explorer.page import Address
from query.explorer.pages.table import PAGES
from query.explorer.show import Shown
from query.explorer.whole_lake import WholeLake
from query.sql import connect


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def questions(lake: Lake) -> list[str]:
    """All that the first page asks."""
    with OpenLake(lake.location, is_pinned=True) as opened:
        return [each.sql for each in opened.answer(None, lambda context: PAGES["overview"].answer(context, {})).sql]


def test_each_question_is_answered_as_the_views_answer_it(shown: Lake, tmp_path: Path) -> None:
    whole, views = WholeLake(shown, {"made": "1"}, "400MB", str(tmp_path), 60), connect(shown)
    try:
        asked = questions(shown)
        assert len(asked) > 12
        for sql in asked:
            counted, asked_of_views = whole.rows(sql, "proofs" not in sql), rows(views, sql)
            assert counted is not None
            if "ORDER BY" not in sql:  # so its rows come in any order
                counted, asked_of_views = sorted(counted, key=repr), sorted(asked_of_views, key=repr)
            assert counted == asked_of_views, sql
    finally:
        whole.close()


def test_what_others_attest_of_a_file_counts_as_a_moment(tmp_path: Path) -> None:
    source = tmp_path / "a.warc.gz"
    source.write_bytes(members(record("http://a.example/", "<p>some words", date="2015-01-02T03:04:05Z")))
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(source), published=Published(datetime(2012, 1, 1, tzinfo=UTC), "somebody"))
    asked = [sql for sql in questions(lake) if "moments" in sql]
    whole = WholeLake(lake, {"made": "1"}, "400MB", str(tmp_path), 60)
    try:
        assert len(asked) == 2
        for sql in asked:
            assert whole.rows(sql) == rows(lake, sql)
        assert rows(lake, "SELECT count(*) FROM moments") == [(2,)]
    finally:
        whole.close()


def test_a_page_shows_what_is_known_and_names_what_is_being_counted(shown: Lake) -> None:
    with OpenLake(shown.location, patience=0) as opened:
        answer = opened.answer(
            "first", lambda context: PAGES["overview"].answer(context, {}), lambda each: each.is_final
        )
        assert not answer.is_final
        assert answer.data.texts is None
        assert "Texts by language" in answer.data.uncounted
        html = Shown(PAGES, shown.location).html(PAGES["overview"], Address("overview"), answer)
        assert '<meta http-equiv="refresh"' in html
        assert "Being counted" in html
        assert "<dd>0</dd>" not in html
        while not answer.is_final:
            answer = opened.answer(
                "first", lambda context: PAGES["overview"].answer(context, {}), lambda each: each.is_final
            )
        assert [(answer.data.texts,)] == rows(shown, "SELECT count(*) FROM documents")
        html = Shown(PAGES, shown.location).html(PAGES["overview"], Address("overview"), answer)
        assert "refresh" not in html
        assert "Being counted" not in html


def test_a_question_that_fails_says_so_to_whoever_asks(shown: Lake, tmp_path: Path) -> None:
    whole = WholeLake(shown, {"made": "1"}, "400MB", str(tmp_path), 60)
    try:
        for _ in range(2):
            with pytest.raises(QueryError, match="no_such_column"):
                whole.rows("SELECT no_such_column FROM captures")
        assert whole.rows("SELECT 1") == [(1,)]
    finally:
        whole.close()
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".db")]
