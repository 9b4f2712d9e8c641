"""The training loop, the models it starts from, and their evaluation."""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tinymodels import blocks, cycles, gpt2

from archive.errors import CollapseError
from collapse import presets
from collapse.model.train import Diverged, count_blocks, count_steps, schedule, train
from collapse.recipe import Recipe

torch = pytest.importorskip("torch")

from collapse.model import models  # noqa: E402
from collapse.model.evaluate import token_losses  # noqa: E402
from collapse.model.models import Start  # noqa: E402
from collapse.presets import PRESETS  # noqa: E402
from collapse.run import machine  # noqa: E402

CPU = torch.device("cpu")
RECIPE = Recipe(block=16, prompt=8, batch=8, epochs=2.0, learning_rate=3e-3)


def weights(model: Any) -> dict[str, Any]:
    return {name: item.detach().clone() for name, item in model.named_parameters()}


def trained(seed: int, recipe: Recipe = RECIPE, start: int = 0) -> dict[str, Any]:
    model = gpt2(start)
    train(model, cycles(30, 16), recipe, seed, CPU)
    return weights(model)


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left)


# -- training --------------------------------------------------------------------------------------


def test_the_loss_of_a_set_that_can_be_learned_falls_to_near_nothing() -> None:
    model = gpt2(width=32)
    losses = train(model, cycles(64, 16), replace(RECIPE, epochs=15.0, learning_rate=1e-2), 0, CPU)
    assert losses[0] > math.log(23) * 0.8
    assert np.mean(losses[-5:]) < 0.2
    assert token_losses(model, cycles(64, 16, seed=1), CPU).mean() < 0.5


def test_nothing_can_be_learned_from_tokens_without_order_but_how_many_there_are() -> None:
    model = gpt2()
    train(model, blocks(200, 16), replace(RECIPE, epochs=4.0), 0, CPU)
    assert token_losses(model, blocks(50, 16, seed=1), CPU).mean() > math.log(23) - 0.05


def test_the_same_seed_trains_the_same_weights_bit_for_bit() -> None:
    assert same(trained(5), trained(5))


def test_another_seed_trains_other_weights() -> None:
    assert not same(trained(5), trained(6))


def test_dropout_is_drawn_by_the_seed() -> None:
    def dropped(seed: int) -> dict[str, Any]:
        model = Start("tiny", 16, 23, 0.2).build(0)
        train(model, cycles(8, 16), replace(RECIPE, epochs=1.0, batch=8), seed, CPU)
        return weights(model)

    assert same(dropped(1), dropped(1))
    assert not same(dropped(1), dropped(2))


@pytest.mark.parametrize(
    ("count", "batch", "epochs", "steps", "seen"),
    [
        (32, 8, 1.0, 4, 32),
        (30, 8, 1.0, 4, 30),  # the last batch has 6
        (30, 8, 2.0, 8, 60),
        (30, 8, 2.5, 10, 76),
        (30, 8, 0.5, 2, 16),
        (3, 8, 1.0, 1, 3),
        (30, 8, 0.01, 1, 8),
    ],
)
def test_as_many_steps_and_tokens_are_trained_as_are_told_before(
    count: int, batch: int, epochs: float, steps: int, seen: int
) -> None:
    recipe = replace(RECIPE, batch=batch, epochs=epochs)
    heard: list[int] = []
    losses = train(gpt2(), cycles(count, 16), recipe, 0, CPU, heard.append)
    assert len(losses) == len(heard) == count_steps(count, recipe) == steps
    assert sum(heard) == count_blocks(count, recipe) * 16 == seen * 16


def test_each_epoch_passes_over_every_block_in_another_order() -> None:
    class Seen(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.rows = gpt2(), []

        def forward(self, input_ids: Any, use_cache: bool) -> Any:
            self.rows += input_ids.tolist()
            return self.inner(input_ids=input_ids, use_cache=use_cache)

    model, given = Seen(), blocks(30, 16)
    train(model, given, replace(RECIPE, epochs=2.0), 0, CPU)
    first, second = model.rows[:30], model.rows[30:]
    assert sorted(first) == sorted(second) == sorted(given.tolist())
    assert first != second


def test_the_learning_rate_rises_in_a_line_and_falls_along_a_cosine_to_a_tenth() -> None:
    shares = [schedule(step, 100, 0.1) for step in range(100)]
    assert shares[:10] == pytest.approx([n / 10 for n in range(1, 11)])
    assert shares[10] == 1.0
    assert shares[10:] == sorted(shares[10:], reverse=True)
    assert shares[55] == pytest.approx(0.55)  # the middle of the cosine
    assert 0.1 < shares[99] < 0.102
    assert schedule(0, 1, 0.05) == 1.0
    assert schedule(0, 10, 0.0) == 1.0
    assert [schedule(step, 4, 1.0) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_the_optimizer_takes_the_scheduled_rate_and_decays_matrices_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    original = torch.optim.AdamW.step

    def step(self: Any, *rest: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        assert [group["weight_decay"] for group in self.param_groups] == [0.1, 0.0]
        assert all(item.ndim >= 2 for item in self.param_groups[0]["params"])
        assert all(item.ndim < 2 for item in self.param_groups[1]["params"])
        assert len({group["lr"] for group in self.param_groups}) == 1
        return original(self, *rest)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    train(gpt2(), cycles(30, 16), replace(RECIPE, epochs=5.0), 0, CPU)
    assert rates == pytest.approx([RECIPE.learning_rate * schedule(n, 20, RECIPE.warmup) for n in range(20)])


def test_a_step_is_that_of_adamw_on_the_mean_loss_of_all_tokens_but_the_first() -> None:
    """Take one step by hand, without the optimizer of torch."""
    given, recipe = blocks(4, 16), replace(RECIPE, batch=4, epochs=1.0, warmup=0.0)
    plain, model = gpt2(3), gpt2(3)
    tokens = torch.from_numpy(given.astype(np.int64))
    chances = plain(input_ids=tokens).logits[:, :-1].log_softmax(-1)
    loss = -chances.gather(2, tokens[:, 1:, None]).mean()
    loss.backward()
    norm = math.sqrt(sum(float((item.grad**2).sum()) for item in plain.parameters()))
    assert train(model, given, recipe, 0, CPU) == [pytest.approx(loss.item(), rel=1e-5)]
    for (name, before), after in zip(plain.named_parameters(), model.parameters(), strict=True):
        gradient = before.grad / max(norm, 1.0)
        decayed = before.detach() * (1 - 3e-3 * 0.1 * (before.ndim >= 2))
        expected = decayed - 3e-3 * gradient / (
            gradient.abs() + 1e-8
        )  # the first step: both moments are the gradient's
        large = gradient.abs() > 1e-5  # near 0 the sign alone decides, and rounding that
        assert torch.allclose(after[large], expected[large], atol=2e-5), name


def test_a_training_that_diverges_says_at_which_step_and_what_to_do() -> None:
    with pytest.raises(Diverged, match=r"diverged at step \d+ of 400; lower --learning-rate"):
        train(gpt2(), blocks(8, 16), replace(RECIPE, epochs=400.0, learning_rate=1e30), 0, CPU)


def test_a_training_whose_last_step_leaves_the_numbers_is_told_too() -> None:
    with pytest.raises(Diverged, match="at step 1 of 1; lower"):
        train(gpt2(), blocks(8, 16), replace(RECIPE, epochs=1.0, learning_rate=1e39, warmup=0.0), 0, CPU)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_memory_does_not_grow_with_the_number_of_steps() -> None:
    machine.prepare("cpu", 1)  # glibc keeps what is freed: once, tensors that stayed lay between large ones that went
    vocabulary, heard = 2000, []
    model = gpt2(vocabulary=vocabulary, layers=1)
    recipe = replace(RECIPE, batch=8, epochs=220.0)  # the logits of a step: 8 * 16 * 2000 numbers, 1 MB
    train(model, blocks(8, 16, vocabulary), recipe, 0, CPU, lambda _: heard.append(resident()))
    assert len(heard) == 220
    assert heard[-1] - heard[20] < 30e6


# -- judging ---------------------------------------------------------------------------------------


def test_the_loss_of_each_token_is_that_of_a_plain_computation() -> None:
    model, given = gpt2(1), blocks(300, 16)  # more than are evaluated at a time
    heard: list[int] = []
    losses = token_losses(model, given, CPU, heard.append)
    assert losses.shape == (300, 15)
    assert sum(heard) == 300 * 16
    for row in (0, 127, 128, 299):
        with torch.no_grad():
            logits = model(input_ids=torch.from_numpy(given[row : row + 1].astype(np.int64))).logits[0].double().numpy()
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        expected = [-math.log(chances[place, given[row, place + 1]]) for place in range(15)]
        assert losses[row] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_a_model_is_evaluated_without_dropout() -> None:
    model = Start("tiny", 16, 23, 0.5).build(0).train()
    given = blocks(4, 16)
    assert np.array_equal(token_losses(model, given, CPU), token_losses(model, given, CPU))


# -- models ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "block", "millions"), [
    ("micro", 64, 0.17), ("tiny", 64, 0.9), ("small", 64, 5.3), ("gpt2-9m", 64, 8.9), ("125m", 1024, 124),
])  # fmt: skip
def test_the_presets_have_as_many_parameters_as_is_said(name: str, block: int, millions: float) -> None:
    with torch.device("meta"):
        model = Start(name, block, PRESETS[name].vocabulary, 0.0).build(0)
    digits = 0 if millions >= 100 else 1 if millions >= 0.5 else 2
    assert round(models.parameters(model) / 1e6, digits) == millions
    # what the comment beside the preset says is what was counted here
    said = re.search(rf'"{name}": .*#: ([\d.]+)( million)?', Path(presets.__file__).read_text())
    assert said is not None
    assert float(said[1]) == millions


def test_a_preset_starts_from_the_same_weights_for_the_same_seed() -> None:
    start = Start("tiny", 16, 23, 0.0)
    assert same(weights(start.build(1)), weights(start.build(1)))
    assert not same(weights(start.build(1)), weights(start.build(2)))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    gpt2(context=24).to(torch.bfloat16).save_pretrained(folder)
    return folder


def test_a_checkpoint_starts_from_its_own_weights_in_float32_with_the_dropout_asked_for(saved: Path) -> None:
    model = Start(str(saved), 16, 23, 0.25).build(9)
    assert all(item.dtype == torch.float32 for item in model.parameters())
    assert same(weights(model), weights(gpt2(context=24).to(torch.bfloat16).float()))
    drops = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    assert drops
    assert set(drops) == {0.25}


def test_rows_of_a_checkpoint_that_no_token_has_are_taken_away(saved: Path) -> None:
    model = Start(str(saved), 16, 20, 0.0).build(0)
    assert model(input_ids=torch.zeros(1, 2, dtype=torch.long)).logits.shape == (1, 2, 20)


@pytest.mark.parametrize(
    ("block", "vocabulary", "prompt", "says"),
    [
        (25, 23, 8, "sees 24 tokens; take --block 24, or less"),
        (24, 23, 24, "sees 24 tokens; take --prompt 23, or less"),
        (16, 24, 8, "its tokenizer has 24 tokens, it 23"),
    ],
)
def test_a_checkpoint_that_does_not_fit_says_what_would(
    saved: Path, block: int, vocabulary: int, prompt: int, says: str
) -> None:
    with pytest.raises(CollapseError, match=says):
        Start(str(saved), block, vocabulary, 0.0, prompt).build(0)


def test_a_prompt_may_fill_the_block_of_a_checkpoint_that_sees_more(saved: Path) -> None:
    assert Start(str(saved), 16, 23, 0.0, 16).build(0)


def test_a_folder_that_holds_no_model_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CollapseError, match="--model ") as caught:
        Start(str(tmp_path), 16, 23, 0.0).build(0)
    assert "\n" not in str(caught.value)
    with pytest.raises(CollapseError, match="there is no such file"):
        Start(str(tmp_path / "none.gguf"), 16, 23, 0.0).build(0)
