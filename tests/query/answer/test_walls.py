"""Two walls stand between SQL of anybody's and the disk: the guard over SQL, and the locked process that answers."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attacks
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import record, take

import query
from archive.errors import ExportError, QueryError
from archive.lake import Lake
from query.export import condition


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    folder = tmp_path_factory.mktemp("walls")
    lake = Lake(str(folder / "lake"))
    (folder / "a.warc").write_bytes(record())
    take(lake, str(folder / "a.warc"))
    pq.write_table(pa.table({"a": [1]}), folder / "outside.parquet")
    return lake


def _statements(lake: Lake) -> list[str]:
    folder = Path(lake.location).parent
    target = f"{lake.location}/captures/{lake.files('captures')[0]}"
    return attacks.statements(
        target=target, folder=str(folder), lake=lake.location, outside=str(folder / "outside.parquet")
    )


def _state(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file's bytes, its time and its mode."""
    return {
        str(path): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in [folder, *folder.rglob("*")]
    }


def _ask_all(lake: Lake, statements: list[str], work: Path, guard: str) -> list[str | None]:
    (work / "spill").mkdir()
    script = Path(__file__).with_name("unguarded.py")
    done = subprocess.run(
        [sys.executable, str(script), lake.location, str(work / "spill"), str(work / "rows"), guard],
        input=json.dumps(statements), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[str | None] = json.loads(done.stdout)
    return found


def _has_landlock() -> bool:
    said = subprocess.run(
        [sys.executable, "-m", "query.answer.lock"], capture_output=True, text=True, check=True
    ).stdout
    return "not closed" not in said


def test_the_guard_refuses_every_attack_in_one_line(small: Lake, tmp_path: Path) -> None:
    statements = _statements(small)
    assert len(statements) >= 200
    folder = Path(small.location).parent
    before = _state(folder)
    found = _ask_all(small, statements, tmp_path, "guarded")
    answered = [sql for sql, error in zip(statements, found, strict=True) if error is None]
    assert answered == []
    assert all("\n" not in str(error) for error in found)
    assert _state(folder) == before
    assert not Path("/dev/shm/lowbackground-attack").exists()


def test_without_the_guard_no_attack_changes_a_byte_or_reads_outside(small: Lake, tmp_path: Path) -> None:
    if not _has_landlock():
        pytest.skip("this system has no Landlock: the guard is the only wall")
    statements = _statements(small)
    folder = Path(small.location).parent
    before = _state(folder)
    found = _ask_all(small, [*statements, "SELECT 'still there' AS a"], tmp_path, "open")
    assert _state(folder) == before
    assert not Path("/dev/shm/lowbackground-attack").exists()
    # the guard was off: what only tells of the inside was answered
    outcome = dict(zip(statements, found[:-1], strict=True))
    assert outcome["SHOW memory_limit"] is None
    assert outcome["FROM sqlite_master"] is None
    rows = (tmp_path / "rows").read_text()
    assert "still there" in rows
    assert "root:" not in rows
    writes = [error for sql, error in outcome.items() if "COPY" in sql and error is not None]
    assert any("ermission denied" in error for error in writes), writes  # by the system, not by DuckDB


def test_the_attack_is_one_where_nothing_stands_in_its_way(small: Lake, tmp_path: Path) -> None:
    target = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [7]}), target)
    sql = attacks._IN_WITH[0].format(attacks.WRITING[0]).format(target=target, folder=tmp_path, lake="")
    duckdb.connect().execute(sql).fetchall()
    assert pq.read_table(target).to_pylist() == [{"a": 1}]


def test_a_condition_of_an_export_reaches_nothing_either(small: Lake) -> None:
    db = query.connect(small)
    before = _state(Path(small.location).parent)
    for sql in _statements(small):
        with pytest.raises(ExportError):
            condition.check(db, f"EXISTS ({sql})")
    assert _state(Path(small.location).parent) == before


def test_a_question_from_python_is_asked_behind_both_walls(small: Lake) -> None:
    assert query.query(small, "SELECT count(*) AS n FROM captures").to_pylist() == [{"n": 1}]
    with pytest.raises(QueryError, match="did you mean captures"):
        query.query(small.location, "FROM capturs")


def test_a_question_from_python_keeps_the_types_of_its_columns(small: Lake) -> None:
    found = query.query(small, "SELECT 1::UTINYINT AS a, INTERVAL 1 DAY AS a, [now()] AS b")
    assert found.schema.names == ["a", "a_2", "b"]
    assert found.schema.field("a").type == pa.uint8()
    assert pa.types.is_interval(found.schema.field("a_2").type)
    assert query.query(small, "SELECT 1 AS a LIMIT 0").schema == pa.schema([("a", pa.int32())])


def test_limits_end_the_question_and_leave_the_process_that_asks_as_it_was(small: Lake) -> None:
    """In a thread, as a server asks: this process keeps its limits, its files, its children and its other threads."""
    before = [resource.getrlimit(each) for each in (resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_CPU)]
    opened = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGALRM)]
    asked = {
        "SELECT count(*) FROM range(1000000) a(i), range(1000000) b(j) WHERE hash(i, j) = 1": "longer than 2 s",
        "SELECT len(repeat('a', 4000000000))": "more memory",
        "SELECT count(*) AS n FROM captures": "",
    }

    def ask(sql: str) -> str:
        try:
            return str(query.query(small, sql, memory="100MB", timeout=2 if "range" in sql else 60)["n"][0].as_py())
        except QueryError as error:
            return str(error)

    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(ask, asked))
    assert found[2] == "1"
    assert all(why in said for why, said in zip(asked.values(), found, strict=True)), found
    assert [
        resource.getrlimit(each) for each in (resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_CPU)
    ] == before
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGALRM)] == handlers
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == opened
