"""Runs from end to end: the same numbers each time, even after an interruption, and nothing is done twice."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from moment import Place, call, failed, files, page, put, trained

pytest.importorskip("torch")

from archive.engine import Context
from archive.owned import JOURNAL
from collapse import folder
from collapse.model.train import train
from collapse.recipe import load
from collapse.run import blocks as data
from collapse.run import generation as steps
from collapse.run.arm import arms, starts
from collapse.run.machine import Machine

REGIMES = ["replace", "mix:0.5", "fresh", "real"]
#: Enough arms for tests that are not about arms.
PAIR = ["--regimes", "replace,mix:0.5"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def whole(place: Place) -> str:
    """Run without an interruption, and keep the models."""
    end = place.run("whole", "--keep-checkpoints")
    assert end.status == 0, end.err
    return "whole"


@pytest.fixture(scope="module")
def pair(place: Place) -> str:
    end = place.run("pair", *PAIR)
    assert end.status == 0, end.err
    return "pair"


# -- what a run makes ------------------------------------------------------------------------------


def test_a_run_leaves_metrics_of_every_generation_of_every_arm(place: Place, whole: str) -> None:
    found = place.found(whole)
    expected = {("start", 0)} | {(regime, generation) for regime in REGIMES for generation in (1, 2)}
    assert {(item["regime"], item["generation"]) for item in found["generations"]} == expected
    assert list(found["arms"]) == REGIMES
    assert found["recipe"]["regimes"] == REGIMES
    for item in found["generations"]:
        assert ("written" in item) == (item["regime"] != "fresh")
        assert item["held_out"]["loss"]["tokens"] == found["set"]["held_out_tokens"]
    rows = pq.read_table(place.folder / whole / "metrics.parquet").to_pylist()
    losses = {
        (row["regime"], row["generation"]): row["value"] for row in rows if row["measure"] == "held_out.loss.loss.value"
    }
    assert losses == {
        (item["regime"], item["generation"]): item["held_out"]["loss"]["loss"]["value"] for item in found["generations"]
    }
    assert {row["measure"] for row in rows} >= {"written.distinct.2", "written.surprise.histogram.0", "unigram"}


def test_two_workers_make_what_one_makes_byte_for_byte(place: Place, pair: str) -> None:
    end = place.run("two", *PAIR, workers=2)
    assert end.status == 0, end.err
    assert place.results("two") == place.results(pair)


def test_another_seed_makes_other_numbers(place: Place, whole: str) -> None:
    end = place.run("other", "--seed", 7, *place.short)
    assert end.status == 0, end.err
    mine, theirs = place.found("other")["generations"], place.found(whole)["generations"]
    assert len(mine) == 1
    assert mine[0]["held_out"]["loss"] != theirs[0]["held_out"]["loss"]


def test_a_run_that_is_done_is_not_done_again(place: Place, whole: str, tmp_path: Path) -> None:
    before, results = files(place.folder / whole), place.results(whole)
    end = place.run(whole, "--keep-checkpoints", journal=tmp_path / "journal")
    assert end.status == 0, end.err
    assert not trained(tmp_path / "journal")
    assert place.results(whole) == results
    after = files(place.folder / whole)
    assert {name for name in before if after[name] != before[name]} == {"results.json", "metrics.parquet"}


def test_each_generation_of_each_seed_is_trained_once(place: Place, tmp_path: Path) -> None:
    end = place.run("told", "--seeds", 2, "--regimes", "replace", journal=tmp_path / "journal")
    assert end.status == 0, end.err
    arms = ["start 0", "replace 1", "replace 2"]
    assert trained(tmp_path / "journal") == dict.fromkeys(arms, 2)
    assert {item["seed"] for item in place.found("told")["generations"]} == {0, 1}


def test_the_times_of_all_steps_are_kept_and_count_the_tokens_that_are_told(place: Place, whole: str) -> None:
    paths = list((place.folder / whole).rglob(steps.TIMES))
    assert len(paths) == 1 + 4 * 2
    for path in paths:
        times = json.loads(path.read_bytes())
        assert times["train"]["tokens"] == 24 * 16 * 2
        assert ("write" in times) == ("fresh" not in path.parts)


def test_the_set_of_each_arm_is_what_its_regime_says(
    place: Place, whole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeat the run here and record what each training gets; equal files show that it is the same run."""
    ran, again = place.folder / whole, tmp_path / "again"
    shutil.copytree(ran / "data", again / "data")
    shutil.copy2(ran / JOURNAL, again / JOURNAL)  # or the folder would be somebody else's
    sets: list[list[tuple[int, ...]]] = []

    def heard(model: Any, blocks: Any, *more: Any) -> None:
        sets.append([tuple(block) for block in blocks.tolist()])
        train(model, blocks, *more)

    monkeypatch.setattr(steps, "train", heard)
    recipe, machine = load(str(place.recipe)), Machine(workers=1)
    recipe = recipe.changed({"model": str(place.model)})
    drawn = data.load(again / "data").drawn(recipe, 0)
    real, other = ([tuple(block) for block in drawn[name].tolist()] for name in ("real", "other"))
    (start,) = starts(again, recipe, machine)
    for arm in [start, *arms(again, recipe, machine, 0)]:
        sets.clear()
        steps.work(arm, Context())
        assert len(sets) == len(arm.generations)
        for number, trained_on in zip(arm.generations, sets, strict=True):
            before = arm.folder(max(number - 1, 0)) / steps.WRITTEN
            written = [tuple(block) for block in np.load(before).tolist()] if before.exists() else []
            assert len(trained_on) == 24
            if arm.regime in ("start", "real"):
                assert Counter(trained_on) == Counter(real)
            elif arm.regime == "fresh":
                assert Counter(trained_on) == Counter(other[24 * (number - 1) : 24 * number])
            elif arm.regime == "replace":
                assert Counter(trained_on) == Counter(written)
            else:
                assert arm.regime == "mix:0.5"
                kept = Counter(trained_on) - Counter(written)
                assert kept.total() == 12
                assert kept <= Counter(real)
                assert (Counter(trained_on) - kept) <= Counter(written)
            mine = arm.folder(number)
            assert (mine / steps.WRITTEN).exists() == (arm.regime != "fresh")
            for name in (steps.LOSSES, steps.WRITTEN):
                if (mine / name).exists():
                    assert (mine / name).read_bytes() == (ran / mine.relative_to(again) / name).read_bytes()


def test_held_out_text_stands_in_no_block_that_is_trained_on_and_in_no_prompt(place: Place, whole: str) -> None:
    kept = data.load(folder.blocks(place.folder / whole))
    # blocks of the set stand one behind the other: what is cut at their ends is whole again
    trained = kept.tokenizer.decode(kept.real.reshape(1, -1))[0]
    held = kept.tokenizer.decode(kept.held_out)
    names = set(re.findall(r"\bpage\d{4}\b", "\n".join(held)))
    known = set(re.findall(r"\bpage\d{4}\b", trained))
    assert len(names) >= 4
    assert len(known) > 100
    assert not names & known


def test_every_seed_trains_on_blocks_of_its_own_and_none_of_them_twice(place: Place, whole: str) -> None:
    kept = data.load(folder.blocks(place.folder / whole))
    recipe = load(str(place.recipe))
    pools = [kept.drawn(recipe, seed) for seed in (0, 1)]
    assert not np.array_equal(pools[0]["real"], pools[1]["real"])
    for drawn in pools:
        assert len(drawn["real"]) == len(drawn["unseen"]) == 24
        assert len(drawn["other"]) == 48
        rows = [tuple(row) for row in np.concatenate([drawn["real"], drawn["other"]]).tolist()]
        every = Counter(tuple(row) for row in kept.real.tolist())
        assert not Counter(rows) - every
        assert np.array_equal(drawn["unseen"], drawn["other"][:24])


def test_a_kept_checkpoint_is_a_model_for_transformers_and_for_the_command(place: Place, whole: str) -> None:
    kept = place.folder / whole / "steps" / "seed-0" / "mix-0.5" / "generation-2" / "checkpoint"
    code = f"""
from query.formats.hugging_face import import_transformers
transformers = import_transformers()
model = transformers.AutoModelForCausalLM.from_pretrained({str(kept)!r})
tokenizer = transformers.AutoTokenizer.from_pretrained({str(kept)!r})
import torch, numpy
from collapse.run import blocks
from collapse.model import evaluate
made = blocks.load(__import__("pathlib").Path({str(place.folder / whole / "data")!r}))
losses = evaluate.token_losses(model, made.held_out, torch.device("cpu"))
assert numpy.allclose(losses, numpy.load({str(kept.parent / "losses.npy")!r}), atol=1e-5)
text = {page(0)!r}
assert tokenizer(text)["input_ids"] == made.tokenizer.encode([text])[0].tolist()[:-1]
assert tokenizer.eos_token_id == made.tokenizer.end
"""
    end = call(code)
    assert end.status == 0, end.err
    end = place.run("further", "--model", kept, *place.short)
    assert end.status == 0, end.err
    first = place.found("further")["generations"][0]["held_out"]["loss"]["loss"]["value"]
    assert first < place.found(whole)["generations"][0]["held_out"]["loss"]["loss"]["value"]


def test_weights_stay_only_where_they_are_needed(place: Place, whole: str) -> None:
    left = [path.relative_to(place.folder) for path in (place.folder / whole).rglob(steps.WEIGHTS)]
    assert [str(path.parent) for path in left] == ["whole/steps/seed-0/start/generation-0"]
    assert not list((place.folder / whole).rglob("*.part*"))


def test_a_preset_gets_a_tokenizer_of_its_own_and_writes_without_prompts(place: Place) -> None:
    end = place.run("preset", "--model", "tiny", "--prompt", 0, *place.short)
    assert end.status == 0, end.err
    made = place.found("preset")
    assert 257 < made["set"]["vocabulary"] < 4096  # the set has no more to merge
    assert [sample["texts"] for sample in made["samples"] if sample["regime"] == "prompt"] == [["", "", ""]]


@pytest.mark.parametrize("decoding", ["greedy", "beam:2"])
def test_models_write_by_the_decoding_that_is_asked_for_behind_real_text(place: Place, decoding: str) -> None:
    name = decoding.replace(":", "")
    end = place.run(name, *place.short, "--decoding", decoding)
    assert end.status == 0, end.err
    folder = place.folder / name
    code = f"""
import numpy, torch
from pathlib import Path
from collapse.run import blocks
from collapse.decoding import Decoding
from query.formats.hugging_face import import_transformers
from collapse.recipe import load
from collapse.model.generate import write
from safetensors.torch import load_model
kept = blocks.load(Path({str(folder / "data")!r}))
model = import_transformers().AutoModelForCausalLM.from_pretrained({str(place.model)!r})
start = Path({str(folder / "steps" / "seed-0" / "start" / "generation-0")!r})
load_model(model, start / "weights.safetensors")
prompts = kept.drawn(load({str(place.recipe)!r}), 0)["real"][:, :8]
made = write(model, prompts, 16, Decoding.parse({decoding!r}), 0, torch.device("cpu"))
assert numpy.array_equal(made, numpy.load(start / "written.npy"))
"""
    end = call(code)
    assert end.status == 0, end.err


def test_a_suspect_set_is_trained_on_in_its_doses(place: Place) -> None:
    options = ["--regimes", "suspect:0.25,suspect:1", "--suspect", place.suspect]
    end = place.run("suspect", *options, "--suspect", put(place.folder / "twice.jsonl", range(1000, 1010)))
    assert end.status == 0, end.err
    made = place.found("suspect")
    assert made["set"]["suspect"]["documents"] == 60  # a text that stands in both is there once
    assert {(item["regime"], item["generation"]) for item in made["generations"]} == {
        ("start", 0), ("suspect:0.25", 1), ("suspect:1", 1),
    }  # fmt: skip
    assert "suspect" in made["generations"][0]
    (sample,) = (sample for sample in made["samples"] if sample["regime"] == "suspect")
    assert all("page1" in text for text in sample["texts"])


# -- interruptions ---------------------------------------------------------------------------------

#: Where a run is killed: just before a file operation, while what it wrote still has a temporary name.
_FIRST = "replace/generation-1"
MOMENTS = {
    "its folder is claimed": r"os.(link|rename) .*/run\.json$",
    "the blocks are there": r"os.(link|rename) .*/data$",
    "the first step begins": r"os.mkdir .*/steps",
    "a model is trained": rf"os.(link|rename) .*/{_FIRST}/weights",
    "its losses are known": rf"os.(link|rename) .*/{_FIRST}/losses",
    "it has written": rf"os.(link|rename) .*/{_FIRST}/written",
    "its surprise is known": rf"os.(link|rename) .*/{_FIRST}/surprise",
    "its text is measured": rf"os.(link|rename) .*/{_FIRST}/metrics",
    "the next generation begins": r"os.mkdir .*/replace/generation-2",
    "the results are known": r"os.(link|rename) .*/results\.json$",
}


def test_a_run_goes_on_wherever_it_is_killed_and_does_nothing_twice(place: Place, pair: str, tmp_path: Path) -> None:
    folder, journal = place.folder / "killed", tmp_path / "journal"
    before: dict[str, int] = {}
    for moment, pattern in [*MOMENTS.items(), ("", None)]:
        end = place.run("killed", *PAIR, journal=journal, kill=pattern)
        assert end.status == (-9 if pattern else 0), (moment, end.err)
        assert (folder / "results.json").exists() == (pattern is None)
        after = files(folder)
        # what was done is as it was; weights that nobody needs any more are taken away
        touched = {path for path in before if after.get(path) != before[path] and not path.endswith(steps.WEIGHTS)}
        assert not touched, moment
        before = after
        if moment == "its folder is claimed":
            assert not before
        elif moment == "the blocks are there":
            assert not (folder / "data").exists()
        elif moment == "the first step begins":
            assert not (folder / "steps").exists()
    assert place.results("killed") == place.results(pair)
    arms = ["start 0", *(f"{regime} {generation}" for regime in ("replace", "mix-0.5") for generation in (1, 2))]
    assert trained(journal) == Counter([*arms, "replace 1"])  # in whose training it was killed
    assert not list(folder.rglob("*.part*"))
    times = json.loads((folder / "steps/seed-0/replace/generation-1" / steps.TIMES).read_bytes())
    assert set(times) == {"train", "write"}  # which two runs did


def test_a_full_disk_is_told_in_one_line_and_the_run_goes_on_when_there_is_room(place: Place, pair: str) -> None:
    for largest, made in ((3_000, False), (60_000, True)):  # too small for the blocks; for the weights
        failed(place.run("full", *PAIR, largest_file=largest), "goes on")
        assert (place.folder / "full" / "data").exists() == made
    end = place.run("full", *PAIR)
    assert end.status == 0, end.err
    assert place.results("full") == place.results(pair)


def test_a_disk_that_is_full_just_when_a_tokenizer_is_kept_is_an_error_of_the_disk(
    place: Place, tmp_path: Path
) -> None:
    code = f"""
import resource, signal
from pathlib import Path
from collapse.model import tokenizer
made = tokenizer.make("tiny", ["a text"] * 9)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, resource.RLIM_INFINITY))
try:
    made.save_pretrained(Path({str(tmp_path)!r}))
except OSError as error:
    print(error)
"""
    end = call(code)
    assert (end.status, "too large" in end.out) == (0, True), end.err


def test_a_training_that_diverges_says_where_and_what_to_do_and_leaves_the_folder_to_be_used(place: Place) -> None:
    end = place.run("diverged", "--regimes", "replace", "--learning-rate", 1e30)
    failed(end, "start, seed 0: generation 0: the training diverged at step ", "lower --learning-rate")
    end = place.run("diverged", *place.short)  # nothing was done: another recipe may have it
    assert end.status == 0, end.err
