"""Archived texts, titles, addresses and hosts are shown as text, whatever is in them: nothing runs, nothing is asked."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

pytest.importorskip("starlette")

import httpx
from conftest import rows
from explored import files_of, serving
from hostile import PAYLOADS, hostile_lake
from watched import watched

import lowbackground as lb
from archive.errors import visible_line
from archive.lake import Lake
from query.explorer.page import Address
from query.explorer.pages.table import PAGES

#: What our templates and drawings consist of.
ELEMENTS = frozenset(
    [
        "a",
        "abbr",
        "article",
        "bdi",
        "blockquote",
        "body",
        "button",
        "caption",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "form",
        "h1",
        "h2",
        "h3",
        "head",
        "header",
        "html",
        "input",
        "ins",
        "label",
        "legend",
        "li",
        "link",
        "main",
        "mark",
        "meta",
        "nav",
        "ol",
        "option",
        "output",
        "p",
        "pre",
        "script",
        "section",
        "select",
        "small",
        "span",
        "strong",
        "summary",
        "table",
        "tbody",
        "td",
        "textarea",
        "tfoot",
        "th",
        "thead",
        "time",
        "title",
        "tr",
        "ul",
        "circle",
        "g",
        "line",
        "path",
        "rect",
        "svg",
        "text",
        "title",
    ]
)


class Elements(HTMLParser):
    """What a page consists of, apart from text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name in {"style", "srcdoc", "background", "http-equiv", "formaction", "ping"}:
                self.faults.append(f"{tag} {name}={value!r}")
            if name in {"href", "src", "action", "xlink:href", "data", "poster"} and not re.match(
                r"$|[#?]|/(?![/\\])", value or ""
            ):
                self.faults.append(f"{tag} {name}={value!r}")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"<?{data}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"<![{data}")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return hostile_lake(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server asked of other hosts, a line each."""
    return tmp_path_factory.mktemp("asked") / "log"


@pytest.fixture(scope="module")
def address(lake: Lake, asked: Path) -> Iterator[str]:
    with watched(asked), serving("--lake", lake.location) as found:
        yield found


@pytest.fixture(scope="module")
def paths(lake: Lake) -> list[str]:
    """Every kind of page of this lake, with every payload on one of them at least."""
    found = ["/", "/set", "/topics", "/map", "/reports"]
    found += [f"/text/{id_}" for (id_,) in rows(lake, "SELECT DISTINCT content_id FROM documents ORDER BY 1")]
    pages = rows(lake, "SELECT DISTINCT host, url FROM captures ORDER BY 1, 2")
    for at, (host, url) in enumerate(pages[::8]):  # the pages of all would take minutes; those of texts name them all
        page, written = (("site", {"host": host}), ("url", {"url": url}))[at % 2]
        found.append(PAGES[page].url(Address(page, tuple(written.items()))))
    found += [f"/search?{urlencode({'q': each, 'as': 'words'})}" for each in PAYLOADS[::24]]
    return found


def test_there_are_two_hundred_of_them_in_each_place(lake: Lake) -> None:
    assert len(PAYLOADS) >= 200
    seen = rows(lake, "SELECT count(DISTINCT url), count(DISTINCT title), count(DISTINCT host) FROM captures")
    assert min(seen[0]) >= 180, seen  # some titles are the same once controls and blanks are gone
    texts = " ".join(text for (text,) in rows(lake, "SELECT text FROM documents"))
    for each in ("<script>window.hit=1</script>", "{{7*7}}", "../../../../etc/passwd", "' OR 1=1 --"):
        assert f"Payload {each} end." in texts


def test_every_page_has_only_our_elements_and_shows_what_others_wrote_as_text(
    lake: Lake, address: str, paths: list[str], asked: Path
) -> None:
    before = files_of(lake.location)
    missing = {visible_line(url) for (url,) in rows(lake, "SELECT url FROM captures")}
    titles = {visible_line(each) for (each,) in rows(lake, "SELECT title FROM captures WHERE length(title) < 80")}
    untitled = set(titles)
    with httpx.Client(base_url=address, timeout=120) as client:
        for path in paths:
            answer = client.get(path)
            assert answer.status_code in {200, 303}, (path, answer.text[-500:])
            assert Elements(answer.text).faults == [], path
            assert len(answer.content) < 2 << 20, path
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", answer.text), path
            words = html.unescape(re.sub(r"<[^>]*>", "\n", answer.text))
            missing = {each for each in missing if each[:300] not in words}
            untitled = {each for each in untitled if each not in words}
            page, _, query = path.partition("?")
            twin = client.get((f"{page}.json" if page != "/" else "/index.json") + (f"?{query}" if query else ""))
            assert twin.headers["content-type"] == "application/json"
            assert twin.headers["x-content-type-options"] == "nosniff"
            assert len(twin.content) < 2 << 20, path
            json.loads(twin.text)
    assert not missing, sorted(missing)[:5]
    assert len(titles - untitled) > 30, sorted(untitled)[:5]
    assert files_of(lake.location) == before
    assert not asked.exists(), asked.read_text()


@pytest.fixture(scope="module")
def folder(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hostile_pages") / "pages"
    lb.explore(lake, static=out, pages=40)
    return out


def test_a_folder_has_no_name_that_others_gave_and_no_element_of_theirs(folder: Path) -> None:
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    assert len(names) > 80
    ours = re.compile(r"(\.archive[\w.-]*|[a-z]+(/[a-z]+)?/)?[a-z0-9_.-]+")
    assert [each for each in names if not ours.fullmatch(each) and not each.startswith(".")] == []
    for path in folder.rglob("*.html"):
        page = path.read_text()
        policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', page)
        assert policy is not None
        page = page.replace(policy[0], "")
        page = re.sub(r'(href|src)="(\.\./)*[a-z0-9_][\w./-]*"', r'\1="/"', page)
        assert Elements(page).faults == [], path
    assert not (folder.parent / "etc").exists()


_LOOKED = """() => {
    const faults = [];
    for (const each of document.querySelectorAll('*')) {
        for (const name of each.getAttributeNames())
            if (name.startsWith('on') || name === 'style' || name === 'srcdoc') faults.push(each.outerHTML.slice(0, 200));
    }
    return [window.hit, faults, [...new Set([...document.querySelectorAll('*')].map(each => each.localName))]];
}"""


def test_in_a_browser_nothing_runs_and_nobody_else_is_asked_even_without_a_policy(
    address: str, paths: list[str], folder: Path
) -> None:
    pytest.importorskip("playwright", reason="playwright is not installed")
    if not shutil.which("chromium"):
        pytest.skip("no chromium is installed")
    from playwright.sync_api import sync_playwright

    requests: list[str] = []
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for without_policy in (True, False):
            page = browser.new_context(bypass_csp=without_policy).new_page()
            page.on("request", lambda request: requests.append(request.url))
            page.on("dialog", lambda dialog: said.append(dialog.message))
            page.on("console", lambda message: said.append(f"{message.location['url']}: {message.text}"))
            page.on("pageerror", lambda error: said.append(str(error)))
            from_server = paths if without_policy else paths[:20]
            twins = [f"{each}.json" for each in paths if each.startswith("/text/")][:3]
            from_folder = [path.as_uri() for path in sorted(folder.rglob("*.html"))[:: 3 if without_policy else 12]]
            for target in [*(address + each for each in [*from_server, *twins]), *from_folder]:
                page.goto(target, wait_until="load")
                assert page.url.startswith((address, folder.as_uri())), target
                hit, faults, names = page.evaluate(_LOOKED)
                assert hit is None, target
                assert faults == [], target
                assert set(names) <= ELEMENTS, target
        _planted(browser.new_context(bypass_csp=True).new_page())
        browser.close()
    # JSON names no icon, so the browser asks for the one that all servers once had
    assert [each for each in said if not each.startswith(f"{address}/favicon.ico: ")] == []
    hosts = {urlsplit(each).netloc for each in requests if not each.startswith(folder.as_uri())}
    assert hosts == {urlsplit(address).netloc}


def _planted(page: Any) -> None:
    """The trap works: where markup is taken as such, it is seen."""
    page.set_content("<img src=x onerror=window.hit=1>")
    page.wait_for_function("window.hit === 1")
