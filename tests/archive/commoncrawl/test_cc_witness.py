"""The index of a crawl confirms captures of other archives, without a file of the crawl."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import record, rows, take
from minicc.fixtures import cc, minicc, pages_of  # noqa: F401
from minicc.serve import Server

from archive.errors import ArchiveError
from archive.intake import Settings
from archive.lake import Lake
from archive.witness.run import witness

CRAWL = "cc:CC-MAIN-2019-35"
Write = Callable[[str, bytes], str]


@pytest.fixture
def lake_of_others(lake: Lake, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake in which somebody else has some pages of the crawl, captured at the same time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    content = b""
    for each in pages_of("CC-MAIN-2019-35"):
        if "site3.de" in each.url and each.status == 200:
            at = f"{each.at:%Y-%m-%dT%H:%M:%SZ}"
            content += record(each.url, each.body, at, http={"Date": f"{each.at:%a, %d %b %Y %H:%M:%S GMT}"},
                              warc={"WARC-Payload-Digest": f"sha1:{each.digest}"})  # fmt: skip
    assert take(lake, write("others.warc", content), settings=Settings(operator="A Library")).captures == 18
    return lake


def test_lines_of_the_index_confirm_captures_of_others(lake_of_others: Lake, cc: Server, minicc: Path) -> None:
    assert rows(lake_of_others, "SELECT DISTINCT grade FROM captures") == [("C",)]
    result = witness(lake_of_others, CRAWL, host="site3.de", mirror=cc.address, rate=1e6, workers=1)
    assert (result.files_failed, result.rejects.total()) == ({}, 0)
    assert (result.matched, result.corroborated) == (18, 18)
    assert rows(lake_of_others, "SELECT DISTINCT grade FROM captures WHERE operator = 'A Library'") == [("B",)]
    assert not cc.requests("*.warc.gz"), "no file of the crawl"
    stated = rows(
        lake_of_others,
        """SELECT file, "offset", skip, url FROM stored_captures WHERE record_type = 'index' ORDER BY ALL""",
    )
    for file, offset, skip, url in stated:
        data = (minicc / file.removeprefix("https://data.commoncrawl.org/")).read_bytes()
        line = gzip.decompress(data[offset:])[skip:].split(b"\n")[0]
        assert url.encode() in line, "each line is where its row says"


def test_what_was_read_is_not_asked_for_again_and_no_line_comes_twice(lake_of_others: Lake, cc: Server) -> None:
    witness(lake_of_others, CRAWL, host="site3.de", mirror=cc.address, rate=1e6, workers=1)
    cc.forget()
    again = witness(lake_of_others, CRAWL, host="site3.de", mirror=cc.address, rate=1e6, workers=1)
    assert (again.files, again.matched, cc.log) == (0, 0, [])
    witness(lake_of_others, CRAWL, tld="de", mirror=cc.address, rate=1e6, workers=1)
    stored = (
        "SELECT count(*), count(DISTINCT (file, \"offset\", skip)) FROM stored_captures WHERE record_type = 'index'"
    )
    assert rows(lake_of_others, stored) == [(18, 18)]


@pytest.mark.parametrize(
    ("source", "options", "words"),
    [
        (CRAWL, {}, "name --url, --host"),
        ("cc:CC-NEWS-2019-08", {"host": "a.example"}, "CC-NEWS has no index"),
        ("x.cdx", {"host": "a.example"}, "for sources of Common Crawl only"),
    ],
)
def test_what_no_index_tells_is_refused(
    lake_of_others: Lake, cc: Server, source: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises(ArchiveError, match=words):
        witness(lake_of_others, source, mirror=cc.address, rate=1e6, workers=1, **options)  # type: ignore[arg-type]
