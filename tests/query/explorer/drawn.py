"""Small lakes that are drawn at random, with all that decides whether a text is in a clean set."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from archive.bounds import STORED
from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import CAPTURES, DOCUMENTS, SOURCES
from index import tables
from index.minhash.procedure import Parameters
from index.quality.presets import PRESETS
from index.quality.stage import Quality
from index.quality.table import QUALITY
from query.explorer.cube.controls import Controls

TEXTS = 6
START = date(2021, 12, 26)
#: Days of captures, and of sets.
_DAYS = 10
_EDGES = (timedelta(0), timedelta(microseconds=1), timedelta(hours=23, minutes=59))
_GRADES = ("A", "B", "C", "D", "E", "X", None)
_OPERATORS = ("One", "one.", "Another", None)
_ROBOTS = (None, None, None, "noai", "noindex")
#: Signals that all presets keep, and changes that some of them leave out.
_GOOD = {
    "characters": 500, "words": 100, "non_symbol_words": 100, "mean_word_length": 5.0, "alphabetic_words": 1.0,
    "stop_words": 5, "c4_lines": 9, "c4_sentences": 9, "fineweb_lines": 9, "fineweb_sentences": 9,
    "fineweb_words": 100, "fineweb_punctuated_lines": 1.0,
}  # fmt: skip
_WORSE: tuple[dict[str, Any], ...] = ({}, {"c4_curly_bracket": True}, {"fineweb_short_lines": 1.0}, {"stop_words": 0})

Rows = list[dict[str, Any]]


def text(number: int) -> str:
    return f"Text {number} –" + " word" * number


def name(number: int) -> str:
    """The content id of a text."""
    return hashlib.sha256(text(number).encode()).hexdigest()


@st.composite
def captures(draw: st.DrawFn) -> Rows:
    """Captures of the texts: by grade, operator, opt-out, with bounds of their own, revisits among them."""
    made = []
    for number in range(draw(st.integers(0, 16))):
        text = draw(st.integers(0, TEXTS - 1))
        is_revisit = draw(st.sampled_from((False, False, True)))
        at = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(draw(st.integers(0, _DAYS)))
        at += draw(st.sampled_from(_EDGES))
        problem = draw(st.sampled_from((None, None, None, "outside-crawl")))
        made.append(
            {
                "content_id": None if is_revisit else name(text), "url": f"http://e.com/{text}", "file": "a.warc",
                "offset": number, "skip": 0, "length": 1, "record_type": "revisit" if is_revisit else "response",
                "date_source": "warc", "date_problem": problem, "payload_digest": f"sha1:{text}", "captured_at": at,
                "month": "unproven" if problem else f"{at:%Y-%m}", "grade": draw(st.sampled_from(_GRADES)),
                "operator": draw(st.sampled_from(_OPERATORS)), "robots": draw(st.sampled_from(_ROBOTS)),
                "existed_by": draw(st.sampled_from((None, None, at + timedelta(1)))),
            }
        )  # fmt: skip
    return made


pairs = st.sets(
    st.tuples(st.integers(0, TEXTS - 1), st.integers(0, TEXTS - 1)).filter(lambda pair: pair[0] != pair[1]), max_size=6
)
signals = st.lists(st.sampled_from(_WORSE), min_size=TEXTS, max_size=TEXTS)


def _day(number: int) -> date:
    return START + timedelta(number)


@st.composite
def controls(draw: st.DrawFn) -> Controls:
    before = draw(st.integers(0, _DAYS + 3))
    after = draw(st.sampled_from((None, None, before - 1, before - 4)))
    return Controls(
        before=_day(before),
        after=None if after is None else _day(after),
        grade=draw(st.sampled_from("ABCDE")),
        language=draw(st.sampled_from((None, None, "en", "de", "fr"))),
        preset=draw(st.sampled_from((None, None, *PRESETS))),
        near=draw(st.booleans()),
        honour_opt_outs=draw(st.booleans()),
    )


def lake_of(folder: Path, seen: Rows, near: set[tuple[int, int]], measured: Rows, bounded: bool) -> Lake:
    """Write a lake: its tables as the commands write them.

    Args:
        near: pairs of texts that are near-duplicates.
        measured: the quality signals of the texts, as far as they are not those of a good one.
        bounded: whether captures count by their own bounds too.
    """
    lake = Lake(str(folder))
    lake.create()
    texts = [
        {"content_id": name(number), "text": text(number), "words": number + 2,
         "chars": len(text(number)), "language": ("en", "de", None)[number % 3]}
        for number in range(TEXTS)
    ]  # fmt: skip
    lake.commit(DOCUMENTS, [write_parquet(lake, DOCUMENTS, pa.Table.from_pylist(texts, DOCUMENTS.schema), "d")], [])
    for month in sorted({capture["month"] for capture in seen}):
        rows = pa.Table.from_pylist([each for each in seen if each["month"] == month], CAPTURES.file_schema)
        lake.commit(CAPTURES, [write_parquet(lake, CAPTURES, rows, "c", {"month": month})], [])
    if bounded:
        lake.commit(SOURCES, [], [STORED])
    tables.create(lake, Parameters())
    known = [
        {"content_id": name(one), "earlier_id": name(other), "similarity": 0.9, "shared": 9, "total": 10,
         "estimated": False, "cluster_id": name(0)}
        for one, other in near
    ]  # fmt: skip
    schema = tables.DUPLICATES.schema
    files = [write_parquet(lake, tables.DUPLICATES, pa.Table.from_pylist(known, schema), "n")] if known else []
    lake.commit(tables.DUPLICATES, files, [tables.state(lake)])
    Quality().create(lake)
    nothing = {field.name: False if pa.types.is_boolean(field.type) else 0 for field in QUALITY.schema}
    rows = [{**nothing, **_GOOD, **each, "content_id": name(number)} for number, each in enumerate(measured)]
    lake.commit(QUALITY, [write_parquet(lake, QUALITY, pa.Table.from_pylist(rows, QUALITY.schema), "q")], [])
    return lake
