"""In a real browser every kind of page works: in the dark, on a phone, by keyboard, back and forth, and Verify."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("numba")

from playwright.sync_api import expect
from whole import Served, browser, page, served  # noqa: F401

pytestmark = pytest.mark.slow

#: The least contrast of a word in a page, among the first of them, and the colours of paper and ink.
_CONTRAST = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(each => each / 255)
        .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
    const paper = each => {
        for (; each; each = each.parentElement) {
            const colour = numbers(getComputedStyle(each).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    let least = 21, worst = '';
    for (const each of [...document.querySelectorAll('main *')].slice(0, 400)) {
        if (each.closest('svg') || ![...each.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
        const [one, other] = [light(numbers(getComputedStyle(each).color)), light(paper(each))].sort((a, b) => b - a);
        const contrast = (one + 0.05) / (other + 0.05);
        if (contrast < least) [least, worst] = [contrast, each.outerHTML.slice(0, 120)];
    }
    return [least, worst, getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color];
}"""


def test_every_kind_of_page_can_be_read_on_a_phone_and_in_the_dark(page: Any, served: Served) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    colours: dict[str, set[str]] = {"light": set(), "dark": set()}
    for name, path in served.kinds.items():
        page.goto(served.address + path, timeout=300_000)
        for scheme, seen in colours.items():
            page.emulate_media(color_scheme=scheme)
            least, worst, *both = page.evaluate(_CONTRAST)
            assert least >= 4.5, (name, scheme, worst)
            seen.add(" on ".join(both))
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    assert len(colours["light"]) == len(colours["dark"]) == 1
    assert colours["light"] != colours["dark"]


def test_verify_tells_an_honest_record_from_a_changed_one(page: Any, served: Served) -> None:
    page.goto(f"{served.address}/text/{served.new}")
    page.get_by_role("button", name="Verify").click()
    page.wait_for_url("**/verify")
    assert page.locator(".verdict").inner_text().startswith("agrees")
    assert page.locator(".checks .mark.differs").count() == 0
    page.goto(f"{served.address}/text/{served.changed}")
    page.wait_for_timeout(2_500)  # so long the server reads no other record
    page.get_by_role("button", name="Verify").click()
    page.wait_for_url("**/verify")
    assert page.locator(".verdict").inner_text().startswith("differs")
    assert "content id of its text" in " ".join(page.locator("tr", has=page.locator(".mark.differs")).all_inner_texts())


def _tab_to(page: Any, id_: str) -> None:
    for _ in range(40):
        if page.evaluate("document.activeElement.id") == id_:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the keyboard does not reach {id_}")


def test_the_keyboard_alone_builds_a_set(page: Any, served: Served) -> None:
    page.goto(f"{served.address}/set?before=2020-01-01")
    expect(page.locator("#texts")).to_be_visible(timeout=60_000)
    count = page.locator("#texts").inner_text()
    _tab_to(page, "month")
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#texts")).not_to_have_text(count)
    page.wait_for_load_state("networkidle")  # answers to the last of the keys
    left = page.locator("#texts").inner_text()
    expect(page.locator("#said")).to_have_text(f"{left} text" if left == "1" else f"{left} texts")
    before = page.locator("#before").input_value()
    _tab_to(page, "grade")
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#grade").input_value()
    _tab_to(page, "near")
    page.keyboard.press("Space")
    _tab_to(page, "honour_opt_outs")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    command = page.get_by_label("Command that writes this set", exact=True)
    for each in (f"--before {before}", "--near", "--honour-opt-outs"):
        expect(command).to_contain_text(each)
    assert f"grade={chosen}" in page.url
    expect(page.locator("#answer")).to_contain_text("the same numbers", timeout=60_000)


def test_the_back_button_goes_back_through_texts_pages_and_sets(page: Any, served: Served) -> None:
    page.goto(served.address)
    page.get_by_role("link", name="Clean set").or_(page.locator("nav a[href='/set']")).first.click()
    page.wait_for_url("**/set")
    expect(page.locator("#texts")).to_be_visible(timeout=60_000)
    page.check("#near")
    page.wait_for_url("**near=1*")
    page.goto(f"{served.address}/text/{served.new}")
    page.get_by_role("link", name="what changed").first.click()
    page.wait_for_url("**?other=*")
    page.go_back()
    assert page.url.endswith(f"/text/{served.new}")
    page.go_back()
    assert "near=1" in page.url
    expect(page.locator("#near")).to_be_checked()
    page.go_back()
    assert page.url == f"{served.address}/"
    page.go_forward()
    assert "/set" in page.url


def test_topics_the_map_and_reports_lead_to_what_they_are_made_of(page: Any, served: Served) -> None:
    page.goto(served.address)
    menu = page.get_by_role("navigation", name="Pages")
    menu.get_by_role("link", name="Topics").click()
    page.get_by_role("group", name="Topics").get_by_role("link").first.click()
    page.wait_for_url("**/topic/*")
    page.locator("main a[href^='/text/']").first.click()
    page.wait_for_url("**/text/*")
    menu.get_by_role("link", name="Map").click()
    page.locator("svg a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/map/*")
    page.locator("main a[href^='/text/']").first.click()
    page.wait_for_url("**/text/*")
    headings = set()
    for at in range(3):
        menu.get_by_role("link", name="Reports").click()
        page.get_by_role("group", name="Reports").get_by_role("link").nth(at).click()
        page.wait_for_url("**/report/*")
        headings.add(page.locator("h1").inner_text())
    assert len(headings) == 3
    assert page.title() != "taken"
