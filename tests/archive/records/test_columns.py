"""Rows as data sets have them: types of Parquet, shapes of known sets, and rows of our own exports with their evidence."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import record, rows, take

from archive.evidence.claims import row_date
from archive.evidence.file_state import FileState
from archive.intake.display import complaints
from archive.lake import Lake
from archive.records.rows import Columns, Row, row_of
from query.export.run import export
from query.verify.run import verify

AT = datetime(2019, 4, 25, 12, 57, 54, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def read(**columns: Any) -> Row:
    return row_of(columns, Columns(), 0, 0, None)


def dated(**columns: Any) -> tuple[str | None, datetime | None]:
    found = row_date(read(text="T", **columns), FileState("f", NOW))
    return found.problem, found.captured_at


TEXTS = [f"Row number {n} of a table." for n in range(3)]
TYPES: dict[str, pa.Array] = {
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "string_view": pa.array(TEXTS, pa.string_view()),
    "dictionary": pa.array(TEXTS).dictionary_encode(),
    "binary": pa.array([text.encode() for text in TEXTS], pa.binary()),
    "large_binary": pa.array([text.encode() for text in TEXTS], pa.large_binary()),
    "binary_view": pa.array([text.encode() for text in TEXTS], pa.binary_view()),
    "fixed_size_binary": pa.array([text.encode() for text in TEXTS], pa.binary(len(TEXTS[0]))),
    "dictionary of binary": pa.array([text.encode() for text in TEXTS]).dictionary_encode(),
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_text_column_may_have_any_type_of_strings_or_bytes(lake: Lake, tmp_path: Path, kind: str) -> None:
    pq.write_table(pa.table({"text": TYPES[kind], "date": ["2019-04-25"] * 3}), tmp_path / "t.parquet")
    assert take(lake, str(tmp_path / "t.parquet")).captures == 3
    assert rows(lake, "SELECT text FROM documents ORDER BY 1") == [(text,) for text in TEXTS]
    export(lake, tmp_path / "set", before="2023-01-01", grade="E", format="jsonl", workers=1)
    assert verify(tmp_path / "set", workers=1).sound


DATES: dict[str, pa.Array] = {
    **{f"timestamp {unit}": pa.array([AT] * 2, pa.timestamp(unit, "UTC")) for unit in ("s", "ms", "us", "ns")},
    "a zone": pa.array([AT] * 2, pa.timestamp("ns", "America/New_York")),
    "an offset": pa.array([AT] * 2, pa.timestamp("us", "+02:00")),
    "seconds": pa.array([int(AT.timestamp())] * 2),
    "milliseconds": pa.array([int(AT.timestamp() * 1000)] * 2),
    "decimal": pa.array([Decimal(int(AT.timestamp()))] * 2),
    "float": pa.array([AT.timestamp()] * 2),
    "bytes": pa.array([b"2019-04-25T12:57:54Z"] * 2),
}


@pytest.mark.parametrize("kind", DATES)
def test_a_date_column_may_have_any_type_of_time_or_number(lake: Lake, tmp_path: Path, kind: str) -> None:
    nested = pa.StructArray.from_arrays([DATES[kind]], ["timestamp"])
    for name, columns in {"flat": {"date": DATES[kind]}, "nested": {"metadata": nested}}.items():
        pq.write_table(pa.table({"text": TEXTS[:2], **columns}), tmp_path / f"{name}.parquet")
    take(lake, str(tmp_path / "flat.parquet"), str(tmp_path / "nested.parquet"))
    assert rows(lake, "SELECT captured_at, count(*) FROM captures GROUP BY 1") == [(AT, 4)]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64(), pa.timestamp("ns")])
def test_a_time_without_a_zone_counts_to_the_last_one(lake: Lake, tmp_path: Path, kind: pa.DataType) -> None:
    value = date(2019, 4, 25) if pa.types.is_date(kind) else AT.replace(tzinfo=None)
    pq.write_table(pa.table({"text": TEXTS[:1], "date": pa.array([value], kind)}), tmp_path / "t.parquet")
    take(lake, str(tmp_path / "t.parquet"))
    ((at,),) = rows(lake, "SELECT captured_at FROM captures")
    late = datetime(2019, 4, 25, 23, 59, 59, 999999, tzinfo=UTC) if pa.types.is_date(kind) else AT
    assert (at - late).total_seconds() == 14 * 3600


def test_a_column_of_maps_is_reached_by_names_with_dots(lake: Lake, tmp_path: Path) -> None:
    meta = pa.array([[("url", "http://a.example/"), ("date", "2019")]], pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table({"text": TEXTS[:1], "metadata": meta}), tmp_path / "t.parquet")
    take(lake, str(tmp_path / "t.parquet"))
    assert rows(lake, "SELECT url, year(captured_at) FROM captures") == [("http://a.example/", 2020)]


def test_bytes_of_a_legacy_encoding_are_decoded_as_a_page_is(lake: Lake, tmp_path: Path) -> None:
    words = "Привет, мир! Это страница на русском языке. " * 4
    html = f"<html><head><meta charset=windows-1251></head><body><p>{words}</p></body></html>"
    pq.write_table(pa.table({"html": [html.encode("cp1251")], "date": ["2019"]}), tmp_path / "h.parquet")
    pq.write_table(pa.table({"text": [f"Text. {words}".encode("cp1251")], "date": ["2019"]}), tmp_path / "t.parquet")
    take(lake, str(tmp_path / "h.parquet"), str(tmp_path / "t.parquet"))
    assert rows(lake, "SELECT DISTINCT charset FROM captures") == [("windows-1251",)]
    assert rows(lake, "SELECT text FROM documents ORDER BY 1") == [(f"Text. {words}".strip(),), (words.strip(),)]


CRAWLED = "2019-04-25T12:57:54Z"
SHAPES: dict[str, dict[str, Any]] = {
    "C4, CulturaX": {"timestamp": CRAWLED, "url": "http://a.example/"},
    "FineWeb": {"date": CRAWLED, "url": "http://a.example/", "dump": "CC-MAIN-2019-18", "id": "<urn:uuid:1>"},
    "datatrove": {"id": "1", "metadata": {"date": CRAWLED, "url": "http://a.example/", "dump": "CC-MAIN-2019-18"}},
    "RedPajama": {"meta": json.dumps({"timestamp": CRAWLED, "url": "http://a.example/", "source": "cc"})},
    "OSCAR": {"warc_headers": {"warc-date": CRAWLED, "warc-target-uri": "http://a.example/"}, "metadata": {}},
    "HPLT": {"ts": CRAWLED, "u": "http://a.example/", "collection": "wide00016"},
    "Dolma": {"created": CRAWLED, "metadata": {"url": "http://a.example/"}, "source": "cc"},
    "MongoDB": {"date": {"$date": CRAWLED}, "url": "http://a.example/"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_data_sets_are_known_by_their_columns(lake: Lake, tmp_path: Path, shape: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": "A text.", **SHAPES[shape]}) + "\n")
    take(lake, str(tmp_path / "rows.jsonl"))
    assert rows(lake, "SELECT captured_at, url, grade, date_problem FROM captures") == [
        (AT, "http://a.example/", "E", None)
    ]


def test_when_a_row_was_added_to_its_set_makes_it_no_older() -> None:
    assert dated(created="2013-05-06T00:00:00Z", added="2023-04-11T00:00:00Z") == (
        None,
        datetime(2023, 4, 11, tzinfo=UTC),
    )


@pytest.mark.parametrize("seconds", [1_556_198_274, 1_556_198_335, 700_000_001, 1_980_000_063])
def test_a_date_in_single_precision_counts_to_the_last_moment_that_it_may_mean(seconds: int) -> None:
    (kept,) = pa.array([float(seconds)], pa.float32()).to_pylist()
    _, moment = dated(date=kept)
    assert moment is not None
    assert seconds <= moment.timestamp() <= seconds + 128


@pytest.mark.parametrize("value", [True, 12, -5, 1e30, float("inf"), [2019], {"year": 2019}, Decimal("1e99"), "soon"])
def test_what_is_no_date_proves_nothing(value: Any) -> None:
    assert dated(date=value) == ("unparsable", None)
    assert dated(date=float("nan"))[0] == "missing"


# -- our own exports ----------------------------------------------------------------------------


@pytest.fixture
def exported(lake: Lake, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    (tmp_path / "a.warc").write_bytes(
        b"".join(record(url=f"http://e.example/{n}", body=f"<p>Page {n}.</p>") for n in range(3))
    )
    take(lake, str(tmp_path / "a.warc"))
    export(lake, tmp_path / "set", before="2023-01-01", format=request.param, workers=1)
    return tmp_path / "set"


@pytest.mark.parametrize("exported", ["jsonl", "parquet"], indirect=True)
def test_an_export_comes_in_with_its_claims_and_as_a_claim(lake: Lake, tmp_path: Path, exported: Path) -> None:
    other = Lake(str(tmp_path / "other"))
    summary = take(other, str(exported))
    assert (summary.captures, summary.rejects.total(), complaints(summary)) == (3, 0, [])
    kept = "SELECT content_id, url, captured_at FROM captures ORDER BY 2"
    assert rows(other, kept) == rows(lake, kept)
    assert rows(lake, "SELECT DISTINCT grade FROM captures") != [("E",)]
    assert rows(other, "SELECT DISTINCT grade, date_source, record_type FROM captures") == [("E", "dataset", "row")]
    claims = "SELECT DISTINCT unnest(list_transform(evidence, lambda e: e.kind)) FROM captures ORDER BY 1"
    assert [kind for (kind,) in rows(other, claims)] == [
        "captured_at",
        *(f"evidence.{kind}" for (kind,) in rows(lake, claims)),
    ]
    export(other, tmp_path / "again", before="2023-01-01", grade="E", format="jsonl", workers=1)
    assert verify(tmp_path / "again", workers=1).sound
    assert rows(other, "SELECT count(*) FROM clean('2023-01-01')") == [(0,)], "nothing is clean by the detour"


OWN = {"content_id": "0" * 64, "captured_at": "2015-05-06T00:00:00Z", "file": "a.warc", "grade": "D"}


@pytest.mark.parametrize(
    ("evidence", "problem", "at"),
    [
        (["warc-date 2015-05-06T00:00:00Z agrees"], None, datetime(2015, 5, 6, tzinfo=UTC)),
        (["http-date 2024-01-01T00:00:00Z contradicts"], None, datetime(2024, 1, 1, tzinfo=UTC)),
        (["memento unreadable"], "unreadable", datetime(2015, 5, 6, tzinfo=UTC)),
        (["last-modified unreadable"], None, datetime(2015, 5, 6, tzinfo=UTC)),
        (["crawl-window 2015-08-01T00:00:00Z agrees"], None, datetime(2015, 5, 6, tzinfo=UTC)),
        (["crawl-window 2014-08-01T00:00:00Z contradicts"], "outside-crawl", datetime(2015, 5, 6, tzinfo=UTC)),
        (None, None, datetime(2015, 5, 6, tzinfo=UTC)),
    ],
)
def test_the_claims_of_an_export_count_and_the_latest_wins(
    evidence: list[str] | None, problem: str | None, at: datetime
) -> None:
    assert dated(**OWN, evidence=evidence) == (problem, at)


def test_what_a_row_says_against_itself_is_believed() -> None:
    assert dated(**{**OWN, "grade": "X"}, evidence=[])[0] == "conflict"
    assert dated(captured_at="2015", date_problem="made-later")[0] == "made-later"
    assert dated(captured_at="2015", date_problem=None)[0] is None
    assert dated(**{**OWN, "file": "crawl-data/CC-MAIN-2019-35/x.warc.gz"}, evidence=[])[0] == "outside-crawl"


# -- sources that give nothing ------------------------------------------------------------------


def test_a_data_set_of_which_no_row_could_be_used_names_its_columns_and_the_option(lake: Lake, tmp_path: Path) -> None:
    for name, data in {
        "a.csv": "body,seen\nA text.,2019\n",
        "b.json": '[{"body": "A text.", "seen": "2019"}]',
        "c.jsonl": '{"body": "A text.", "seen": "2019"}\n',
    }.items():
        (tmp_path / name).write_text(data)
        (line,) = complaints(take(lake, str(tmp_path / name)))[:1]
        assert "its columns are body, seen; name the one that holds the text: --text-column" in line


def test_a_web_archive_without_a_page_is_no_failure_and_said(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "errors.warc").write_bytes(
        record(status="404 Not Found") + record(content_type="image/png", body=b"\x89PNG\r\n\x1a\n")
    )
    summary = take(lake, str(tmp_path / "errors.warc"))
    assert complaints(summary) == []
    assert "none of its 2 records is a page (1 http-404, 1 not-text)" in summary.sources_without_page.popitem()[1]
