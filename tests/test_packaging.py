"""What pyproject.toml, constraints.txt and NOTICE say agrees with the code. tests/wheel.py installs the wheel itself."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]).lower()


def test_every_package_is_packed_with_all_its_files() -> None:
    setuptools = PROJECT["tool"]["setuptools"]
    assert {pattern.rstrip("*") for pattern in setuptools["packages"]["find"]["include"]} == set(PACKAGES)
    for package in PACKAGES:
        folder = ROOT / package
        packed = {path for pattern in setuptools["package-data"][package] for path in folder.glob(pattern)}
        others = {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".py"}
        others = {path for path in others if "__pycache__" not in path.parts}
        assert others == packed, package
        assert folder / "py.typed" in packed
        for path in folder.rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), f"{path.parent} is no package, so its modules are left out"


def test_the_contracts_know_every_room() -> None:
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == set(PACKAGES)


def test_every_dependency_has_a_version_that_was_tested() -> None:
    pinned = {_name(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(each for name in extras if name != "bench" for each in extras[name]),
    ]
    missing = {_name(each) for each in wanted} - pinned - {"lowbackground"}
    assert not missing


def test_notice_names_files_that_are_there() -> None:
    files = re.findall(r"\b(?:archive|collapse|index|query)/[\w./]+\w", (ROOT / "NOTICE").read_text())
    assert files
    assert all((ROOT / file).is_file() for file in files)
