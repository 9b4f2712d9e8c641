"""What a program plugs in reaches the workers: a source, a reader and an extractor of `tests/toy_plugins.py`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, rows

import archive
from archive import registry
from archive.errors import SourceError
from archive.lake import Lake
from archive.records import READERS
from archive.sources.base import SCHEMES, scheme_of
from archive.text import EXTRACTORS
from query.export.run import export
from query.verify.run import verify

Write = Callable[[str, bytes], str]

DIARY = b"#diary\nhttp://a.example/\t2011-02-03\tDear diary.\nhttp://b.example/\t2012-02-03\tDear diary, again.\n"


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entries that a program adds."""
    for table, name, address in (
        (SCHEMES, "shelf", "toy_plugins:SOURCE"),
        (READERS, "diary", "toy_plugins:READER"),
        (EXTRACTORS, "headings", "toy_plugins:headings"),
    ):
        monkeypatch.setitem(table, name, address)


def _texts(lake: Lake) -> list[str]:
    return sorted(text for (text,) in rows(lake, "SELECT text FROM documents"))


def test_a_source_is_listed_and_opened_by_workers(toys: None, lake: Lake) -> None:
    summary = archive.ingest(lake, "shelf:", workers=2)
    assert (summary.captures, summary.files_failed) == (1, {})
    assert _texts(lake) == ["A note from the shelf."]
    assert archive.ingest(lake, "shelf:notes", workers=2).files_skipped == 1
    assert archive.forget(lake, "shelf:notes").captures == 1
    with pytest.raises(SourceError, match="no such file"):
        archive.ingest(lake, "shelf:other")


def test_a_reader_reads_its_files_and_finds_what_rows_cite(
    toys: None, lake: Lake, write: Write, tmp_path: Path
) -> None:
    summary = archive.ingest(lake, [write("a.diary", DIARY), write("b.diary", DIARY + DIARY[7:])], workers=2)
    assert (summary.captures, dict(summary.rejects)) == (6, {})
    assert _texts(lake) == ["Dear diary, again.", "Dear diary."]
    assert set(lake.read("sources", ["format"])["format"].to_pylist()) == {"diary"}
    export(lake, tmp_path / "set", before="2020-01-01", date_sources=("dataset",), grade="E")
    report = verify(tmp_path / "set", rows=None, workers=2)
    assert (report.traced, report.findings) == (2, [])


@pytest.mark.parametrize("page", ["<h1>One heading</h1><p>Words.</p>", "<h1>One</h1>" * 3])
def test_an_extractor_takes_the_text(toys: None, lake: Lake, write: Write, page: str) -> None:
    archive.ingest(lake, write("a.warc.gz", members(record(body=page))), extractor="headings", workers=2)
    assert rows(lake, "SELECT extractor FROM captures") == [("headings/1",)]
    assert _texts(lake) == ["One heading" if "Words" in page else "One\nOne\nOne"]


def test_an_installed_distribution_adds_entries_and_replaces_none(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("notes", "toy_plugins:SOURCE", "lowbackground.tests"), EntryPoint("own", "else:X", "")]
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda group: points if group == "lowbackground.tests" else []
    )
    table = registry.Registry("tests", {"own": "archive.sources.files:SOURCE"})
    assert table.has("own")
    assert table.names() == ["own", "notes"]
    assert table["own"] == "archive.sources.files:SOURCE"
    assert not table.has("other")


@pytest.mark.parametrize(
    ("location", "scheme"),
    [
        ("a.warc", "file"),
        ("file:///a", "file"),
        ("S3://b/c", "s3"),
        ("https://a.example/", "https"),
        ("odd:name", "file"),
    ],
)
def test_the_scheme_of_a_location(location: str, scheme: str) -> None:
    assert scheme_of(location) == scheme


def test_a_file_whose_name_begins_like_a_scheme_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:notes").write_text("")
    assert scheme_of("s3:notes") == "file"
    with pytest.raises(SourceError, match="gs:// is not known"):
        scheme_of("gs://bucket/a")


def test_the_tables_are_read_without_arrow_and_resiliparse() -> None:
    code = (
        "import sys, archive.text.base, archive.intake.command; print({'pyarrow', 'resiliparse'} & sys.modules.keys())"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done
