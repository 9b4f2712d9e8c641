"""The version of the program, installed or run from a source tree."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from uninstalled import not_installed

from archive.program import _of_the_tree, program_version

ROOT = Path(__file__).parents[2]


def _declared() -> str:
    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def test_a_source_tree_that_is_not_installed_states_the_version_of_its_project(tmp_path: Path) -> None:
    asked = "from archive.program import program_version; print(program_version())"
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env=not_installed(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == _declared()


def test_the_command_states_the_version(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "archive", "--version"],
        env=not_installed(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == f"archive, version {_declared()}\n"


@pytest.mark.parametrize("content", [None, "not toml", "[tool.x]\n", '[project]\nname = "another"\nversion = "9"\n'])
def test_folders_without_their_project_have_a_version_that_no_release_has(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "pyproject.toml"
    if content is not None:
        path.write_text(content)
    assert _of_the_tree(path) == "0+unknown"


def test_the_version_of_this_program_is_not_empty() -> None:
    assert program_version()
