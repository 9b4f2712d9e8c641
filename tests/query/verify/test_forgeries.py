"""Each forgery of the table is found, with the words that name it; and what nobody forged passes, in every format."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from forgeries import TABLE, Forgery
from world import SETS, World, make

from archive.errors import ArchiveError
from query.verify.run import verify

#: Of what changes no date and no evidence, each run tries one in four, other ones each time.
_DATES = re.compile(r"date|captur|grade|evidence|seen|bound|before|proven")


def tried() -> list[Forgery]:
    """Return the forgeries of this run; all of them with HYPOTHESIS_PROFILE=thorough. All workers get the same ones."""
    if examples(1) > 1:
        return TABLE
    dice = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID"))
    return [each for each in TABLE if _DATES.search(each.name + each.found) or dice.random() < 0.25]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make(tmp_path_factory.mktemp("world"))


def options_of(forgery: Forgery, world: World) -> dict[str, Any]:
    """Return the options of `verify`, with what they name in this world."""
    named = {**world.names, "ROOT": root_of(world.sets[forgery.of])} if "root" in forgery.options else world.names
    given = {
        name: named.get(value, value) if isinstance(value, str) else value for name, value in forgery.options.items()
    }
    return {"all": True, "workers": 1, **given}


def root_of(out: Path) -> str:
    return str(json.loads((out / "manifest.json").read_bytes())["merkle_root"])


def found_in(out: Path, options: dict[str, Any]) -> list[str]:
    """Return what `verify` says is wrong; nothing where it finds all to be right."""
    try:
        result = verify(out, **options)
    except ArchiveError as error:
        return [str(error)]
    found = [*result.problems, *(f"{finding.kind}: {finding.detail}" for finding in result.findings)]
    assert result.sound == (not found)
    return found


def test_the_table_has_two_hundred_forgeries_of_different_names() -> None:
    assert len({forgery.name for forgery in TABLE}) == len(TABLE) >= 200


@pytest.mark.parametrize("name", [*SETS, "certified"])
def test_what_nobody_forged_passes(world: World, name: str) -> None:
    assert found_in(world.sets[name], {"all": True, "workers": 1, "trusted": [world.names["SOURCES"]]}) == []


def test_a_sealed_set_and_one_of_a_known_root_and_lake_pass(world: World) -> None:
    out, names = world.sets["parquet"], world.names
    sealed = {"seal": names["SEAL"], "certificate": names["CERTIFICATE"], "root": root_of(out), "again": names["LAKE"]}
    assert found_in(out, {"rows": 0, "workers": 1, **sealed}) == []


@pytest.mark.parametrize("forgery", tried(), ids=lambda forgery: forgery.name)
def test_every_forgery_is_found(world: World, tmp_path: Path, forgery: Forgery) -> None:
    out = tmp_path / "set"
    shutil.copytree(world.sets[forgery.of], out)
    forgery.change(out, world)
    found = found_in(out, options_of(forgery, world))
    assert found, "it passes"
    assert re.search(forgery.found, "\n".join(found)), found
    assert all("\n" not in line for line in found)
