"""Topics and the map show the texts that have them, lead to these, and write nothing into the lake."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette")

import httpx
import numpy as np
from conftest import record, take
from explored import address, client, files_of, serving, shown  # noqa: F401
from made_vectors import add

import lowbackground as lb
from archive.lake import Lake
from archive.text.normalise import content_id
from query.explorer.app import application
from query.explorer.context import Context
from query.explorer.draw.fields import DrawnField, fields
from query.explorer.guard import Allowed
from query.explorer.map import grid as made
from query.explorer.map.kept import kept_grid
from query.explorer.map.project import directions, unit
from query.explorer.open_lake import OpenLake
from query.explorer.page import Address
from query.explorer.pages import map as map_page
from query.explorer.pages.table import PAGES
from query.explorer.show import Shown

BREAD = [f"bread flour oven dough number{at} yeast" for at in range(60)]
STARS = [f"planet orbit star telescope number{at} comet" for at in range(60)]


def dated(texts: list[str], first: int, years: int, name: str) -> bytes:
    return b"".join(
        record(url=f"http://{name}{at}.com/", body=text, date=f"{first + at % years}-06-01", content_type="text/plain")
        for at, text in enumerate(texts)
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with two topics, one of them first seen from 2012 on, the other from 2020 on."""
    folder = tmp_path_factory.mktemp("topics")
    lake = Lake(str(folder / "lake"))
    (folder / "a.warc").write_bytes(dated(BREAD, 2012, 10, "bread") + dated(STARS, 2020, 2, "stars"))
    take(lake, str(folder / "a.warc"))
    texts = [*BREAD, *STARS]
    vectors = np.random.default_rng(0).normal(0, 0.1, (len(texts), 8)).astype(np.float32)
    vectors[:60, 0] += 1
    vectors[60:, 1] += 1
    vectors[0] = np.nan
    add(lake, [content_id(text) for text in texts], vectors)
    lb.topics(lake, topics=2)
    return lake


@pytest.fixture(scope="module")
def served(full: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
    with serving("--lake", full.location) as address, httpx.Client(base_url=address, timeout=60) as opened:
        while opened.get("/map.json").json()["data"]["seconds"] is not None:
            time.sleep(0.05)
        yield opened
    patch.undo()


def test_a_map_that_is_being_drawn_says_so_and_is_there_soon(
    full: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    values = PAGES["map"].parse([])
    with OpenLake(full.location, patience=0) as opened:
        answer = opened.answer("map", lambda context: PAGES["map"].answer(context, values), lambda each: each.is_final)
        assert answer.data.grid is None
        html = Shown(PAGES, full.location).html(PAGES["map"], Address("map"), answer)
        assert "is being drawn" in html
        assert '<meta http-equiv="refresh"' in html
        while not answer.is_final:
            time.sleep(0.02)
            answer = opened.answer(
                "map", lambda context: PAGES["map"].answer(context, values), lambda each: each.is_final
            )
        encoder = lb.topics(full).encoder
        assert answer.data.grid == opened.answer(None, lambda context: kept_grid(context, encoder))


def test_topics_are_those_of_the_command(full: Lake, served: httpx.Client) -> None:
    data, told = served.get("/topics.json").json()["data"], lb.topics(full)
    assert [(each["topic"], each["name"], each["texts"]) for each in data["topics"]] == [
        (each.topic, each.name, each.texts) for each in told.topics
    ]
    for each in told.topics:
        page = served.get(f"/topic/{each.topic}.json").json()["data"]
        assert page["months"] == each.periods
        assert page["undated"] == each.undated
        nearest = [near["content_id"] for near in page["nearest"]]
        assert nearest[: len(each.examples)] == [near.content_id for near in each.examples]
    bread = next(each for each in data["topics"] if "bread" in each["words"])
    assert bread["first"].startswith("2012-06-02")  # no time of day: the last moment of that day anywhere
    assert bread["last"].startswith("2021-06-02")


def test_every_text_with_a_vector_is_in_one_field_of_the_map_and_unlike_texts_are_apart(served: httpx.Client) -> None:
    grid = served.get("/map.json").json()["data"]["grid"]
    assert grid["texts"] == sum(each["texts"] for each in grid["fields"]) == 119  # one vector has no numbers
    assert len({(each["column"], each["row"]) for each in grid["fields"]}) == len(grid["fields"])
    stars = {content_id(text) for text in STARS}
    columns: dict[bool, set[int]] = {True: set(), False: set()}
    for each in grid["fields"]:
        for named in each["content_ids"]:
            columns[named in stars].add(each["column"])
    assert max(columns[True]) < min(columns[False]) or max(columns[False]) < min(columns[True])


def test_the_map_leads_to_its_texts_and_topics(served: httpx.Client) -> None:
    first = served.get("/map.json").json()
    html = served.get("/map").text
    assert html.count("<rect") == len(first["data"]["grid"]["fields"])
    assert "style=" not in html
    for link in first["links"][:3]:
        field = served.get(f"{link}.json").json()
        assert served.get(link).status_code == 200
        assert {each["content_id"] for each in field["data"]["texts"]} == set(field["data"]["field"]["content_ids"])
        for each in field["links"]:
            assert served.get(each).status_code == 200, each


def test_a_map_is_kept_outside_the_lake_and_made_again_where_it_is_damaged(
    full: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = files_of(full.location)
    with OpenLake(full.location) as opened:
        encoder = lb.topics(full).encoder
        found = opened.answer("one", lambda context: kept_grid(context, encoder))
        (kept,) = tmp_path.rglob("grid-*.json")
        assert opened.answer("two", lambda context: (kept_grid(context, encoder), context.asked)) == (found, ())
        for damage in (b"", b"{", b"[]", json.dumps({"texts": "many"}).encode(), kept.read_bytes()[:-9]):
            kept.write_bytes(damage)
            assert opened.answer(damage, lambda context: kept_grid(context, encoder)) == found
        assert [*tmp_path.rglob("grid-*.json")] == [kept]
    assert files_of(full.location) == before


def test_a_map_is_part_of_the_caches_that_maintain_knows(full: Lake, served: httpx.Client) -> None:
    from archive.leftovers import caches

    served.get("/map")
    (maps,) = [each for each in caches(3600) if each.kind == "maps"]
    assert maps.files == 2


def test_of_too_many_texts_a_part_is_on_the_map(full: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(made, "MOST", 40)
    with OpenLake(full.location) as opened:
        found = opened.answer("one", lambda context: made.grid(context, lb.topics(full).encoder))
    assert found.texts_in_all == 120
    assert 20 <= found.texts <= 60


def test_a_field_of_a_map_that_is_being_drawn_is_a_page_that_asks_again(
    full: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    go = threading.Event()

    def slow(context: Context, encoder: str) -> made.Grid:
        assert go.wait(60)
        return kept_grid(context, encoder)

    monkeypatch.setattr(map_page, "kept_grid", slow)
    with OpenLake(full.location, patience=0) as opened:
        application_ = application(opened, Allowed())

        async def got(path: str) -> httpx.Response:
            transport = httpx.ASGITransport(application_)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.get(path)

        answer, twin = asyncio.run(got("/map/1-1")), asyncio.run(got("/map/1-1.json"))
        go.set()
        assert (answer.status_code, answer.headers["refresh"]) == (202, "3")
        assert "the map of this lake is being drawn" in answer.text
        assert (twin.status_code, twin.headers["retry-after"]) == (503, "3")
        until = time.monotonic() + 60
        while asyncio.run(got("/map/1-1")).status_code == 202 and time.monotonic() < until:
            time.sleep(0.05)
        assert asyncio.run(got("/map/1-1")).status_code in {200, 404}


def test_a_lake_without_vectors_says_so(client: httpx.Client) -> None:
    assert "no text of the lake has vectors" in client.get("/map").text
    assert "The lake has no topics" in client.get("/topics").text
    assert client.get("/map.json").json()["data"]["grid"] is None
    for path in ("/topic/1", "/map/1-1"):
        assert client.get(path).status_code == 404


def test_what_no_map_has_is_refused(served: httpx.Client) -> None:
    for path in ("/map/99-1", "/map/1", "/map/a-b", "/topic/0", "/topic/x"):
        assert served.get(path).status_code == 400, path
    for path in ("/topic/999", "/map?encoder=other", "/topics?encoder=%27"):
        assert served.get(path).status_code == 404, path


def test_the_two_directions_are_those_in_which_vectors_differ_most() -> None:
    dice = np.random.default_rng(1)
    wide = dice.normal(size=(500, 6)) * [1, 5, 1, 1, 3, 1]
    blocks = [wide[:100].astype(np.float32), wide[100:].astype(np.float32)]
    mean, both = directions(blocks)
    assert np.allclose(mean, wide.mean(0), atol=1e-5)
    _, _, axes = np.linalg.svd(wide - wide.mean(0), full_matrices=False)
    assert np.allclose(np.abs((axes[:2] * both.T).sum(1)), 1, atol=1e-4)
    assert np.array_equal(directions(blocks)[1], both)
    assert directions([])[1].shape == (0, 2)
    assert directions([np.ones((3, 1), np.float32)])[1].shape == (1, 2)


def test_vectors_without_a_direction_are_left_out() -> None:
    kept, is_one = unit(np.array([[3, 4], [0, 0], [np.nan, 1], [np.inf, 1]], np.float32))
    assert is_one.tolist() == [True, False, False, False]
    assert np.allclose(kept, [[0.6, 0.8]])


def test_a_drawn_field_is_a_link_with_its_words_escaped() -> None:
    drawn = str(
        fields([DrawnField(0, 0, 1, "<b>\u202e", "/map/0-0"), DrawnField(3, 2, 9, "nine", None)], 40, 24, "text")
    )
    assert '<a href="/map/0-0" tabindex="-1" aria-label="&lt;b&gt;\\u202e">' in drawn
    assert "10 texts in 2 fields; at most 9 in one." in drawn
    assert 'class="shade-1"' in drawn
    assert 'class="shade-5"' in drawn
    assert "There is no text" in fields([], 40, 24, "text")
