"""A ledger with values that this program never writes: each command says in one line which row has which."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from conftest import members, record, take

from archive import ledger
from archive.cli import main
from archive.files import write_parquet
from archive.lake import Lake
from archive.tables import SOURCES

#: Column, value, and a command that fails at it.
BAD: list[tuple[str, Any, list[str]]] = [
    ("files", "x", ["ingest", "SOURCE", "--workers", "1"]),
    ("files", "{}", ["maintain"]),
    ("files", "[]", ["forget", "SOURCE"]),
    ("files", "null", ["maintain", "--dry-run"]),
    ("files", '{"batch": "b", "files": {"captures": [7]}}', ["maintain"]),
    ("files", '{"batch": "b", "files": {"captures": 7}}', ["maintain"]),
    ("files", "[" * 100_000, ["maintain"]),
    (
        "files",
        '{"batch": "b", "files": {"captures": [{"path": "../x", "size": 1, "partition": {}, "stats": ""}]}}',
        ["maintain"],
    ),
    ("rejects", None, ["stats"]),
    ("rejects", [("http-404", None)], ["stats"]),
    ("skipped", None, ["stats"]),
    ("captures", None, ["forget", "SOURCE"]),
    ("limits", "x", ["ingest", "SOURCE", "--max-record", "900M", "--workers", "1"]),
    ("limits", '{"record": "x"}', ["ingest", "SOURCE", "--max-record", "900M", "--workers", "1"]),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A lake, and its only source."""
    folder = tmp_path_factory.mktemp("made")
    pages = (record(url=f"http://e.example/{number}", body=f"<p>Page {number}.</p>") for number in range(3))
    (folder / "a.warc.gz").write_bytes(members(*pages, record(status="404 Not Found")))
    take(Lake(folder / "lake"), str(folder / "a.warc.gz"))
    return folder / "lake", folder / "a.warc.gz"


def forged(lake: Path, to: Path, column: str, value: Any) -> Lake:
    """Copy a lake, with another value in the only row of its ledger."""
    shutil.copytree(lake, to)
    copy = Lake(to)
    (row,) = copy.read("sources").to_pylist()
    file = write_parquet(copy, SOURCES, pa.Table.from_pylist([{**row, column: value}], SOURCES.schema), "unit")
    assert copy.commit_to(copy.delta("sources"), SOURCES, [file], ["forged"], "overwrite")
    return copy


@pytest.mark.parametrize(("column", "value", "command"), BAD)
def test_a_value_that_nobody_wrote_is_named_in_one_line(
    made: tuple[Path, Path], tmp_path: Path, column: str, value: Any, command: list[str]
) -> None:
    lake = forged(made[0], tmp_path / "lake", column, value)
    args = [str(made[1]) if each == "SOURCE" else each for each in command]
    done = CliRunner().invoke(main, [*args, "--lake", lake.location], prog_name="archive")
    assert done.exit_code == 2, (done.output, done.exception)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"archive: {lake.location}/sources: the row of {made[1]} in the ledger says {column}: ")
    assert "which this program never writes; bring the lake back from a copy" in line
    assert len(line) < 1000


def test_what_this_program_writes_is_no_fault(made: tuple[Path, Path], tmp_path: Path) -> None:
    lake = forged(made[0], tmp_path / "lake", "operator", "somebody")
    assert ledger.fault(lake) is None
    assert CliRunner().invoke(main, ["forget", str(made[1]), "--lake", lake.location]).exit_code == 0
    assert ledger.fault(lake) is None


@pytest.mark.parametrize(
    ("column", "value"),
    [("size", -1), ("start", 1 << 62), ("seconds", float("nan")), ("infos", "[[1]]"), ("unit", ""), ("taken", [-1])],
)
def test_absurd_values_are_faults(made: tuple[Path, Path], tmp_path: Path, column: str, value: Any) -> None:
    assert f"in the ledger says {column}: " in (ledger.fault(forged(made[0], tmp_path / "lake", column, value)) or "")
