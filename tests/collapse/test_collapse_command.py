"""`archive collapse`: its options, what it prints, and mistakes, which print one line and leave no files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from moment import Place, failed, files, put, run

from archive.owned import JOURNAL
from collapse.folder import owned

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="module")
def done(place: Place) -> Path:
    """Return the folder of a finished run."""
    end = place.run("done", *place.short)
    assert end.status == 0, end.err
    return place.folder / "done"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def recipe_of(folder: Path) -> dict[str, Any]:
    recipe: dict[str, Any] = json.loads((folder / "run.json").read_bytes())["recipe"]
    return recipe


def test_the_help_is_shown_without_loading_what_trains() -> None:
    code = """
import sys
from archive.cli import main
try:
    main(["collapse", "--help"])
except SystemExit:
    pass
print(sorted({"torch", "transformers", "tokenizers", "numba", "numpy", "scipy", "matplotlib", "pyarrow"} & set(sys.modules)))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "archive collapse set --recipe smoke" in told
    assert told.splitlines()[-1] == "[]"


def test_options_say_more_than_the_recipe(place: Place) -> None:
    given = {
        "--regimes": "real, mix:0.10", "--generations": 1, "--seeds": 2, "--seed": 3, "--blocks": 12, "--block": 12,
        "--held-out-blocks": 5, "--decoding": "top-k:4", "--prompt": 3, "--epochs": 1, "--batch": 4,
        "--learning-rate": 0.002,
    }  # fmt: skip
    end = place.run("options", *(part for pair in given.items() for part in pair))
    assert end.status == 0, end.err
    recipe = recipe_of(place.folder / "options")
    expected = {name[2:].replace("-", "_"): value for name, value in given.items()}
    assert {name: recipe[name] for name in expected} == expected | {"regimes": ["real", "mix:0.1"]}
    assert recipe["title"] == "A moment"
    assert {item["seed"] for item in place.found("options")["generations"]} == {3, 4}


def test_a_dry_run_tells_duration_and_memory_and_trains_nothing_that_stays(place: Place) -> None:
    end = place.run("dry", "--dry-run")
    assert end.status == 0, end.err
    parameters, rates, needs = end.out.splitlines()
    assert "parameters" in parameters
    # generation 0, and two generations of four arms; one of them writes nothing
    assert f"{9 * 24 * 16 * 2:,} tokens to train, {7 * 24 * 16:,} to write" in parameters
    assert "tokens a second" in rates
    assert "of memory" in needs
    assert "on the disk" in needs
    assert not (place.folder / "dry").exists()
    told = json.loads(place.run("dry", "--dry-run", "--json").out)
    assert told["trained"] > 0 < told["seconds"]
    end = place.run("dry", "--dry-run", "--blocks", 12)  # what would take too long may be made smaller
    assert end.status == 0, end.err
    assert f"{9 * 12 * 16 * 2:,} tokens to train" in end.out


def test_a_dry_run_is_told_also_where_a_run_is(place: Place, done: Path) -> None:
    before = contents(done)
    end = place.run("done", "--dry-run", "--blocks", 12)
    assert end.status == 0, end.err
    assert contents(done) == before


def test_results_are_printed_as_json_where_that_is_asked_for(place: Place, done: Path) -> None:
    end = place.run("done", *place.short, "--json")
    assert end.status == 0, end.err
    printed, found = json.loads(end.out), place.found("done")
    assert {name: printed[name] for name in found} == found
    assert printed.keys() - found.keys() == {"verdict", "report", "seconds"}
    assert printed["report"] == f"{place.folder / 'done'}/report.html"


def test_a_run_ends_with_sentences_its_report_and_how_long_it_took(place: Place) -> None:
    end = place.run("drawn", *place.short, "--regimes", "replace", draws=True)
    assert end.status == 0, end.err
    assert (place.folder / "drawn" / "report.html").stat().st_size > 1000
    *sentences, last = end.out.splitlines()
    assert last.startswith(f"{place.folder / 'drawn'}/report.html, in ")
    assert "perplexity" in sentences[0]


def test_input_that_cannot_be_used_is_counted_and_the_status_is_1(place: Place) -> None:
    broken = place.folder / "broken.jsonl"
    broken.write_bytes(place.set.read_bytes() + b"{no json\n")
    args = ["collapse", broken, "--out", place.folder / "broken", "--model", place.model]
    end = run([*args, *place.short, "--quiet"])
    assert end.status == 1, end.err
    assert "not used as they are" in end.out


# -- mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--recipe", "defalt"], "defalt: no such recipe; there are default, "),
        (["--regimes", "replace,replce"], "regime replce: there are replace, "),
        (["--regimes", "mix:0.1,mix:0.10"], "regime mix:0.1 is named twice"),
        (["--regimes", "suspect:0.1"], "a suspect set and regimes suspect:X go together"),
        (["--suspect", "elsewhere"], "a suspect set and regimes suspect:X go together"),
        (["--seed", -1], "seed is a whole number from 0"),
        (["--epochs", "nan"], "epochs and learning_rate are numbers above 0"),
        (["--learning-rate", "inf"], "epochs and learning_rate are numbers above 0"),
        (["--blocks", 0], "blocks is at least 1, not 0"),
        (["--generations", 0], "--generations 0: at least 1"),
        (["--generations", -2], "--generations -2: at least 1"),
        (["--seeds", 0], "seeds is at least 1, not 0"),
        (["--model", "gpt5"], "--model gpt5: there are micro, tiny, small, gpt2-9m, 125m; and it is no folder"),
        (["--model", "tiny", "--prompt", 16], "prompt: tiny sees 16 tokens; take at most 15"),
        (["--decoding", "beam:1"], "decoding beam:1: a whole number from 2 to 64"),
        (["--where", "label"], "--where label: write it as column=value"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_made(place: Place, options: list[object], says: str) -> None:
    failed(place.run("wrong", *options), says)
    assert not (place.folder / "wrong").exists()


def test_a_recipe_that_is_no_toml_is_told(place: Place, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("blocks == 3")
    failed(place.run("wrong", "--recipe", tmp_path / "mine.toml"), "mine.toml: Invalid")
    assert not (place.folder / "wrong").exists()


def test_what_does_not_fit_is_told_and_the_folder_can_be_used_for_what_does(place: Place) -> None:
    few = put(place.folder / "few.jsonl", range(2000, 2004))
    suspects = ["--regimes", "suspect:1", "--suspect", few]
    for options, says in (
        (["--model", "nobody/such-a-model"], "--model nobody/such-a-model: "),
        (["--model", "none.gguf"], "--model none.gguf: there is no such file"),
        (["--block", 32], "sees 16 tokens; take --block 16, or less"),
        (["--prompt", 16], "sees 16 tokens; take --prompt 15, or less"),
        (["--blocks", 200], "600 are needed; give more text, or fewer --blocks, or no fresh text (--regimes)"),
        ([*place.short, "--blocks", 1000], "2,000 are needed; give more text, or fewer --blocks\n"),
        (["--held-out-blocks", 2000], "256.0 kB to hold out are needed; give more text, or take a smaller recipe"),
        (suspects, "24 are needed; give more text, or fewer --blocks\n"),
    ):
        failed(place.run("unfit", *options), says)
        assert not (place.folder / "unfit").exists()
    end = place.run("unfit", *place.short)
    assert end.status == 0, end.err


def test_a_run_with_another_recipe_is_told_and_nothing_of_the_first_is_touched(place: Place, done: Path) -> None:
    before = contents(done), files(done)
    failed(
        place.run("done", *place.short, "--blocks", 12),
        "holds a run with another recipe; run that again, or name another",
    )
    failed(place.run("done", *place.short, "--threads", 2), "holds a run with another threads")
    failed(place.run("done", *place.short, "--where", "url=x"), "holds a run with another reading")
    assert (contents(done), files(done)) == before


def test_a_run_of_an_older_version_is_told_and_not_touched(place: Place, done: Path) -> None:
    old = place.folder / "old"
    shutil.copytree(done, old)
    identity = json.loads((old / "run.json").read_bytes())
    own = owned(old)
    with own.entered():
        own.write_file(old / "run.json", json.dumps({**identity, "layout": 3}).encode())
    before = contents(old)
    failed(place.run("old", *place.short), "old holds a run of another version; name another folder")
    assert contents(old) == before


@pytest.mark.parametrize("name", ["notes.txt", "run.json"])
@pytest.mark.parametrize("content", ["my notes", "[1, 2]", '{"mine": 1}'])
def test_a_folder_of_something_else_is_told_and_not_touched(place: Place, name: str, content: str) -> None:
    folder = place.folder / "foreign"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    (folder / name).write_text(content)
    failed(place.run("foreign"), f"holds {name}, which `archive collapse` did not make")
    assert contents(folder) == {name: content.encode()}


def test_a_file_where_the_folder_should_be_is_told(place: Place) -> None:
    (place.folder / "file").write_text("x")
    failed(place.run("file"), "file is not a folder; name another one")
    failed(place.run("file/below"), "file/below", "Not a directory")


def test_a_folder_that_a_killed_start_left_can_be_used(place: Place) -> None:
    end = place.run("left", *place.short, kill=r"open .*/\.run\.json\.\w+\.part")
    assert end.status == -9, end
    left = {path.name for path in (place.folder / "left").iterdir()}
    assert left == {JOURNAL}
    (place.folder / "left" / f"{JOURNAL}.0123456789abcdef").write_bytes(b'{"archive": "coll')
    end = place.run("left", *place.short)
    assert end.status == 0, end.err


def test_two_processes_do_not_work_in_one_folder(place: Place) -> None:
    with owned(place.folder / "busy").entered():
        failed(place.run("busy", *place.short), "busy: another process is at work in it")
        assert [path.name for path in (place.folder / "busy").iterdir()] == [JOURNAL]
    end = place.run("busy", *place.short)
    assert end.status == 0, end.err


def test_a_set_that_is_not_there_is_told(place: Place) -> None:
    args = ["collapse", place.folder / "none.jsonl", "--out", place.folder / "none", "--recipe", place.recipe]
    failed(run([*args, "--model", place.model, "--quiet"]), "none.jsonl")
