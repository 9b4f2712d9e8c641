"""CSV and TSV: each row with its place, whatever delimiter, quotes, encoding or compression a file has."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from conftest import rows, take
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.errors import SourceError
from archive.intake import Settings
from archive.lake import Lake
from archive.records import Reading, kind_of, open_reader
from archive.records.rows import Columns, Row
from query.export.run import export
from query.verify.run import verify

NAMES = ["text", "date", "url"]
ROWS = [
    ['A comma, a "quote".', "2019-04-25", "http://a.example/1"],
    ["Three\r\nlines,\nof one text.", "2019-04-26T01:02:03Z", "http://a.example/2"],
    ["Ünïcödé and 漢字.", "2019-04-27", "http://a.example/3"],
]


def table(records: list[list[str]] = ROWS, names: list[str] = NAMES, encoding: str = "utf-8", **style: Any) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=style.pop("end", "\r\n"), **style)
    writer.writerows([names, *records])
    return out.getvalue().encode(encoding)


def read(data: bytes, name: str = "t.csv", limit: int = 1 << 25) -> list[Row]:
    file = io.BytesIO(data)
    assert kind_of(file, name) == "csv"
    return [item for _, item in open_reader("csv").read(file, Reading(name, max_record=limit)) if isinstance(item, Row)]


def texts(found: list[Row]) -> list[str | None]:
    return [row.text for row in found]


STYLES: dict[str, dict[str, Any]] = {
    "plain": {},
    "line feeds": {"end": "\n"},
    "tabs": {"delimiter": "\t"},
    "semicolons": {"delimiter": ";"},
    "bars": {"delimiter": "|"},
    "all quoted": {"quoting": csv.QUOTE_ALL},
    "backslashes": {"doublequote": False, "escapechar": "\\"},
    "a byte order mark": {"encoding": "utf-8-sig"},
    "UTF-16": {"encoding": "utf-16"},
    "UTF-16, the other way": {"encoding": "utf-16-be"},
}


@pytest.mark.parametrize("style", STYLES)
def test_each_way_to_write_a_table_gives_the_same_rows(style: str) -> None:
    data = table(**STYLES[style])
    data = b"\xfe\xff" + data if style == "UTF-16, the other way" else data
    found = read(data)
    assert texts(found) == [row[0] for row in ROWS]
    assert [row.url for row in found] == [row[2] for row in ROWS]
    assert [row.date for row in found] == [row[1] for row in ROWS]
    for row, (text, _, url) in zip(found, ROWS, strict=True):
        part = data[row.offset : row.offset + (row.length or 0)].decode(STYLES[style].get("encoding", "utf-8")[:9])
        assert text.split()[0].strip('"') in part
        assert part.rstrip().endswith((url, url + '"'))


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_compressed_table_has_the_places_of_its_lines_in_the_member(compress: Any) -> None:
    data = table()
    found = read(compress(data))
    assert texts(found) == [row[0] for row in ROWS]
    assert [(row.offset, row.skip, row.length) for row in found] == [(0, row.offset, None) for row in read(data)]


def test_a_table_of_a_spreadsheet_in_a_legacy_encoding_is_decoded() -> None:
    words = [[f"Größe und Maß, Straße {n} — café", "2019-04-25", f"http://a.example/{n}"] for n in range(30)]
    assert texts(read(table(words, encoding="cp1252"))) == [row[0] for row in words]
    words = [[f"Привет, мир, это строка номер {n}", "2019-04-25", f"http://a.example/{n}"] for n in range(30)]
    assert texts(read(table(words, encoding="cp1251"))) == [row[0] for row in words]


def test_a_byte_that_is_not_utf_8_costs_one_character() -> None:
    data = table(ROWS * 20).replace("Ünïcödé".encode(), b"\xdcn\xffcode", 1)
    found = read(data)
    assert len(found) == 60
    assert not any(row.problem for row in found[:2])


def test_a_file_that_is_no_table_by_its_name_is_one_by_the_names_of_its_columns() -> None:
    assert texts(read(table(), "export.txt")) == [row[0] for row in ROWS]
    assert kind_of(io.BytesIO(b"A letter, to all.\nDear Sir, or Madam.\n"), "letter.txt") == "unknown"
    assert kind_of(io.BytesIO(b"text,colour\na,b\n"), "x.txt") == "unknown", "no date and no URL"


@pytest.mark.parametrize(
    "data",
    [b"<html><body>Hello, you</body></html>", b"\x89PNG\r\n\x1a\n\0\0", b"\0\1\2,\3\n", b"[1, 2]", b"%PDF-1.4\n\1,"],
)
def test_what_is_no_text_table_is_none_whatever_its_name(data: bytes) -> None:
    assert kind_of(io.BytesIO(data), "table.csv") == "unknown"


def test_rows_that_do_not_fit_the_names_are_counted_and_the_others_kept() -> None:
    data = (
        b"text,date,url\nShort,2019-01-01\nLong,2019-01-01,http://a/,more\nA delimiter at the end,2019,http://a/,\n"
        b'\n"Never closed,2019,http://a/\nGood one,2019,http://a/\n"a" b,2019,http://a/\nGood two,2019,http://a/\n'
    )
    found = read(data)
    assert [row.text for row in found if not row.problem] == ["A delimiter at the end", "Good one", "Good two"]
    assert [(row.problem, data[row.offset :][:5]) for row in found if row.problem] == [
        ("bad-row", b"Short"),
        ("bad-row", b"Long,"),
        ("bad-row", b'"Neve'),
        ("bad-row", b'"a" b'),
    ]


def test_a_name_twice_makes_the_date_doubtful() -> None:
    (row,) = read(b"text,date,date\nA text.,2019,2023\n")
    assert row.repeated


def test_a_table_without_rows_gives_nothing() -> None:
    assert read(b"text,date,url\n") == []


@pytest.mark.parametrize("cut", range(1, 80, 7))
def test_the_last_row_of_a_cut_gzip_is_no_row(cut: int) -> None:
    rows = [[f"{n} is the number of this row.", "2019-04-25", f"http://a.example/{n}"] for n in range(9)]
    found = read(gzip.compress(table(rows))[:-cut], "t.csv.gz")
    whole = [row for row in found if not row.problem]
    assert [[row.text, row.date, row.url] for row in whole] == rows[: len(whole)]
    assert found[-1].problem in {"truncated", "bad-compression"}


def test_what_is_too_large_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with open(path, "wb") as file:
        file.write(b"text,date\nFirst one,2019\n")
        file.writelines(b"x" * (1 << 20) for _ in range(200))
        file.write(b'\nSecond one,2019\n"')
        file.writelines(b"line of quotes without an end\n" for _ in range(400_000))
    code = (
        "from archive.records import Reading, open_reader\n"
        f"found = [item for _, item in open_reader('csv').read(open({str(path)!r}, 'rb'), Reading('t.csv', max_record=1 << 22))]\n"
        "print([row.text for row in found if row.text], {row.problem for row in found}, len(found))\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown, peak = done.stdout.splitlines()
    assert "['First one', 'Second one']" in shown
    assert "too-large" in shown
    assert int(peak) < 380_000, "kilobytes"


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9) | st.just('a\n"b",c\r\nd'), min_size=3, max_size=3), max_size=8),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)  # fmt: skip
def test_what_a_writer_writes_is_read_as_it_was_and_found_again(records: list[list[str]], quoting: Any) -> None:
    data = table(records, names=["text", "date", "link"], quoting=quoting)
    reader = open_reader("csv")
    there = [row for row in records if any(row)]
    found = [item for _, item in reader.read(io.BytesIO(data), Reading("t.csv"))]
    assert len(found) == len(records)
    values = list(reader.values(io.BytesIO(data)))
    assert [[row["text"], row["date"], row["link"]] for row in values] == records
    addresses = [(item.offset, item.skip) for item in found if isinstance(item, Row)]
    again = [item for items in reader.find(io.BytesIO(data), addresses, Reading("t.csv")) for item in items]
    assert [item.values for _, item in again if isinstance(item, Row)] == values
    assert len(there) <= len(records)


def test_a_line_in_quotes_is_no_row_that_can_be_cited() -> None:
    data = b'text,date\n"He wrote:\nA forged text.,2009\nthat was it",2023\n'
    inner = data.index(b"A forged")
    found = [
        item for items in open_reader("csv").find(io.BytesIO(data), [(inner, 0)], Reading("t.csv")) for item in items
    ]
    assert found == []


def test_rows_of_a_table_are_exported_with_citations_that_verify(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "pages.csv"
    path.write_bytes(table())
    summary = take(lake, str(path))
    assert summary.captures == 3
    assert rows(lake, "SELECT DISTINCT grade, date_source FROM captures") == [("E", "dataset")]
    export(lake, tmp_path / "set", before="2023-01-01", grade="E", format="jsonl", workers=1)
    report = verify(tmp_path / "set", workers=1)
    assert report.sound
    assert report.kinds["agrees"] == 3
    path.write_bytes(table().replace(b"2019-04-25", b"2020-04-25"))
    assert not verify(tmp_path / "set", workers=1).sound


def test_columns_of_a_table_can_be_named(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "pages.tsv"
    path.write_bytes(table(names=["body", "seen", "link"], delimiter="\t"))
    assert open_reader("csv").column_names(io.BytesIO(path.read_bytes())) == ["body", "seen", "link"]
    take(lake, str(path), settings=Settings(columns=Columns(text="body", date="seen", url="link")))
    assert rows(
        lake, "SELECT count(*), count(url), min(captured_at)::DATE::VARCHAR FROM captures WHERE grade = 'E'"
    ) == [(3, 3, "2019-04-26")]


def test_values_of_a_broken_table_are_refused() -> None:
    with pytest.raises(SourceError):
        list(open_reader("csv").values(io.BytesIO(b"text,date\na\n")))


def test_json_in_a_column_is_reached_by_names_with_dots() -> None:
    meta = json.dumps({"url": "http://a.example/", "date": "2019-04-25"})
    (row,) = read(table([["A text.", meta]], names=["text", "metadata"]))
    assert (row.url, row.date) == ("http://a.example/", "2019-04-25")
