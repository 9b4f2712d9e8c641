"""`--verbose`: what is logged, where, and that workers do it too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import members, record
from endless import die
from forked import forked

from archive.engine import Failed, open_engine
from archive.lake import Lake

LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?P<level>[A-Z]+) (?P<logger>\S+) \[(?P<process>\d+)\] (?P<text>.*)"
)


def test_verbose_logs_to_standard_error_in_workers_too(lake: Lake, write: Callable[[str, bytes], str]) -> None:
    source = write("a.warc.gz", members(record()))
    done = forked("ingest", source, "--lake", lake.location, "--quiet", "-vv")
    lines = [match for line in done.stderr.splitlines() if (match := LINE.fullmatch(line))]
    assert {"archive.cli", "archive.engine.local"} <= {line["logger"] for line in lines}
    workers = {line["process"] for line in lines if line["text"] == "archive.intake.work begins, attempt 1"}
    assert workers
    assert not workers & {line["process"] for line in lines if line["logger"] == "archive.cli"}
    assert "1 file ingested" in done.stdout


def test_verbose_may_be_said_in_front_of_the_command_and_by_the_environment(lake: Lake) -> None:
    lake.create()
    ends = re.compile(r"INFO archive.cli \[\d+\] stats ended after \d+\.\d s")
    assert ends.search(forked("-v", "stats", "--lake", lake.location).stderr)
    assert ends.search(forked("stats", "--verbose", "--lake", lake.location).stderr)
    assert forked("stats", "--lake", lake.location).stderr == ""
    code = "from archive.__main__ import main; main()"
    for level, expected in (("info", True), ("nonsense", False), ("", False)):
        done = subprocess.run(
            [sys.executable, "-c", code, "stats", "--lake", lake.location],
            env={**os.environ, "ARCHIVE_LOG": level}, capture_output=True, text=True,
        )  # fmt: skip
        assert bool(ends.search(done.stderr)) is expected, level


def test_an_error_is_one_line_and_with_vv_shows_where_it_was_raised(tmp_path: Path) -> None:
    lake = str(tmp_path / "none")
    done = forked("stats", "--lake", lake, check=False)
    assert len(done.stderr.splitlines()) == 1
    done = forked("stats", "--lake", lake, "-vv", check=False)
    assert "Traceback" in done.stderr
    assert done.returncode == 2


def test_a_worker_that_dies_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    (end,) = open_engine(1).run(die, [1], isolated=True)
    assert isinstance(end, Failed)
    heard = [record.getMessage() for record in caplog.records]
    assert heard == [f"a worker died at attempt {attempt} of endless (exit code 9)" for attempt in (1, 2)]
