"""Recipes: what they hold, what they refuse, and what a TOML file may say."""

from __future__ import annotations

import math
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from archive.errors import CollapseError
from collapse.decoding import Decoding
from collapse.presets import PRESETS
from collapse.recipe import NAMES, Paper, Recipe, load
from collapse.run.arm import Arm
from collapse.run.machine import Machine

FIGURE = {"what": "a figure", "reported": 1.5, "measure": "loss", "regime": "replace", "generation": 0}
SAYING = {"what": "a saying", "says": "worse", "measure": "ratio", "regime": "replace", "generation": 1}


@pytest.mark.parametrize("name", NAMES)
def test_each_recipe_that_comes_with_the_program_can_be_loaded(name: str) -> None:
    recipe = load(name)
    assert recipe.title
    assert recipe.regimes
    assert all(figure.regime in recipe.regimes for figure in recipe.paper)


def test_a_regime_has_the_same_name_in_the_recipe_in_an_arm_and_in_a_papers_figure() -> None:
    recipe = Recipe(regimes=("mix:0.10", "suspect:1.0"), paper=(Paper("w", "loss", "mix:.1", 0, 1.0),))
    assert recipe.regimes == ("mix:0.1", "suspect:1")
    assert [str(regime) for regime in recipe.parsed_regimes()] == list(recipe.regimes)
    assert recipe.paper[0].regime == "mix:0.1"
    assert Recipe().changed({"regimes": ("mix:.5",)}).regimes == ("mix:0.5",)


@pytest.mark.parametrize(
    ("regime", "says"), [("suspect:0.001", "that is none"), ("mix:0.999", "that is all"), ("mix:0.00125", "none")]
)
def test_a_share_that_comes_to_no_block_or_to_all_is_no_share(regime: str, says: str) -> None:
    with pytest.raises(CollapseError, match=f"{regime}: of 400 blocks {says}|{says}; take more --blocks"):
        Recipe(blocks=400, regimes=(regime,))
    Recipe(blocks=1000, regimes=(regime,))


def test_a_block_of_a_preset_has_an_end() -> None:
    with pytest.raises(CollapseError, match="tiny takes at most 8,192 tokens"):
        Recipe(block=2_000_000)


def test_no_two_arms_share_a_folder() -> None:
    with pytest.raises(CollapseError, match=re.escape("regime mix:0.1 is named twice")):
        Recipe(regimes=("mix:0.1", "real", "mix:0.10"))
    recipe = Recipe(regimes=("mix:0.1", "mix:0.12345678", "mix:0.1234567", "mix:0", "mix:1", "replace"))
    folders = {Arm("out", recipe, 0, str(regime), Machine()).folder(1) for regime in recipe.parsed_regimes()}
    assert len(folders) == 6


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"blocks": 0}, "blocks is at least 1, not 0"),
        ({"block": 7}, "block is at least 8, not 7"),
        ({"seeds": 0}, "seeds is at least 1, not 0"),
        ({"batch": -1}, "batch is at least 1, not -1"),
        ({"held_out_blocks": 0}, "held_out_blocks is at least 1"),
        ({"generations": -1}, "generations is at least 0, not -1"),
        ({"seed": -1}, "seed is a whole number from 0"),
        ({"seed": 1 << 70}, "seed is a whole number from 0"),
        ({"epochs": 0.0}, "epochs and learning_rate are numbers above 0"),
        ({"epochs": math.nan}, "epochs and learning_rate are numbers above 0"),
        ({"epochs": math.inf}, "epochs and learning_rate are numbers above 0"),
        ({"learning_rate": math.nan}, "epochs and learning_rate are numbers above 0"),
        ({"learning_rate": -1e-3}, "epochs and learning_rate are numbers above 0"),
        ({"weight_decay": math.nan}, "weight_decay is a number from 0 on"),
        ({"weight_decay": math.inf}, "weight_decay is a number from 0 on"),
        ({"warmup": math.nan}, "warmup one from 0 to 1"),
        ({"dropout": 1.0}, "dropout is a share from 0 to below 1"),
        ({"dropout": math.nan}, "dropout is a share from 0 to below 1"),
        ({"prompt": 65}, "a prompt has 0 to 64 tokens"),
        ({"prompt": -1}, "a prompt has 0 to 64 tokens"),
        ({"prompt": 64}, "prompt: tiny sees 64 tokens; take at most 63"),
        ({"regimes": ("mix",)}, "write it as mix:0.1, say"),
        ({"decoding": "top-k:0"}, "decoding top-k:0: a whole number from 1"),
    ],
)
def test_a_value_that_no_run_can_have_is_told_in_one_line(values: dict[str, Any], says: str) -> None:
    with pytest.raises(CollapseError, match=re.escape(says)) as caught:
        Recipe().changed(values)
    assert "\n" not in str(caught.value)


def test_a_prompt_may_fill_a_block_where_the_model_sees_more_than_a_block() -> None:
    assert Recipe(model="facebook/opt-125m", prompt=64).prompt == 64
    assert all(Recipe(model=name, prompt=63).prompt == 63 for name in PRESETS)


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def toml(values: dict[str, Any]) -> str:
    return "\n".join(f"{key} = {value!r}" for key, value in values.items())


def test_a_toml_file_may_say_all_that_a_recipe_holds(tmp_path: Path) -> None:
    text = 'title = "Mine"\nepochs = 2\nregimes = ["mix:.10", "real"]\n[[paper]]\n' + toml(FIGURE)
    recipe = load(written(tmp_path, text))
    assert recipe == Recipe(
        title="Mine", epochs=2.0, regimes=("mix:0.1", "real"), paper=(Paper("a figure", "loss", "replace", 0, 1.5),)
    )
    assert isinstance(recipe.epochs, float)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("blocks = ", "mine.toml: Invalid value"),
        ("epoch = 3", "epoch is nothing that a recipe says; it may say batch, block"),
        ('blocks = "many"', "blocks = 'many': int is wanted"),
        ("blocks = 1.5", "blocks = 1.5: int is wanted"),
        ("blocks = true", "blocks = True: int is wanted"),
        ("seed = -1", "mine.toml: seed is a whole number from 0"),
        ("epochs = nan", "mine.toml: epochs and learning_rate are numbers above 0"),
        ("learning_rate = inf", "mine.toml: epochs and learning_rate are numbers above 0"),
        ('regimes = "replace"', 'write regimes = ["replace", "real"], say'),
        ("regimes = [1]", 'write regimes = ["replace", "real"], say'),
        ('regimes = ["replce"]', "mine.toml: regime replce: there are"),
        ("paper = 1", "write [[paper]] above each figure of a paper"),
        ("paper = [1]", "write [[paper]] above each figure of a paper"),
        ("[[paper]]\n" + toml(FIGURE | {"measure": "los"}), "measure los of a paper: there are loss, perplexity"),
        ("[[paper]]\n" + toml(FIGURE | {"regime": "replce"}), "regime replce: there are"),
        ("[[paper]]\n" + toml(FIGURE | {"generation": -2}), "of a generation from -1, the last, on"),
        ("[[paper]]\n" + toml(FIGURE | {"says": "worse"}), "a number or a saying is reported"),
        ("[[paper]]\n" + toml(SAYING | {"says": "bad"}), "a paper says one of worse, better, the same"),
        ("[[paper]]\n" + toml(SAYING | {"measure": "loss"}), "is a ratio"),
        ("[[paper]]\n" + toml(SAYING | {"against": "replce"}), "regime replce: there are"),
        ("[[paper]]\n" + toml(SAYING | {"decoding": "nucleus"}), "decoding nucleus: there are"),
        ("vocabulary = 7", "vocabulary has 300 to"),
        ("[[paper]]\n" + toml(FIGURE | {"reported": "low"}), "reported = 'low': float is wanted"),
        ("[[paper]]\n" + toml(FIGURE | {"page": 3}), "page is nothing that a paper says"),
        ('[[paper]]\nwhat = "w"', "[[paper]] must say generation, measure, regime too"),
    ],
)
def test_what_a_toml_file_says_wrong_is_told_with_its_name(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(CollapseError, match=re.escape(says)) as caught:
        load(written(tmp_path, text))
    assert "mine.toml: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CollapseError, match=r"mine\.toml: "):
        load(str(tmp_path / "mine.toml"))
    with pytest.raises(CollapseError, match="defalt: no such recipe; there are default, "):
        load("defalt")


def test_options_that_were_not_given_change_nothing() -> None:
    recipe = load("smoke")
    assert recipe.changed(dict.fromkeys((item.name for item in fields(Recipe)), None)) == recipe
    assert recipe.changed({"blocks": 7, "seeds": None}).blocks == 7


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("greedy", Decoding("greedy")),
        ("temperature:1", Decoding("temperature", 1.0)),
        ("top-p:0.9", Decoding("top-p", 0.9)),
        ("top-k:50", Decoding("top-k", 50.0)),
        ("beam:5", Decoding("beam", 5.0)),
    ],
)
def test_each_way_of_decoding_can_be_named(text: str, made: Decoding) -> None:
    assert Decoding.parse(text) == made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nucleus:0.9", "there are greedy, temperature"),
        ("greedy:1", "greedy takes no value"),
        ("temperature", "write it as temperature:0.3, say"),
        ("temperature:0", "from 0.01 to 100"),
        ("temperature:nan", "from 0.01 to 100"),
        ("top-p:0", "from 0.001 to 1"),
        ("top-p:1.1", "from 0.001 to 1"),
        ("top-k:2.5", "a whole number from 1"),
        ("beam:1", "a whole number from 2 to 64"),
        ("beam:65", "a whole number from 2 to 64"),
    ],
)
def test_a_way_of_decoding_that_there_is_not_is_told(text: str, says: str) -> None:
    with pytest.raises(CollapseError, match=re.escape(says)):
        Decoding.parse(text)
