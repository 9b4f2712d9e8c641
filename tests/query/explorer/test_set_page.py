"""The page of a clean set: its numbers are those of the export that its command writes."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

import httpx
from explored import address, client, shown  # noqa: F401

import query
from archive.lake import Lake
from query.export.run import export


def finished(client: httpx.Client, path: str) -> dict[str, Any]:
    """Ask for the JSON of a page until all of it is there."""
    for _ in range(600):
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()
        state = data["data"]
        assert not state["problem"], state["problem"]
        if state["counts"] and not state["is_counting"] and not state["is_reading"]:
            return data
        time.sleep(0.1)
    raise AssertionError(f"{path} is never finished")


@pytest.mark.parametrize("more", ["", "&near=1", "&grade=E&honour_opt_outs=1", "&language=en&after=2015-01-01"])
def test_the_page_counts_what_its_command_exports(client: httpx.Client, shown: Lake, more: str, tmp_path: Path) -> None:
    found = finished(client, f"/set.json?before=2020-01-01&exact=1{more}")
    data = found["data"]
    assert data["exact"] == data["counts"] | {"examples": data["exact"]["examples"]}
    words = shlex.split(found["command"])
    assert words[:3] == ["archive", "export", "set"]
    options = {word.removeprefix("--").replace("-", "_"): value for word, value in _options(words[3:])}
    assert options.pop("lake") == shown.location
    if not data["counts"]["texts"]:
        return
    assert export(shown, tmp_path / "set", workers=1, **options).rows == data["counts"]["texts"]


def _options(words: list[str]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for word in words:
        if word.startswith("--"):
            pairs.append((word, True))
        else:
            pairs[-1] = (pairs[-1][0], word)
    return pairs


def test_the_page_shows_counts_months_examples_the_sql_and_the_command(client: httpx.Client, shown: Lake) -> None:
    found = finished(client, "/set.json?before=2020-01-01")
    assert sum(found["data"]["counts"]["months"].values()) == found["data"]["counts"]["texts"] > 0
    (asked,) = found["sql"]
    assert query.query(shown, asked["sql"]).to_pylist()[0]["texts"] == found["data"]["counts"]["texts"]
    page = client.get("/set?before=2020-01-01").text
    assert "archive export set --before 2020-01-01 --lake" in page
    for example in found["data"]["examples"]:
        assert f"/text/{example['content_id']}" in page
    assert "<script>document.title" not in page


def test_each_link_of_the_choices_leads_to_a_set_with_that_count(client: httpx.Client) -> None:
    found = finished(client, "/set.json?before=2020-01-01&grade=E")
    choices = found["data"]["choices"]
    assert {each["control"] for each in choices} == {"grade", "language", "preset", "near", "honour_opt_outs"}
    for each in choices:
        if each["control"] == "preset" and each["word"] != "none":
            continue  # nobody has measured these texts
        given = dict(each["address"]["parameters"])
        assert finished(client, f"/set.json?{httpx.QueryParams(given)}")["data"]["counts"]["texts"] == each["texts"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("before=2020-13-01", "before"),
        ("before=yesterday", "a day, as 2021-12-31"),
        ("before=2020-01-01&after=2021-01-01", "nothing is after"),
        ("grade=X", "one of A, B, C, D, E"),
        ("language=en'); DROP", "the code of a language"),
        ("preset=mine", "one of"),
        ("preset=c4", "archive quality"),
        ("where=true", "no parameter"),
        ("near=2", "one of"),
    ],
)
def test_a_set_that_there_cannot_be_is_refused_in_one_line(client: httpx.Client, given: str, why: str) -> None:
    finished(client, "/set.json")
    answer = client.get(f"/set.json?{given}")
    assert answer.status_code == 400
    assert why in answer.text
    assert len(answer.text.splitlines()) == 1


def test_what_a_lake_cannot_answer_is_a_control_that_says_why(client: httpx.Client) -> None:
    finished(client, "/set.json")
    page = client.get("/set").text
    assert 'name="preset" disabled aria-describedby="preset-problem"' in page
    assert "archive quality" in page
