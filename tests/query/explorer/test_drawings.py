"""Pictures show each count where it belongs, and what is missing as a gap."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("markupsafe")

from markupsafe import Markup

from archive.show import count_of, plural
from query.explorer.app import STATIC
from query.explorer.draw.fields import DrawnField, fields
from query.explorer.draw.line import Point, line
from query.explorer.draw.months import months


def parsed(markup: Markup) -> ElementTree.Element:
    """The picture, which is well formed."""
    return ElementTree.fromstring(str(markup))


def titles(markup: Markup) -> list[str]:
    return [each.text or "" for each in parsed(markup).iter("title")]


def test_a_month_without_captures_is_a_gap_between_the_others() -> None:
    drawn = months({"2014-11": {"C": 3}, "2015-02": {"D": 1, "C": 1}, "unproven": {"X": 9}}, "capture")
    assert titles(drawn) == [
        "5 captures by month, from 2014-11 to 2015-02; at most 3 in one month.",
        "2014-11: 3 captures (C 3)",
        "2014-12: 0 captures",
        "2015-01: 0 captures",
        "2015-02: 2 captures (C 1, D 1)",
    ]
    bars = [each for each in parsed(drawn).iter("rect") if "grade" in each.attrib["class"]]
    assert len(bars) == 3


def test_bars_of_one_month_stand_on_each_other_and_are_as_high_as_their_counts() -> None:
    drawn = months({"2014-11": {"C": 30, "D": 10}, "2014-12": {"D": 20}}, "text")
    high = [float(each.attrib["height"]) for each in parsed(drawn).iter("rect") if "grade" in each.attrib["class"]]
    top = [float(each.attrib["y"]) for each in parsed(drawn).iter("rect") if "grade" in each.attrib["class"]]
    assert high[0] == pytest.approx(3 * high[1])
    assert high[2] == pytest.approx(2 * high[1])
    assert top[1] + high[1] == pytest.approx(top[0])
    assert top[0] + high[0] == top[2] + high[2]


def test_many_months_are_drawn_by_year_with_the_same_sum() -> None:
    counts = {f"{year}-{month:02}": {"D": 2} for year in range(1996, 2023) for month in (1, 7)}
    drawn = titles(months(counts, "text"))
    assert drawn[0].startswith("108 texts by year, from 1996 to 2022; at most 4")
    assert len(drawn) == 1 + 27


def test_a_picture_has_no_style_and_nothing_that_others_wrote_as_markup() -> None:
    points = [Point(datetime(2014, 1, 1, tzinfo=UTC), "C", "<script>&\x1b\u202e", "first")]
    for drawn in (months({"2014-11": {"C": 3}}, "<b>"), line(points, "<i>")):
        assert not re.search(r"style=|<script|<b>|<i>|\x1b|\u202e", str(drawn))
    assert titles(line(points, "moment"))[1] == "<script>&\\x1b\\u202e"


def test_a_time_line_keeps_the_order_and_the_distances_of_moments() -> None:
    days = [datetime(2014, 1, 1, tzinfo=UTC), datetime(2015, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)]
    drawn = line([Point(day, "D", f"{day:%Y}") for day in reversed(days)], "moment")
    at = [float(each.attrib["cx"].rstrip("%")) for each in parsed(drawn).iter("circle")]
    assert at == sorted(at)
    assert (at[2] - at[1]) / (at[1] - at[0]) == pytest.approx(1096 / 365, rel=0.01)


def test_no_moment_and_one_moment_can_be_drawn() -> None:
    assert "There is no moment with a date." in line([], "moment")
    drawn = line([Point(datetime(2014, 1, 1, tzinfo=UTC), "D", "")], "moment")
    assert titles(drawn)[0] == "1 moment on 2014-01-01."
    assert len(list(parsed(drawn).iter("circle"))) == 1


_MONTHS = st.builds("{}-{:02}".format, st.integers(2010, 2012), st.integers(1, 12))
_COUNTS = st.dictionaries(_MONTHS, st.dictionaries(st.sampled_from("CD"), st.integers(0, 2), min_size=1), min_size=1)


@given(_COUNTS, st.sampled_from(("text", "address")))
def test_a_picture_names_one_thing_in_the_singular_and_all_other_numbers_in_the_plural(
    counts: dict[str, dict[str, int]], thing: str
) -> None:
    times = [Point(datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC), "D", "") for month in counts]
    places = [DrawnField(0, at, 1 + at, "", None) for at in range(len(counts))]
    drawn = f"{months(counts, thing)} {line(times, thing)} {fields(places, 1, 99, thing)}"
    found = re.findall(rf"\b(\d+) ({thing}\w*)", drawn)
    assert found
    assert {word for number, word in found if number == "1"} <= {thing}
    assert {word for number, word in found if number != "1"} <= {plural(2, thing)}


@given(st.integers(0, 10**6), st.sampled_from(("file", "more text", "address", "branch")))
def test_a_count_has_its_thing_in_the_right_number(number: int, thing: str) -> None:
    assert count_of(number, thing) == f"{number:,} {plural(number, thing)}"
    assert (plural(number, thing) == thing) == (number == 1)


def test_few_months_have_bars_that_are_no_blocks() -> None:
    for counts in ({"2014-11": {"C": 3}}, {"2014-11": {"C": 3}, "2015-01": {"C": 3}}):
        wide = [
            each.attrib["width"]
            for each in parsed(months(counts, "text")).iter("rect")
            if "grade" in each.attrib["class"]
        ]
        assert {float(each.rstrip("%")) for each in wide} == {5.0}


def test_counts_without_a_grade_have_the_colour_of_none() -> None:
    drawn = months({"2014-11": {"": 3}}, "text")
    assert [each.attrib["class"] for each in parsed(drawn).iter("rect")] == ["hit", "grade-"]
    assert "grade" not in "".join(parsed(drawn).itertext())
    rule = re.search(r"svg \.grade- \{ fill: var\((.*?)\)", (STATIC / "style.css").read_text())
    assert rule is not None
    assert not rule[1].startswith("--grade")


def test_moments_of_one_day_are_told_apart_by_their_time() -> None:
    first, last = datetime(2014, 1, 3, 3, 3, 21, tzinfo=UTC), datetime(2014, 1, 3, 9, 0, 0, tzinfo=UTC)
    said = [each.text for each in parsed(line([Point(first, "C", ""), Point(last, "C", "")], "capture")).iter("text")]
    assert said == ["2014-01-03 03:03:21", "2014-01-03 09:00:00"]
    said = [each.text for each in parsed(line([Point(first, "C", "")] * 2, "capture")).iter("text")]
    assert said == ["2014-01-03"]


@pytest.mark.parametrize("days", [0, 30, 3000])
def test_the_words_of_a_time_line_stand_below_their_points_and_not_on_each_other(days: int) -> None:
    first, last = datetime(2010, 1, 1, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC)
    points = [Point(first, "w", "", "witness"), Point(first + timedelta(days), "D", "", "first"), Point(last, "D", "")]
    drawn = parsed(line(points, "capture"))
    at = {
        each.attrib["class"].split()[1]: each.attrib["cx"]
        for each in drawn.iter("circle")
        if " " in each.attrib["class"]
    }
    said = {each.text: each.attrib for each in drawn.iter("text") if "strong" in each.attrib["class"]}
    assert (said["witness"]["x"], said["first seen"]["x"]) == (at["witness"], at["first"])
    assert {each["text-anchor"] for each in said.values()} == {"middle"}
    apart = float(at["first"].rstrip("%")) - float(at["witness"].rstrip("%"))
    assert apart > 20 or said["witness"]["y"] != said["first seen"]["y"]
