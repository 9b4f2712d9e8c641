"""`archive plan`: its arithmetic, and that each measured rate is one that docs/benchmarks.md has."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

import archive.capacity.arithmetic as arithmetic
from archive.capacity.arithmetic import FIGURES, PlanResult, plan
from archive.capacity.rates import Rates, load
from archive.errors import ArchiveError

BENCHMARKS = Path(__file__).parents[3] / "docs" / "benchmarks.md"
KINDS = [(subset, texts, embed) for subset in ("warc", "wet") for texts, embed in ((1, 1), (1, 0), (0, 0))]


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", BENCHMARKS.read_text(), re.M | re.S)
    assert found, f"docs/benchmarks.md has no section {title}"
    return found[1]


def numbers(text: str) -> list[float]:
    return [float(each.replace(",", "")) for each in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text)]


@pytest.mark.parametrize("name", [rate.name for rate in load().rates.values() if rate.basis == "measured"])
def test_a_measured_rate_is_in_the_section_of_the_benchmarks_that_it_names(name: str) -> None:
    rate = load().rates[name]
    assert any(number == pytest.approx(rate.value, rel=0.005) for number in numbers(section(rate.source)))


def test_every_rate_has_a_basis_a_unit_and_a_source_and_is_used() -> None:
    used = {name for subset, texts, embed in KINDS for name in _plan(subset, texts, embed).rates}
    for rate in load().rates.values():
        assert rate.basis in {"measured", "published", "assumed"}
        assert rate.unit
        assert rate.source
        assert rate.value > 0
        assert rate.name in used


@pytest.mark.parametrize(("subset", "texts", "embed"), KINDS)
def test_a_figure_names_exactly_the_rates_that_change_it(
    monkeypatch: pytest.MonkeyPatch, subset: str, texts: bool, embed: bool
) -> None:
    before = _plan(subset, texts, embed)
    held = load()
    for name, rate in held.rates.items():
        changed = MappingProxyType({**held.rates, name: replace(rate, value=rate.value * 1.01)})
        monkeypatch.setattr(arithmetic, "load", lambda rates=changed: replace(held, rates=rates))
        after = _plan(subset, texts, embed)
        for was, now in zip(before.stages, after.stages, strict=True):
            for field in FIGURES:
                figure = getattr(was, field)
                assert (getattr(now, field).value != figure.value) == (name in figure.rates), (name, was.name, field)


def test_the_sum_of_years_is_that_of_all() -> None:
    years: Rates = load()
    each = [plan(years=str(year.year)) for year in years.years if year.year <= 2021]
    every = plan(years="..2021")
    assert sum(one.pages.value for one in each) == every.pages.value == 228_228_855_625
    assert sum(one.texts.value for one in each) == pytest.approx(every.texts.value)
    assert sum(one.total.core_hours.value for one in each) == pytest.approx(every.total.core_hours.value)
    assert sum(one.crawls for one in each) == every.crawls == 86


def test_more_machines_take_fewer_days_until_something_else_is_the_limit() -> None:
    days = [plan(years="2019", machines=count).total.days.value for count in (1, 2, 1000, 2000)]
    assert days[0] == pytest.approx(2 * days[1])
    ingest = plan(years="2019", machines=2000).stages[0]
    assert ingest.days.value == pytest.approx(ingest.waits.value / 24)


def test_no_texts_are_kept_where_none_are_asked_for() -> None:
    with_texts, without = plan(), plan(texts=False)
    assert without.total.kept.value < with_texts.total.kept.value / 4
    assert [stage.name for stage in without.stages] == ["ingest", "index"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"years": "2011"}, "no crawl of these years"),
        ({"years": "2021..2013"}, "first year is after the last"),
        ({"years": ""}, "write years as"),
        ({"years": "20132021"}, "write years as"),
        ({"machine": "abacus"}, "no machine of this name"),
        ({"embed": True, "gpu": "abacus"}, "no machine with a GPU of this name"),
        ({"dollars_per_hour": float("nan")}, "write the price of an hour"),
        ({"texts": False, "embed": True}, "vectors need the texts"),
    ],
)
def test_wrong_options_are_one_line_that_says_what_to_write(options: dict[str, object], said: str) -> None:
    with pytest.raises(ArchiveError, match=said):
        plan(**options)  # type: ignore[arg-type]


def _plan(subset: str, texts: bool, embed: bool) -> PlanResult:
    return plan(subset=subset, texts=bool(texts), embed=bool(embed))  # type: ignore[arg-type]
