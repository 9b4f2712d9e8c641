"""With a cache and in batches, a model writes what a plain loop writes, and nothing that the decoding forbids."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from tinymodels import Blocks, blocks, gpt2

from collapse.decoding import Decoding

torch = pytest.importorskip("torch")

from collapse.model.generate import _CACHE, _drawn, _texts_at_once, pick, write  # noqa: E402

CPU = torch.device("cpu")
CONTEXT, VOCABULARY = 24, 23
DECODINGS = ["greedy", "temperature:1", "temperature:0.4", "top-k:5", "top-p:0.7"]


@pytest.fixture(scope="module")
def model() -> Any:
    return gpt2(7, VOCABULARY, CONTEXT)  # two layers: a cache has more than one


def written(model: Any, prompts: Blocks, length: int, decoding: str, seed: int = 3, **more: Any) -> Blocks:
    return write(model, prompts, length, Decoding.parse(decoding), seed, CPU, **more)


def plainly(model: Any, prompts: Blocks, length: int, decoding: str, seed: int = 3) -> Blocks:
    """Write without a cache: at each token the model sees its whole context again."""
    draw = torch.Generator().manual_seed(seed)
    text, seen = prompts.tolist(), [list(row) for row in prompts.tolist()]
    for _ in range(length):
        if len(seen[0]) >= CONTEXT:  # full: the newer half stays
            seen = [row[-CONTEXT // 2 :] for row in seen]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor(seen), use_cache=False).logits[:, -1].float()
        for row, part, token in zip(
            text, seen, pick(logits, Decoding.parse(decoding), draw)[:, 0].tolist(), strict=True
        ):
            row.append(token)
            part.append(token)
    return np.array(text)[:, prompts.shape[1] :]


@pytest.mark.parametrize(
    ("decoding", "prompt", "length"),
    [
        *((decoding, 12, 30) for decoding in DECODINGS),
        *(("temperature:1", *lengths) for lengths in ((1, 10), (8, 16), (8, 17), (23, 5), (24, 5), (40, 20))),
    ],
)
def test_with_a_cache_the_same_is_written_as_without_also_beyond_the_context(
    model: Any, decoding: str, prompt: int, length: int
) -> None:
    prompts = blocks(6, prompt, VOCABULARY, seed=prompt)
    made = written(model, prompts, length, decoding)
    assert made.shape == (6, length)
    assert np.array_equal(made, plainly(model, prompts, length, decoding))


def test_greedy_writes_the_same_whatever_the_batch_is(model: Any) -> None:
    prompts = blocks(10, 8)
    assert np.array_equal(written(model, prompts, 12, "greedy", batch=3), written(model, prompts, 12, "greedy"))


def test_no_prompts_draws_are_those_of_another(model: Any) -> None:
    made = written(model, np.repeat(blocks(1, 8), 40, axis=0), 12, "temperature:1", batch=10)
    assert len({tuple(row) for row in made.tolist()}) > 30


@pytest.mark.parametrize("decoding", DECODINGS)
def test_what_is_drawn_depends_on_the_seed_alone(model: Any, decoding: str) -> None:
    prompts = blocks(8, 4)
    first = written(model, prompts, 12, decoding)
    assert np.array_equal(first, written(model, prompts, 12, decoding))
    assert np.array_equal(first, written(model, prompts, 12, decoding, seed=4)) == (decoding == "greedy")


def test_the_progress_hears_every_token(model: Any) -> None:
    for decoding in ("greedy", "beam:2"):
        heard: list[int] = []
        written(model, blocks(10, 8), 30, decoding, progress=heard.append, batch=4)
        assert sum(heard) == 10 * 30


def test_dropout_is_off_while_a_model_writes(model: Any) -> None:
    careless = gpt2(7, VOCABULARY, CONTEXT)
    for module in careless.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    careless.train()
    assert np.array_equal(written(careless, blocks(4, 8), 12, "greedy"), written(model, blocks(4, 8), 12, "greedy"))


# -- drawing ---------------------------------------------------------------------------------------


def fits(counts: Any, chances: Any) -> bool:
    """Test with chi-square, at five deviations; what has no probability must not occur."""
    counts, chances = np.asarray(counts, float), np.asarray(chances, float)
    chances = chances / chances.sum()
    if counts[chances == 0].any():
        return False
    expected = counts.sum() * chances[chances > 0]
    assert expected.min() > 5
    freedom = max(len(expected) - 1, 1)
    return bool(((counts[chances > 0] - expected) ** 2 / expected).sum() < freedom + 5 * np.sqrt(2 * freedom))


@pytest.mark.parametrize(
    "weights",
    [
        [1.0, 1.0, 1.0, 1.0],
        [0.1, 0.2, 0.3, 0.4],
        [5.0, 0.0, 1.0, 4.0],  # none between
        [0.0, 0.0, 3.0, 1.0],  # none in front
        [3.0, 1.0, 0.0, 0.0],  # none at the end
        [0.0, 1.0, 0.0, 0.0],
        [1e-8, 3e-8, 0.0, 2e-8],  # small sums
        [2e7, 1e7, 1e7, 0.0],
    ],
)
def test_each_place_is_drawn_in_proportion_to_its_weight_and_none_without_weight(weights: list[float]) -> None:
    draw = torch.Generator().manual_seed(1)
    places = _drawn(torch.tensor([weights]).expand(40_000, -1).contiguous(), draw)
    assert places.shape == (40_000, 1)
    assert fits(np.bincount(places[:, 0].numpy(), minlength=4), weights)


def test_rows_are_drawn_each_by_its_own_weights() -> None:
    draw = torch.Generator().manual_seed(1)
    rows = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]).repeat(500, 1)
    assert _drawn(rows, draw)[:, 0].tolist() == [0, 1, 2] * 500


@pytest.mark.parametrize("point", [0.0, 0.5, 0.9999999, 1 - 2**-24])
def test_the_ends_of_the_draw_find_a_place_that_has_weight(point: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw 0 and the greatest number below 1, for many rows whose sums are rounded, with zeros at both ends."""
    weights = torch.rand((2000, 1000), generator=torch.Generator().manual_seed(2))
    weights[:, :7] = 0.0
    weights[:, -9:] = 0.0
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.full(shape, point))
    places = _drawn(weights, torch.Generator())
    assert bool((weights.gather(1, places) > 0).all())


LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, -2.0, 1.5]).expand(20_000, -1).contiguous()
CHANCES = LOGITS[0].softmax(-1).double().numpy()


def counted(decoding: str) -> Any:
    picked = pick(LOGITS.clone(), Decoding.parse(decoding), torch.Generator().manual_seed(5))
    return np.bincount(picked[:, 0].numpy(), minlength=6)


def test_greedy_picks_the_likeliest() -> None:
    assert counted("greedy").tolist() == [20_000, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.0])
def test_a_temperature_sharpens_or_flattens_the_distribution(temperature: float) -> None:
    assert fits(counted(f"temperature:{temperature}"), CHANCES ** (1 / temperature))


@pytest.mark.parametrize(("k", "kept"), [(1, [0]), (2, [0, 5]), (3, [0, 1, 5]), (6, range(6)), (100, range(6))])
def test_top_k_draws_from_the_k_likeliest_as_they_stand_to_each_other(k: int, kept: Any) -> None:
    assert fits(counted(f"top-k:{k}"), np.where(np.isin(np.arange(6), list(kept)), CHANCES, 0.0))


@pytest.mark.parametrize(
    ("p", "kept"),  # shares, falling: 0.46, 0.28 (5), 0.17 (1), 0.06 (2), 0.02, 0.008
    [(0.001, [0]), (0.4, [0]), (0.5, [0, 5]), (0.7, [0, 5]), (0.8, [0, 1, 5]), (0.95, [0, 1, 2, 5]), (1.0, range(6))],
)
def test_top_p_draws_from_the_fewest_likeliest_that_have_the_share(p: float, kept: Any) -> None:
    ordered = sorted(range(6), key=lambda token: -CHANCES[token])
    fewest = next(n for n in range(1, 7) if CHANCES[ordered[:n]].sum() >= p - 1e-9)
    assert sorted(ordered[:fewest]) == sorted(kept)
    assert fits(counted(f"top-p:{p}"), np.where(np.isin(np.arange(6), list(kept)), CHANCES, 0.0))


# -- a search with beams ---------------------------------------------------------------------------


def searched(model: Any, prompt: list[int], length: int, beams: int) -> list[int]:
    """Search with beams by hand: at each token keep the likeliest of all continuations of the likeliest texts."""
    held: list[tuple[float, list[int]]] = [(0.0, [])]
    for _ in range(length):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + text for _, text in held])).logits[:, -1].float()
        chances = logits.log_softmax(-1).tolist()
        longer = [
            (score + chance, [*text, token])
            for (score, text), row in zip(held, chances, strict=True)
            for token, chance in enumerate(row)
        ]
        held = sorted(longer, key=lambda item: -item[0])[:beams]
    return held[0][1]


@pytest.mark.parametrize("beams", [2, 5])
def test_a_search_finds_the_text_that_one_by_hand_finds(model: Any, beams: int) -> None:
    prompts = blocks(8, 8, VOCABULARY, seed=9)
    made = written(model, prompts, 10, f"beam:{beams}")
    assert made.tolist() == [searched(model, row, 10, beams) for row in prompts.tolist()]
    assert made.tolist() != written(model, prompts, 10, "greedy").tolist()


def test_a_search_does_not_stop_at_the_token_that_ends_a_text() -> None:
    model = gpt2(7, VOCABULARY, CONTEXT)
    with torch.no_grad():  # the end becomes the likeliest token everywhere
        model.transformer.ln_f.bias[:] = model.transformer.wte.weight[0] * 3
    made = written(model, blocks(4, 8), 12, "beam:2")
    assert made.shape == (4, 12)
    assert Counter(made.flatten().tolist()).most_common(1)[0][0] == 0
    assert made.tolist() == [searched(model, row, 12, 2) for row in blocks(4, 8).tolist()]


def test_a_search_goes_on_beyond_the_context(model: Any) -> None:
    prompts = blocks(3, 20, VOCABULARY, seed=2)
    made = written(model, prompts, 12, "beam:2")
    first = [searched(model, row, CONTEXT - 20, 2) for row in prompts.tolist()]
    assert made[:, : CONTEXT - 20].tolist() == first
    seen = [(row + text)[-CONTEXT // 2 :] for row, text in zip(prompts.tolist(), first, strict=True)]
    assert made[:, CONTEXT - 20 :].tolist() == [searched(model, row, 12 - (CONTEXT - 20), 2) for row in seen]


def test_settings_of_a_checkpoint_have_no_say_in_a_search(model: Any) -> None:
    other = gpt2(7, VOCABULARY, CONTEXT)
    other.generation_config.repetition_penalty = 3.0
    other.generation_config.no_repeat_ngram_size = 2
    prompts = blocks(4, 8)
    assert np.array_equal(written(other, prompts, 10, "beam:3"), written(model, prompts, 10, "beam:3"))


def test_batches_bound_how_many_prompts_are_continued_together(model: Any) -> None:
    tokens: list[int] = []
    written(model, blocks(10, 4), 2, "greedy", batch=4, progress=tokens.append)
    assert tokens == [4, 4, 4, 4, 2, 2]  # of each of the two steps of a batch
    tokens.clear()
    written(model, blocks(10, 4), 2, "beam:2", batch=8, progress=tokens.append)  # each prompt is two texts
    assert tokens == [8, 8, 4]  # a search reports its two steps together


@pytest.mark.parametrize("length", [2, 16, 500])
def test_on_a_gpu_the_keys_and_values_of_all_texts_fit_the_bytes_set_for_them(length: int) -> None:
    model = gpt2(7, VOCABULARY, CONTEXT)
    config = model.config
    assert _texts_at_once(model, length, torch.device("cuda")) == 4096
    of_a_layer = 4 * config.hidden_size * min(length, CONTEXT)
    config.n_layer = _CACHE // (of_a_layer * 100)  # as large a model as fits for 100 texts
    assert _texts_at_once(model, length, torch.device("cuda")) == 64
