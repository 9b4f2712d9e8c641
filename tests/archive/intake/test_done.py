"""What a plan reads of the ledger, in columns, is what its rows say one by one."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import settings as settings_of_tests
from hypothesis import strategies as st

from archive.capture import Limits
from archive.intake.decisions import Decision, _Batches, _seem_done
from archive.intake.done import LIMITED, DoneUnits, _compact
from archive.intake.hex_names import HexNames
from archive.intake.taken import Taken
from archive.intake.unit import Settings
from archive.lake import Lake, NewFile, properties
from archive.tables import DATA_TABLES, SOURCES

_LIMITS = [None, "{}", json.dumps({"record": 1}), json.dumps({"seconds": 1.0}), json.dumps({"record": 1 << 40})]
_ROW = st.fixed_dictionaries(
    {
        "unit": st.one_of(
            st.integers(0, 40).map(lambda number: f"{number:032x}"), st.sampled_from(["forget-1", "odd"])
        ),
        "file": st.sampled_from(["/a", "/b", "https://x.example/a"]),
        "version": st.sampled_from([None, "v1", "v2", "https://x.example/a 17"]),
        "extractor": st.sampled_from(["resiliparse", "other"]),
        "start": st.sampled_from([0, 0, 10, 20]),
        "end": st.sampled_from([None, 10, 20]),
        "size": st.sampled_from([None, 5, 7]),
        "sha256": st.sampled_from([None, "s1", "s2"]),
        "limits": st.sampled_from(_LIMITS),
        "operator": st.sampled_from([None, "me", "you"]),
        "rejects": st.sampled_from([None, [], [("timeout", 1)], [("no-date", 3)], [("no-date", 1), ("too-large", 2)]]),
        "next_offset": st.sampled_from([None, 10, 21]),
        "taken": st.sampled_from([None, None, [], [3, 5], [5, 90]]),
    }
)


def _torn(rows: list[dict[str, Any]], partial: set[str]) -> set[str]:
    spans: dict[Any, dict[int, tuple[int | None, list[str]]]] = {}
    for row in rows:
        if row["unit"] not in partial:
            of_file = spans.setdefault((row["version"], row["extractor"]), {})
            of_file[row["start"]] = row["end"], [*of_file.get(row["start"], (0, []))[1], row["unit"]]
    torn = set()
    for of_file in spans.values():
        expected: int | None = 0
        for start, (end, _) in sorted(of_file.items()):
            if start != expected:
                torn |= {key for _, keys in of_file.values() for key in keys}
            expected = end
    return torn


def _outgrown(rows: list[dict[str, Any]], settings: Settings, partial: set[str]) -> set[str]:
    stay = {row["version"] for row in rows if row["unit"] in partial}
    again = set()
    for row in rows:
        limits = Limits(**json.loads(row["limits"] or "{}"))
        smaller = any(
            getattr(settings.limits, field.name) > getattr(limits, field.name)
            for field in dataclasses.fields(Limits)
            if field.name in {"record", "page", "seconds", "tags"}
        )
        limited = {reason for reason, _ in row["rejects"] or ()} & LIMITED
        differs = settings.operator not in {None, row["operator"]}
        if row["extractor"] == settings.extractor and row["version"] not in stay and (differs or (limited and smaller)):
            again.add(row["version"])
    return {row["unit"] for row in rows if row["version"] in again and row["extractor"] == settings.extractor}


@settings_of_tests(max_examples=60, deadline=None)
@given(st.lists(_ROW, max_size=12), st.sampled_from([None, "me"]), st.integers(1, 12))
def test_the_columns_say_of_units_what_the_rows_say(rows: list[dict[str, Any]], operator: str | None, cut: int) -> None:
    tables = [pa.Table.from_pylist(rows[at : at + cut], SOURCES.schema) for at in range(0, max(len(rows), 1), cut)]
    done = DoneUnits(pa.concat_tables([_compact(table) for table in tables]))
    taken, offsets = Taken(), dict[Any, Any]()
    taken.add(pa.concat_tables(tables), offsets)
    partial = {row["unit"] for row in rows if row["taken"] is not None}
    assert taken.partial == partial
    assert len(done) == len(rows)
    last = {row["unit"]: row for row in rows}
    for key, row in last.items():
        unit = done[key]
        assert (unit.file, unit.version, unit.start, unit.end) == tuple(
            row[n] for n in ("file", "version", "start", "end")
        )
        assert unit.rejects == {reason for reason, _ in row["rejects"] or ()}
        assert unit.reached.offset == row["next_offset"]
    assert not any(key in done for key in ("", "f" * 32, "forget-2", "F" * 32) if key not in last)
    assert done.files() == {row["version"]: row["file"] for row in rows if row["version"] is not None}
    assert sorted(done.hashed(), key=str) == sorted(
        ((row["version"], row["sha256"], row["size"]) for row in rows if row["sha256"]), key=str
    )
    for version in ("v1", "v2", "v3"):
        of = [row for row in rows if row["version"] == version]
        assert done.size_of(version) == next((row["size"] for row in reversed(of) if row["size"] is not None), None)
        edges = [(r["start"], r["end"]) for r in of if r["extractor"] == "other" and r["unit"] not in partial]
        assert done.edges_of(version, "other", partial) == sorted(edges, key=lambda each: each[0])
        pieces = {r["start"]: r["unit"] for r in of if r["extractor"] == "other" and r["end"] is not None}
        assert {start: key for start, (key, _) in done.pieces_of(version, "other").items()} == pieces
    assert set(done.torn(taken)) == _torn(rows, partial)
    settings = Settings(operator=operator)
    assert set(done.outgrown(settings, taken)) == _outgrown(rows, settings, partial)
    rest = [row for row in rows if row["taken"] is None]
    assert taken.complete == {(r["version"], r["extractor"]) for r in rest if r["next_offset"] is None}
    assert taken.covered == {
        key: max(r["next_offset"] for r in rest if (r["version"], r["extractor"]) == key and r["next_offset"])
        for key in {(r["version"], r["extractor"]) for r in rest if r["next_offset"]}
    }


_NAME = st.one_of(st.integers(0, 9).map(lambda n: f"{n:032x}"), st.text("0aF-", max_size=34), st.just("f" * 32))


@settings_of_tests(max_examples=60, deadline=None)
@given(st.lists(st.lists(_NAME)), st.lists(st.one_of(_NAME, st.none())))
def test_a_set_of_names_has_those_and_no_others(parts: list[list[str]], asked: list[str | None]) -> None:
    names = HexNames(pa.array(part, pa.string()) for part in parts)
    there = {name for part in parts for name in part}
    assert names.has(pa.array(asked, pa.string())).tolist() == [name in there for name in asked]
    assert all((name in names) == (name in there) for name in asked if name is not None)


def test_a_decision_seems_done_only_where_its_last_table_has_it(lake: Lake) -> None:
    lake.create()
    files = {
        name: NewFile(name, f'{name} "captures": [.parquet', 1, {}, "") for name in ("documents", "rejects", "captures")
    }
    names = [f"{number:032x}" for number in range(8)]
    for table, have in (("documents", names[:6]), ("rejects", names[:3]), ("captures", [*names[:2], "x-2"])):
        for name in have:
            lake.delta(table).create_write_transaction(
                [], "append", lake.delta(table).schema(), commit_properties=properties([name])
            )
    batches = {table.name: _Batches(lake, table) for table in DATA_TABLES}
    decided = [
        Decision(names[0], list(files.values()), []),
        Decision(names[2], list(files.values()), []),  # captures are missing
        Decision(names[2], [files["documents"], files["rejects"]], []),
        Decision(names[3], [files["documents"], files["rejects"]], []),
        Decision(names[5], [files["documents"]], []),
        Decision(names[6], [files["documents"]], []),
        Decision("x-2", [files["captures"]], []),
        Decision(names[7], [], []),
    ]
    texts = [*(each.as_json() for each in decided), None, "{}", '{"files": {}, "batch": "x-2"}']
    assert _seem_done(pa.array(texts), batches).tolist() == [
        True, False, True, False, True, False, True, False, False, False, False,
    ]  # fmt: skip
