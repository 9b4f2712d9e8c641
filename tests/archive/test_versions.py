"""A lake of an older version is read and widened; one of a newer version is refused in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import record, rows, snapshot, take
from deltalake import Field, write_deltalake
from forked import forked

import query
from archive import tables, versions
from archive.errors import LakeError
from archive.lake import Lake
from archive.tables import Table

Write = Callable[[str, bytes], str]

#: What the tables had at first.
_LATER = {"captures": {"robots"}, "sources": {"recovered", "floor", "dated"}}


def _older(table: Table) -> Table:
    later = _LATER.get(table.name, set())
    return Table(table.name, tuple(each for each in table.columns if each.name not in later), table.partition_by)


@pytest.fixture
def old(lake: Lake, write: Write) -> Lake:
    """A lake as the first version made it, without the columns that came later."""
    source = write("a.warc", record())
    newer = Lake(f"{lake.location}-newer")
    take(newer, source)
    lake.create([_older(table) for table in tables.TABLES.values()])
    for table in tables.TABLES.values():
        data = newer.read(table.name).select(_older(table).schema.names)
        write_deltalake(lake.table_uri(table.name), data, mode="append")
    return lake


def test_an_older_lake_is_read_with_nulls_of_the_right_type(old: Lake) -> None:
    before = sorted(path for path in Path(old.location).rglob("*") if path.is_file())
    assert rows(old, "SELECT count(*), count(robots) FROM captures") == [(1, 0)]
    assert rows(old, "SELECT count(dated + 1), count(floor + INTERVAL 1 DAY) FROM sources") == [(0, 0)]
    assert rows(old, "SELECT count(*) FROM clean('2022-01-01', honour_opt_outs := true)") == [(1,)]
    assert query.query(old, "SELECT count(*) AS n FROM captures").to_pylist() == [{"n": 1}]
    assert query.stats(old).captures == 1
    assert sorted(path for path in Path(old.location).rglob("*") if path.is_file()) == before


def test_the_first_command_that_writes_widens_an_older_lake(old: Lake, write: Write) -> None:
    seen = snapshot(old)
    robots = record(url="http://b.example/", body="<p>Other.</p>", http={"X-Robots-Tag": "noai"})
    take(old, write("b.warc", robots))
    for table in tables.TABLES.values():
        assert {field.name for field in old.delta(table.name).schema().fields} == set(table.schema.names)
    assert rows(old, "SELECT url, robots FROM captures ORDER BY url") == [
        ("http://b.example/", "noai"),
        ("http://example.com/", None),
    ]
    now = snapshot(old)
    assert all(set(map(str, rows_)) <= set(map(str, now[name])) for name, rows_ in seen.items())
    take(old, write("c.warc", record(url="http://c.example/")))  # and again, with nothing to add


@pytest.mark.parametrize("harm", ["format", "column"])
@pytest.mark.parametrize("table", ["captures", "sources"])
def test_a_newer_lake_is_refused_in_one_line_and_not_written(lake: Lake, write: Write, harm: str, table: str) -> None:
    source = write("a.warc", record())
    take(lake, source)
    alter = lake.delta(table).alter
    if harm == "format":
        alter.set_table_properties({versions.FORMAT_PROPERTY: "2"}, raise_if_not_exists=False)
    else:
        alter.add_columns([Field("sealed_by", "string")])
    before = sorted(Path(lake.location).rglob("*"))
    for words in (
        ["query", "SELECT 1"], ["stats"], ["ingest", source], ["index"], ["forget", source], ["show", "example.com"],
        ["export", f"{lake.location}-out", "--before", "2022-01-01"],
    ):  # fmt: skip
        done = forked(*words, "--lake", lake.location, check=False)
        assert done.returncode == 2, (words, done.stdout)
        line = done.stderr.strip().splitlines()[-1]
        assert line.startswith(f"archive: {lake.table_uri(table)}: has "), line
        assert line.endswith("; a newer version of lowbackground made this lake: install that one")
    assert sorted(Path(lake.location).rglob("*")) == before
    with pytest.raises(LakeError, match="a newer version"):
        query.connect(lake)


def test_a_table_of_the_index_of_a_newer_version_is_refused(lake: Lake, write: Write) -> None:
    from index.quality.table import QUALITY

    take(lake, write("a.warc", record()))
    lake.create([QUALITY])
    lake.delta("quality").alter.add_columns([Field("perplexity", "double")])
    for use in (lambda: query.connect(lake), lambda: lake.create([QUALITY])):
        with pytest.raises(LakeError, match=r"quality: has columns that this version does not know \(perplexity\)"):
            use()


def test_a_snapshot_stays_and_the_lake_goes_on(lake: Lake, write: Write) -> None:
    take(lake, write("a.warc", record()))
    then = lake.snapshot()
    assert then.rows("captures") == 1
    take(lake, write("b.warc", record(url="http://b.example/")))
    assert (then.rows("captures"), lake.rows("captures"), lake.snapshot().rows("captures")) == (1, 2, 2)
    with contextlib.closing(query.connect(lake)) as db:
        assert rows(db, "SELECT count(*) FROM captures") == [(2,)]
