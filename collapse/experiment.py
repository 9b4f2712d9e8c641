"""A run from end to end: read the set, train the generations of every arm, measure, report."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archive.engine import Engine, Failed
from archive.errors import CollapseError
from archive.records.datasets import Columns
from archive.show import Stages
from collapse import corpus, data, report, results, steps
from collapse.corpus import Style
from collapse.estimate import Estimate, estimate
from collapse.recipe import Recipe
from collapse.regimes import START
from collapse.steps import Arm

_RUN, _LOCK = "run.json", ".lock"
#: UTF-8 bytes for a token: what a set is read up to, to have blocks enough with any tokenizer and any language.
_BYTES = 8
#: As much is read of any set, so that also a small run sees many documents.
_LEAST = 8_000_000
#: Held-out text is read for more blocks than are judged, so that they come from more documents.
_WIDER = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """How sets are read; `collapse.corpus.read` says what each means."""

    columns: Columns = Columns()
    where: Mapping[str, str] = field(default_factory=dict)
    suspect_where: Mapping[str, str] = field(default_factory=dict)
    style: Style = "auto"


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run is made. The numbers depend on `device` and `threads`, and not on `workers`."""

    device: str = "cpu"
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    threads: int = 1  #: of each worker
    keep: bool = False  #: the weights of every generation


def run(
    sources: Sequence[str],
    out: str | Path,
    recipe: Recipe,
    *,
    suspect: Sequence[str] = (),
    reading: Reading = Reading(),
    machine: Machine = Machine(),
    stages: Stages = Stages(),
) -> dict[str, Any]:
    """The collapse test of a set, in a folder. A run that was killed goes on where it was.

    The set is read once: its blocks lie in the folder, and a run that goes on takes them from there. That the files of
    the set have changed meanwhile is not noticed; name another folder to test what they hold now.

    Args:
        sources: what `collapse.corpus.read` reads.
        suspect: a second set, whose text is trained on in the arms `suspect:X`.

    Returns:
        What stands in `results.json`.

    Raises:
        CollapseError: the set is too small, the model does not fit, a training diverges, the disk is full, or the
            folder holds something else.
    """
    place = Path(out)
    with _entered(sources, place, recipe, suspect, reading, machine):
        stages.stage("reading the set", None)
        prepare(sources, place, recipe, suspect, reading)
        firsts = starts(place, recipe, machine)
        rest = {first.seed: arms(place, recipe, machine, first.seed) for first in firsts}
        _train(firsts, rest, machine.workers, stages)
        found = results.collect(place, recipe, firsts, [arm for held in rest.values() for arm in held])
        results.write(place, found)
        stages.stage("drawing the report", None)
        report.write(place, found, report.times(place))
        return found


def plan(
    sources: Sequence[str],
    out: str | Path,
    recipe: Recipe,
    *,
    suspect: Sequence[str] = (),
    reading: Reading = Reading(),
    machine: Machine = Machine(),
) -> Estimate:
    """How long `run` will take and what it needs, from a trial of a few seconds. Reads the set, and leaves its blocks.

    Raises:
        CollapseError: as `run` does.
    """
    place = Path(out)
    with _entered(sources, place, recipe, suspect, reading, machine):
        prepare(sources, place, recipe, suspect, reading)
        firsts = starts(place, recipe, machine)
        every = [*firsts, *(arm for first in firsts for arm in arms(place, recipe, machine, first.seed))]
        return estimate(place, recipe, every, machine.device, machine.threads, machine.workers)


def prepare(sources: Sequence[str], out: Path, recipe: Recipe, suspect: Sequence[str], reading: Reading) -> None:
    """Read the set, hold out a part, and leave the blocks of a run in its folder, if they are not there yet."""
    folder = steps.data_folder(out)
    if folder.exists():
        return
    wanted = data.needed(recipe) * recipe.block
    judged = recipe.held_out_blocks * recipe.block
    read = corpus.read(
        sources,
        limit_bytes=max((wanted + judged * _WIDER) * _BYTES, _LEAST),
        held_out_bytes=judged * _WIDER * _BYTES,
        seed=recipe.seed,
        columns=reading.columns,
        where=reading.where,
        style=reading.style,
    )
    # of a small set not all may be held out: the tokens that are judged, or a tenth of the text
    wide, least = judged * _WIDER * _BYTES, judged * _BYTES
    tenth = sum(document.size for document in read.train) // 10
    parts = corpus.split(read, wide if read.held_out else min(wide, max(least, tenth)))
    about: dict[str, Any] = {
        "name": read.name,
        "reading": asdict(read.reading),
        "split": asdict(parts.report),
    }
    others = None
    if suspect:
        second = corpus.read(
            suspect,
            limit_bytes=max(wanted * _BYTES, _LEAST),
            seed=recipe.seed,
            columns=reading.columns,
            where=reading.suspect_where,
            style=reading.style,
        )
        # a text may stand in both lists: each is kept once
        each = {document.text: document for document in (*second.train, *second.held_out)}
        others, dropped = corpus.without_kin(list(each.values()), parts.held_out)
        about["suspect"] = {
            "name": second.name,
            "reading": asdict(second.reading),
            "documents": len(others),
            "dropped": dict(sorted(dropped.items())),
        }
    data.make(folder, recipe, parts.train, parts.held_out, others, about)


def arms(out: Path, recipe: Recipe, machine: Machine, seed: int) -> list[Arm]:
    """The arms of a seed behind generation 0: those that take longest first."""
    made = [
        Arm(str(out), recipe, seed, str(regime), machine.device, machine.threads, machine.keep)
        for regime in recipe.parsed_regimes()
        if regime.generations(recipe.generations)
    ]
    return sorted(made, key=Arm.tokens, reverse=True)


def starts(out: Path, recipe: Recipe, machine: Machine) -> list[Arm]:
    """Generation 0 of each seed."""
    seeds = range(recipe.seed, recipe.seed + recipe.seeds)
    return [Arm(str(out), recipe, seed, START, machine.device, machine.threads, machine.keep) for seed in seeds]


def _train(firsts: Sequence[Arm], rest: Mapping[int, Sequence[Arm]], workers: int, stages: Stages) -> None:
    """Every arm of every seed; the arms of a seed begin as soon as its generation 0 is done."""
    total = sum(arm.tokens() for arm in [*firsts, *(arm for held in rest.values() for arm in held)])
    stages.stage("training and writing, tokens", total)
    engine = Engine(steps.work, workers, stages.progress)
    for end in engine.run(iter(firsts)):
        if isinstance(end, Failed):
            raise CollapseError(f"{end.task.regime}, seed {end.task.seed}: {end.error}")
        if end.task.regime == START:
            for arm in rest[end.task.seed]:
                engine.submit(arm)


@contextlib.contextmanager
def _entered(
    sources: Sequence[str], out: Path, recipe: Recipe, suspect: Sequence[str], reading: Reading, machine: Machine
) -> Iterator[None]:
    """Enter the folder of a run as the only process.

    Raises:
        CollapseError: it holds another run, or something else, or another process is at it, or it cannot be written.
    """
    if any(regime.kind == "suspect" for regime in recipe.parsed_regimes()) != bool(suspect):
        raise CollapseError("a suspect set and regimes suspect:X go together: name both, or none")
    identity: dict[str, Any] = {
        "version": version("lowbackground"),
        "sources": list(sources),
        "suspect": list(suspect),
        "reading": asdict(reading),
        "recipe": asdict(recipe),
        "device": machine.device,
        "threads": machine.threads,
    }
    try:
        _stated(out)
        out.mkdir(parents=True, exist_ok=True)
        with open(out / _LOCK, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise CollapseError(f"{out}: another process is at work in it") from None
            _claim(out, json.loads(json.dumps(identity)))
            yield
    except OSError as error:
        raise steps.stopped(error, out) from None


def _stated(out: Path) -> dict[str, Any] | None:
    """What the run in a folder says that it is; nothing where there is no more than a start killed early leaves.

    Raises:
        CollapseError: it is no folder, or one of something else.
    """
    if not out.exists():
        return None
    if out.is_dir() and not (out / _RUN).exists() and {path.name for path in out.iterdir()} <= {_LOCK, _RUN + ".part"}:
        return None
    try:
        stated = json.loads((out / _RUN).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        stated = None
    if not isinstance(stated, dict) or "recipe" not in stated:
        raise CollapseError(f"{out} is no folder of a collapse test; name another one")
    return stated


def _claim(out: Path, identity: dict[str, Any]) -> None:
    """Say in the folder what its run is. While no step of one is done, another may take its place.

    Raises:
        CollapseError: the folder holds another run, of which something is done.
    """
    stated = _stated(out)
    if stated == identity:
        return
    if stated is not None:
        if steps.begun(out):
            differing = ", ".join(key for key in identity if stated.get(key) != identity[key])
            raise CollapseError(f"{out} holds a run with another {differing}; run that again, or name another folder")
        data.discard(steps.data_folder(out))  # before the name changes: never one run's blocks under another's name
    steps.replace(out / _RUN, json.dumps(identity, indent=2).encode())
