"""What `archive maintain` deletes: what nobody can need any more, and never what somebody else put there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from forked import forked
from made import put, words
from test_maintain import age, fill, multiset, own_home  # noqa: F401

import archive
import lowbackground as lb
from archive.compact import compact
from archive.errors import ArchiveError, LakeError
from archive.files import write_parquet
from archive.intake import decisions
from archive.intake.commit import Committer
from archive.lake import Lake
from archive.tables import CAPTURES, DATA_TABLES, DOCUMENTS, REJECTS, SOURCES
from index.maintain.run import seconds_of

_FOREIGN = (
    "notes.txt",
    "captures/notes.parquet",
    "captures/month=2014-01/mine.parquet",
    "documents/part-of-my-thesis.parquet",
    "documents/_mine/documents-0123456789ab.parquet",
    "sources/_delta_log/notes.json",
    "sources/_forgotten/mine.parquet",
    "vectors/mine.vectors",
    "other/documents-0123456789ab.parquet",
)


def test_files_of_killed_runs_and_of_older_versions_go_and_those_of_others_stay(lake: Lake, tmp_path: Path) -> None:
    fill(lake, tmp_path / "in", 3)
    killed = [
        write_parquet(
            lake, table, table.schema.empty_table().select(table.file_schema.names), "part-0123456789abcdef", of
        )
        for table, of in ((DOCUMENTS, {}), (CAPTURES, {"month": "2014-01"}), (REJECTS, {}), (SOURCES, {}))
    ]
    for name in _FOREIGN:
        path = Path(lake.location, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    (tmp_path / "outside.parquet").write_bytes(b"mine")
    Path(lake.location, "documents", "documents-ffffffffffff.parquet").symlink_to(tmp_path / "outside.parquet")
    half = Path(lake.location, "sources", "_delta_log", "_commit_01234567-89ab-cdef-0123-456789abcdef.json.tmp")
    half.write_text("{}")
    age(lake, 8)
    before = {table.name: multiset(lake, table.name) for table in DATA_TABLES}
    left = lake.files("documents")
    compact(lake, DOCUMENTS, least=2)  # just now: these files must stay for a week
    assert all(Path(lake.location, "documents", name).exists() for name in left)
    dry = {(step.of, step.files) for step in lb.maintain(lake, dry_run=True).done if step.step == "vacuum"}
    assert dry == {("documents", 1), ("captures", 1), ("rejects", 1), ("sources", 2)}
    done = {(step.of, step.files) for step in lb.maintain(lake).done if step.step == "vacuum"}
    assert done == dry
    assert not any(Path(lake.location, file.table, file.path).exists() for file in killed)
    assert not half.exists()
    assert all(Path(lake.location, "documents", name).exists() for name in left)
    lb.maintain(lake, keep="0")
    assert not any(Path(lake.location, "documents", name).exists() for name in left)
    assert all(Path(lake.location, name).read_bytes() == b"mine" for name in _FOREIGN)
    assert (tmp_path / "outside.parquet").exists()
    assert {table.name: multiset(lake, table.name) for table in DATA_TABLES} == before


def test_an_older_version_is_readable_until_its_time_is_over(lake: Lake, tmp_path: Path) -> None:
    sources = fill(lake, tmp_path / "in", 3)
    then = lake.at({table.name: lake.delta(table.name).version() for table in DATA_TABLES})
    opened = lake.snapshot()
    assert (then.rows("documents"), opened.rows("documents")) == (6, 6)
    lb.forget(lake, sources[0])
    lb.maintain(lake, keep="1h")
    for older in (then, opened):
        assert older.read("documents", ["content_id"]).num_rows == 6
    lb.maintain(lake, keep="0")
    with pytest.raises(FileNotFoundError):
        opened.read("documents", ["text"])


def test_what_a_decision_names_is_brought_into_the_tables_and_stays(lake: Lake, tmp_path: Path) -> None:
    fill(lake, tmp_path / "in", 1)

    class Killed(BaseException):
        pass

    def dying(*_: Any, **__: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decisions, "apply", dying)
        with pytest.raises(Killed):
            put(lake, tmp_path / "in", [(" ".join(words(9, 5)), "2015-01-01")])
    age(lake, 30)
    assert lb.maintain(lake, dry_run=True).recovered == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Committer, "recover", lambda _: decisions.CarriedOut())  # it ran before the other one died
        lb.maintain(lake, keep="0")
    assert lake.rows("documents") == 2
    assert lb.maintain(lake).recovered == 1
    assert lake.rows("documents") == 3


def test_a_writer_that_ran_too_long_ends_with_one_line_and_its_repetition_finishes(lake: Lake, tmp_path: Path) -> None:
    """What it wrote was taken for the files of a killed run. Its commit finds them gone, and changes nothing."""
    fill(lake, tmp_path / "in", 1)
    commit = Committer._commit

    def late(self: Committer, *args: Any) -> Any:
        age(lake, 30)
        lb.maintain(lake, keep="0")
        return commit(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Committer, "_commit", late)
        with pytest.raises((LakeError, FileNotFoundError)) as said:
            put(lake, tmp_path / "in", [(" ".join(words(9, 5)), "2015-01-01")])
    assert "\n" not in str(said.value)
    assert (lake.rows("documents"), lake.rows("captures")) == (2, 2)
    archive.ingest(lake, str(tmp_path / "in"), workers=1)
    assert (lake.rows("documents"), lake.rows("captures")) == (3, 3)
    assert lb.maintain(lake).recovered == 0


def test_expired_entries_of_the_log_go_and_every_version_that_counts_still_opens(lake: Lake, tmp_path: Path) -> None:
    folder = Path(lake.location, "sources", "_delta_log")
    fill(lake, tmp_path / "in", 4)
    lake.delta("sources").create_checkpoint()
    kept = lake.delta("sources").version()
    age(lake, 40)
    names = {f"{kept + 1}": 1}
    assert lake.commit(SOURCES, [], list(names))
    fill(lake, tmp_path / "in", 1, seed=77)
    before, units = multiset(lake, "sources"), lake.read("sources", ["unit"])["unit"].to_pylist()
    done = {(step.step, step.of): step.files for step in lb.maintain(lake).done}
    assert done["log", "sources"] == kept
    left = sorted(path.name for path in folder.glob("*.json"))
    assert left[0] == f"{kept:020}.json"
    assert lake.at({"sources": kept}).rows("sources") == 4
    assert multiset(lake, "sources") == before
    assert all(lake.delta("sources").transaction_version(unit) == 1 for unit in units), (
        "what is in the lake stays known"
    )
    assert archive.ingest(lake, str(tmp_path / "in"), workers=1).files == 0


def test_a_long_log_gets_a_checkpoint(lake: Lake, tmp_path: Path) -> None:
    fill(lake, tmp_path / "in", 12)
    done = {(step.step, step.of) for step in lb.maintain(lake).done}
    assert ("checkpoint", "sources") in done
    assert list(Path(lake.location, "sources", "_delta_log").glob("*.checkpoint.parquet"))
    assert ("checkpoint", "sources") not in {(step.step, step.of) for step in lb.maintain(lake).done}


def test_scratch_of_killed_commands_goes_and_that_of_others_stays(lake: Lake, tmp_path: Path, own_home: Path) -> None:  # noqa: F811
    fill(lake, tmp_path / "in", 1)
    folders = {name: own_home / "tmp" / name for name in
               ("lowbackground-abcd_123", "lowbackground-fresh123", "lowbackground-in_use_1", "lowbackground-mine",
                "lowbackground-foreign1", "other-abcd1234")}  # fmt: skip
    for name, folder in folders.items():
        folder.mkdir(mode=0o755 if name == "lowbackground-foreign1" else 0o700)
        (folder / "signatures").write_bytes(b"1234")
        if name != "lowbackground-fresh123":
            for path in (folder / "signatures", folder):
                os.utime(path, (0, 0))
    with open(folders["lowbackground-in_use_1"] / "signatures", "rb"):
        (step,) = [step for step in lb.maintain(lake, dry_run=True).done if step.step == "scratch"]
        assert (step.of, step.files, step.bytes) == (str(folders["lowbackground-abcd_123"]), 1, 4)
        lb.maintain(lake)
    assert {name for name, folder in folders.items() if not folder.exists()} == {"lowbackground-abcd_123"}


def test_caches_of_lakes_that_are_gone_and_old_ones_go_others_stay(lake: Lake, tmp_path: Path, own_home: Path) -> None:  # noqa: F811
    fill(lake, tmp_path / "in", 1)
    base = own_home / "xdg" / "lowbackground"
    gone, here, old, away, unmounted = (base / "vectors" / (letter * 16) for letter in "abcde")
    (tmp_path / "disk").mkdir()
    lakes = {
        gone: str(tmp_path / "no lake"),
        here: lake.location,
        old: "s3://bucket/lake",
        away: str(tmp_path / "no disk" / "lake"),
        unmounted: str(tmp_path / "disk" / "lake"),
    }
    for folder, location in lakes.items():
        (folder / "encoder").mkdir(parents=True)
        (folder / "lake").write_text(location)
        (folder / "encoder" / "segment-0123456789ab.vectors").write_bytes(b"12")
        (folder / "encoder" / "mine.txt").write_bytes(b"mine")
    for path in old.rglob("*"):
        os.utime(path, (0, 0))
    result = lb.maintain(lake)
    assert [(step.of, step.files) for step in result.done if step.step == "cache"] == [("vectors", 4)]
    assert result.caches["vectors"] == sum(2 + len(lakes[folder]) for folder in (here, away, unmounted))
    assert sorted(path.parts[-3] for path in base.rglob("segment-*")) == ["b" * 16, "d" * 16, "e" * 16]
    assert len(list(base.rglob("mine.txt"))) == 5


def test_the_command_says_by_line_what_it_would_do(lake: Lake, tmp_path: Path, own_home: Path) -> None:  # noqa: F811
    fill(lake, tmp_path / "in", 9)
    env = {**os.environ, "TMPDIR": str(own_home / "tmp")}
    words_ = ("maintain", "--lake", lake.location, "--dry-run")
    said = forked(*words_, env=env).stdout
    assert "documents: 9 files (" in said
    assert "would become 1" in said
    stated = json.loads(forked(*words_, "--json", env=env).stdout)
    assert stated["dry_run"]
    (step,) = [step for step in stated["done"] if step["of"] == "sources" and step["step"] == "merge"]
    assert (step["files"], step["into"]) == (9, 1)
    assert len(lake.files("documents")) == 9
    assert "documents: 9 files (" in forked("maintain", "--lake", lake.location, env=env).stdout
    assert "Nothing to do." in forked("maintain", "--lake", lake.location, env=env).stdout
    for wrong in ("7", "a week", "-1d"):
        done = forked("maintain", "--lake", lake.location, f"--keep={wrong}", check=False, env=env)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_times_are_days_hours_or_minutes() -> None:
    assert [seconds_of(text) for text in ("7d", "12h", "90m", "0")] == [604_800, 43_200, 5_400, 0]
    with pytest.raises(ArchiveError, match="is no time"):
        seconds_of("1.5 d")
