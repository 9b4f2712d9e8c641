"""A question before a date asks for the texts of few revisits, and finds what one that asks for all of them finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from conftest import examples, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import query
from archive.attestations.rows import add_rows
from archive.bounds import STORED
from archive.files import write_parquet
from archive.lake import Lake
from archive.proofs import hold_texts
from archive.tables import ATTESTATIONS, CAPTURES, DOCUMENTS, INDEX, RETRACTIONS, SOURCES, Table

#: The months of the captures begin on these days; the questions are asked for moments near their edges.
_MONTHS = tuple(datetime(2008, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4, 5))
_EDGES = tuple(month + timedelta(microseconds=n) for month in _MONTHS for n in (-1, 0, 1))
_UNITS = ("u0", "u1", "u2")
_moments = st.one_of(st.sampled_from(_EDGES), st.sampled_from([month + timedelta(days=9) for month in _MONTHS]))


@st.composite
def _capture(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """A response, a revisit or a line of an index, of few payloads and texts, so that they meet."""
    pick = lambda *values: draw(st.sampled_from(values))  # noqa: E731
    kind = pick("response", "response", "response", "revisit", "revisit", INDEX)
    at, problem = draw(_moments), pick(None, None, None, None, "outside-crawl")
    charset = pick("utf-8", "windows-1251")
    stated = pick(None, charset, "utf-8")
    row = {
        "content_id": f"{draw(st.integers(0, 3)):064}" if kind == "response" else None,
        "url": f"http://e{number}.com/",
        "captured_at": at,
        "captured_from": at,
        "date_source": pick("warc", "cdx"),
        "date_problem": problem,
        "record_type": kind,
        "file": f"{pick('a', 'b')}.warc",
        "offset": number,
        "length": 100,
        "skip": 0,
        "mime": pick(None, "text/html", "text/plain"),
        "extractor": pick("plain", "resiliparse/2.0") if kind == "response" else None,
        "payload_digest": f"sha1:{draw(st.integers(0, 2))}",
        "transfer_digest": pick(None, None, "sha1:0", "sha1:1"),
        "charset": charset if kind == "response" else None,
        "charset_stated": stated if kind != INDEX else None,
        "charset_own": pick(None, True, False) if kind == "response" else None,
        "rules": pick(None, None, None, "robots.txt") if kind == "revisit" else None,
        "operator": pick(None, "One", "Other"),
        "existed_by": draw(st.one_of(st.none(), st.none(), _moments)),
        "grade": "X" if problem else pick("C", "D", "D", "E", "X", None),
        "unit": pick(*_UNITS),
        "month": "unproven" if problem else f"{at:%Y-%m}",
    }
    return row | {"attested_by": "T" if row["existed_by"] else None}


def _write(lake: Lake, table: Table, found: list[dict[str, Any]], names: list[str]) -> None:
    parts: dict[str | None, list[dict[str, Any]]] = {}
    for row in found:
        parts.setdefault(row.get("month"), []).append(row)
    files = [
        write_parquet(
            lake, table, pa.Table.from_pylist(part, table.file_schema), "t", {"month": month} if month else {}
        )
        for month, part in parts.items()
    ]
    lake.commit(table, files, names)


@settings(max_examples=examples(2), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    captures=st.integers(2, 14).flatmap(lambda count: st.tuples(*map(_capture, range(count)))),
    stored=st.booleans(),
    indexed=st.booleans(),
    attested=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["rfc3161", "published"]), st.booleans(), _moments)),
    retracted=st.sets(st.integers(0, 2), max_size=1),
    dates=st.lists(_moments, min_size=3, max_size=3),
    asked=st.lists(
        st.sampled_from([("A", ""), ("B", ""), ("C", ""), ("D", ""), ("D", ", archives := 2"), ("E", "")]),
        min_size=3,
        max_size=3,
        unique=True,
    ),
)
def test_a_bound_on_revisits_changes_no_answer(
    tmp_path_factory: pytest.TempPathFactory,
    captures: tuple[dict[str, Any], ...],
    stored: bool,
    indexed: bool,
    attested: list[tuple[int, str, bool, datetime]],
    retracted: set[int],
    dates: list[datetime],
    asked: list[tuple[str, str]],
) -> None:
    lake = Lake(str(tmp_path_factory.mktemp("made") / "lake"))
    lake.create()
    _write(lake, DOCUMENTS, [{"content_id": f"{n:064}", "text": f"Text {n}"} for n in range(4)], [])
    _write(lake, CAPTURES, [dict(row) for row in captures], ["c"])
    ledger = [{"unit": unit, "file": f"{n}.warc", "version": unit, "sha256": unit} for n, unit in enumerate(_UNITS)]
    _write(lake, SOURCES, ledger, [STORED] * stored + [INDEX] * indexed + ["s"])
    if attested:
        add_rows(lake, ATTESTATIONS, [
            {"subject_sha256": f"u{unit}", "kind": kind, "at": at, "by": "T", "token": b"t", "verified": verified}
            for unit, kind, verified, at in attested
        ], "a")  # fmt: skip
    if retracted:
        gone = [{"source": f"{unit}.warc", "reason": "made up", "at": _MONTHS[0]} for unit in retracted]
        add_rows(lake, RETRACTIONS, gone, "r")
    db = query.connect(lake)
    columns = 'content_id, first_seen, url, file, "offset", record_type, date_source, grade, text_record'
    questions = [
        f"SELECT {columns} FROM clean('{date}', grade := '{grade}'{more}) ORDER BY content_id"
        for (grade, more), date in zip(asked, dates, strict=True)
    ]
    bounded = [rows(db, sql) for sql in questions]
    hold_texts(db, str(max(dates)))
    assert bounded == [rows(db, sql) for sql in questions]
    db.execute("CREATE OR REPLACE TEMP MACRO moments_before(bound) AS TABLE SELECT * FROM moments")
    assert bounded == [rows(db, sql) for sql in questions]


@pytest.mark.parametrize("by", ["its date", "a time stamp", "publication"])
def test_a_revisit_with_a_moment_before_the_date_gets_its_text_whatever_gives_the_moment(lake: Lake, by: str) -> None:
    """Its own date, and that of the record with the text, are behind the date but in the first case."""
    lake.create()
    early, date, late = (
        datetime(2008, 1, 10, tzinfo=UTC),
        datetime(2008, 3, 1, tzinfo=UTC),
        datetime(2008, 5, 1, tzinfo=UTC),
    )
    same: dict[str, Any] = {
        "captured_from": late, "date_source": "warc", "length": 100, "skip": 0, "payload_digest": "sha1:0", "grade": "D",
        "captured_at": late, "month": "2008-05", "mime": "text/plain", "charset_stated": "utf-8",
    }  # fmt: skip
    response = {
        "content_id": "0" * 64, "url": "http://e.com/", "record_type": "response", "file": "0.warc", "offset": 0,
        "unit": "u0", "extractor": "plain", "charset": "utf-8", "charset_own": True,
    }  # fmt: skip
    revisit = {"url": "http://f.com/", "record_type": "revisit", "file": "1.warc", "offset": 1, "unit": "u1"}
    if by == "its date":
        revisit |= {"captured_at": early, "captured_from": early, "month": "2008-01"}
    elif by == "a time stamp":
        revisit |= {"existed_by": early, "attested_by": "T"}
    _write(lake, DOCUMENTS, [{"content_id": "0" * 64, "text": "Text"}], [])
    _write(lake, CAPTURES, [same | response, same | revisit], ["c"])
    ledger = [{"unit": unit, "file": f"{n}.warc", "version": unit, "sha256": unit} for n, unit in enumerate(_UNITS)]
    _write(lake, SOURCES, ledger, [STORED, "s"])
    if by == "publication":
        published = {
            "subject_sha256": "u1",
            "kind": "published",
            "at": early,
            "by": "T",
            "token": b"t",
            "verified": True,
        }
        add_rows(lake, ATTESTATIONS, [published], "a")
    db = query.connect(lake)
    (found,) = rows(db, f"SELECT url, first_seen FROM clean('{date}')")
    assert found == ("http://f.com/", early)
    assert rows(db, f"SELECT url FROM clean('{early}')") == []


def test_the_macros_of_the_bound_are_no_views_of_the_lake(lake: Lake) -> None:
    lake.create()
    from archive.errors import QueryError
    from query.sql import answer

    db: duckdb.DuckDBPyConnection = query.connect(lake)
    for name in ("moments_before", "captures_before", "texts_before", "proven", "citable"):
        with pytest.raises(QueryError, match="is not answered"):
            answer(db, f"SELECT * FROM {name}('2008-01-01')")
