"""A result of `archive share` is a page: the floor is drawn, what is refused is hatched, and nobody's words are markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

pytest.importorskip("starlette")

import httpx
from explored import serving, shown  # noqa: F401

from archive.lake import Lake
from query.explorer.draw.share import Bar, Estimate, share
from query.explorer.reports.found import find, find_one

EVIL = "<script>alert(1)</script>\u202e"


def point(month: str, value: float | None, **more: Any) -> dict[str, Any]:
    known = value is not None
    return {
        "month": month, "texts": 50, "hosts": 9, "value": value, "low": value - 0.1 if known else None,
        "high": value + 0.1 if known else None, "refused": None if known else f"too few hosts {EVIL}", **more,
    }  # fmt: skip


def result(**changed: Any) -> dict[str, Any]:
    """What `archive share` writes, as far as a page reads it."""
    series = {
        "method": "mixture", "title": f"Mixture {EVIL}", "source": "Liang", "unit": "share of texts", "stratum": "en/article",
        "panel": False, "floor": 0.02, "ceiling": 0.9, "slope": 0.88, "says": "It says.", "refused": None,
        "condition": None, "points": [point("2021-12", 0.1), point("2022-01", 0.3), point("2022-03", None)],
    }  # fmt: skip
    return {
        "version": 1, "headline": f"at least 20 % {EVIL}", "source": "lake", "versions": {}, "reference": "2022-01-01",
        "by": "month", "grade": "D", "seed": 0, "texts": 150, "each": 1000, "strata": {"en/article": 150},
        "left_out": {"short": 3}, "machine": {"gpt": 9}, "machine_rejects": {}, "series": [series],
        "findings": ["Mixture: at least 20 %"], "warnings": [f"no index {EVIL}"], **changed,
    }  # fmt: skip


def written(folder: Path, stated: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "share.json").write_text(stated if isinstance(stated, str) else json.dumps(stated))
    return folder


def test_the_form_is_the_one_that_share_writes() -> None:
    from dataclasses import fields

    from collapse.share.results import VERSION, Point, Series, ShareResult
    from query.explorer.reports import shared

    assert shared.VERSION == VERSION == result()["version"]
    assert set(result()) == {each.name for each in fields(ShareResult)}
    assert set(result()["series"][0]) == {each.name for each in fields(Series)}
    assert set(point("2022-01", 0.1)) == {each.name for each in fields(Point)}


def test_a_result_is_shown_as_a_picture_and_a_table_and_as_json(shown: Lake, tmp_path: Path) -> None:
    written(tmp_path / "one", result())
    (report,) = find([tmp_path])
    assert report.kind == "share"
    with serving("--lake", shown.location, "--reports", str(tmp_path)) as address:
        page = httpx.get(f"{address}/report/{report.id}", timeout=60)
        twin = httpx.get(f"{address}/report/{report.id}.json", timeout=60).json()
    assert page.status_code == 200
    assert "floor 2 %" in page.text
    assert "As a table" in page.text
    assert page.text.count("<script") == 1  # that of the frame
    assert "\u202e" not in page.text
    assert " style=" not in page.text
    assert [each["value"] for each in twin["data"]["stated"]["series"][0]["points"]] == [0.1, 0.3, None]


BROKEN = {
    "another version": result(version=9),
    "no series": {name: value for name, value in result().items() if name != "series"},
    "series of text": result(series="x"),
    "fewer findings": result(findings=[]),
    "points of text": result(series=[{**result()["series"][0], "points": ["x"]}]),
    "a word": result(texts="many"),
    "no day": result(reference="yesterday"),
    "no period": result(by="week"),
    "endless": json.dumps(result()).replace("0.88", "1e999"),
    "no object": "[1]",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_result_is_told_in_one_line(tmp_path: Path, what: str) -> None:
    written(tmp_path / "one", BROKEN[what])
    (report,) = find([tmp_path])
    assert report.headline is None
    assert report.problem
    assert "\n" not in report.problem
    assert find_one([tmp_path], report.id) == (report, None)


def estimate(*bars: Bar, floor: float | None = 0.1) -> Estimate:
    return Estimate("Mixture", "share of texts", floor, "2022-01", bars)


def drawn(asked: Estimate) -> ElementTree.Element:
    return ElementTree.fromstring(str(share(asked, "one")))


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in root.iter() if name in each.get("class", "").split()]


def test_intervals_are_bars_the_floor_is_a_line_and_what_is_refused_is_hatched() -> None:
    root = drawn(
        estimate(
            Bar("2021-12", 0.1, 0.0, 0.2, None, 5, 2), Bar("2022-01", 0.4, 0.3, 0.5, None, 5, 2),
            Bar("2022-03", None, None, None, "too few hosts", 1, 1),
        )
    )  # fmt: skip
    (floor,), (reference,), (refused,) = (of_class(root, name) for name in ("floor", "reference", "refused"))
    intervals, values = of_class(root, "interval"), of_class(root, "value")
    assert len(intervals) == len(values) == 2
    assert float(intervals[1].get("y1", "")) < float(values[1].get("cy", "")) < float(intervals[1].get("y2", ""))
    assert float(floor.get("y1", "")) == float(values[0].get("cy", ""))  # both .1
    assert refused.get("fill") == "url(#one-hatch)"
    assert of_class(root, "hatch")
    left = [float(each.get("cx", "").rstrip("%")) for each in values]
    assert left[0] < float(reference.get("x1", "").rstrip("%")) < left[1]
    assert "refused: too few hosts" in "".join(root.itertext())


@pytest.mark.parametrize("periods", [["2021", "2022", "2026"], ["2021-Q4", "2022-Q1"], ["2022-05"]])
def test_any_period_has_its_place_inside_the_picture(periods: list[str]) -> None:
    root = drawn(estimate(*(Bar(each, 0.1, 0.0, 0.2, None, 5, 2) for each in periods), floor=None))
    at = [float(each.get("cx", "").rstrip("%")) for each in of_class(root, "value")]
    assert at == sorted(set(at))
    assert 0 < at[0] <= at[-1] < 100
    assert not of_class(root, "floor")


def test_names_that_are_no_periods_and_nothing_at_all_can_be_drawn() -> None:
    assert "no period with a text" in str(share(estimate(Bar("soon", 0.1, 0.0, 0.2, None, 5, 2)), "one"))
    assert "no period with a text" in str(share(estimate(), "one"))
    assert of_class(drawn(estimate(Bar("0000-01", None, None, None, None, 0, 0))), "refused")


def test_a_few_wide_intervals_do_not_flatten_the_others() -> None:
    bars = [Bar(f"20{year}", 0.1, 0.05, 0.15, None, 5, 2) for year in range(10, 30)]
    root = drawn(estimate(*bars, Bar("2030", 0.1, 0.0, 1e9, None, 1, 1)))
    assert float(of_class(root, "value")[0].get("cy", "")) < 100
