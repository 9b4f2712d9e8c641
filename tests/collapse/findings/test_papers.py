"""What a paper says against what was measured: the interval, and when the two are said to agree."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from results_made import make_results

from collapse.findings.papers import compared
from collapse.findings.results import PaperResult, RunResults
from collapse.findings.verdict import paragraphs
from collapse.recipe import Paper
from collapse.report import tables

ARMS = ("replace", "accumulate-subsample", "accumulate", "real")
FOUND = make_results(ARMS)


def judged(figure: Paper, found: RunResults = FOUND) -> PaperResult:
    (one,) = compared(replace(found, recipe=replace(found.recipe, paper=(figure,))))
    return one


@pytest.mark.parametrize(
    ("figure", "agrees", "because"),
    [  # replace ends at exp(0.54) = 1.716 times
        (Paper("w", "ratio", "replace", -1, 1.716), "yes", "in our interval"),
        (Paper("w", "ratio", "replace", 3, 2.5), "in direction", "smaller here"),
        (Paper("w", "ratio", "replace", 3, 1.2), "in direction", "larger here"),
        (Paper("w", "ratio", "replace", 3, 0.8), "no", "on the other side"),
        (Paper("w", "rise", "replace", -1, 1000.0), "in direction", "smaller here"),
        (Paper("w", "ratio", "real", -1, 1.8), "no", "within the noise floor"),
        (Paper("w", "loss", "replace", 0, 1.82), "no", "ours is higher"),
        (Paper("w", "perplexity", "replace", 0, math.exp(5.05)), "yes", "in our interval"),
        (Paper("w", "ratio", "replace", 9, 1.7), "open", "no such generation"),
        (Paper("w", "ratio", "fresh", 1, 1.7), "open", "no such generation"),
        (Paper("w", "ratio", "replace", 1, says="worse"), "yes", "more than chance"),
        (Paper("w", "ratio", "replace", 1, says="better"), "no", "more than chance"),
        (Paper("w", "ratio", "real", 1, says="the same"), "yes", "within the noise floor"),
        (Paper("w", "ratio", "real", 1, says="worse"), "open", "within the noise floor"),
        (Paper("w", "ratio", "accumulate-subsample", -1, says="better", against="replace"), "yes", "less than chance"),
        (Paper("w", "ratio", "replace", -1, says="better", against="accumulate"), "no", "more than chance"),
        (Paper("w", "ratio", "replace", -1, says="worse", against="fresh"), "open", "no such generation"),
    ],
)  # fmt: skip
def test_a_run_agrees_with_a_paper_only_beyond_chance(figure: Paper, agrees: str, because: str) -> None:
    found = judged(figure)
    assert found.agrees == agrees
    assert because in found.because


def test_what_was_measured_has_an_interval_over_seeds() -> None:
    found = judged(Paper("w", "ratio", "replace", -1, 1.7))
    assert found.interval.low < found.measured < found.interval.high
    assert found.measured == pytest.approx(math.exp(0.54), rel=0.02)
    rise = judged(Paper("w", "rise", "replace", -1, 1.7))
    assert rise.interval.low < rise.measured < rise.interval.high
    assert rise.measured == pytest.approx(math.exp(5.05) * (math.exp(0.54) - 1), rel=0.05)


@pytest.mark.parametrize("found", [make_results(ARMS, seeds=1), make_results(("replace", "accumulate"))])
def test_without_an_interval_or_a_floor_all_stays_open(found: RunResults) -> None:
    for figure in (Paper("w", "ratio", "replace", -1, 1.7), Paper("w", "ratio", "replace", -1, says="worse")):
        assert judged(figure, found).agrees == "open"


def test_a_wide_interval_that_holds_no_change_agrees_with_nothing() -> None:
    wide = make_results(("replace", "real"), noise=0.6)
    assert judged(Paper("w", "ratio", "replace", 1, 1.2), wide).agrees == "open"


def test_a_figure_of_another_decoding_is_left_out() -> None:
    figures = (
        Paper("sampled", "ratio", "replace", -1, 1.7, decoding="temperature:1"),
        Paper("sharpened", "ratio", "replace", -1, 54.6, decoding="temperature:0.3"),
    )
    found = replace(FOUND, recipe=replace(FOUND.recipe, paper=figures))
    assert [figure.what for figure in compared(found)] == ["sampled"]
    cold = replace(found, recipe=replace(found.recipe, decoding="temperature:0.3"))
    assert [figure.what for figure in compared(cold)] == ["sharpened"]


def test_the_report_and_the_json_show_what_the_paper_said_what_was_measured_and_whether_they_agree() -> None:
    figures = (Paper("all replaced", "ratio", "replace", -1, 1.716, source="Table 2"),)
    figures += (Paper("a thousandth", "ratio", "accumulate", 1, says="worse"),)
    found = replace(FOUND, paper=compared(replace(FOUND, recipe=replace(FOUND.recipe, paper=figures))))
    html = tables.papers(found)
    for told in ("paper said", "95 %", "agrees?", "all replaced", "(Table 2)", ">yes<", ">worse<"):
        assert told in html
    again = RunResults.from_json(found.to_json())
    assert again.paper[0].agrees == "yes"
    assert again.paper[0].interval == found.paper[0].interval
    assert "1 can be seen here" in paragraphs(found)[-1]
