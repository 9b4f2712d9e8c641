"""Headlines of pictures: only about differences that are more than chance, not tiny, and measured on enough text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from results_made import make_results
from scipy import stats

from collapse.findings import headlines
from collapse.findings.headlines import Headline
from collapse.findings.results import RunResults
from collapse.findings.verdict import hardest
from collapse.measures.loss import FEWEST

GENERATED = ("replace", "mix:0.5", "mix:0.9", "accumulate", "real")
SUSPECTS = ("real", "fresh", "suspect:0.01", "suspect:0.1", "suspect:1")
#: The template of each family of arms, which examples change.
MADE = {arms: make_results(arms, generations=1, seeds=3).to_json() for arms in (GENERATED, SUSPECTS)}


def edited(content: dict[str, Any], edit: Callable[[dict[str, Any]], object]) -> RunResults:
    """Change the metrics of each generation, as JSON has them."""
    again = json.loads(json.dumps(content))
    for row in again["generations"]:
        edit(row)
    return RunResults.from_json(again)


def every(results: RunResults) -> dict[str, Headline]:
    """Return the headlines of all pictures that would be drawn."""
    said: dict[str, Headline] = {}
    if results.tested:
        said |= {"loss": headlines.loss(results), "tails": headlines.tails(results)}
    if results.writing:
        said |= {"diversity": headlines.diversity(results), "surprise": headlines.surprise(results)}
    if results.doses:
        said["dose"] = headlines.dose(results)
    if results.suspects:
        said["looks"] = headlines.looks(results)
    if results.suspects or results.tested:
        said["where"] = headlines.where(results)
    return said


@st.composite
def made_up(draw: st.DrawFn) -> RunResults:
    """Results in which arms move by nothing, by next to nothing, or a lot, amid noise of any size."""
    arms = draw(st.sampled_from(sorted(MADE)))
    dice = np.random.default_rng(draw(st.integers(0, 2**32)))
    noise = draw(st.sampled_from([0.0, 1e-7, 0.003, 0.05, 0.5]))
    moves = {name: draw(st.sampled_from([0.0, 1e-6, 0.004, 0.03, 0.3, 2.0, -0.3])) for name in arms}
    few = draw(st.sampled_from([2, 999, 5000]))
    variety = draw(st.booleans())

    def edit(row: dict[str, Any]) -> None:
        move = moves.get(row["regime"], 0.0) * row["generation"]
        held_out = row["held_out"]
        held_out["loss"]["loss"]["value"] = 5 + move + dice.normal(0, noise)
        for kind in ("bands", "domains", "dates"):
            for n, part in enumerate(held_out[kind].values()):
                part["loss"]["value"] = 5 + move * (n % 3) + dice.normal(0, noise)
                part["tokens"] = few if n % 2 else 5000
        for kind in ("written", "unseen", "suspect"):
            if row.get(kind):
                near = 1 + (move if kind == "written" else 0) + dice.normal(0, noise)
                for name in ("repetition", "self_bleu", "compression", "entropy", "zipf_slope"):
                    row[kind][name] = (0.3 if variety else 1e-9) * near
                row[kind]["surprise"]["mean"] = 5 + (0.4 if kind == "suspect" else 0) * move + dice.normal(0, noise)
                row[kind]["copied"]["share"] = 0.0  # the same by construction

    return edited(MADE[arms], edit)


@given(results=made_up())
def test_no_headline_is_about_a_difference_that_chance_explains_or_that_is_too_small_to_matter(
    results: RunResults,
) -> None:
    for name, said in every(results).items():
        for claim in said.claims:
            change, floor = claim.change, claim.floor
            assert change.low > floor.high or change.high < -floor.high, (name, said)
            assert abs(change.value) >= claim.least > 0, (name, said)
            assert claim.tokens >= FEWEST, (name, said)
            assert claim.arm in said.text or claim.arm.startswith("suspect") or name == "dose" or name == "loss"
        if not said.claims:
            assert not any(mark in said.text for mark in ("×", " times", " measures what")), (name, said)


@given(results=made_up())
def test_the_headline_of_the_losses_agrees_with_a_plain_computation(results: RunResults) -> None:
    """Computed again from the rows: Student's interval of each arm, and the farthest that the control moved."""
    if not results.tested:
        return
    loss = {(row.regime, row.seed, row.generation): row.held_out.loss.loss.value for row in results.generations}
    seeds = sorted({row.seed for row in results.generations})

    def interval(values: list[float]) -> tuple[float, float]:
        half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
        return float(np.mean(values) - half), float(np.mean(values) + half)

    def moved(arm: str) -> list[float]:
        return [loss[arm, seed, 1] - loss["start", seed, 0] for seed in seeds]

    floor = interval([abs(change) for change in moved("real")])[1]
    sure = {
        str(arm)
        for arm in results.tested
        if interval(moved(str(arm)))[0] > floor and np.mean(moved(str(arm))) >= headlines.LEAST_NATS
    }
    said = headlines.loss(results)
    assert {claim.arm for claim in said.claims} <= sure
    assert bool(said.claims) == bool(sure)


def still(row: dict[str, Any]) -> None:
    """Give every generation the numbers of its seed's first."""
    row["held_out"]["loss"]["loss"]["value"] = 5 + row["seed"] / 100
    for part in row["held_out"]["bands"].values():
        part["loss"]["value"] = 6 + row["seed"] / 50


@pytest.mark.parametrize("arms", sorted(MADE))
def test_where_nothing_moved_no_headline_claims_that_a_model_got_worse(arms: tuple[str, ...]) -> None:
    said = every(edited(MADE[arms], still))
    assert not said.get("loss", Headline("")).claims
    assert not said.get("tails", Headline("")).claims
    assert not said["dose"].claims


def test_a_large_rise_is_named_with_its_size() -> None:
    said = every(make_results(("replace", "accumulate", "real")))
    assert said["loss"].text == "replace: only generated text: perplexity on real text rises to 1.72 times"
    assert said["tails"].text.startswith("replace: the perplexity of the rarest tokens comes to ×3.")
    assert said["tails"].text.endswith("and rises more than that of the commonest")
    assert "measures what the models write moves away from real text" in said["diversity"].text
    assert said["surprise"].claims


def test_a_band_with_almost_no_tokens_is_in_no_headline() -> None:
    def shrink(row: dict[str, Any]) -> None:
        row["held_out"]["bands"]["rarest"]["tokens"] = 20

    said = headlines.tails(edited(make_results(("replace", "real")).to_json(), shrink))
    assert "rarest" not in said.text
    assert "the rare tokens comes to" in said.text


def test_the_headline_names_an_arm_that_surely_rose_though_another_rose_more_on_average() -> None:
    def rise(row: dict[str, Any]) -> None:
        if row["regime"] == "replace":
            row["held_out"]["loss"]["loss"]["value"] += (-0.5, 2.0, 0.5)[row["seed"]]
        elif row["regime"] == "mix:0.1":
            row["held_out"]["loss"]["loss"]["value"] += 0.2

    results = edited(make_results(("replace", "mix:0.1", "real"), generations=1).to_json(), rise)
    assert hardest(results, results.tested).kind == "replace"
    assert headlines.loss(results).text.startswith("mix: 10 % real text mixed in: perplexity on real text rises to")


@pytest.mark.parametrize("arms", [("replace", "mix:0.5", "mix:0.9"), ("suspect:0.5", "suspect:1")])
def test_without_a_control_no_headline_gives_a_number(arms: tuple[str, ...]) -> None:
    for name, said in every(make_results(arms, generations=1)).items():
        assert name == "looks" or not said.claims
        assert name == "looks" or "×" not in said.text


def test_with_one_seed_no_headline_gives_a_number() -> None:
    for said in every(make_results((*GENERATED,), generations=1, seeds=1)).values():
        assert not said.claims
        assert "×" not in said.text
        assert " times" not in said.text


def test_a_dose_is_named_only_where_all_larger_shares_do_harm_too() -> None:
    def harm(shares: set[str]) -> str:
        def edit(row: dict[str, Any]) -> None:
            still(row)
            if row["regime"] in shares:
                row["held_out"]["loss"]["loss"]["value"] += 0.2

        return headlines.dose(edited(MADE[SUSPECTS], edit)).text

    assert (
        harm({"suspect:0.1", "suspect:1"}) == "From a share of 10 % on, suspect text makes the model worse at real text"
    )
    assert harm({"suspect:0.01", "suspect:1"}) == "Suspect text alone makes the model worse at real text"
    assert harm({"suspect:0.01"}).endswith("at real text, but not at all larger shares")
    assert "cannot be distinguished" in harm(set())


def test_the_doses_of_written_text_are_a_curve_where_arms_differ_in_nothing_else() -> None:
    doses = make_results(GENERATED, generations=1).doses
    assert [(share, str(arm)) for share, arm in doses.items()] == [(0.1, "mix:0.9"), (0.5, "mix:0.5"), (1.0, "replace")]
    assert not make_results(("replace", "mix:0.5", "real"), generations=1).doses
