"""What the seeds of each arm show together: the part of `results.json` that a reader would otherwise compute."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from collapse.corpus.report import SetReport
from collapse.findings import papers
from collapse.findings.results import ArmSummary, GenerationSummary, RunResults, Sample, StartSummary
from collapse.findings.unigram import shortfall
from collapse.measures.courses import Course, Courses
from collapse.measures.definitions import evaluate_definitions
from collapse.measures.loss import perplexity
from collapse.measures.metrics import (
    GenerationMetrics,
    Metric,
    TextKind,
    TextMetric,
    band_loss,
    deviation,
    distinct,
    held_out_loss,
    of_text,
    rare_ngrams_kept,
    unigram_loss,
    vocabulary_kept,
)
from collapse.measures.spread import Interval, Values, noise_floor, share
from collapse.recipe import Recipe
from collapse.regimes import CONTROL, START

#: Returns the number of each seed, of a regime and a generation.
_Column = Callable[[str, int], Values]


def summarized(
    recipe: Recipe,
    generations: list[GenerationMetrics],
    *,
    set: SetReport,
    parameters: int,
    edges: list[float],
    samples: list[Sample],
) -> RunResults:
    """Return the results of a run, and compute what follows from its generations: noise floor, start, arms, papers."""
    results = RunResults(
        recipe=recipe,
        set=set,
        parameters=parameters,
        edges=edges,
        noise_floor=None,
        start=StartSummary(Interval(math.nan, math.nan, math.nan)),
        arms={},
        paper=[],
        samples=samples,
        generations=generations,
    )
    control = _control(results, lambda name, generation: _perplexities(results, name, generation, held_out_loss))
    results = replace(
        results,
        noise_floor=noise_floor(np.array(control)) if control else None,
        start=StartSummary(results.at_start(held_out_loss), results.at_start(unigram_loss)),
        arms={regime: _arm(results, regime) for regime in recipe.regimes},
    )
    return replace(results, paper=papers.compared(results))


def _arm(results: RunResults, regime: str) -> ArmSummary:
    bands = results.names("bands")
    generations = []
    for generation in range(results.last(regime) + 1):
        loss = results.mean(regime, generation, held_out_loss)
        generations.append(
            GenerationSummary(
                generation,
                loss,
                perplexity(loss.value),
                _exp(results.change(regime, generation, held_out_loss)),
                {band: _exp(results.change(regime, generation, band_loss(band))) for band in bands},
            )
        )
    return ArmSummary(generations, evaluate_definitions(_courses(results, regime)), shortfall(results, regime))


def _courses(results: RunResults, regime: str) -> Courses:
    def course(column: _Column, real: float = math.nan) -> Course:
        return Course(_table(results, regime, column), _control(results, column), real)

    def perplexities(metric: Metric) -> Course:
        return course(lambda name, generation: _perplexities(results, name, generation, metric))

    def written(metric: TextMetric) -> Course:
        real = results.values(START, 0, of_text("unseen", metric))
        column = of_text("written", metric)
        return course(lambda name, generation: results.values(name, generation, column), float(real.mean()))

    held_out = perplexities(held_out_loss)
    bands = {band: perplexities(band_loss(band)) for band in results.bands()}
    first = results.row(regime, 1)
    if first is None or first.written is None:
        return Courses(held_out, bands)
    real = _strange(results, START, 0, "unseen")
    return Courses(
        held_out,
        bands,
        tail={
            "rarest tokens that are written": written(vocabulary_kept("rarest")),
            "rare 2-grams that are written": written(rare_ngrams_kept(2)),
        },
        variety={
            "distinct 2-grams": written(distinct(2)),
            "distinct 4-grams": written(distinct(4)),
            "spread of the texts' losses under generation 0": written(deviation),
        },
        strange=course(lambda name, generation: _strange(results, name, generation, "written"), float(real.mean())),
    )


def _table(results: RunResults, regime: str, column: _Column) -> list[list[float]]:
    """Return a number by seed, then by generation."""
    columns = [column(regime, generation) for generation in range(results.last(regime) + 1)]
    return np.array(columns).T.tolist()  # type: ignore[no-any-return]


def _control(results: RunResults, column: _Column) -> list[list[float]]:
    """Return the same of the control; empty if the run has none."""
    return _table(results, CONTROL, column) if results.last(CONTROL) else []


def _perplexities(results: RunResults, regime: str, generation: int, loss: Metric) -> Values:
    with np.errstate(over="ignore"):
        return np.exp(results.values(regime, generation, loss))


def _strange(results: RunResults, regime: str, generation: int, kind: TextKind) -> Values:
    """Return the share of strange texts in each seed."""
    return results.values(regime, generation, of_text(kind, lambda text: share(text.strange.texts, text.strange.of)))


def _exp(interval: Interval) -> Interval:
    return Interval(perplexity(interval.value), perplexity(interval.low), perplexity(interval.high))
