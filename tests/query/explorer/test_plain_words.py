"""Every page says at once what it shows, counts in the right number, and has its headings in order."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("starlette")

import httpx
from conftest import record, rows, take
from explored import address, client, shown  # noqa: F401
from made import words

from archive.lake import Lake
from query.explorer.open_lake import OpenLake
from query.explorer.page import to
from query.explorer.pages.table import PAGES
from query.explorer.show import Shown

#: What the explorer counts. A word that others wrote is in an element that is not read here.
_COUNTED = (
    "addresses", "arms", "captures", "characters", "days", "domains", "fields", "files", "hosts", "months", "moments",
    "pages", "parameters", "records", "revisits", "rows", "runs", "seconds", "seeds", "shards", "texts", "tokens",
    "topics", "words", "years",
)  # fmt: skip
_ONE = re.compile(rf"(?<![\w,.:/-])1 (?:\w+ )?(?:{'|'.join(_COUNTED)})\b")
#: Elements with what others wrote, and with code.
_FOREIGN = {"bdi", "blockquote", "code", "pre", "textarea"}
_ENDLESS = {"br", "input", "link", "meta"}


class Read(HTMLParser):
    """A page as somebody reads it: its headings, its facts, the names of its landmarks, and its own words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.facts: list[tuple[str, str]] = []
        self.classes: set[str] = set()
        self.own: list[str] = []
        self.landmarks: list[str] = []
        self.regions: list[str] = []
        self._open: list[tuple[str, str]] = []
        self._texts: dict[str, str] = {}
        self.feed(html)
        self.landmarks += [self._texts.get(each, each) for each in self.regions]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.classes |= set(given.get("class", "").split())
        if tag not in _ENDLESS:
            self._open.append((tag, given.get("id", "")))
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "dt":
            self.facts.append(("", ""))
        if tag in ("section", "nav") or given.get("role") == "region":
            self.regions.append(given.get("aria-labelledby") or given.get("aria-label") or "no name")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _ in self._open}
        if not tags & _FOREIGN:
            self.own.append(data)
        for _, id_ in self._open:
            if id_:
                self._texts[id_] = self._texts.get(id_, "") + data
        if self.facts and tags & {"dt", "dd"}:
            word, value = self.facts[-1]
            self.facts[-1] = (word + data, value) if "dt" in tags else (word, value + data)


@pytest.fixture(scope="module")
def html(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages of a lake with near-duplicates and rejects, of a lake of one text, and of an empty one."""
    with httpx.Client(base_url=address, timeout=60) as client:
        found = _walked(client)
    folder = tmp_path_factory.mktemp("worded")
    (folder / "one.warc").write_bytes(record("http://a.example/", f"<p>{' '.join(words(40, 1))}"))
    one, empty = Lake(str(folder / "one")), Lake(str(folder / "empty"))
    take(one, str(folder / "one.warc"))
    empty.create()
    ((own,),) = rows(one, "SELECT content_id FROM documents")
    asked = {"text": {"content_id": own}, "url": {"url": "http://a.example/"}, "site": {"host": "a.example"}}
    everywhere: dict[str, dict[str, str]] = {"overview": {}, "search": {}, "topics": {}, "map": {}}
    for lake, each in ((one, everywhere | asked), (empty, everywhere)):
        with OpenLake(lake.location, patience=60) as opened:
            found[f"files of {lake.location}"] = _page(opened, "search", {}, note="These are files.")
            found |= {f"{lake.location}/{name}": _page(opened, name, given) for name, given in each.items()}
    found["empty"] = found[f"{empty.location}/overview"]
    return found


@pytest.fixture(scope="module")
def pages(html: dict[str, str]) -> dict[str, Read]:
    return {path: Read(page) for path, page in html.items()}


def _page(opened: OpenLake, name: str, given: dict[str, str], note: str | None = None) -> str:
    """Return a page of a lake as HTML."""
    asked = PAGES[name].parse(given.items())
    answer = opened.answer(None, lambda context: PAGES[name].answer(context, asked))
    return Shown(PAGES, opened.location, note=note).html(PAGES[name], to(name, **given), answer)


def _walked(client: httpx.Client) -> dict[str, str]:
    """Return the HTML of all pages that are linked to, by their paths, apart from sets and passages, which are many."""
    found, waiting = {}, ["/", "/search?q=example", "/nothing"]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        while (answer := client.get(path)).status_code in (202, 503):  # what the page needs is being made
            time.sleep(0.05)
        found[path] = answer.text
        links = {unescape(each) for each in re.findall(r'href="(/[^"]*)"', found[path])}
        waiting += sorted(
            each for each in links if not re.search("^/static/|^/set[?]|[?]passages=", each) and ".json" not in each
        )
    return found


def test_every_page_has_one_title_and_leaves_out_no_level_of_headings(pages: dict[str, Read]) -> None:
    assert len(pages) > 30
    for name, page in pages.items():
        assert page.levels.count(1) == 1, name
        assert page.levels[0] == 1, name
        assert all(after <= before + 1 for before, after in zip(page.levels, page.levels[1:], strict=False)), name


def test_every_page_says_in_its_first_line_what_it_shows(pages: dict[str, Read]) -> None:
    assert [name for name, page in pages.items() if not page.classes & {"lead", "kind"}] == []


def test_no_two_landmarks_of_a_page_have_the_same_name(pages: dict[str, Read]) -> None:
    for name, page in pages.items():
        assert [each for each, count in Counter(page.landmarks).items() if count > 1 or each == "no name"] == [], name


def test_one_thing_is_not_named_in_the_plural(pages: dict[str, Read]) -> None:
    seen = set()
    for name, page in pages.items():
        assert _ONE.findall(" ".join(page.own)) == [], name
        for word, value in page.facts:
            if value == "1":
                assert not set(word.split()) & set(_COUNTED), (name, word)
                seen.add(word)
    assert {"capture", "different text", "host", "file"} <= seen


def test_no_page_shows_how_python_writes_a_value(pages: dict[str, Read]) -> None:
    for name, page in pages.items():
        assert re.findall(r"\b(?:None|True|False) (?!\w)|datetime\.|\{'|\[\]", " ".join(page.own)) == [], name
        assert "`" not in "".join(page.own), name


def test_an_empty_lake_says_what_to_do_and_shows_no_table_without_rows(html: dict[str, str]) -> None:
    first = html["empty"]
    assert "The lake is empty" in first
    assert "<table" not in first


def test_pages_without_a_server_say_that_they_cannot_search(html: dict[str, str]) -> None:
    assert ["which cannot search" in page for name, page in html.items() if name.startswith("files of")] == [True, True]


def test_a_text_without_an_address_has_its_page_and_no_host_is_no_host(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": " ".join(words(40, 2)), "date": "2015-01-02"}) + "\n")
    lake = Lake(str(tmp_path / "lake"))
    take(lake, str(tmp_path / "rows.jsonl"))
    ((own,),) = rows(lake, "SELECT content_id FROM documents")
    with OpenLake(lake.location, patience=60) as opened:
        page = _page(opened, "text", {"content_id": own})
        assert "is claimed to have existed by 2015-01" in page
        assert "no address" in page
        assert ">claimed</text>" in page
        assert ">first seen</text>" not in page
        assert "of None" not in page
        assert ">None<" not in page
        first = opened.answer(None, lambda context: PAGES["overview"].answer(context, {}))
    assert (first.data.hosts_in_all, [each.hosts for each in first.data.domains]) == (0, [0])
    assert [each.what for each in first.data.gaps if "host" in each.what] == []


def test_a_capture_whose_date_proves_nothing_is_on_no_time_line(client: httpx.Client) -> None:
    found = client.get("/search.json", params={"q": "http://www.example.org/when", "as": "words"}).json()
    assert found["data"]["words"]["pages"]
    (capture,) = client.get("/url.json", params={"url": "http://www.example.org/when"}).json()["data"]["captures"]
    page = client.get(f"/text/{capture['content_id']}").text
    assert "There is no capture with a date." in page
    assert "2999-01-02" in page  # it is listed


def test_an_error_is_a_sentence_that_leads_on_and_keeps_the_names_of_parameters(client: httpx.Client) -> None:
    lost, wrong = client.get("/nothing").text, client.get("/set?before=x").text
    assert "<h1>Not found</h1>" in lost
    assert "There is no such page." in lost
    assert '<a href="/">Overview</a>' in lost
    assert ">before: a day, as 2021-12-31.<" in wrong
