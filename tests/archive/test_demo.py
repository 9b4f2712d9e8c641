"""`archive demo`: what it writes is what it says, and it touches nothing of others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from forked import forked

from archive.demo.captures import capture_files
from archive.lake import Lake


def _demo(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "archive", "demo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_demo_ends_with_a_set_that_is_proven_and_runs_again(tmp_path: Path) -> None:
    (tmp_path / "archive.py").write_text("raise SystemExit(9)")  # a file of the user's with the program's name
    done = _demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    commands = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("$ archive")]
    assert commands == ["ingest", "index", "query", "export", "verify", "show", "explore"]
    for line in ("1 truncated", "2 pairs of near-duplicates", "5 texts in 1 shard", "agrees 5"):
        assert line in " ".join(done.stdout.split()), line
    assert Lake(str(tmp_path / "archive-demo" / "lake")).rows("documents") == 8
    again = _demo(tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "0 files ingested, 4 known already" in again.stdout


def test_the_captures_are_the_same_bytes_each_time() -> None:
    assert capture_files() == capture_files()
    assert sum(map(len, capture_files().values())) < 10_000


def test_a_folder_of_somebody_else_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = forked("demo", str(tmp_path), check=False)
    assert done.returncode == 2
    assert "holds mine, which `archive demo` did not make" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
