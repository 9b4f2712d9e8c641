"""Dry runs: each recipe that comes with the program can be estimated on a CPU, wherever the program runs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from moment import MAKE  # noqa: E402
from uninstalled import not_installed  # noqa: E402

from collapse.presets import PRESETS  # noqa: E402
from collapse.recipe import NAMES, Recipe, load  # noqa: E402
from collapse.run import estimate  # noqa: E402
from collapse.run.blocks import needed as blocks_needed  # noqa: E402
from collapse.run.experiment import Experiment  # noqa: E402
from collapse.run.machine import Machine  # noqa: E402

#: Tokens that a model of a few parameters can see: a prompt and a block of any recipe.
CONTEXT = 64


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a set of as many words as the largest trial needs."""
    dice = random.Random(0)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 9))) for _ in range(900)]
    path = tmp_path_factory.mktemp("texts") / "set.jsonl"
    lines = [json.dumps({"text": " ".join(dice.choices(words, k=100))}) for _ in range(400)]
    path.write_text("\n".join(lines))
    return str(path)


@pytest.fixture(scope="module")
def checkpoint(texts: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a model that stands in for one of the Hub."""
    folder = str(tmp_path_factory.mktemp("model"))
    exec(MAKE.format(source=texts, folder=folder, context=CONTEXT), {})
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_each_recipe_tells_on_a_cpu_how_long_it_takes(
    name: str, texts: str, checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "TRIAL", 0.0)
    recipe = load(name)
    model = "micro" if recipe.model in PRESETS else checkpoint
    # a small model, short blocks and, where no share needs many, few of them; all else as the recipe has it
    blocks = recipe.blocks if blocks_needed(recipe) > 10_000 else 1000 if _has_small_share(recipe) else 40
    recipe = replace(
        recipe,
        model=model,
        vocabulary=512,
        block=16,
        prompt=min(recipe.prompt, 8),
        blocks=blocks,
        held_out_blocks=20,
        batch=4,
    )
    suspect = (texts,) if any(regime.startswith("suspect") for regime in recipe.regimes) else ()
    told = Experiment((texts,), tmp_path / "out", recipe, suspect, machine=Machine("cpu", 1)).plan()
    generations = sum(regime.generations(recipe.generations) for regime in recipe.parsed_regimes())
    assert (
        told.trained >= recipe.seeds * (1 + generations) * recipe.blocks * recipe.block * min(recipe.epochs, 1) * 0.99
    )
    assert told.seconds > 0
    assert told.memory > 0
    assert told.disk > 0
    assert told.real == blocks_needed(recipe) * recipe.block
    assert f"from {told.real:,} of real text" in estimate.describe(told)
    assert not (tmp_path / "out").exists()


def _has_small_share(recipe: Recipe) -> bool:
    return any(regime.share and min(regime.share, 1 - regime.share) < 0.1 for regime in recipe.parsed_regimes())


def test_a_source_tree_that_is_not_installed_estimates_too(texts: str, tmp_path: Path) -> None:
    arguments = ["collapse", texts, "--recipe", "smoke", "--model", "micro", "--blocks", "20", "--held-out-blocks", "5"]
    end = subprocess.run(
        [sys.executable, "-m", "archive", *arguments, "--dry-run", "--device", "cpu"],
        env=not_installed(tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert end.returncode == 0, end.stderr
    assert "tokens to train" in end.stdout
