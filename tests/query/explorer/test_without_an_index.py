"""Without the extra `index`, pages say what to install, and show the rest."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("starlette")

from conftest import rows
from explored import shown  # noqa: F401

from archive.extras import missing
from archive.lake import Lake
from query.explorer import indexes
from query.explorer.open_lake import OpenLake
from query.explorer.pages.table import PAGES


@pytest.fixture
def opened(shown: Lake, monkeypatch: pytest.MonkeyPatch) -> Any:
    def require(what: str, extra: str, *packages: str) -> None:
        raise missing(what, extra, packages[0])

    monkeypatch.setattr(indexes, "require", require)
    with OpenLake(shown.location) as opened:
        yield opened


def test_a_pasted_text_is_not_looked_up_and_the_page_says_what_to_install(opened: OpenLake) -> None:
    asked = {"q": "a text of some words " * 4, "as": "text"}
    data = opened.answer(None, lambda context: PAGES["search"].answer(context, asked)).data
    assert "pip install 'lowbackground[index]'" in data.problem


def test_a_text_is_shown_without_colours_and_the_page_says_what_to_install(opened: OpenLake, shown: Lake) -> None:
    ((own,), *_) = rows(shown, "SELECT content_id FROM documents")
    asked = PAGES["text"].parse([("content_id", own), ("passages", "yes")])
    data = opened.answer(None, lambda context: PAGES["text"].answer(context, asked)).data
    assert "pip install 'lowbackground[index]'" in data.no_passages
    assert data.text
