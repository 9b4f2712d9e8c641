"""A headline says no more than can be known: refused, not distinguished, or at least so much."""

from __future__ import annotations

from dataclasses import replace

from collapse.share.results import Point, Series
from collapse.share.wording import finding, headline


def point(month: str, value: float | None, low: float = 0.0, high: float = 1.0, refused: str | None = None) -> Point:
    known = value is not None
    return Point(month, 50, 9, value, low if known else None, high if known else None, refused)


def series(*points: Point, method: str = "mixture", unit: str = "share of texts", floor: float | None = 0.02) -> Series:
    return Series(
        method=method, title="Mixture", source="somebody", unit=unit, stratum=None, panel=False, floor=floor,
        ceiling=None, slope=None, says="It says.", refused=None, points=points,
    )  # type: ignore[arg-type]  # fmt: skip


AFTER = ("2022-01", "2022-02", "2022-03", "2022-04")


def test_an_interval_that_reaches_below_the_floor_is_not_told_apart_from_zero() -> None:
    said = finding(series(*(point(month, 0.1, 0.01, 0.2) for month in AFTER)), "2022-01")
    assert said == "Mixture: not distinguished from zero: 0 of 4 periods above 2.0 %, the floor"


def test_one_month_of_many_above_the_floor_is_chance() -> None:
    many = [point(f"20{year}-{month:02}", 0.1, 0.01, 0.2) for year in range(22, 27) for month in range(1, 13)]
    many[7] = point("2022-08", 0.2, 0.1, 0.3)
    assert "not distinguished from zero" in finding(series(*many), "2022-01")


def test_a_share_is_told_by_the_low_end_of_its_interval() -> None:
    said = finding(series(*(point(month, 0.3, 0.2, 0.4) for month in AFTER)), "2022-01")
    assert said.startswith("Mixture: at least 20.0 % of the texts of 2022-04 read like the machine text;")


def test_months_before_the_reference_do_not_count() -> None:
    assert "refused: no text is from 2022-01 or later" in finding(series(point("2021-12", 0.9, 0.8, 1.0)), "2022-01")


def test_what_is_refused_has_its_reason() -> None:
    refused = [point(month, None, refused="too few hosts") for month in AFTER]
    assert finding(series(*refused), "2022-01") == ("Mixture: refused: none of 4 periods has a number: too few hosts")
    assert finding(replace(series(*refused), refused="the floor is high"), "2022-01") == (
        "Mixture: refused: the floor is high"
    )


def test_a_word_that_few_texts_before_lack_may_have_been_there() -> None:
    before, after = point("2021-01", 0.0, 0.0, 50.0), point("2022-01", 30.0, 2.0, 90.0)
    rates = series(before, after, method="words", unit="per million words", floor=0.0)
    assert "not distinguished from before" in finding(rates, "2022-01")
    sure = series(before, replace(after, low=51.0), method="words", unit="per million words", floor=10.0)
    assert "at least 5.1 times as often as before 2022-01" in finding(sure, "2022-01")


def test_without_a_floor_nothing_is_claimed() -> None:
    said = finding(series(point("2022-01", 0.5, 0.4, 0.6), floor=None), "2022-01")
    assert "there is no floor" in said
    assert "at least" not in said


def test_the_headline_tells_the_share_of_the_largest_stratum_and_the_words() -> None:
    large, small = (replace(series(point("2022-01", 0.3, 0.2, 0.4)), stratum=name) for name in ("en/news", "en/shop"))
    small = replace(small, points=(replace(small.points[0], texts=1),))
    words = series(point("2022-01", 3.0, 0.5, 4.0), method="words", unit="per million words", floor=1.0)
    every = (words, small, large, replace(large, panel=True))
    findings = [finding(each, "2022-01") for each in every]
    assert headline(every, findings, {}) == f"{findings[2]}; {findings[0]}"
    among = replace(large, panel=True, points=(replace(large.points[0], low=0.0),))
    findings[3] = finding(among, "2022-01")
    assert "(among the same hosts alone this is not seen)" in headline((*every[:3], among), findings, {})


def test_the_headline_names_why_no_share_is_estimated_in_the_largest_stratum() -> None:
    refused = [replace(series(), stratum=f"en/{name}", refused=why) for name, why in (("a", "few"), ("b", "no"))]
    findings = [finding(each, "2022-01") for each in refused]
    said = headline(refused, findings, {"en/a": 1, "en/b": 9})
    assert said == "no share is estimated: 2 estimates refused, as Mixture (en/b): refused: no"
    assert headline((), (), {}) == "no share is estimated: there is no text"


def test_of_the_reasons_of_many_strata_the_first_are_named() -> None:
    refused = replace(series(), refused="; ".join(f"en/{number}: few" for number in range(9)))
    assert finding(refused, "2022-01") == "Mixture: refused: en/0: few; en/1: few; and 7 more"
