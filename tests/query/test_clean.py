"""What `clean` means: recounted in plain Python from the captures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from conftest import examples, rows, take
from duckdb import DuckDBPyConnection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import edited, indexed, put, words

import query
from archive.errors import QueryError
from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import CAPTURES, DOCUMENTS
from index import tables
from index.minhash.procedure import Parameters
from index.neardup import index
from query.sql import answer

_DAY = timedelta(days=1)
_START = datetime(2021, 12, 25, tzinfo=UTC)


def _capture(text: int | None, at: datetime | None, **more: Any) -> dict[str, Any]:
    problem = more.get("date_problem")
    month = "unproven" if problem or at is None else f"{at:%Y-%m}"
    values = {"url": f"http://e.com/{text}", "file": "a.warc", "offset": 0, "skip": 0, "record_type": "response"}
    values |= {"date_source": "warc", "payload_digest": f"p{text}", "captured_at": at, "month": month}
    return values | {"content_id": None if text is None else f"{text:064}"} | more


def _made(folder: Path, captures: Iterable[dict[str, Any]], texts: int, **document: Any) -> Lake:
    lake = Lake(str(folder))
    lake.create()
    known = [{"content_id": f"{n:064}", "text": f"Text {n}", "language": "en" if n % 2 else "de"} for n in range(texts)]
    lake.commit(DOCUMENTS, [write_parquet(lake, DOCUMENTS, pa.Table.from_pylist(known, DOCUMENTS.schema), "d")], [])
    held: dict[str, list[dict[str, Any]]] = {}
    for capture in captures:
        held.setdefault(capture["month"], []).append(capture)
    for month, group in held.items():
        table = pa.Table.from_pylist(group, CAPTURES.file_schema)
        lake.commit(CAPTURES, [write_parquet(lake, CAPTURES, table, "c", {"month": month})], [])
    return lake


def _proof(
    lake: Lake | DuckDBPyConnection, before: datetime, sources: list[str] | None = None, grade: str = "D"
) -> dict[str, tuple[Any, ...]]:
    """The first acceptable capture of each text, without SQL's help but for the rows of `captures`."""
    names = 'content_id, captured_at, file, "offset", skip, url, date_source, date_problem, grade'
    found: dict[str, tuple[Any, ...]] = {}
    for id_, at, file, offset, skip, url, source, problem, good in rows(lake, f"SELECT {names} FROM captures"):
        if id_ is None or at is None or problem is not None or at >= before or (sources and source not in sources):
            continue
        if good > grade:
            continue
        found[id_] = min(found.get(id_, (at, file, offset, skip, url)), (at, file, offset, skip, url))
    return found


def _clean(lake: Lake | DuckDBPyConnection, before: datetime, rest: str = "") -> dict[str, tuple[Any, ...]]:
    answer = rows(
        lake,
        f"""SELECT content_id, first_seen, file, "offset", skip, url FROM clean('{before:%Y-%m-%d %H:%M:%S.%f}'{rest})""",
    )
    found = {row[0]: row[1:] for row in answer}
    assert len(found) == len(answer)  # each text once
    return found


@st.composite
def _captures(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    for number in range(draw(st.integers(0, 12))):
        text = draw(st.integers(0, 4))
        days = draw(st.integers(0, 12))
        edge = draw(st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(hours=23)]))
        kind = draw(st.sampled_from(["response", "response", "revisit"]))
        made.append(
            _capture(
                text,
                _START + days * _DAY + edge,
                offset=number % 3,
                date_source=draw(st.sampled_from(["warc", "dataset"])),
                date_problem=draw(st.sampled_from([None, None, None, "outside-crawl"])),
                record_type=kind,
                **({"content_id": None} if kind == "revisit" else {}),
            )
        )
    return made


@settings(max_examples=examples(4), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(captures=_captures(), days=st.integers(0, 13))
def test_moving_the_date_by_a_day_moves_exactly_the_texts_of_that_day(
    captures: list[dict[str, Any]], days: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lake = query.connect(_made(tmp_path_factory.mktemp("made") / "lake", captures, 5))
    date = _START + days * _DAY
    one, next_day = _clean(lake, date), _clean(lake, date + _DAY)
    assert (one, next_day) == (_proof(lake, date), _proof(lake, date + _DAY))
    assert one.items() <= next_day.items()  # monotone: what is proven stays so, by the same capture
    assert {id_ for id_, proof in next_day.items() if date <= proof[0] < date + _DAY} == next_day.keys() - one.keys()
    assert _clean(lake, date + _DAY, f", after := '{date:%Y-%m-%d}'").keys() == next_day.keys() - one.keys()
    assert _clean(lake, date, ", date_sources := ['dataset']") == {}
    assert _clean(lake, date, ", grade := 'E'") == _proof(lake, date, grade="E")
    asked = ", date_sources := ['dataset'], grade := 'E'"
    assert _clean(lake, date, asked) == _proof(lake, date, ["dataset"], "E")


def test_a_text_needs_a_capture_of_the_grade_that_is_asked_for(tmp_path: Path) -> None:
    captures = [
        _capture(0, _START, grade="C"),
        _capture(1, _START, grade="D"),
        _capture(2, _START, grade="E"),
        _capture(2, _START + 2 * _DAY, grade="D"),
        _capture(3, _START, grade="X"),
        _capture(4, _START, grade=None, date_source="dataset"),
        _capture(5, _START, grade=None, block_check="mismatch"),
        _capture(6, _START, grade=None),
    ]
    lake = query.connect(_made(tmp_path / "lake", captures, 7))
    numbers = lambda rest, days=1: sorted(int(id_) for id_ in _clean(lake, _START + days * _DAY, rest))  # noqa: E731
    assert numbers("") == numbers(", grade := 'D'") == [0, 1, 6]
    assert numbers("", 9) == [0, 1, 2, 6]
    assert _clean(lake, _START + 9 * _DAY)[f"{2:064}"][0] == _START + 2 * _DAY
    assert numbers(", grade := 'c'") == [0]
    assert numbers(", grade := 'E'") == numbers(", grade := 'e'") == [0, 1, 2, 4, 6]
    for wrong in ("'X'", "'Z'", "''", "NULL"):
        with pytest.raises(duckdb.Error, match="no grade"):
            numbers(f", grade := {wrong}")
    assert numbers(", grade := 'A'") == []


def test_two_operators_corroborate_each_other(tmp_path: Path) -> None:
    captures = [
        _capture(0, _START, grade="D", operator="One"),
        _capture(0, _START + _DAY, grade="C", operator="Other"),
        _capture(1, _START, grade="C", operator="One"),
        _capture(1, _START + _DAY, grade="D", operator="One"),
        _capture(2, _START, grade="D", operator="One"),
        _capture(2, _START + _DAY, grade="E", operator="Other"),
        _capture(3, _START, grade="C", operator=None),
        _capture(3, _START + _DAY, grade="C", operator=None),
        _capture(4, _START, grade="A", operator="One"),
        *(_capture(5, _START + _DAY, grade="C", operator=name) for name in ("One", "Other", "one.", "Third", "One")),
    ]
    lake = query.connect(_made(tmp_path / "lake", captures, 6))
    numbers = lambda rest, days=9: sorted(int(id_) for id_ in _clean(lake, _START + days * _DAY, rest))  # noqa: E731
    assert numbers(", grade := 'B'") == [0, 4, 5]
    assert numbers(", grade := 'B'", 1) == [4], "both must be before the date"
    assert numbers(", archives := 2") == [0, 5]
    assert numbers(", archives := 3") == [5]
    assert numbers(", archives := 4") == []


def test_of_two_texts_of_one_payload_a_revisit_proves_the_one_that_the_bytes_give(tmp_path: Path) -> None:
    seen_again = _capture(None, _START, record_type="revisit", payload_digest="p", url="http://e.com/")
    original = _capture(3, _START + 5 * _DAY, payload_digest="p", charset="windows-1252", charset_own=True)
    read_so = {"charset": "koi8-r", "charset_stated": "koi8-r", "charset_own": False}
    otherwise = _capture(0, _START + 700 * _DAY, payload_digest="p", **read_so)
    for captures in ([seen_again, original], [seen_again, original, otherwise], [otherwise, original, seen_again]):
        lake = _made(tmp_path / str(len(captures)) / captures[0]["url"][-1:] / str(id(captures)), captures, 4)
        assert list(_clean(lake, _START + _DAY)) == [f"{3:064}"]


def test_md5_links_no_revisit_to_a_text(tmp_path: Path) -> None:
    digest = {"payload_digest": "md5:AAAA", "url": "http://e.com/"}
    captures = [_capture(None, _START, record_type="revisit", **digest), _capture(0, _START + 9 * _DAY, **digest)]
    assert _clean(_made(tmp_path / "lake", captures, 1), _START + _DAY) == {}


def test_a_date_that_proves_nothing_never_counts(tmp_path: Path) -> None:
    captures = [
        _capture(0, _START - 900 * _DAY, date_problem="conflict"),
        _capture(0, _START),
        _capture(1, _START - 900 * _DAY, date_problem="outside-crawl"),
        _capture(2, None, date_problem="missing"),
    ]
    lake = _made(tmp_path / "lake", captures, 3)
    assert _clean(lake, _START) == {}
    assert list(_clean(lake, _START + _DAY)) == [f"{0:064}"]


def test_language_and_opt_outs(tmp_path: Path) -> None:
    captures = [_capture(n, _START) for n in range(6)]
    said = {0: "noindex, nofollow", 1: "noai", 2: "tdm-reservation:1", 3: "ccbot:noindex", 4: "ccbot:index", 5: None}
    # what a page says later counts as well: it is about the page, not about the date
    captures += [_capture(n, _START + 99 * _DAY, robots=robots) for n, robots in said.items()]
    lake = _made(tmp_path / "lake", captures, 6)
    db = query.connect(lake)
    numbers = lambda rest: sorted(int(id_) for id_ in _clean(db, _START + _DAY, rest))  # noqa: E731
    assert numbers("") == [0, 1, 2, 3, 4, 5]
    assert numbers(", language := 'en'") == [1, 3, 5]
    assert numbers(", honour_opt_outs := true") == [0, 4, 5]


def test_near_wants_an_index_that_is_current(lake: Lake, tmp_path: Path) -> None:
    put(lake, tmp_path / "sets", [("Some text of a few words.", "2015-01-01")])
    near = "SELECT count(*) FROM clean('2022-01-01', near := true)"
    ask = lambda: answer(query.connect(lake), near).fetchall()  # noqa: E731
    with pytest.raises(QueryError, match="was never made; run `archive index` first"):
        ask()
    indexed(lake)
    assert ask() == [(1,)]
    put(lake, tmp_path / "sets", [("Another text of a few words.", "2016-01-01")])
    with pytest.raises(QueryError, match="is older than the lake; run `archive index` first"):
        ask()
    assert _clean(lake, _START)  # without near, no index is needed


def _family(seed: int, size: int) -> list[str]:
    original = words(60, seed)
    return [" ".join(original), *(" ".join(edited(original, 1, seed * 100 + n)) for n in range(1, size))]


@settings(max_examples=examples(2), deadline=None, suppress_health_check=list(HealthCheck))
@given(days=st.lists(st.integers(0, 400), min_size=24, max_size=24), late=st.integers(1, 50))
def test_nothing_captured_later_changes_a_set_without_near_duplicates(
    days: list[int], late: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("near")
    lake, date = Lake(str(folder / "lake")), datetime(2021, 1, 1, tzinfo=UTC)
    texts = [text for seed in (1, 2) for text in _family(seed, 12)]
    dated = [(text, f"{date - (1 + day) * _DAY:%Y-%m-%d}") for text, day in zip(texts, days, strict=True)]
    put(lake, folder / "sets", dated)
    few = Parameters(leaders=2)  # so that the earliest texts of a band crowd out others
    tables.create(lake, few)
    index(lake, workers=1)
    before = _clean(lake, date, ", near := true")
    pairs = set(rows(lake, "SELECT content_id, earlier_id FROM duplicates"))
    assert pairs
    assert not {pair for pair in pairs if set(pair) <= before.keys()}
    # later captures: new near-duplicates of the same texts, and the old texts again
    more = [text for seed in (1, 2) for text in _family(seed, 20)[8:]]
    put(lake, folder / "sets", [(text, f"{date + late * _DAY:%Y-%m-%d}") for text in more])
    index(lake, workers=1)
    assert _clean(lake, date, ", near := true") == before


def test_the_clean_set_of_the_real_data_is_the_plain_recount(data: Path, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    take(lake, *(str(data / folder) for folder in ("commoncrawl", "sites", "dated")), workers=2)
    date = datetime(2022, 1, 1, tzinfo=UTC)
    held = {id_ for (id_,) in rows(lake, "SELECT content_id FROM documents")}
    wanted = {id_: proof for id_, proof in _proof(lake, date).items() if id_ in held}
    found = _clean(lake, date)
    assert len(wanted) > 200
    claimed = {id_: proof for id_, proof in _proof(lake, date, grade="E").items() if id_ in held}
    assert _clean(lake, date, ", grade := 'E'") == claimed
    assert len(claimed) > 1000
    assert found == wanted
    assert all(first < date for first, *_ in found.values())
