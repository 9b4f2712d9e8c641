"""What pages say to robots is kept with each capture."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from conftest import members, record, rows, take

from archive import tables
from archive.files import write_parquet
from archive.lake import Lake
from archive.records.robots import directives
from archive.tables import CAPTURES, Table

Write = Callable[[str, bytes], str]


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b"<meta name=description content=noai>", None),
        ({}, b"<META NAME='Robots' CONTENT='NoIndex,follow'>", "follow, noindex"),
        ({}, b'<meta content="noai" name="ccbot">', "ccbot:noai"),
        ({}, b'<meta name="tdm-reservation" content="1">', "tdm-reservation:1"),
        ({}, b'<meta name="tdm-reservation" content="0">', None),
        ({"tdm-reservation": "1"}, b"", "tdm-reservation:1"),
        ({"x-robots-tag": "googlebot: noindex, nofollow"}, b"", "googlebot:nofollow, googlebot:noindex"),
        ({"x-robots-tag": "max-snippet:-1, noai"}, b"", "max-snippet, noai"),
        ({"x-robots-tag": "noai"}, b"<meta name=robots content=noai>", "noai"),
        ({}, b"<meta " * 20_000, None),
    ],
)
def test_directives_of_header_and_head_are_read(headers: dict[str, str], body: bytes, expected: str | None) -> None:
    assert directives(headers, body) == expected


def test_each_line_of_a_repeated_header_counts(lake: Lake, write: Write) -> None:
    page = record(http={"X-Robots-Tag": "noindex\r\nX-Robots-Tag: noai"})
    take(lake, write("a.warc.gz", members(page)))
    assert rows(lake, "SELECT robots FROM captures") == [("noai, noindex",)]


def test_a_text_that_any_capture_withdraws_can_be_left_out(lake: Lake, write: Write) -> None:
    early, late = "2014-01-01T00:00:00Z", "2023-01-01T00:00:00Z"
    body = "<p>Some words of text.</p>"
    asked = record(body=body, date=late, http={"X-Robots-Tag": "noai"})
    take(lake, write("a.warc.gz", members(record(body=body, date=early), asked, record(body="<p>Other</p>"))))
    assert rows(lake, "SELECT count(*) FROM clean('2022-01-01')") == [(2,)]
    assert rows(lake, "SELECT text FROM clean('2022-01-01', honour_opt_outs := true)") == [("Other",)]


def test_a_lake_from_before_a_column_is_read_and_grows_it(
    lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Table("captures", tuple(column for column in CAPTURES.columns if column.name != "robots"), ("month",))
    with monkeypatch.context() as patch:
        patch.setitem(tables.TABLES, "captures", old)
        lake.create()
        row = {"content_id": "0" * 64, "captured_at": datetime(2015, 1, 1, tzinfo=UTC), "record_type": "response"}
        made = pa.Table.from_pylist([row], schema=old.file_schema)
        assert lake.commit(old, [write_parquet(lake, old, made, "old", {"month": "2015-01"})], ["old"])
    assert rows(lake, "SELECT robots, month FROM captures") == [(None, "2015-01")]
    take(lake, write("a.warc.gz", members(record(http={"X-Robots-Tag": "noai"}))))
    assert rows(lake, "SELECT robots FROM captures ORDER BY robots") == [("noai",), (None,)]
    assert "robots" in lake.read("captures").column_names
