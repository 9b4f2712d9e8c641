"""A page about one text reads few rows, and says what all rows of the lake say; what changed, and since when."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, rows, take

pytest.importorskip("starlette")

import httpx
from explored import EDITED, OLD, address, client, serving, shown  # noqa: F401
from made import indexed, words

from archive.engine import open_engine
from archive.lake import Lake
from index import stage as stages
from index.passages.stage import Passages
from query.explorer.dated import DatedPassages, Passage
from query.explorer.open_lake import OpenLake
from query.explorer.pages.table import PAGES
from query.sql import connect


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of several files: captures, revisits by digest, near-duplicates, texts of one payload, and one of no date."""
    folder = tmp_path_factory.mktemp("mixed")
    lake = Lake(str(folder / "lake"))
    page = "<p>caf\u00e9 and some more words".encode("latin-1")
    for number in range(4):
        given = [
            record(
                f"http://a.example/{number}",
                f"<p>{' '.join(words(60, number))}",
                date=f"20{10 + number}-01-01T00:00:00Z",
            ),
            record("http://old.example/", f"<p>{' '.join(OLD)}", date=f"20{14 - number}-02-03T04:05:06Z"),
            record("http://new.example/", f"<p>{' '.join(EDITED)}", date=f"20{16 + number}-02-03T04:05:06Z"),
            record("http://b.example/", page, content_type="text/html; charset=latin-1", date="2015-01-01T00:00:00Z"),
            record("http://b.example/", page, content_type="text/html; charset=utf-8", date="2016-01-01T00:00:00Z"),
            record("http://c.example/", f"<p>{' '.join(words(70, 99))}", date="2999-01-01T00:00:00Z"),
        ]
        for of in (given[1], given[3]):
            digest = re.search(rb"WARC-Payload-Digest: (\S+)", of)
            assert digest
            given.append(
                record("http://mirror.example/", b"", kind="revisit", content_type="text/html",
                       date=f"20{8 + number:02}-05-05T00:00:00Z", warc={"WARC-Payload-Digest": digest[1].decode()})
            )  # fmt: skip
        (folder / f"{number}.warc.gz").write_bytes(members(*given))
        take(lake, str(folder / f"{number}.warc.gz"))
    indexed(lake)
    return lake


def answers(opened: OpenLake, ids: list[str]) -> Iterator[tuple[str, Any]]:
    for own in ids:
        values = PAGES["text"].parse([("content_id", own)])
        yield own, opened.answer(own, lambda context, values=values: PAGES["text"].answer(context, values))


def test_what_a_page_asks_of_few_rows_is_what_all_rows_answer(mixed: Lake) -> None:
    with connect(mixed) as all_rows, OpenLake(mixed.location) as opened:
        ids = [each for (each,) in rows(all_rows, "SELECT content_id FROM documents ORDER BY 1")]
        assert len(ids) > 6
        for own, answer in answers(opened, ids):
            ((first, last, witness, near, captures),) = rows(
                all_rows,
                f"SELECT first_seen, last_seen, witness_id, first_seen_near, captures FROM documents WHERE content_id = '{own}'",
            )
            page = answer.data
            assert (page.first_seen, page.last_seen, page.captures_in_all) == (first, last, captures)
            assert (page.witness and page.witness.content_id) == witness
            assert (page.witness.first_seen if page.witness else first) == near
            asked = [each.sql for each in answer.sql if "IN (" not in each.sql]
            assert asked
            few = opened.act(lambda context, own=own, asked=asked: [context.rows("", each, own) for each in asked])
            for sql, found in zip(asked, few, strict=True):
                assert list(map(str, found)) == list(map(str, rows(all_rows, sql))), sql


def test_few_rows_are_read_for_a_text(mixed: Lake) -> None:
    from query.explorer.one_text import OneText
    from query.explorer.places import Places

    ((own,),) = rows(mixed, "SELECT DISTINCT content_id FROM captures WHERE url = 'http://a.example/1'")
    versions = {name: mixed.delta(name).version() for name in ("captures", "documents", "duplicates")}
    places = Places(
        mixed.at(versions), {name: mixed.mark(name) for name in versions}, str(Path(mixed.location).parent / "spill")
    )
    assert places.wait(60)
    one = OneText(mixed.at(versions), places, "200MB", str(Path(mixed.location).parent / "spill"))
    assert one.see((own,))
    assert one.db.execute("SELECT count(*) FROM held_captures").fetchone() == (1,)
    assert one.db.execute("SELECT count(*) FROM held_documents").fetchone() == (1,)
    one.close()


def test_the_index_of_rows_is_kept_outside_the_lake_and_made_again_for_another_version(
    mixed: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explored import files_of

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = files_of(mixed.location)
    ids = [each for (each,) in rows(mixed, "SELECT content_id FROM documents ORDER BY 1 LIMIT 2")]
    with OpenLake(mixed.location) as opened:
        list(answers(opened, ids))
    kept = {path.name for path in tmp_path.rglob("places-*")}
    assert {name.split("-")[1] for name in kept} == {"captures", "documents", "duplicates"}
    with OpenLake(mixed.location) as opened:
        list(answers(opened, ids))
    assert {path.name for path in tmp_path.rglob("places-*")} == kept
    assert files_of(mixed.location) == before


def test_what_changed_is_told_from_the_earlier_text_to_the_later(shown: Lake, client: httpx.Client) -> None:
    ((new, old),) = rows(shown, "SELECT content_id, witness_id FROM documents WHERE witness_id IS NOT NULL")
    for own, other in ((new, old), (old, new)):
        change = client.get(f"/text/{own}.json").json()["data"]["change"]
        assert (change["other"], change["earlier_id"], change["later_id"]) == (other, old, new)
        parts = change["diff"]["parts"]
        for kinds, whole in ((("same", "gone"), OLD), (("same", "new"), EDITED)):
            assert "".join(part["text"] for part in parts if part["kind"] in kinds).split() == whole
        assert client.get(f"/text/{own}?other={other}").status_code == 200
    assert client.get(f"/text/{new}?other={'0' * 64}").status_code == 404


def test_a_lake_without_an_index_of_passages_says_how_to_make_one(shown: Lake, client: httpx.Client) -> None:
    ((own,),) = rows(shown, "SELECT content_id FROM documents WHERE witness_id IS NOT NULL")
    data = client.get(f"/text/{own}.json?passages=yes").json()["data"]
    assert data["passages"] is None
    assert "archive index --passages" in data["no_passages"]


@pytest.fixture(scope="module")
def quoting(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake in which a text of 2020 quotes one of 2012 and one of 2016."""
    folder = tmp_path_factory.mktemp("quoting")
    first, second, own = words(60, 1), words(60, 2), words(30, 3)
    (folder / "a.warc.gz").write_bytes(
        members(
            record("http://first.example/", f"<p>{' '.join(first)}", date="2012-01-01T00:00:00Z"),
            record("http://second.example/", f"<p>{' '.join(second)}", date="2016-01-01T00:00:00Z"),
            record(
                "http://quotes.example/",
                f"<p>{' '.join([*first[10:40], *own, *second[5:50]])}",
                date="2020-01-01T00:00:00Z",
            ),
        )
    )
    lake = Lake(str(folder / "lake"))
    take(lake, str(folder / "a.warc.gz"))
    stages.run(Passages(), lake, open_engine(1))
    return lake


def test_each_passage_has_the_date_of_the_earliest_text_and_a_link_to_it(quoting: Lake) -> None:
    ids = dict(rows(quoting, "SELECT url, content_id FROM documents"))
    first, second, own = (ids[f"http://{name}.example/"] for name in ("first", "second", "quotes"))
    with serving("--lake", quoting.location) as found, httpx.Client(base_url=found, timeout=60) as client:
        data = client.get(f"/text/{own}.json?passages=yes").json()["data"]
        assert [(each["first_seen"][:10], each["content_id"], each["words"]) for each in data["passages"]["passages"]] == [
            ("2012-01-01", first, 30), ("2016-01-01", second, 45),
        ]  # fmt: skip
        said = data["text"]
        assert [said[each["start"] : each["end"]].split() for each in data["passages"]["passages"]] == [
            words(60, 1)[10:40], words(60, 2)[5:50],
        ]  # fmt: skip
        html = client.get(f"/text/{own}?passages=yes").text
        assert 'class="passage age-0" title="first seen 2012-01-01 00:00:00' in html
        assert re.search(
            rf'first seen 2016-01-01 in the text of </span><a class="" href="/text/{second}">2016</a>', html
        )
        assert "no colour: 30 words that no earlier text has" in html
        assert client.get(f"/text/{own}.json").json()["data"]["passages"] is None  # nobody asked


def test_the_pieces_of_a_text_are_the_text_and_more_years_than_colours_share_them() -> None:
    from datetime import UTC, datetime

    said = "0123456789" * 4
    passages = tuple(
        Passage(at * 4, at * 4 + 3, 1, datetime(2001 + at, 1, 1, tzinfo=UTC), "C", "ab" * 32, None) for at in range(9)
    )
    dated = DatedPassages(20, passages, True, 0)
    pieces = list(dated.pieces(said))
    assert "".join(each.text for each in pieces) == said
    assert [each.passage for each in pieces if each.passage] == list(passages)
    assert {each.number for each in dated.legend} == set(range(7))
    assert sum(each.words for each in dated.legend) == dated.known_words == 9
    assert dated.legend[0].years == "2001–2002"
    cut = list(dated.pieces(said[:10]))
    assert "".join(each.text for each in cut) == said[:10]
    assert list(DatedPassages(0, (), True, 0).pieces("")) == []


@pytest.mark.slow
def test_verify_a_diff_and_passages_work_in_a_browser(quoting: Lake, shown: Lake, address: str) -> None:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (chromium := shutil.which("chromium")):
        pytest.skip("no chromium is installed")
    ((new, old),) = rows(shown, "SELECT content_id, witness_id FROM documents WHERE witness_id IS NOT NULL")
    ((own,),) = rows(quoting, "SELECT content_id FROM documents WHERE url = 'http://quotes.example/'")
    asked: list[str] = []
    said: list[str] = []
    with sync.sync_playwright() as playwright, serving("--lake", quoting.location) as quotes:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{address}/text/{new}")
        assert page.locator("ins").count() > 0
        assert page.locator("del").count() > 0
        page.get_by_role("button", name="Verify").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/text/{new}/verify")
        assert page.locator(".verdict").inner_text().startswith("agrees")
        assert page.locator(".checks .mark.differs").count() == 0
        assert page.locator(".checks .mark.agrees").count() > 8
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.go_back()
        assert page.url.endswith(f"/text/{new}")
        page.get_by_role("link", name="what changed").first.click()
        page.wait_for_url(f"**/text/{new}?other={old}")
        page.goto(f"{quotes}/text/{own}")
        page.get_by_role("link", name="Colour each passage by when it was first seen").click()
        colours = {
            page.locator(f".text .age-{age}").evaluate("each => getComputedStyle(each).backgroundColor")
            for age in (0, 1)
        }
        assert len(colours) == 2
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.locator(".since a").last.click()
        page.wait_for_url(lambda url: own not in url)
        browser.close()
    assert said == []
    assert {url.startswith((address, quotes)) for url in asked} == {True}
