"""In a real browser the pages load nothing from elsewhere, fit a phone, have a dark side, and work by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright", reason="playwright is not installed")
if not shutil.which("chromium"):
    pytest.skip("no chromium is installed", allow_module_level=True)

from conftest import rows
from explored import address, client, shown  # noqa: F401
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
    return ["/", "/set", *(f"/text/{each}" for (each,) in ids)]


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
    expect(page.locator("#said")).to_have_text("3")
    page.check("#near")
    page.fill("#before", "2020-01-01")
    expect(answer).to_contain_text("--before 2020-01-01 --near")
    page.locator("#before").blur()
    expect(answer).to_contain_text("the same numbers", timeout=60_000)
    assert "near=1" in page.evaluate("location.href")
    page.reload()
    expect(page.locator("#near")).to_be_checked()
