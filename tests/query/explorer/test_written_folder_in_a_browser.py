"""In a real browser a folder of pages opens from the disk and from any web server, and asks nobody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright", reason="playwright is not installed")
if not shutil.which("chromium"):
    pytest.skip("no chromium is installed", allow_module_level=True)

from explored import shown  # noqa: F401
from playwright.sync_api import sync_playwright

import lowbackground as lb
from archive.lake import Lake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(shown: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("written") / "pages"
    lb.explore(shown, static=out)
    return out


@pytest.fixture(params=["file", "http"])
def root(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The address of the folder: on the disk, and below a path of a web server."""
    if request.param == "file":
        yield folder.as_uri()
        return
    handler = partial(_Quiet, directory=str(folder.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/pages"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_the_pages_open_with_their_style_and_script_and_lead_to_each_other(root: str, folder: Path) -> None:
    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: said.append(f"{request.failure}: {request.url}"))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{root}/index.html")
        background = page.evaluate("getComputedStyle(document.querySelector('header')).backgroundColor")
        assert background == "rgb(255, 255, 255)"
        page.get_by_text("SQL, command and JSON of this page").click()
        assert page.get_by_role("button", name="Copy: Command").is_visible()  # the script has run
        page.locator("[aria-labelledby=longest] a").first.click()
        page.wait_for_url("**/text/*.html")
        page.get_by_role("link", name="Overview").click()
        page.wait_for_url("**/index.html")
        page.go_back()
        assert "/text/" in page.url
        for path in sorted(folder.rglob("*.html")):
            page.goto(f"{root}/{path.relative_to(folder)}")
            assert page.title() != "taken"
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        browser.close()
    # who goes on to the next page before the icon is there needs it no more
    assert [each for each in said if not each.startswith("net::ERR_ABORTED: ")] == []
    assert {url.startswith(root) for url in asked} == {True}
