"""`collapse.collapse()`: what it takes, what it returns, and that the command is the same."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from moment import Place, call

import collapse
from archive.errors import CollapseError
from archive.records.rows import Columns
from collapse.api import Sets, configure
from collapse.run.experiment import Experiment

pytest.importorskip("torch")

DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(collapse.collapse).parameters.items()
    if name not in ("sets", "reporter")
}


def configured(sets: Sets, **options: Any) -> Experiment:
    return configure(sets, **{**DEFAULTS, "device": "cpu", **options})


@pytest.mark.parametrize(
    ("sets", "sources"),
    [
        ("a set", ("a set",)),
        (Path("a") / "set", ("a/set",)),
        (["one", Path("two")], ("one", "two")),
        (iter(["one"]), ("one",)),
    ],
)
def test_sets_are_one_path_or_several(sets: Sets, sources: tuple[str, ...]) -> None:
    assert configured(sets).sources == sources


def test_options_not_given_are_those_of_the_recipe() -> None:
    experiment = configured("set")
    assert experiment == Experiment(("set",), "collapse-report", collapse.load("default"), machine=experiment.machine)
    assert configured("set", suspect="other").recipe == collapse.load("suspect")
    assert configured("set", suspect="other").suspect == ("other",)


@pytest.mark.parametrize("regimes", ["real, mix:0.10", ["real", "mix:0.10"], ("real", "mix:0.1")])
def test_regimes_are_a_list_or_separated_by_commas(regimes: Any) -> None:
    assert configured("set", regimes=regimes).recipe.regimes == ("real", "mix:0.1")


def test_options_of_reading_and_of_the_machine() -> None:
    experiment = configured(
        "set", suspect="other", where="label=0", suspect_where=["label=1", "a=b=c"], documents="line", text_column="body",
        url_column="u", date_column="d", workers=3, threads=2, keep_checkpoints=True,
    )  # fmt: skip
    assert experiment.reading == collapse.Reading(
        Columns(text="body", url="u", date="d"), {"label": "0"}, {"label": "1", "a": "b=c"}, "line"
    )
    assert experiment.machine == collapse.Machine("cpu", 3, 2, True)


def test_processes_are_one_on_a_gpu_if_nothing_else_is_asked_for() -> None:
    assert configured("set", device="cuda").machine.workers == 1
    assert configured("set", device="cuda", workers=2).machine.workers == 2
    assert configured("set").machine.workers is None


def test_a_wrong_option_is_an_error_before_anything_is_read() -> None:
    with pytest.raises(CollapseError, match="generations 0: at least 1"):
        configured("nowhere", generations=0)
    with pytest.raises(CollapseError, match="where label: write it as column=value"):
        configured("nowhere", where="label")


def test_the_function_returns_what_the_command_prints(tmp_path: Path) -> None:
    place = Place(tmp_path)
    code = f"""
import json
from pathlib import Path
from archive.engine import open_engine
from archive.progress import Reporter
import collapse

class Notes(Reporter):
    def __init__(self):
        self.stages, self.tokens = [], 0
    def stage(self, name, total=None, size=None):
        self.stages.append((name, total))
    def advance(self, items, size):
        self.tokens += items

class Unpicklable:
    # as an engine is that stays in the process which opened it

    def __init__(self):
        self.engine, self.workers = open_engine("local:1"), 1
    def run(self, *args, **more):
        return self.engine.run(*args, **more)
    def __reduce__(self):
        raise TypeError("an engine was sent to a worker")

notes, engine = Notes(), Unpicklable()
result = collapse.collapse({str(place.set)!r}, out=Path({str(tmp_path / "out")!r}), recipe={str(place.recipe)!r},
                           model={str(place.model)!r}, regimes=["real"], generations=1, device="cpu", workers=engine,
                           reporter=notes)
assert isinstance(result, collapse.RunResults)
assert [name for name, _ in notes.stages] == [
    "reading the set", "training and writing, tokens", "drawing the report"]
assert notes.tokens == notes.stages[1][1] > 0
print(json.dumps(result.to_json()))
"""
    end = call(code)
    assert end.status == 0, end.err
    result = json.loads(end.out)
    found = json.loads((tmp_path / "out" / "results.json").read_bytes())
    assert {name: result[name] for name in found} == found
    assert Path(result["report"]) == tmp_path / "out" / "report.html"
    assert Path(result["report"]).exists()
    again = place.run("out", "--regimes", "real", "--generations", 1, "--json")
    assert again.status == 0, again.err
    printed = json.loads(again.out)
    assert printed["verdict"] == result["verdict"]
    assert {**printed, "seconds": 0} == {**result, "seconds": 0}
