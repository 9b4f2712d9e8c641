"""JSON that is no JSON lines: lists, objects with a list, and objects over several lines, each row with its place."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import rows, take
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.lake import Lake
from archive.records import Reading, kind_of, open_reader
from archive.records.rows import Row
from query.export.run import export
from query.verify.run import verify

ROWS: list[dict[str, Any]] = [
    {"text": 'A "quoted" {brace} and [bracket].', "date": "2019-04-25", "url": "http://a.example/1"},
    {"text": "Ünïcödé, 漢字 and \U0001f600.\nTwo lines.", "date": "2019-04-26", "meta": {"data": [{"text": "inner"}]}},
    {"text": "A lone \ud83d surrogate.", "date": "2019-04-27", "score": float("nan")},
]
WAYS = {
    "a list": lambda rows: json.dumps(rows),
    "a list over lines": lambda rows: json.dumps(rows, indent=2),
    "an object a line": lambda rows: "[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n",
    "an object around": lambda rows: json.dumps(
        {"version": 1, "about": {"a": [1]}, "data": rows, "end": None}, indent=1
    ),
    "in one line": lambda rows: json.dumps({"rows": rows}),
    "objects over lines": lambda rows: "\n".join(json.dumps(row, indent=4) for row in rows),
    "one object": lambda rows: json.dumps(rows[0], indent=4),
}


def read(data: bytes, limit: int = 1 << 25) -> list[Row]:
    file = io.BytesIO(data)
    assert kind_of(file, "x") == "json"
    return [item for _, item in open_reader("json").read(file, Reading("x", max_record=limit)) if isinstance(item, Row)]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_write_rows_gives_the_same_with_their_places(way: str) -> None:
    data = WAYS[way](ROWS).encode()
    expected = ROWS[:1] if way == "one object" else ROWS
    found = read(data)
    assert [row.text for row in found] == [row["text"] for row in expected]
    for row, value in zip(found, expected, strict=True):
        assert json.loads(data[row.offset : row.offset + (row.length or 0)])["text"] == value["text"]
    packed = read(gzip.compress(data))
    assert [(row.offset, row.skip, row.length) for row in packed] == [(0, row.offset, None) for row in found]


def test_json_lines_stay_json_lines() -> None:
    lines = "\n".join(map(json.dumps, ROWS)).encode()
    assert kind_of(io.BytesIO(lines), "x.json") == "jsonl"
    assert kind_of(io.BytesIO(lines[:30] + b"\n" + lines), "x.json") == "jsonl", "a first line that is cut"
    assert kind_of(io.BytesIO(json.dumps({"text": "x" * 40_000}).encode()), "x") == "jsonl"
    assert kind_of(io.BytesIO(b"[1, 2, 3]"), "x") == "unknown"
    assert kind_of(io.BytesIO(b"[Section]\nname=1\n"), "x.ini") == "unknown"


def test_what_is_no_object_or_no_json_is_counted_and_the_rest_kept() -> None:
    data = (
        b'[{"text": "A", "date": "2019"}, 5, [1], {"text": "B",}, {"text": "C", "date": "2019"}, '
        b'{"text": "D \xff", "date": "2019"}, {"n": ' + b"9" * 5000 + b'}, {"text": "E", "text": "F", "date": "2019"}]'
    )
    found = read(data)
    assert [row.text for row in found if not row.problem] == ["A", "C", "F"]
    assert found[-1].repeated
    assert [row.problem for row in found if row.problem] == ["bad-row"] * 5
    assert [row.offset for row in found] == sorted(row.offset for row in found)


@pytest.mark.parametrize("cut", [1, 2, 20, 60, 100])
def test_a_list_that_is_cut_gives_its_whole_rows_and_says_so(cut: int) -> None:
    data = json.dumps(ROWS).encode()[:-cut]
    found = read(data)
    whole = [row for row in found if not row.problem]
    assert [row.text for row in whole] == [row["text"] for row in ROWS[: len(whole)]]
    assert found[-1].problem in {"truncated", "bad-row"}
    many = [{**ROWS[0], "url": hashlib.sha256(b"%d" % n).hexdigest()} for n in range(30)]
    packed = read(gzip.compress(json.dumps(many).encode())[:-cut])
    assert packed[-1].problem in {"truncated", "bad-compression"}
    assert not any(row.problem for row in packed[:5])


def test_objects_over_lines_are_strict_json() -> None:
    good = json.dumps(ROWS[0], indent=1)
    for wrong in ('{\n"text": "A",\n}', '{\n"text" "A"\n}', '{\n"text": "A"\n"date": "2019"\n}', "{\ntext: 1\n}"):
        found = read(f"{good}\n{wrong}\n{good}".encode())
        assert [row.problem for row in found] == [None, "bad-row", None], wrong


def test_what_is_too_large_is_skipped_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with open(path, "wb") as file:
        file.write(b'[{"text": "First", "date": "2019"},\n{"text": "')
        file.writelines(b"xyz " * (1 << 18) for _ in range(200))
        file.write(b'", "date": "2019"}, {"text": "Second", "date": "2019"}]')
    code = (
        "from archive.records import Reading, open_reader\n"
        f"found = [item for _, item in open_reader('json').read(open({str(path)!r}, 'rb'), Reading('x', max_record=1 << 22))]\n"
        "print([row.text for row in found], [row.problem for row in found])\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shown, peak = done.stdout.splitlines()
    assert shown == "['First', None, 'Second'] [None, 'too-large', None]"
    assert int(peak) < 250_000, "kilobytes"
    found = read(
        b'[{"text": "First", "date": "2019"}, {"text": "' + b"y" * 3_000_000 + b'"}, {"text": "Last"}]', 1 << 20
    )
    assert [(row.text, row.problem) for row in found] == [("First", None), (None, "too-large"), ("Last", None)]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "text", "n"]), VALUES, min_size=1), min_size=1, max_size=6),
    st.sampled_from(["a list", "a list over lines", "an object around", "objects over lines"]),
)
def test_what_a_writer_writes_is_read_as_it_was_and_found_again(records: list[dict[str, Any]], way: str) -> None:
    data = WAYS[way](records).encode()
    reader = open_reader("json")
    assert list(reader.values(io.BytesIO(data))) == records
    found = [item for _, item in reader.read(io.BytesIO(data), Reading("x")) if isinstance(item, Row)]
    addresses = [(item.offset, item.skip) for item in found]
    again = [item for items in reader.find(io.BytesIO(data), addresses, Reading("x")) for _, item in items]
    assert [item.values for item in again if isinstance(item, Row)] == records


def test_an_object_inside_of_another_is_no_row_that_can_be_cited() -> None:
    data = b'[{"text": "A {\\"text\\": 1}", "date": "2023", "old": {"text": "forged", "date": "2009"}}]'
    inner = data.index(b'{"text": "forged')
    found = [item for items in open_reader("json").find(io.BytesIO(data), [(inner, 0)], Reading("x")) for item in items]
    assert found == []


@pytest.mark.parametrize("way", ["a list", "an object around", "objects over lines"])
def test_rows_are_exported_with_citations_that_verify(lake: Lake, tmp_path: Path, way: str) -> None:
    path = tmp_path / "pages.json"
    path.write_text(WAYS[way](ROWS[:2]))
    assert take(lake, str(path)).captures == 2
    assert rows(lake, "SELECT DISTINCT grade, date_source FROM captures") == [("E", "dataset")]
    export(lake, tmp_path / "set", before="2023-01-01", grade="E", format="jsonl", workers=1)
    report = verify(tmp_path / "set", workers=1)
    assert report.sound
    assert report.kinds["agrees"] == 2
    path.write_text(WAYS[way](ROWS[:2]).replace("2019-04-25", "2020-04-25"))
    assert not verify(tmp_path / "set", workers=1).sound
