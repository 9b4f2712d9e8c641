"""The report of invented results: a page that needs no other file, pictures, and sentences that claim no more than the
numbers show."""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from results_made import make_results

from archive.errors import CollapseError
from collapse.findings import wording
from collapse.findings.results import Comparison, RunResults, compare
from collapse.findings.summary import summarized
from collapse.findings.suspect import Side, likenesses, part_changes
from collapse.findings.verdict import paragraphs
from collapse.measures.spread import Interval
from collapse.report import write
from collapse.report.axes import apart, round_ratios
from collapse.report.page import page as page_of
from collapse.report.pictures import loss
from collapse.report.speeds import times

PNG = b"\x89PNG\r\n\x1a\n"
SUSPECTS = ("real", "fresh", "suspect:0.01", "suspect:1")
HOSTILE = '</td><script>alert("x")</script><img src=http://x.example/a.png> & \x00\x1b[31m\u202e'


def _nulls(value: Any) -> Any:
    """Replace every float with null."""
    if isinstance(value, dict):
        return {key: _nulls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_nulls(item) for item in value]
    return None if isinstance(value, float) else value


def _emptied(results: RunResults) -> RunResults:
    content = results.to_json()
    measured = ("generations", "arms", "noise_floor", "start", "paper")
    return RunResults.from_json({**content, **{name: _nulls(content[name]) for name in measured}})


def _edited(results: RunResults, edit: Callable[[dict[str, Any]], object]) -> RunResults:
    """Change the metrics of each generation, as JSON has them."""
    content = json.loads(json.dumps(results.to_json()))
    for row in content["generations"]:
        edit(row)
    return RunResults.from_json(content)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the report of a run with a hostile model."""
    out = tmp_path_factory.mktemp("report")
    results = make_results(
        ("replace", "accumulate-subsample", "real"), seeds=2, generations=2, text=HOSTILE + "long " * 5000
    )
    results = replace(results, set=replace(results.set, name="<b>set</b>"))
    write(out, results, {"train": {"tokens": 1000, "seconds": 2.0}, "write": {"tokens": 5, "seconds": 0.0}})
    return out, (out / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_no_other_file(page: tuple[Path, str]) -> None:
    _, html = page
    assert html.startswith("<!DOCTYPE html>")
    assert not re.search(r"<(script|link|iframe|object|embed|base)\b|@import|url\(", html)
    sources = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert sources
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    anchors = {source[1:] for source in sources if source.startswith("#")}
    assert anchors <= set(re.findall(r'id="([^"]+)"', html))


def test_each_picture_is_a_file_and_in_the_page(page: tuple[Path, str]) -> None:
    out, html = page
    files = sorted(path.stem for path in out.glob("*.png"))
    assert files == ["diversity", "loss", "surprise", "tails", "where"]
    assert all((out / f"{name}.png").read_bytes().startswith(PNG) for name in files)
    assert sorted(re.findall(r'<figure id="(\w+)">', html)) == files
    assert html.count("<figcaption>") == len(files)


def test_what_a_set_or_a_model_says_is_text(page: tuple[Path, str]) -> None:
    _, html = page
    assert "<b>set</b>" not in html
    assert "&lt;b&gt;set&lt;/b&gt;" in html
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;" in html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", html)
    assert "more characters)" in html
    assert len(re.sub(r'src="data:[^"]*"', "", html)) < 150_000


def test_the_page_shows_what_was_found_and_how(page: tuple[Path, str]) -> None:
    _, html = page
    for told in (
        "noise floor",
        "Catastrophic increase",
        "Shumailov",
        "500",
        "1,000 blocks",
        "generation 2",
        "accumulate-subsample",
    ):
        assert told in html
    assert "3 near-duplicate" in html
    assert html.count("The prompt: ") == 3


def test_the_same_results_give_the_same_bytes() -> None:
    found = make_results(("replace", "real"), generations=1, seeds=2)
    drawn = [{"loss": picture} for picture in (loss.draw(found), loss.draw(found)) if picture]
    assert drawn[0]["loss"].png == drawn[1]["loss"].png
    assert b"Software" not in drawn[0]["loss"].png
    assert page_of(found, drawn[0], None) == page_of(found, drawn[1], None)


@pytest.mark.parametrize(
    ("arguments", "pictures"),
    [
        ({"regimes": SUSPECTS, "generations": 1}, {"dose", "looks", "where"}),
        ({"regimes": ("suspect:1",), "seeds": 1, "domains": False}, {"dose", "looks", "where"}),
        ({"regimes": ("real",)}, set()),
        ({"regimes": ("replace", "real"), "generations": 0}, set()),
    ],
    ids=["suspects", "only-suspects", "only-control", "no-generation"],
)
def test_a_report_of_what_there_is(tmp_path: Path, arguments: dict[str, Any], pictures: set[str]) -> None:
    write(tmp_path, make_results(**arguments))
    assert {path.stem for path in tmp_path.glob("*.png")} == pictures
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize("regimes", [("replace", "real"), SUSPECTS])
def test_nulls_anywhere_are_not_measured(tmp_path: Path, regimes: tuple[str, ...]) -> None:
    results = _emptied(make_results(regimes, generations=1))
    write(tmp_path, results)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not measured" in html
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", re.sub(r'src="data:[^"]*"', "", html))
    assert "times" not in " ".join(paragraphs(results)[1:])


def test_one_seed_without_a_control_and_what_else_can_be_missing(tmp_path: Path) -> None:
    results = make_results(("replace",), generations=1, seeds=1, domains=False)
    write(tmp_path, replace(results, arms={}, samples=[], paper=[]))
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert {path.stem for path in tmp_path.glob("*.png")} == {"loss", "surprise", "tails", "diversity"}
    assert "With one seed there are no intervals." in html
    assert "no arm real" in html
    assert "Samples" not in html


def test_perplexities_beyond_all_numbers_are_infinite_rather_than_an_error() -> None:
    def burst(row: dict[str, Any]) -> None:
        if row["regime"] == "replace":
            row["held_out"]["loss"]["loss"]["value"] = 900.0 + 900.0 * row["seed"]

    found = _edited(make_results(("replace", "real"), generations=1), burst)
    again = summarized(
        found.recipe,
        found.generations,
        set=found.set,
        parameters=found.parameters,
        edges=found.edges,
        samples=found.samples,
    )
    assert again.arms["replace"].generations[1].perplexity == math.inf
    assert again.to_json()["arms"]["replace"]["generations"][1]["perplexity"] is None


def test_the_verdict_tells_loss_from_chance() -> None:
    told = paragraphs(make_results())
    replaced = next(text for text in told if "(replace)" in text)
    ratio = re.search(r"rose to (\S+) times \(95 %: (\S+) to (\S+)\)", replaced)
    assert ratio
    value, low, high = map(float, ratio.groups())
    assert low <= value <= high
    assert value == pytest.approx(math.exp(3 * 0.18), rel=0.02)
    assert "in 3 generations, worse by more than chance" in replaced
    assert "what is rare loses more" in replaced
    assert "from generation 1 on" in replaced
    fresh = next(text for text in told if "(fresh)" in text)
    assert "came to" in fresh
    assert "cannot be distinguished from chance" in fresh
    assert "noise floor" in told[0]
    assert "replace meets" in told[-2]
    assert told[-1] == "Of 3 figures of the paper, 1 only in direction, 1 cannot be seen here and 1 stay open."


def test_what_reaches_into_the_noise_floor_is_no_finding() -> None:
    for noise in (0.2, 0.8):
        told = " ".join(paragraphs(make_results(("replace", "real"), noise=noise, seeds=2)))
        assert "cannot be distinguished from chance" in told
        assert "worse by more" not in told


def test_without_a_control_or_with_one_seed_nothing_is_claimed() -> None:
    alone = paragraphs(make_results(("replace", "accumulate")))
    assert "No noise floor was measured (no arm real), so no difference can be distinguished from chance." in alone[0]
    once = paragraphs(make_results(("replace", "real"), seeds=1))
    assert "with one seed there are no intervals" in once[0]
    for told in (alone, once):
        assert "whether by chance is not known" in told[1]
        assert "95 %" not in " ".join(once)
        assert "more than chance" not in " ".join(told)


def test_a_model_that_learned_nothing_is_said_to_have() -> None:
    results = make_results(("replace", "real"), generations=1)
    assert "learned next to nothing" not in paragraphs(results)[0]
    poor = [replace(row, unigram=3.0) if row.generation == 0 else row for row in results.generations]
    assert "learned next to nothing" in paragraphs(replace(results, generations=poor))[0]


def test_the_verdict_says_which_arm_ends_worse_than_word_frequencies() -> None:
    results = make_results()
    worse = "worse than to know only how often each token occurs"
    assert worse not in " ".join(paragraphs(results))
    end = {row.regime: row.held_out.loss.loss.value for row in results.generations}
    middle = (end["replace"] + end["mix:0.1"]) / 2
    rows = [replace(row, unigram=middle) if row.generation == 0 else row for row in results.generations]
    texts = [paragraph for paragraph in paragraphs(replace(results, generations=rows)) if worse in paragraph]
    assert len(texts) == 1
    assert "(replace)" in texts[0]


def test_the_verdict_on_a_suspect_set() -> None:
    told = paragraphs(make_results(SUSPECTS, generations=1))
    text = " ".join(told)
    assert "100 % suspect text (suspect:1): rose to 1.49 times" in text
    assert "teaches worse on held-out real text than as much real text does; 100 % is the least share" in text
    assert "worst for the rarest tokens" in text
    assert re.search(
        r"Compared with new real text \(fresh\), perplexity comes to 1\.[45]\d times \(95 %: [^)]+\), worse by", text
    )
    assert "no proof that models wrote it" in text
    assert "new real text each time (fresh): came to" in text
    same = " ".join(paragraphs(make_results(SUSPECTS, generations=1, dose=0.0)))
    assert "That the suspect set teaches worse than real text cannot be distinguished from chance." in same
    assert "is worst for" not in same


def test_where_a_suspect_set_is_worse_is_told_beside_other_real_text_where_there_is_some() -> None:
    def improve(row: dict[str, Any]) -> None:
        if row["regime"] == "fresh":  # any other set does better on what is rare in generation 0's
            row["held_out"]["bands"]["rarest"]["loss"]["value"] -= 1.0

    found = _edited(make_results(SUSPECTS, generations=1), improve)
    few, whole = found.suspects[0], found.suspects[-1]
    alone = {part.name: part.change.value for part in part_changes(found, few)}
    beside_other = {part.name: part.change.value for part in part_changes(found, whole)}
    assert alone["rarest"] < 0.1
    assert beside_other["rarest"] == pytest.approx(1 + 0.4 * 2.1, abs=0.1)
    assert beside_other["commonest"] == pytest.approx(0.4 * 0.6, abs=0.1)


def test_a_likeness_lies_on_a_side() -> None:
    def shift_texts(row: dict[str, Any]) -> None:
        if row["generation"] == 0:
            shift = row["seed"] / 1000
            for kind, value in (("unseen", 0.9), ("written", 0.8), ("suspect", 0.81)):
                row[kind]["distinct"]["2"] = value + shift
                row[kind]["self_bleu"] = value + shift if kind != "suspect" else 1.2
                row[kind]["repetition"] = value + shift if kind != "suspect" else 0.5
                row[kind]["compression"] = value + shift if kind != "suspect" else 0.9
                row[kind]["entropy"] = 5 + shift

    results = _edited(make_results(SUSPECTS, generations=1), shift_texts)
    sides = {row.title: row.side for row in likenesses(results)}
    assert sides["distinct 2-grams"] is Side.MODEL
    assert sides["self-BLEU"] is Side.OTHER
    assert sides["repetition"] is Side.BEYOND
    assert sides["compression"] is Side.REAL
    assert sides["entropy of tokens"] is Side.SAME


@pytest.mark.parametrize(
    ("change", "floor", "expected"),
    [
        ((0.3, 0.2, 0.4), 0.1, Comparison.MORE),
        ((-0.3, -0.4, -0.2), 0.1, Comparison.LESS),
        ((0.3, 0.05, 0.55), 0.1, Comparison.OPEN),
        ((0.05, -0.3, 0.4), 0.1, Comparison.SAME),
        ((0.3, math.nan, math.nan), 0.1, Comparison.UNKNOWN),
        ((0.3, 0.2, 0.4), math.nan, Comparison.UNKNOWN),
    ],
)
def test_a_change_beside_the_noise_floor(
    change: tuple[float, float, float], floor: float, expected: Comparison
) -> None:
    assert compare(Interval(*change), Interval(floor / 2, 0, floor)) is expected


def test_digits_tell_a_ratio_from_one() -> None:
    assert (
        wording.ratios(Interval(math.log(1.714), math.log(1.65), math.log(1.77))) == "1.71 times (95 %: 1.65 to 1.77)"
    )
    assert (
        wording.ratios(Interval(math.log(1.01), math.log(0.98), math.log(1.2))) == "1.010 times (95 %: 0.980 to 1.200)"
    )
    assert wording.ratio(1000.0) == "inf"


@pytest.mark.parametrize(("low", "high"), [(-0.01, 0.012), (0, 0.5), (-3, 2), (0, 9), (-60, 60), (-1e-4, 1e-4)])
def test_ticks_are_round_few_and_inside(low: float, high: float) -> None:
    ticks = round_ratios(low, high)
    assert 2 <= len(ticks) <= 9
    assert all(low - 1e-6 <= math.log(tick) <= high + 1e-6 for tick in ticks)


def test_labels_do_not_lie_on_one_another() -> None:
    places = apart([0.0, 0.0, 0.1, 0.15, 3.0], 1.0)
    assert all(after - before >= 1 - 1e-9 for before, after in itertools.pairwise(places))
    assert places[-1] == pytest.approx(3.0, abs=0.5)


def test_times_are_added_up(tmp_path: Path) -> None:
    for number, content in enumerate(
        ['{"train": {"tokens": 5, "seconds": 1.5}}', '{"train": {"tokens": 7, "seconds": 1}}']
    ):
        folder = tmp_path / "steps" / "seed-0" / "replace" / f"generation-{number}"
        folder.mkdir(parents=True)
        (folder / "times.json").write_text(content)
    assert times(tmp_path) == {"train": {"tokens": 12, "seconds": 2.5}}
    assert times(tmp_path / "none") == {}


def test_matplotlib_is_imported_where_it_is_used() -> None:
    code = "import sys, collapse.report; sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- results as JSON -------------------------------------------------------------------------------


@pytest.mark.parametrize("regimes", [("replace", "fresh"), SUSPECTS])
def test_results_are_the_same_after_a_trip_through_json(regimes: tuple[str, ...]) -> None:
    results = make_results(regimes, generations=1)
    content = json.loads(json.dumps(results.to_json(), allow_nan=False))
    assert RunResults.from_json(content).to_json() == content
    assert RunResults.from_json(content).generations == results.generations
    fresh = next(row for row in content["generations"] if row["regime"] == "fresh")
    assert fresh.keys() == {"seed", "regime", "generation", "held_out"}  # what was not measured is left out


def test_results_of_the_first_version_are_read() -> None:
    results = make_results(("replace", "real"), generations=1)
    content = json.loads(json.dumps(results.to_json()))
    del content["version"]
    for row in content["generations"]:
        del row["held_out"]["token_quantiles"]
        if row["generation"] == 0:
            assert row["unseen"]["strange"]["of"] == 1400
        for kind in ("written", "unseen"):
            if kind in row:
                row[kind]["strange"] = [row[kind]["strange"]["texts"], row[kind]["strange"]["of"]]
    read = RunResults.from_json(content)
    assert read.generations[0].written == results.generations[0].written
    assert paragraphs(read) == paragraphs(results)


def test_results_of_a_newer_version_are_refused_in_one_line() -> None:
    with pytest.raises(CollapseError, match=r"^results of version 99: this program reads versions up to 2$"):
        RunResults.from_json({"version": 99})
