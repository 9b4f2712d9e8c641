"""A file of Common Crawl is one file, whether `cc:` names it or its address, whoever gave the bytes; unless it changed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import rows, snapshot
from minicc.fixtures import minicc  # noqa: F401
from minicc.kills import require_counts
from minicc.serve import Fault, Server, serve

from archive.commoncrawl.mirror import Access
from archive.commoncrawl.source import list_named, reach_of
from archive.intake.preview import preview
from archive.intake.run import ingest
from archive.lake import Lake
from archive.sources.base import Listed

CRAWL = "cc:CC-MAIN-2019-35"


OWN = "https://data.commoncrawl.org"


@pytest.fixture
def own(minicc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that this program takes for Common Crawl's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("archive.intake.plan.PIECE", 16_000)
    with serve(minicc) as server:
        monkeypatch.setattr("archive.commoncrawl.source._own", lambda _: Access(server.address, rate=1e6))
        yield server


@pytest.fixture
def files(minicc: Path) -> list[str]:
    """The paths of the WARC files of the crawl."""
    return gzip.decompress((minicc / "crawl-data/CC-MAIN-2019-35/warc.paths.gz").read_bytes()).decode().split()


def bring(lake: Lake, *sources: str, **options: object) -> int:
    """Ingest; returns the captures that came, which are counted and there once."""
    result = ingest(lake, sources, workers=1, **options)  # type: ignore[arg-type]
    assert result.files_failed == {}
    require_counts(lake)
    return result.captures


def test_by_its_address_and_by_its_crawl_a_file_comes_once(
    lake: Lake, own: Server, files: list[str], minicc: Path, tmp_path: Path
) -> None:
    named = f"{OWN}/{files[0]}"
    whole = Lake(str(tmp_path / "whole"))
    every = bring(whole, CRAWL, mirror=own.address, rate=1e6)
    some = bring(lake, CRAWL, mirror=own.address, rate=1e6, host="site3.de")
    some += bring(lake, named)
    assert preview(lake, named).files_skipped == 1
    assert bring(lake, named) == 0
    assert some + bring(lake, CRAWL, mirror=str(minicc)) == every
    assert snapshot(lake) == snapshot(whole)
    own.forget()
    assert bring(lake, *(f"{OWN}/{file}" for file in files)) == 0
    assert {each.sent for each in own.log} == {1}, "it is asked for its length only"


def test_a_file_that_changed_is_neither_passed_over_nor_mixed_with_the_one_before(
    lake: Lake, own: Server, files: list[str], minicc: Path, tmp_path: Path
) -> None:
    bring(lake, f"{OWN}/{files[0]}")
    bring(lake, CRAWL, mirror=own.address, rate=1e6, host="site3.de")
    before = snapshot(lake)
    changed = tmp_path / "changed"
    for path in minicc.rglob("*"):
        if path.is_file() and "CC-MAIN-2019-35" in str(path):
            target = changed / path.relative_to(minicc)
            target.parent.mkdir(parents=True, exist_ok=True)
            longer = path.suffixes[-2:] == [".warc", ".gz"]
            target.write_bytes(path.read_bytes() + (gzip.compress(b"\n") if longer else b""))
    (changed / "collinfo.json").write_bytes((minicc / "collinfo.json").read_bytes())
    own.root = changed
    reach_of.cache_clear()  # another process
    failed = ingest(lake, f"{OWN}/{files[0]}", workers=1).files_failed
    assert "archive forget" in failed[f"{OWN}/{files[0]}"]
    result = ingest(lake, CRAWL, mirror=str(changed), host="site0.com", workers=1)
    assert {"archive forget" in why for why in result.files_failed.values()} == {True}
    assert snapshot(lake) == before


@pytest.mark.parametrize("size", [8_000, 16_000, 50_000])
def test_a_file_goes_on_behind_what_is_there_whatever_the_length_of_its_pieces(
    lake: Lake, own: Server, files: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    named = f"{OWN}/{files[0]}"
    whole = Lake(str(tmp_path / "whole"))
    bring(whole, named)
    own.faults = [Fault("missing", "*.warc.gz", times=None, after=3, ranges=True)]
    first = ingest(lake, named, workers=1)
    assert first.files_failed
    assert first.captures > 0
    own.faults = []
    monkeypatch.setattr("archive.intake.plan.PIECE", size)
    bring(lake, named)
    assert snapshot(lake) == snapshot(whole)


def test_a_file_that_an_older_version_read_by_its_address_is_passed_over(
    lake: Lake, own: Server, files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = f"{OWN}/{files[0]}"

    def older(source: str, *_: object) -> Iterator[Listed]:
        yield from (replace(file, version=f"{source} {file.size} tag") for file in list_named(source, lambda *_: None))

    with monkeypatch.context() as then:
        then.setattr("archive.intake.run.list_named", older)
        count = bring(lake, named)
    assert rows(lake, "SELECT DISTINCT version FROM sources")[0][0].startswith(f"{named} ")
    assert bring(lake, named) == 0
    assert count + bring(lake, CRAWL, mirror=own.address, rate=1e6) == 234
