"""No value of SQL is lost on its way out: of a type that the format does not have it is DuckDB's own text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from conftest import record, take
from forked import forked

import query
from archive.lake import Lake
from query.answer.output import exact

Write = Callable[[str, bytes], str]

#: SQL, what JSON has of it, and what a Parquet file has of it (None: the same as JSON).
VALUES: dict[str, tuple[Any, Any]] = {
    "INTERVAL '1 month 2 days'": ("1 month 2 days", None),
    "[INTERVAL '1 year']": (["1 year"], None),
    "[INTERVAL '1 year']::INTERVAL[1]": (["1 year"], None),
    "{'a \"b\"': INTERVAL '3 months', 'c': 1}": ({'a "b"': "3 months", "c": 1}, None),
    "MAP {'a': INTERVAL '1 month'}": ({"a": "1 month"}, [("a", "1 month")]),
    "ROW(1, INTERVAL '1 month')": ("(1, 1 month)", None),
    "union_value(months := INTERVAL '1 month')": ("1 month", None),
    "TIMESTAMP_NS '2020-01-01 00:00:00.123456789'": ("2020-01-01 00:00:00.123456789", ...),
    "TIME_NS '01:02:03.123456789'": ("01:02:03.123456789", ...),
    "TIMETZ '01:02:03+05:30'": ("01:02:03+05:30", None),
    "'101'::BIT": ("101", None),
    "{'a': '101'::BIT}": ({"a": "101"}, None),
    "123456789012345678901234567890::BIGNUM": ("123456789012345678901234567890", None),
    "170141183460469231731687303715884105727::HUGEINT": (170141183460469231731687303715884105727, None),
    "9223372036854775807": (9223372036854775807, None),
    "9007199254740993": (9007199254740993, None),
    "'\\xAA\\x00'::BLOB": ("aa00", b"\xaa\0"),
    "'a'::ENUM('INTERVAL', 'a')": ("a", None),
    "'00000000-0000-0000-0000-0000000000ff'::UUID": ("00000000-0000-0000-0000-0000000000ff", None),
    "'NaN'::DOUBLE": (None, ...),
    "'-inf'::FLOAT": ("-inf", float("-inf")),
    "['NaN'::DOUBLE, 1.5]": ([None, 1.5], ...),
    "MAP {1: 'a', 2: 'b'}": ({"1": "a", "2": "b"}, [(1, "a"), (2, "b")]),
    "[[1, 2], [NULL], NULL]": ([[1, 2], [None], None], None),
    "chr(8232) || chr(0) || chr(133)": ("\u2028\0\x85", None),
    "repeat('é', 100000)": ("é" * 100_000, None),
    "''": ("", None),
    "NULL": (None, None),
}  # fmt: skip


@pytest.fixture
def small(lake: Lake, write: Write) -> Lake:
    take(lake, write("a.warc", record(url="http://site.org/", body="<p>One page.</p>")))
    return lake


def test_every_type_comes_out_whole(small: Lake, tmp_path: Path) -> None:
    columns = [f"{sql} AS c{number}" for number, sql in enumerate(VALUES)]
    sql = f"SELECT {', '.join(columns)}, ';' AS \"a;b\" FROM captures /* ; */ ORDER BY url; -- the end;"
    for form in ("json", "jsonl", "csv", "parquet"):
        forked("query", sql, "--lake", small.location, "-o", str(tmp_path / f"x.{form}"))
    (row,) = json.loads((tmp_path / "x.json").read_text(), parse_constant=pytest.fail)
    assert row == json.loads((tmp_path / "x.jsonl").read_text())
    assert row.pop("a;b") == ";"
    assert dict(zip(VALUES, row.values(), strict=True)) == {sql: expected for sql, (expected, _) in VALUES.items()}
    (stored,) = pq.read_table(tmp_path / "x.parquet").to_pylist()
    for number, (sql, (as_json, as_parquet)) in enumerate(VALUES.items()):
        if as_parquet is not ...:
            value = stored[f"c{number}"]
            assert (int(value) if type(value).__name__ == "Decimal" else value) == (as_parquet or as_json), sql
    assert "1 month 2 days" in (tmp_path / "x.csv").read_text()


def test_what_arrow_has_stays_what_it_is_in_python(small: Lake) -> None:
    table = query.query(small, "SELECT INTERVAL '1 month' AS a, TIMETZ '01:02:03+05:30' AS a, '11'::BIT AS b")
    assert table.column_names == ["a", "a_2", "b"]
    assert [table["a"][0].as_py().months, table["a_2"][0].as_py(), table["b"][0].as_py()] == [1, "01:02:03+05:30", "11"]


def test_types_that_a_format_has_are_asked_for_as_they_are() -> None:
    relation = duckdb.sql("SELECT 1, 'a', now(), [1.5], {'a': DATE '2020-01-01'}, uuid()")
    for form in ("json", "csv", "table", "parquet", "arrow"):
        assert exact(relation.columns, relation.types, form) is None
