"""A run from end to end: read the set, train the generations of every arm, measure, report."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from archive.engine import Engine, Failed, Tasks, open_engine
from archive.errors import CollapseError
from archive.progress import Reporter
from archive.records.rows import Columns
from collapse import corpus, folder, report
from collapse.corpus import Style
from collapse.model import models
from collapse.recipe import Recipe
from collapse.regimes import START
from collapse.run import blocks, generation, results
from collapse.run.arm import Arm, arms, starts
from collapse.run.estimate import Estimate, estimate
from collapse.run.machine import Machine

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
class Experiment:
    """The collapse test of a set, in a folder.

    The set is read once: its blocks lie in the folder, and a run that goes on takes them from there. That the files of
    the set have changed meanwhile is not noticed; name another folder to test what they hold now.
    """

    sources: Sequence[str]  #: what `collapse.corpus.read` reads
    out: str | Path
    recipe: Recipe
    suspect: Sequence[str] = ()  #: a second set, whose text is trained on in the arms `suspect:X`
    reading: Reading = Reading()
    machine: Machine = Machine()

    def __post_init__(self) -> None:
        if any(regime.kind == "suspect" for regime in self.recipe.parsed_regimes()) != bool(self.suspect):
            raise CollapseError("a suspect set and regimes suspect:X go together: name both, or none")

    def run(self, reporter: Reporter = Reporter()) -> dict[str, Any]:
        """All of it. A run that was killed goes on where it was.

        Returns:
            What stands in `results.json`.

        Raises:
            CollapseError: the set is too small, the model does not fit, a training diverges, the disk is full, or the
                folder holds something else.
        """
        models.check(self.recipe.model)
        out = Path(self.out)
        with self._entered():
            reporter.stage("reading the set", None)
            self._prepare()
            firsts = starts(out, self.recipe, self.machine)
            rest = {first.seed: arms(out, self.recipe, self.machine, first.seed) for first in firsts}
            _train(firsts, rest, open_engine(self.machine.workers), Path(self.out), reporter)
            found = results.collect(out, self.recipe, firsts, [arm for held in rest.values() for arm in held])
            results.write(out, found)
            reporter.stage("drawing the report", None)
            report.write(out, found, report.times(out), folder.owned(out).write_file)
            return found

    def plan(self) -> Estimate:
        """How long `run` will take and what it needs, from a trial of a few seconds. Reads the set, and leaves nothing.

        Raises:
            CollapseError: as `run` does.
        """
        models.check(self.recipe.model)
        with tempfile.TemporaryDirectory(prefix="collapse-") as place:
            trial, out = replace(self, out=place), Path(place)
            with trial._entered():
                trial._prepare()
                firsts = starts(out, self.recipe, self.machine)
                rest = [arm for first in firsts for arm in arms(out, self.recipe, self.machine, first.seed)]
                return estimate(out, self.recipe, [*firsts, *rest], self.machine)

    def _entered(self) -> AbstractContextManager[None]:
        identity = {
            "version": version("lowbackground"),
            "layout": folder.LAYOUT,
            "sources": list(self.sources),
            "suspect": list(self.suspect),
            "reading": asdict(self.reading),
            "recipe": asdict(self.recipe),
            "device": self.machine.device,
            "threads": self.machine.threads,
        }
        return folder.entered(Path(self.out), identity)

    def _prepare(self) -> None:
        """Read the set, hold out a part, and leave the blocks of the run in its folder, if they are not there yet."""
        place, recipe = folder.blocks(self.out), self.recipe
        if place.exists():
            return
        wanted = blocks.needed(recipe) * recipe.block * _BYTES
        judged = recipe.held_out_blocks * recipe.block * _BYTES
        read = self._read(self.sources, self.reading.where, max(wanted + judged * _WIDER, _LEAST), judged * _WIDER)
        # of a small set not all may be held out: the tokens that are judged, or a tenth of the text
        tenth = sum(document.size for document in read.train) // 10
        parts = corpus.split(read, judged * _WIDER if read.held_out else min(judged * _WIDER, max(judged, tenth)))
        about: dict[str, Any] = {
            "name": read.name,
            "reading": asdict(read.reading),
            "split": asdict(parts.report),
        }
        others = None
        if self.suspect:
            second = self._read(self.suspect, self.reading.suspect_where, max(wanted, _LEAST))
            # a text may stand in both lists: each is kept once
            each = {document.text: document for document in (*second.train, *second.held_out)}
            others, dropped = corpus.without_kin(list(each.values()), parts.held_out)
            about["suspect"] = {
                "name": second.name,
                "reading": asdict(second.reading),
                "documents": len(others),
                "dropped": dict(sorted(dropped.items())),
            }
        blocks.make(place, folder.owned(self.out), recipe, parts.train, parts.held_out, others, about)

    def _read(
        self, sources: Sequence[str], where: Mapping[str, str], limit_bytes: int, held_out_bytes: int = 0
    ) -> corpus.Corpus:
        return corpus.read(
            sources,
            limit_bytes=limit_bytes,
            held_out_bytes=held_out_bytes,
            seed=self.recipe.seed,
            columns=self.reading.columns,
            where=where,
            style=self.reading.style,
        )


def _train(
    firsts: Sequence[Arm], rest: Mapping[int, Sequence[Arm]], engine: Engine, out: Path, reporter: Reporter
) -> None:
    """Every arm of every seed; the arms of a seed begin as soon as its generation 0 is done."""
    total = sum(arm.tokens() for arm in [*firsts, *(arm for held in rest.values() for arm in held)])
    reporter.stage("training and writing, tokens", total)
    tasks = Tasks(firsts)
    for end in engine.run(generation.work, tasks, progress=reporter.advance, scratch=str(out), isolated=True):
        if isinstance(end, Failed):
            raise CollapseError(f"{end.task.regime}, seed {end.task.seed}: {end.error}")
        if end.task.regime == START:
            for arm in rest[end.task.seed]:
                tasks.submit(arm)
