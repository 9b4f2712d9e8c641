"""Killed at any moment, an ingest of Common Crawl goes on, and ends as if nobody had disturbed it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from minicc import kills
from minicc.fixtures import minicc  # noqa: F401
from minicc.serve import serve

from archive.intake.run import ingest
from archive.lake import Lake

SEED = 20190817


def test_killed_at_random_moments_alone_and_in_pairs_the_lake_is_that_of_undisturbed_ingests(
    lake: Lake, minicc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    with serve(minicc) as server:
        drill = kills.Drill(lake, server, tmp_path, kills.SHORT, answers=3)
        drill.run(7, random.Random(SEED))
        print(f"seed {SEED}: {drill.killed} kills, {drill.together} of them of two at once: {dict(drill.by_source)}")
        kills.require_same(lake, kills.undisturbed(Lake(str(tmp_path / "undisturbed")), minicc, kills.SHORT))
        for each in kills.SHORT:
            assert ingest(lake, each.source, mirror=str(minicc), workers=1, **each.options).records == 0
