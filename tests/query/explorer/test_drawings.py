"""Pictures show each count where it belongs, and what is missing as a gap."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

pytest.importorskip("markupsafe")

from markupsafe import Markup

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
