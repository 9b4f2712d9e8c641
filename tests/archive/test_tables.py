"""Columns and their meanings: written once in the code, and shown by Delta Lake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import record
from deltalake import DeltaTable

import archive
from archive import tables
from archive.lake import Lake
from archive.tables import Table
from index import tables as index_tables

Write = Callable[[str, bytes], str]
ALL = [*tables.TABLES.values(), *tables.EVIDENCE_TABLES.values(), *index_tables.TABLES.values()]


@pytest.mark.parametrize("table", ALL, ids=lambda table: table.name)
def test_each_column_has_a_meaning(table: Table) -> None:
    assert all(column.meaning for column in table.columns)
    assert table.schema.remove_metadata() == table.commented_schema.remove_metadata()
    assert set(table.partition_by) <= set(table.schema.names)


def test_delta_lake_shows_what_a_column_means(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.create(ALL)
    for table in ALL:
        shown = {field.name: field.metadata.get("comment") for field in lake.delta(table.name).schema().fields}
        assert shown == {column.name: column.meaning for column in table.columns}


def test_a_lake_from_before_takes_more_and_its_schemas_stay(tmp_path: Path, write: Write) -> None:
    lake = Lake(tmp_path / "lake")
    for table in tables.TABLES.values():  # as they were made when columns had no comments
        DeltaTable.create(
            lake.table_uri(table.name), schema=table.schema, partition_by=list(table.partition_by) or None
        )
    assert archive.ingest(lake, write("a.warc", record()), workers=1).captures == 1
    assert lake.read("captures", ["url"]).num_rows == 1
    for name in tables.TABLES:
        logs = sorted((tmp_path / "lake" / name / "_delta_log").glob("*.json"))[1:]
        actions = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
        assert not any("metaData" in action for action in actions)
