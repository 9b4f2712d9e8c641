"""In a real browser the pages load nothing from elsewhere, fit a phone, have a dark side, and work by keyboard."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright", reason="playwright is not installed")
if not shutil.which("chromium"):
    pytest.skip("no chromium is installed", allow_module_level=True)

from conftest import record, rows, take
from explored import OLD, address, client, serving, shown  # noqa: F401
from made import words
from playwright.sync_api import Page, expect, sync_playwright

from archive.lake import Lake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def paths(lake: Lake) -> list[str]:
    ids = rows(lake, "SELECT DISTINCT content_id FROM captures WHERE content_id IS NOT NULL ORDER BY 1")
    urls = rows(lake, "SELECT DISTINCT url FROM captures ORDER BY 1")
    found = ["/search", "/search?q=example", f"/search?{urlencode({'q': ' '.join(OLD)})}", "/site?domain=example.org"]
    return [
        "/",
        "/set",
        *(f"/text/{each}" for (each,) in ids),
        *(f"/url?{urlencode({'url': each})}" for (each,) in urls),
        *found,
    ]


def test_no_page_asks_another_host_or_breaks_its_policy(page: Page, address: str, shown: Lake) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    for path in paths(shown):
        answer = page.goto(address + path)
        assert answer is not None
        assert answer.status == 200
        assert page.title() != "taken"
    assert said == []
    assert {url.startswith(address + "/") for url in asked} == {True}


def test_a_phone_shows_pages_without_scrolling_sideways(page: Page, address: str, shown: Lake) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in paths(shown):
        page.goto(address + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


def test_the_dark_side_is_dark_and_the_light_one_light(page: Page, address: str) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(address)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        seen[scheme] = sum(int(part) for part in colour.strip("rgb()").split(","))
    assert seen["light"] > 3 * 200
    assert seen["dark"] < 3 * 60


def test_the_keyboard_alone_reaches_a_text_and_its_witness_and_comes_back(
    page: Page, address: str, shown: Lake
) -> None:
    ((new,),) = rows(shown, "SELECT content_id FROM documents WHERE witness_id IS NOT NULL")
    page.goto(f"{address}/text/{new}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(40):
        page.keyboard.press("Tab")
        if "/text/" in (page.evaluate("document.activeElement.getAttribute('href')") or ""):
            break
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: new not in url)
    assert "2014-02-03" in (page.text_content(".evidence") or "")
    page.go_back()
    assert page.url.endswith(new)


def test_the_keyboard_stops_at_a_box_only_where_it_scrolls(page: Page, address: str) -> None:
    stops = """() => [...document.querySelectorAll('.wide, .text, pre.code')].map(
        each => [each.tabIndex === 0, each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight])"""
    seen = set()
    for width in (390, 1200):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(address)
        page.get_by_text("SQL, command and JSON of this page").click()
        page.wait_for_timeout(200)
        seen |= {tuple(each) for each in page.evaluate(stops)}
    assert seen == {(True, True), (False, False)}


def test_the_panel_opens_and_has_the_command(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_text("SQL, command and JSON of this page").click()
    assert page.get_by_label("Command", exact=True).is_visible()
    assert "archive stats --lake" in page.get_by_label("Command", exact=True).inner_text()


def test_the_numbers_of_a_set_follow_its_controls_and_the_lake_confirms_them(page: Page, address: str) -> None:
    page.goto(address + "/set?before=2020-01-01")
    texts, answer = page.locator("#texts"), page.locator("#answer")
    expect(texts).to_have_text("4", timeout=60_000)
    page.focus("#month")
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#before")).to_have_value("2018-08-01")  # from the month after the last capture on
    expect(texts).to_have_text("3")
    expect(page.locator("#said")).to_have_text("3 texts")
    assert page.get_attribute("#month", "aria-valuetext") == "2018-08-01"
    page.fill("#after", "2019-01-01")  # after the end: the page says so in place of the numbers
    expect(page.locator("#said")).to_contain_text("Nothing is after 2019-01-01")
    assert (page.locator("main").count(), page.locator("h1").count(), texts.count()) == (1, 1, 0)
    page.fill("#after", "")
    expect(texts).to_have_text("3")
    page.get_by_text("As a table").press("Enter")
    page.evaluate("document.getElementById('near').click()")  # the keyboard stays where it is, and the table unfolded
    expect(answer).to_contain_text("--near")
    assert page.evaluate("[document.activeElement.textContent, document.activeElement.parentElement.open]") == [
        "As a table",
        True,
    ]
    page.get_by_text("SQL, command and JSON of this page").press("Enter")
    page.evaluate("document.getElementById('near').click()")
    expect(answer).not_to_contain_text("--near")
    expect(page.get_by_label("Command", exact=True)).to_be_visible()
    expect(page.locator(".panel > summary")).to_be_focused()
    page.check("#near")
    page.fill("#before", "2020-01-01")
    expect(answer).to_contain_text("--before 2020-01-01 --near")
    page.locator("#before").blur()
    expect(answer).to_contain_text("the same numbers", timeout=60_000)
    assert "near=1" in page.evaluate("location.href")
    page.reload()
    expect(page.locator("#near")).to_be_checked()


def test_a_form_finds_a_pasted_text_and_the_back_button_comes_back(page: Page, address: str) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{address}/search")
    page.get_by_label("Words, an address, or a whole text").fill(" ".join(OLD))
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/search?q=*", timeout=300_000)
    assert "This text was seen on 2014-02-03 04:05:06 UTC" in page.inner_text(".evidence")
    assert "This is no evidence." in page.inner_text("section[aria-labelledby=alike]")
    page.locator("section[aria-labelledby=exact] a").first.click()
    page.wait_for_url("**/text/*")
    page.go_back()
    assert page.input_value("textarea").startswith(OLD[0])
    page.go_back()
    assert page.url.endswith("/search")
    assert said == []


def test_the_keyboard_alone_searches_and_compares_two_texts(page: Page, tmp_path: Path) -> None:
    tea = " ".join(words(30, 12))
    (tmp_path / "a.warc").write_bytes(
        b"".join(
            record("http://www.example.org/tea", f"<p>In {year} we sold {tea}.", date=f"{year}-05-06T00:00:00Z")
            for year in (2015, 2016, 2017)
        )
    )
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(tmp_path / "a.warc"))
    with serving("--lake", lake.location) as address:
        page.goto(f"{address}/search")
        page.get_by_label("Words, an address, or a whole text").focus()
        page.keyboard.type("http://www.example.org/tea")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/url?url=*")
        page.get_by_label(re.compile("^older: .*from 2016")).focus()
        page.keyboard.press("Space")
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "Compare":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**older=*")
        assert page.locator("div del").all_text_contents() == ["[gone: 2016]"]
        assert page.locator("div ins").all_text_contents() == ["[new: 2017]"]
        unseen = page.locator("div ins .unseen").first.bounding_box()
        assert unseen is not None
        assert unseen["width"] <= 1  # it is read aloud, and not seen
        page.get_by_role("link", name="changed").first.click()
        page.wait_for_url(lambda url: "older=" in url)
        assert page.locator("div del").all_text_contents() == ["[gone: 2015]"]
        page.go_back()
        assert page.locator("div del").all_text_contents() == ["[gone: 2016]"]
