"""The pages as a folder: whole, without a server, and touching nothing that somebody else made."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

import httpx
from conftest import command, rows
from explored import address, client, files_of, shown  # noqa: F401
from written import Parsed, faults

import lowbackground as lb
from archive.errors import ArchiveError
from archive.lake import Lake
from query.explorer.context import Context
from query.explorer.folder import path_of, without_forms, write_folder
from query.explorer.open_lake import OpenLake
from query.explorer.page import Answer, Page, to
from query.explorer.pages.table import PAGES
from query.explorer.parameters import NotThere, Parameter, text
from query.explorer.result import FolderResult


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".made-by-archive"
    }


@pytest.fixture(scope="module")
def whole(shown: Lake, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FolderResult]:
    """A folder with all pages: only read it."""
    out, before = tmp_path_factory.mktemp("whole") / "out", files_of(shown.location)
    written = lb.explore(shown, static=out)
    assert written is not None
    assert files_of(shown.location) == before
    return out, written


def test_a_folder_has_every_page_that_is_linked_to_and_each_link_leads_there(
    shown: Lake, whole: tuple[Path, FolderResult]
) -> None:
    out, written = whole
    assert faults(out) == []
    ids = {each for (each,) in rows(shown, "SELECT DISTINCT content_id FROM proofs")}
    assert {path.stem for path in (out / "text").glob("*.html")} >= ids
    assert {path.stem for path in (out / "text").glob("*.json")} >= ids
    assert (written.left_out, written.problems) == (0, ())
    assert written.bytes == sum(map(len, contents(out).values()))
    assert written.pages == len(list(out.rglob("*.html"))) == len(list(out.rglob("*.json")))


def test_nothing_in_a_folder_needs_a_server_or_has_markup_of_others(whole: tuple[Path, FolderResult]) -> None:
    out, _ = whole
    for path in out.rglob("*.html"):
        page = Parsed(path)
        assert page.tags.isdisjoint({"form", "input", "select", "textarea", "button", "iframe", "object", "base"})
        assert page.inline == []
        assert "default-src 'none'" in path.read_text()
    assert "&lt;script&gt;alert(2)" in "".join(path.read_text() for path in out.rglob("*.html"))


def test_the_twin_of_a_page_has_the_same_data_as_on_a_server(
    whole: tuple[Path, FolderResult], client: httpx.Client
) -> None:
    served = client.get("/index.json").json()
    kept = json.loads((whole[0] / "index.json").read_text())
    assert {name: kept[name] for name in ("title", "data", "sql", "versions")} == {
        name: served[name] for name in ("title", "data", "sql", "versions")
    }


def test_what_is_too_many_or_too_large_becomes_plain_words_with_a_note(shown: Lake, tmp_path: Path) -> None:
    few = lb.explore(shown, static=tmp_path / "few", pages=2)
    assert few is not None
    assert few.pages == 2
    assert few.left_out > 0
    with pytest.raises(ArchiveError, match="the first page has"):
        lb.explore(shown, static=tmp_path / "small", size=1000)
    assert not (tmp_path / "small").exists()
    small = lb.explore(shown, static=tmp_path / "small", size=90_000)
    assert small is not None
    assert small.left_out > 0
    for name, result in (("few", few), ("small", small)):
        assert faults(tmp_path / name) == []
        first = (tmp_path / name / "index.html").read_text()
        assert f"This copy of the lake&#39;s pages has {result.pages} page" in first
        assert f"{result.left_out} more" in first
    assert sum(map(len, (each for name, each in contents(tmp_path / "small").items() if "static" not in name))) < 90_000


def test_a_folder_that_holds_something_else_is_left_as_it_is(shown: Lake, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "index.html").write_text("mine")
    with pytest.raises(ArchiveError, match=r"holds index\.html"):
        lb.explore(shown, static=other)
    assert contents(other) == {"index.html": b"mine"}
    with pytest.raises(ArchiveError, match="is in the lake"):
        lb.explore(shown, static=Path(shown.location) / "pages")
    with pytest.raises(ArchiveError, match="folder of this machine"):
        lb.explore(shown, static="s3://bucket/pages")
    with pytest.raises(ArchiveError, match="leave out"):
        lb.explore(shown, static=tmp_path / "new", read_only_token="secret")


def test_a_folder_is_written_again_with_what_is_there_now_and_no_more(
    shown: Lake, whole: tuple[Path, FolderResult], tmp_path: Path
) -> None:
    out = Path(shutil.copytree(whole[0], tmp_path / "out"))
    lb.explore(shown, static=out, pages=1)
    assert not (out / "text").exists()
    lb.explore(shown, static=out)
    assert contents(out) == contents(whole[0])


def test_a_killed_run_leaves_no_first_page_and_the_next_one_ends_it(
    shown: Lake, whole: tuple[Path, FolderResult], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    dying = (
        "import os, sys\nfrom archive.owned import Owned\nimport lowbackground as lb\n"
        "write, done = Owned.write_file, []\n"
        "def dies(self, path, data):\n"
        "    write(self, path, data)\n"
        "    done.append(path)\n"
        "    if len(done) == 6: os._exit(9)\n"
        "Owned.write_file = dies\n"
        "lb.explore(sys.argv[1], static=sys.argv[2])\n"
    )
    assert subprocess.run([sys.executable, "-c", dying, shown.location, str(out)]).returncode == 9
    assert len(contents(out)) == 6
    assert not (out / "index.html").exists()
    lb.explore(shown, static=out)
    assert contents(out) == contents(whole[0])


def test_the_command_says_what_to_open(shown: Lake, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    asked = ("explore", "--lake", shown.location, "--static", out, "--pages", "1")
    assert f"open {out}/index.html" in command(*asked).stdout
    told = json.loads(command(*asked, "--json").stdout)
    assert (told["folder"], told["pages"]) == (out, 1)
    assert told["left_out"] > 0


@dataclass(frozen=True)
class _Said:
    word: str


def _toy(context: Context, parameters: Mapping[str, Any]) -> Answer:
    if parameters["word"] == "gone":
        raise NotThere("the lake has no such word")
    return Answer("Toy", _Said("a"), (), ("stats",), (to("text", content_id="0" * 64), to("text", content_id="x")))


def test_a_page_that_cannot_be_made_is_told_and_named_without_a_link(shown: Lake, tmp_path: Path) -> None:
    def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
        from dataclasses import replace

        first = PAGES["overview"].answer(context, parameters)
        return replace(first, links=(*first.links, to("text", content_id="0" * 64), to("text", content_id="no id")))

    table = {**PAGES, "overview": Page("overview", "/", answer, menu="Overview")}
    with OpenLake(shown.location, is_pinned=True) as opened:
        written = write_folder(opened, tmp_path / "out", pages=100, size=1 << 24, table=table)
    assert [each for each in written.problems if "0" * 64 in each] == [
        f"/text/{'0' * 64}: the lake has no text {'0' * 64}"
    ]
    assert faults(tmp_path / "out") == []


def test_a_page_that_is_worked_on_is_waited_for_and_one_without_end_is_followed_once(
    shown: Lake, tmp_path: Path
) -> None:
    from dataclasses import replace

    asked: list[str] = []

    def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
        asked.append(parameters["word"])
        first = PAGES["overview"].answer(context, {})
        links = (*first.links, to("overview", word=parameters["word"] + "a"))
        return replace(first, links=links, is_final=len(asked) == 3)

    page = Page("overview", "/", answer, (Parameter("word", text(300), ""),), menu="Overview", is_endless=True)
    with OpenLake(shown.location, is_pinned=True) as opened:
        written = write_folder(opened, tmp_path / "out", pages=100, size=1 << 24, table={**PAGES, "overview": page})
    assert asked == ["", "", ""]
    assert written.problems == ()
    assert faults(tmp_path / "out") == []


def test_names_of_files_differ_where_addresses_differ_on_every_disk() -> None:
    page = Page("site", "/site/{host}", _toy, (Parameter("host", text(300)), Parameter("month", text(9), "")))
    hosts = [
        "a.example",
        "A.example",
        "_" + "0" * 24,
        "..",
        "../../etc/passwd",
        "a b",
        "a%20b",
        "é",
        "a.",
        "a" * 200,
        "\ud800",
    ]
    paths = [path_of(page, to("site", host=host)) for host in hosts]
    paths += [path_of(page, to("site", host="a.example", month=month)) for month in ("2014-01", "2014-02")]
    assert len({each.lower() for each in paths}) == len(paths)
    assert paths[0] == "site/a.example"
    for each in paths:
        assert each.count("/") == 1
        assert each.isascii()
        assert len(each) < 140
        assert ".." not in each


def test_a_form_becomes_a_sentence_with_the_command() -> None:
    html = "<p>a</p><form method=get>\n<button>Go</button></form><p>b</p><form></form>"
    without = without_forms(html, "archive explore --lake '<b>'")
    assert "form" not in without
    assert "button" not in without
    assert without.count("&lt;b&gt;") == 2
