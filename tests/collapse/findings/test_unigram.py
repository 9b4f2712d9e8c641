"""An arm that ends worse than a table of word frequencies is said to, in the verdict, the report and the JSON."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from results_made import make_results

from collapse.findings.results import RunResults
from collapse.findings.summary import summarized
from collapse.findings.unigram import shortfall
from collapse.findings.verdict import paragraphs
from collapse.report import tables

WORSE = "worse than to know only how often each token occurs"


def beside(single: float, **arguments: object) -> RunResults:
    """Return results in which a table of frequencies has this loss; generation 0 has 5.05, replace comes to 5.59."""
    made = make_results(**arguments)  # type: ignore[arg-type]
    rows = [replace(row, unigram=single) if row.generation == 0 else row for row in made.generations]
    return summarized(
        made.recipe, rows, set=made.set, parameters=made.parameters, edges=made.edges, samples=made.samples
    )


def test_each_arm_has_its_own_answer() -> None:
    found = beside(5.3)
    assert {name for name, arm in found.arms.items() if arm.shortfall and arm.shortfall.worse} == {"replace"}
    ended = found.arms["replace"].shortfall
    assert ended is not None
    assert ended.excess.value == pytest.approx(0.29, abs=0.02)
    assert ended.excess.low < ended.excess.value < ended.excess.high
    assert ended.since == 2  # 5.05 + 0.36 is the first that is above 5.3
    told = [text for text in paragraphs(found) if WORSE in text]
    assert len(told) == 1
    assert "(replace)" in told[0]
    assert "since generation 2" in told[0]


def test_the_json_has_it_and_can_be_read_again() -> None:
    content = beside(5.3).to_json()
    assert content["arms"]["replace"]["shortfall"]["worse"] is True
    assert content["arms"]["accumulate"]["shortfall"]["worse"] is False
    assert content["start"]["unigram"]["value"] == pytest.approx(5.3)
    again = RunResults.from_json(content)
    assert again.arms["replace"].shortfall == beside(5.3).arms["replace"].shortfall


def test_the_report_says_it_of_each_arm() -> None:
    html = tables.arms(beside(5.3))
    assert "compared with word frequencies alone" in html
    assert len(re.findall(r"worse by [\d.]+ nats", html)) == 1
    assert len(re.findall(r"better by [\d.]+ nats", html)) == 5


def test_a_suspect_set_that_teaches_less_than_word_frequencies_is_said_to() -> None:
    found = beside(5.3, regimes=("real", "fresh", "suspect:0.1", "suspect:1"), generations=1, dose=0.5)
    assert found.arms["suspect:1"].shortfall.worse is True  # type: ignore[union-attr]
    assert re.search(rf"suspect:1: At 5\.\d+ nats for a token it is {WORSE}", " ".join(paragraphs(found)))
    assert WORSE not in " ".join(paragraphs(beside(6.4, regimes=("real", "suspect:1"), generations=1)))


@pytest.mark.parametrize(
    ("single", "seeds", "noise", "expected"), [(5.59, 3, 0.05, None), (5.3, 1, 0.004, None), (9.0, 3, 0.004, False), (math.nan, 3, 0.004, None)]
)  # fmt: skip
def test_it_is_only_claimed_where_the_interval_shows_it(
    single: float, seeds: int, noise: float, expected: bool | None
) -> None:
    found = beside(single, regimes=("replace", "real"), seeds=seeds, noise=noise)
    assert shortfall(found, "replace").worse is expected
