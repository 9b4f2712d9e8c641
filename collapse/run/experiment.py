"""Run a collapse test from end to end: read the set, train the generations of every arm, measure, report."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from archive.engine import Failed, Tasks, open_engine
from archive.errors import CollapseError
from archive.program import program_version
from archive.progress import Reporter
from archive.records.rows import Columns
from collapse import corpus, folder, report
from collapse.corpus import SetReport, Style, SuspectReport
from collapse.corpus.held_out import split
from collapse.corpus.overlap import without_overlap
from collapse.findings.results import RunResults
from collapse.model import models
from collapse.recipe import Recipe
from collapse.regimes import START
from collapse.run import blocks, generation, results
from collapse.run.arm import Arm, arms, starts
from collapse.run.estimate import Estimate, estimate
from collapse.run.machine import Machine

#: UTF-8 bytes to read for each token that is needed: enough for any tokenizer and any language.
_BYTES = 8
#: Bytes to read of any set, so that a small run sees many documents too.
_LEAST = 8_000_000
#: How much more held-out text is read than is used, so that its blocks come from more documents.
_WIDER = 4
#: A recipe that needs more blocks of real text is estimated from fewer.
_TRIED, _TRIAL_BLOCKS = 10_000, 128


@dataclass(frozen=True, slots=True)
class Reading:
    """How sets are read; see `collapse.corpus.read`."""

    columns: Columns = Columns()
    where: Mapping[str, str] = field(default_factory=dict)
    suspect_where: Mapping[str, str] = field(default_factory=dict)
    style: Style = "auto"


@dataclass(frozen=True, slots=True)
class Experiment:
    """The collapse test of a set, in a folder.

    The set is read once: its blocks are kept in the folder, and a run that continues takes them from there. It does not
    notice if the files of the set have changed since; to test their new content, name another folder.
    """

    sources: Sequence[str]  #: what `collapse.corpus.read` reads
    out: str | Path
    recipe: Recipe
    suspect: Sequence[str] = ()  #: a second set, on which the arms `suspect:X` train
    reading: Reading = Reading()
    machine: Machine = Machine()

    def __post_init__(self) -> None:
        if any(regime.kind == "suspect" for regime in self.recipe.parsed_regimes()) != bool(self.suspect):
            raise CollapseError("a suspect set and regimes suspect:X go together: name both, or none")

    def run(self, reporter: Reporter | None = None) -> RunResults:
        """Run the test, write its files, and return the results. A run that was killed continues where it was.

        Raises:
            CollapseError: the set is too small, the model does not fit, a training diverges, the disk is full, or the
                folder holds something else.
        """
        models.check(self.recipe.model)
        reporter = reporter or Reporter()
        out = Path(self.out)
        with self._entered():
            reporter.stage("reading the set")
            self._prepare()
            firsts = starts(out, self.recipe, self.machine)
            rest = {first.seed: arms(out, self.recipe, self.machine, first.seed) for first in firsts}
            self._train(firsts, rest, reporter)
            collected = results.collect(out, self.recipe, firsts, [arm for held in rest.values() for arm in held])
            results.write(out, collected)
            reporter.stage("drawing the report")
            report.write(out, collected, report.times(out), folder.owned(out).write_file)
            return collected

    def plan(self) -> Estimate:
        """Estimate how long `run` will take and what it needs, from a trial of a few seconds.

        This reads the set, and leaves no files. For a recipe that needs much text, it reads what the trial needs, so
        that a run can be estimated on another machine; whether the set has enough is only known when it is run.

        Raises:
            CollapseError: as `run` does.
        """
        models.check(self.recipe.model)
        with tempfile.TemporaryDirectory(prefix="collapse-") as name:
            trial, out = replace(self, out=name), Path(name)
            if blocks.needed(self.recipe) > _TRIED:
                few = min(self.recipe.held_out_blocks, _TRIAL_BLOCKS)
                small = replace(self.recipe, blocks=_TRIAL_BLOCKS, held_out_blocks=few, regimes=("real",), paper=())
                trial = replace(trial, recipe=small, suspect=())
            with trial._entered():
                trial._prepare()
                firsts = starts(out, self.recipe, self.machine)
                rest = [arm for first in firsts for arm in arms(out, self.recipe, self.machine, first.seed)]
                return estimate(out, self.recipe, [*firsts, *rest], self.machine)

    def _entered(self) -> AbstractContextManager[None]:
        identity = {
            "version": program_version(),
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
        """Read the set, hold out a part, and write the blocks of the run into its folder, unless it has them."""
        target, recipe = folder.blocks(self.out), self.recipe
        if target.exists():
            return
        wanted = blocks.needed(recipe) * recipe.block * _BYTES
        held_out = recipe.held_out_blocks * recipe.block * _BYTES
        read = self._read(self.sources, self.reading.where, max(wanted + held_out * _WIDER, _LEAST), held_out * _WIDER)
        # do not hold out all of a small set: only the tokens that are needed, or a tenth of the text
        tenth = sum(document.size for document in read.train) // 10
        parts = split(read, held_out * _WIDER if read.held_out else min(held_out * _WIDER, max(held_out, tenth)))
        about = SetReport(name=read.name, reading=read.reading, split=parts.report)
        others = None
        if self.suspect:
            second = self._read(self.suspect, self.reading.suspect_where, max(wanted, _LEAST))
            # a text may be in both lists: keep each once
            each = {document.text: document for document in (*second.train, *second.held_out)}
            others, dropped = without_overlap(list(each.values()), parts.held_out)
            suspect = SuspectReport(second.name, second.reading, len(others), dict(sorted(dropped.items())))
            about = replace(about, suspect=suspect)
        blocks.make(target, folder.owned(self.out), recipe, parts.train, parts.held_out, others, about)

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

    def _train(self, firsts: Sequence[Arm], rest: Mapping[int, Sequence[Arm]], reporter: Reporter) -> None:
        """Train every arm of every seed; the arms of a seed start as soon as its generation 0 is done."""
        total = sum(arm.tokens() for arm in [*firsts, *(arm for held in rest.values() for arm in held)])
        reporter.stage("training and writing, tokens", total)
        engine, tasks = open_engine(self.machine.workers), Tasks(firsts)
        gpus = float(self.machine.device == "cuda")
        ends = engine.run(
            generation.work, tasks, progress=reporter.advance, scratch=str(self.out), isolated=True, gpus=gpus
        )
        for end in ends:
            if isinstance(end, Failed):
                raise CollapseError(f"{end.task.regime}, seed {end.task.seed}: {end.error}")
            if end.task.regime == START:
                for arm in rest[end.task.seed]:
                    tasks.submit(arm)
