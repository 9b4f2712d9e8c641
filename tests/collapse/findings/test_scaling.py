"""Two runs of unlike size tell whether written text changes how the loss falls with size."""

from __future__ import annotations

from dataclasses import replace

import pytest
from results_made import make_results

from archive.errors import CollapseError
from collapse.findings.results import RunResults
from collapse.findings.scaling import scaling

ARMS = ("replace", "accumulate", "real")
SMALL = make_results(ARMS, generations=1)


def sized(results: RunResults, blocks: int) -> RunResults:
    return replace(results, recipe=replace(results.recipe, blocks=blocks))


def worse_by(nats: float) -> RunResults:
    """Return a run of a larger set in which replace loses so much more."""

    def moved(row: object) -> object:
        if getattr(row, "regime", "") != "replace":
            return row
        loss = row.held_out.loss  # type: ignore[attr-defined]
        more = replace(loss, loss=replace(loss.loss, value=loss.loss.value + nats))
        return replace(row, held_out=replace(row.held_out, loss=more))  # type: ignore[attr-defined,type-var]

    made = make_results(ARMS, generations=1, seeds=4)
    return sized(replace(made, generations=[moved(row) for row in made.generations]), 4000)  # type: ignore[misc]


def test_an_arm_that_loses_more_the_larger_the_set_has_another_law() -> None:
    found = scaling(SMALL, worse_by(0.2))
    change, finding = found["replace"]
    assert finding.holds is True
    assert change.low < 0.2 < change.high
    assert "+0.2" in finding.because
    assert found["accumulate"][1].holds is False


def test_an_arm_that_loses_as_much_or_less_has_none() -> None:
    assert scaling(SMALL, worse_by(0.0))["replace"][1].holds is False
    assert scaling(SMALL, worse_by(-0.3))["replace"][1].holds is False


def test_with_one_seed_or_without_a_control_it_stays_open() -> None:
    assert scaling(make_results(ARMS, generations=1, seeds=1), worse_by(0.2))["replace"][1].holds is None
    assert scaling(make_results(ARMS[:2], generations=1), worse_by(0.2))["replace"][1].holds is None


def test_runs_that_differ_in_more_than_their_size_are_not_compared() -> None:
    other = replace(SMALL, recipe=replace(SMALL.recipe, decoding="greedy"))
    with pytest.raises(CollapseError, match="the two runs differ in decoding"):
        scaling(other, worse_by(0.2))
    words = replace(SMALL, set=replace(SMALL.set, vocabulary=7))
    with pytest.raises(CollapseError, match="the size of their vocabulary"):
        scaling(words, worse_by(0.2))
    with pytest.raises(CollapseError, match="no arm in common"):
        scaling(make_results(("mix:0.5", "real"), generations=1), worse_by(0.2))
