"""The collapse test as a function, with the options of `archive collapse`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from archive.engine import Workers
from archive.errors import CollapseError
from archive.progress import Reporter
from archive.records.rows import Columns
from collapse.corpus import Style
from collapse.corpus.rows import conditions
from collapse.corpus.tally import EXPECTED
from collapse.findings.results import RunResults
from collapse.findings.verdict import paragraphs
from collapse.recipe import load
from collapse.report import PAGE
from collapse.run.experiment import Experiment, Reading
from collapse.run.machine import Machine

#: A path, or several: folders that `archive export` wrote, files, folders, patterns, `s3://` and `https://` addresses.
Sets = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


@dataclass(frozen=True, kw_only=True)
class CollapseResult(RunResults):
    """The results of a collapse test: what `results.json` holds, and the verdict on it."""

    verdict: list[str]  #: paragraphs of plain text
    report: str  #: the path of the report, an HTML page
    seconds: float  #: that this call took

    @property
    def rejects(self) -> dict[str, dict[str, int]]:
        """What could not be used of each set, by reason."""
        rejects = {self.set.name: self.set.reading.rejects}
        if suspect := self.set.suspect:
            rejects[suspect.name] = suspect.reading.rejects
        return rejects

    @property
    def is_input_damaged(self) -> bool:
        """Whether some input could not be used for a reason that is a fault of the input."""
        return any(rejects.keys() - EXPECTED for rejects in self.rejects.values())


def collapse(
    sets: Sets,
    *,
    out: str | os.PathLike[str] = "collapse-report",
    recipe: str | None = None,
    suspect: Sets = (),
    model: str | None = None,
    vocabulary: int | None = None,
    regimes: str | Iterable[str] | None = None,
    generations: int | None = None,
    seeds: int | None = None,
    seed: int | None = None,
    blocks: int | None = None,
    block: int | None = None,
    held_out_blocks: int | None = None,
    decoding: str | None = None,
    prompt: int | None = None,
    epochs: float | None = None,
    batch: int | None = None,
    learning_rate: float | None = None,
    documents: Style = "auto",
    text_column: str | None = None,
    url_column: str | None = None,
    date_column: str | None = None,
    where: str | Iterable[str] = (),
    suspect_where: str | Iterable[str] = (),
    device: str | None = None,
    workers: Workers = None,
    threads: int = 1,
    keep_checkpoints: bool = False,
    reporter: Reporter | None = None,
) -> CollapseResult:
    """Train models generation after generation on what models wrote, and measure what is lost.

    The folder `out` gets report.html, its pictures, results.json and metrics.parquet. A run that was killed continues
    when it is started again with the same options. docs/collapse.md describes the method.

    Args:
        sets: what to train on: folders that `archive export` wrote, or files of text, JSON lines, Parquet or CSV.
        out: the folder of the run.
        recipe: the name of a recipe, or a TOML file; by default `default`, or `suspect` with a suspect set.
        suspect: a second set, to test whether a model learns less from it.
        model: a preset, a name on the Hub, a folder or a GGUF file. This and the options down to `learning_rate`
            replace values of the recipe.
        vocabulary: tokens of the tokenizer of a preset, if not as many as its own.
        regimes: names, in a list or separated by commas: replace, mix:X, accumulate, accumulate-subsample, fresh, real,
            suspect:X.
        generations: how many, after generation 0.
        seeds: how often everything is repeated, each time with another seed.
        seed: the first seed.
        blocks: blocks in the training set of a generation.
        block: tokens of a block.
        held_out_blocks: blocks of real text on which models are evaluated.
        decoding: greedy, temperature:T, top-p:P, top-k:K or beam:B.
        prompt: how many real tokens a model continues; 0 for none.
        epochs: how often a model sees its set.
        batch: blocks of a training step.
        learning_rate: the peak of the schedule.
        documents: what is a document in plain text: auto, file, heading, blank-line or line.
        text_column: the column of rows that holds the text.
        url_column: the column that holds the URL, which gives the domain.
        date_column: the column that holds the date.
        where: `column=value`, one or several: read only rows with these values.
        suspect_where: the same for the suspect set.
        device: cpu or cuda; by default cuda if there is a GPU.
        workers: processes, or an engine; by default one for each core, or one on a GPU.
        threads: of each process.
        keep_checkpoints: whether to keep the model of every generation.
        reporter: receives the progress.

    Raises:
        CollapseError: an option is wrong, the set is too small, the model does not fit, a training diverges, the disk
            is full, or the folder holds something else.
        ArchiveError: a set does not exist, or is an unfinished export.
    """
    started = time.monotonic()
    experiment = configure(
        sets, out=out, recipe=recipe, suspect=suspect, model=model, vocabulary=vocabulary, regimes=regimes,
        generations=generations, seeds=seeds, seed=seed, blocks=blocks, block=block, held_out_blocks=held_out_blocks,
        decoding=decoding, prompt=prompt, epochs=epochs, batch=batch, learning_rate=learning_rate, documents=documents,
        text_column=text_column, url_column=url_column, date_column=date_column, where=where,
        suspect_where=suspect_where, device=device, workers=workers, threads=threads, keep_checkpoints=keep_checkpoints,
    )  # fmt: skip
    results = experiment.run(reporter)
    return CollapseResult(
        **{item.name: getattr(results, item.name) for item in fields(results)},
        verdict=paragraphs(results),
        report=os.path.join(out, PAGE),
        seconds=time.monotonic() - started,
    )


def configure(
    sets: Sets,
    *,
    out: str | os.PathLike[str],
    recipe: str | None,
    suspect: Sets,
    regimes: str | Iterable[str] | None,
    generations: int | None,
    documents: Style,
    text_column: str | None,
    url_column: str | None,
    date_column: str | None,
    where: str | Iterable[str],
    suspect_where: str | Iterable[str],
    device: str | None,
    workers: Workers,
    threads: int,
    keep_checkpoints: bool,
    **changes: Any,
) -> Experiment:
    """Set up the test that the options of `archive collapse` describe.

    Args:
        changes: values of the recipe; None leaves one as it is.

    Raises:
        CollapseError: an option is wrong.
    """
    if generations is not None and generations < 1:
        raise CollapseError(f"--generations {generations}: at least 1, which learns from what generation 0 wrote")
    if isinstance(regimes, str):
        regimes = regimes.split(",")
    if regimes is not None:
        regimes = tuple(name.strip() for name in regimes if name.strip())
    suspects = _paths(suspect)
    device = device or _device()
    return Experiment(
        _paths(sets),
        os.fspath(out),
        load(recipe or ("suspect" if suspects else "default")).changed(
            {**changes, "regimes": regimes, "generations": generations}
        ),
        suspects,
        Reading(
            Columns(text=text_column, url=url_column, date=date_column),
            conditions(where),
            conditions(suspect_where),
            documents,
        ),
        Machine(device, 1 if workers is None and device == "cuda" else workers, threads, keep_checkpoints),
    )


def _paths(sets: Sets) -> tuple[str, ...]:
    if isinstance(sets, str | os.PathLike):
        sets = (sets,)
    return tuple(os.fspath(path) for path in sets)


def _device() -> str:
    """Return the GPU if there is one, or else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
