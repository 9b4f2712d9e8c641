"""The numbers decide whether each definition of collapse holds, fails or stays open; chance never makes one hold."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from collapse.measures.courses import Course, Courses
from collapse.measures.definitions import DEFINITIONS, Finding, evaluate_definitions

pytestmark = pytest.mark.filterwarnings("error")


def _course(*means: float, noise: float = 0.01, seeds: int = 3, real: float = math.nan, seed: int = 0) -> Course:
    """Return an arm with these means by generation, and a control that stays at the first."""
    rng = np.random.default_rng(seed)
    arm = np.array(means) * np.exp(rng.normal(0, noise, (seeds, len(means))))
    control = means[0] * np.exp(rng.normal(0, noise, (seeds, len(means))))
    return Course(arm.tolist(), control.tolist(), real)


STILL = _course(50, 50, 50, 50, 50)
COLLAPSED = Courses(
    perplexity=_course(50, 80, 130, 200, 320),
    band_perplexity={"rarest": _course(900, 2000, 9000, 20000, 40000), "commonest": _course(9, 9, 10, 11, 12)},
    tail={"rarest tokens": _course(0.6, 0.5, 0.3, 0.1, 0)},
    variety={"effective vocabulary": _course(400, 300, 200, 120, 60), "distinct 4-grams": _course(0.9, 0.8, 0.7, 0.6, 0.6)},
    strange=_course(0.01, 0.02, 0.04, 0.08, 0.1, real=0.01),
    apart=_course(0.2, 0.2, 0.15, 0.1, 0.1),
)  # fmt: skip


def _holds(arm: Courses) -> dict[str, bool | None]:
    return {finding.code: finding.holds for finding in evaluate_definitions(arm)}


def _of(arm: Courses, code: str) -> Finding:
    return next(finding for finding in evaluate_definitions(arm) if finding.code == code)


def test_there_are_eight_definitions_each_with_all_it_needs() -> None:
    assert len({definition.code for definition in DEFINITIONS}) == 8
    for definition in DEFINITIONS:
        assert all((definition.title, definition.says, definition.used_by, definition.rule))


def test_an_arm_that_loses_all_collapses_by_all_definitions_but_those_no_run_can_prove() -> None:
    assert _holds(COLLAPSED) == {
        "catastrophe": True,
        "increase": True,
        "divergence": None,
        "variance": True,
        "scaling": None,
        "tails": True,
        "hallucination": True,
        "entanglement": True,
    }


def test_an_arm_that_stays_where_it_was_collapses_by_none() -> None:
    still = Courses(STILL, {"rarest": STILL, "commonest": STILL}, {"t": STILL}, {"v": STILL}, STILL, STILL)
    assert _holds(still) == dict.fromkeys(_holds(COLLAPSED), False) | {"scaling": None}


def test_what_chance_does_to_the_control_seldom_counts_in_an_arm() -> None:
    counted = [
        holds
        for seed in range(200)
        for holds in _holds(Courses(_course(50, 50, 50, 50, noise=0.1, seed=seed))).values()
    ]
    assert counted.count(True) <= 4


def test_a_better_model_is_no_collapse() -> None:
    better = _holds(Courses(_course(50, 40, 30, 25, 20)))
    assert [better[code] for code in ("catastrophe", "increase", "divergence")] == [False, False, False]


def test_a_small_rise_is_an_increase_and_no_catastrophe() -> None:
    small = _holds(Courses(_course(50, 55, 60, 65)))
    assert (small["increase"], small["catastrophe"]) == (True, False)


def test_a_rise_that_may_be_chance_stays_open() -> None:
    course = Course([[50, 51], [50, 55], [50, 52]], [[50, 50.1], [50, 49.8], [50, 50.2]])
    assert _holds(Courses(course))["increase"] is None


def test_a_rise_that_levels_off_does_not_diverge_and_a_short_one_stays_open() -> None:
    assert _of(Courses(_course(50, 90, 99, 100, 100)), "divergence").holds is False
    assert "levelled off" in _of(Courses(_course(50, 90, 99, 100, 100)), "divergence").because
    assert _of(Courses(_course(50, 90, 99, 100)), "divergence").holds is None


def test_variety_that_shrinks_but_is_more_than_half_leaves_collapse_open() -> None:
    assert _holds(replace(COLLAPSED, variety={"v": _course(400, 350, 300)}))["variance"] is None


def test_the_tail_is_lost_where_only_its_perplexity_grows() -> None:
    bands = {"rarest": _course(900, 1000, 1300), "commonest": _course(9, 9, 9)}
    assert _holds(Courses(STILL, bands, {"t": STILL}))["tails"] is True
    both = {"rarest": _course(900, 1000, 1300), "commonest": _course(9, 10, 13)}
    assert _holds(Courses(STILL, both, {"t": STILL}))["tails"] is False


def test_texts_no_stranger_than_real_ones_are_no_hallucinations() -> None:
    finding = _of(replace(COLLAPSED, strange=_course(0.001, 0.005, 0.009, real=0.01)), "hallucination")
    assert finding.holds is False
    assert finding.because.endswith("no more than in real text")


@pytest.mark.parametrize(
    "course",
    [_course(50, 500, seeds=1), Course([[50, 500]] * 2, []), Course([], []), Course([[50]] * 3, [[50]] * 3), Course([[math.nan] * 3] * 3, [[1.0] * 3] * 3)],
    ids=["one seed", "no control", "nothing", "generation 0 alone", "not numbers"],
)  # fmt: skip
def test_where_chance_or_the_change_is_not_known_nothing_is_holds(course: Course) -> None:
    assert not any(
        _holds(Courses(course, {"a": course, "b": course}, {"t": course}, {"v": course}, course, course)).values()
    )
    assert set(_holds(Courses(course)).values()) == {None}


def test_a_finding_says_its_numbers() -> None:
    course = Course([[50, 100], [50, 100]], [[50, 51], [50, 51]])
    assert _of(Courses(course), "increase").because == (
        "perplexity of held-out text: 50 in generation 0, 100 in generation 1 "
        "(+100.0 %; 95 %: +100.0 % to +100.0 %; by chance up to 2.0 %)"
    )
    assert _of(Courses(course), "variance").because == "not measured"
    assert "in real text 0.01" in _of(COLLAPSED, "hallucination").because
