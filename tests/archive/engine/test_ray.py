"""The engine of a Ray cluster: three nodes on loopback, of which one is killed. All is done once, by `on_ray`.

Ray is not among what the tests install (pip install 'lowbackground[ray]'): where it is missing, these are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from archive.cli import main, workers_option
from archive.engine import open_engine
from archive.errors import ArchiveError
from archive.extras import is_installed

needs_ray = pytest.mark.skipif(not is_installed("ray"), reason="Ray is not installed: pip install 'lowbackground[ray]'")
_TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", str(_TESTS / "on_ray.py"), str(tmp_path_factory.mktemp("ray"))],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": f"{_TESTS.parent}:{_TESTS}"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = done.stdout.splitlines()  # Ray itself prints nothing
    return json.loads(line)  # type: ignore[no-any-return]


@needs_ray
def test_a_cluster_runs_tasks_and_tells_of_their_progress(found: dict[str, Any]) -> None:
    assert (found["workers"], found["one of four"]) == (2, 4)
    assert found["results"] == [0, 1, 2, 3]
    assert found["progress"] == [40, 4000]
    assert found["reports before the end"] > 0


@needs_ray
def test_a_cluster_takes_a_few_tasks_at_a_time(found: dict[str, Any]) -> None:
    assert found["taken"] <= 9  # of a billion: four wait or run, and as many may have ended


@needs_ray
def test_no_variable_of_the_environment_is_sent(found: dict[str, Any]) -> None:
    assert found["environment"] == {"secret": False, "ours": "yes", "ray": False, "attempt": 1}


@needs_ray
def test_a_task_that_kills_its_process_has_a_second_chance(found: dict[str, Any]) -> None:
    assert found["died once"] == [2]
    assert found["progress of one that died"] == 5  # that of the first attempt was taken back
    assert found["died twice"] == [["Failed", "the process that worked on it died twice (exit code 9)"]]
    assert found["errors"] == ["ValueError: as nobody expects (on_ray.py, line 52)", "as it should be"]


@needs_ray
def test_what_cannot_be_done_is_an_error_in_one_line(found: dict[str, Any]) -> None:
    (line,) = found["result that cannot be sent"]
    assert line.startswith("its result cannot be sent: ")
    (line,) = found["worker killed"]
    assert line.startswith("the process that worked on it died twice (")
    assert "\n" not in line
    (line,) = found["no memory"]
    assert "not enough memory" in line
    (line,) = found["other versions"]
    assert "all need the same versions" in line
    assert f"lowbackground {version('lowbackground')}, Python 3." in line
    assert found["no GPU"] == "no machine of the cluster has a GPU (`ray status` lists what Ray found)"


@needs_ray
def test_as_many_tasks_run_as_their_gpus_allow(found: dict[str, Any]) -> None:
    assert found["GPUs, 1 for each"] == [["0", "1"], 2]
    assert found["GPUs, 0.5 for each"] == [["0", "1"], 4]
    assert found["GPU of a task without"] in ([None], [""])


@needs_ray
@pytest.mark.parametrize("words", ["?gpus=2", "?gpus=x", "8?gpus=", "?share=1"])
def test_a_share_of_a_gpu_is_a_number_up_to_one(words: str) -> None:
    with pytest.raises(ArchiveError, match=r"write \?gpus=X, the share of a GPU"):
        open_engine(f"ray:{words}")


@needs_ray
def test_a_lost_machine_costs_no_attempt(found: dict[str, Any]) -> None:
    assert found["lost"] == [1]


@needs_ray
def test_scratch_is_seen_or_missed_in_one_line_and_goes(found: dict[str, Any]) -> None:
    assert found["scratch"] == [True]
    assert not found["scratch is left"]
    (line,) = found["scratch not there"]
    assert "does not see the folder" in line
    assert "set $LOWBACKGROUND_SCRATCH" in found["several machines"]
    assert found["scratch where it was set"]


@needs_ray
@pytest.mark.parametrize("address", ["//127.0.0.1:1", "127.0.0.1:1", "nonsense", "//"])
def test_a_cluster_that_is_not_there_is_an_error_in_one_line(address: str) -> None:
    with pytest.raises(ArchiveError) as error:
        open_engine(f"ray:{address}")
    assert "\n" not in str(error.value)


@needs_ray
def test_a_cluster_makes_the_same_lake_and_set(found: dict[str, Any]) -> None:
    assert found["captures"] == 16
    assert found["same lake"]
    assert found["same bytes"]
    assert found["sound"] == [True, 16]
    assert found["same proofs"]
    assert found["sound proofs"] == [True, 14]


@needs_ray
def test_a_cluster_keeps_a_lake_in_order_and_compares_what_vectors_propose(found: dict[str, Any]) -> None:
    assert found["graded again"] == [2, 16, 0]
    assert found["rebuilt"] == ["bands", "vector_segments"]
    assert found["alike"] > 0
    assert found["same upkeep"]


@needs_ray
def test_a_store_of_objects_may_be_the_scratch_and_nothing_is_left_there(found: dict[str, Any]) -> None:
    read, written, stored = found["shared through a store"]
    assert read == ["first"] * 3 + ["second"] * 3
    assert written == [str(number) for number in range(6)]
    assert stored == ["asked", *(f"of/{number}" for number in range(6))]
    assert found["left in the store"] == []
    assert found["store after the stages"] == []
    assert "there is no such bucket" in found["no such bucket"]


@needs_ray
def test_no_task_holds_a_credential(found: dict[str, Any]) -> None:
    assert found["tasks sent"] > 50
    assert not found["secret sent"]


@pytest.mark.skipif(is_installed("ray"), reason="Ray is installed")
def test_ray_that_is_not_installed_is_named_with_its_extra() -> None:
    with pytest.raises(ArchiveError, match=r"--engine ray needs ray, .* pip install 'lowbackground\[ray\]'"):
        open_engine("ray://host:10001")


def test_workers_and_engine_are_one_option() -> None:
    import click

    @click.command()
    @workers_option
    def command(workers: object) -> None:
        click.echo(repr(workers))

    runner = CliRunner()
    for words, workers in (
        ([], "None"),
        (["--workers", "8"], "8"),
        (["--engine", "local:8"], "'local:8'"),
        (["--engine", "ray://host:10001"], "'ray://host:10001'"),
    ):
        assert runner.invoke(command, words).output.strip() == workers
    both = runner.invoke(command, ["--workers", "8", "--engine", "ray"])
    assert both.exit_code == 2
    assert "--workers 8 is --engine local:8" in both.output


def test_an_engine_that_is_unknown_is_a_usage_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["quality", "--lake", str(tmp_path), "--engine", "rays"])
    assert result.exit_code == 2
    assert result.output.count("\n") == 1


def test_a_file_that_is_not_in_the_folder_of_the_lake_is_not_committed(tmp_path: Path) -> None:
    from archive.errors import LakeError
    from archive.lake import Lake, NewFile
    from archive.tables import TABLES

    lake = Lake(tmp_path / "lake")
    lake.create()
    with pytest.raises(LakeError, match="all machines must share the folder"):
        lake.commit(TABLES["rejects"], [NewFile("rejects", "elsewhere.parquet", 10, {}, "{}")], ["once"])
    assert lake.rows("rejects") == 0
