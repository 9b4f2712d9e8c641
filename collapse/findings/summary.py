"""What the seeds of an arm say together: the part of `results.json` that a reader would otherwise reckon."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from collapse.findings.results import LOSS, Found
from collapse.measures.courses import Course, Evidence
from collapse.measures.definitions import judge
from collapse.measures.loss import perplexity
from collapse.measures.spread import Interval, Values, noise_floor, share
from collapse.recipe import Paper, Recipe
from collapse.regimes import CONTROL, START

#: The number of each seed, of a regime and a generation.
_Column = Callable[[str, int], Values]


def summed_up(found: Found, recipe: Recipe) -> dict[str, Any]:
    """Of all arms.

    Args:
        found: with the numbers of the generations, and no more.
    """
    control = _control(found, lambda name, generation: _perplexities(found, name, generation, *LOSS))
    return {
        "noise_floor": asdict(noise_floor(np.array(control))) if control else None,
        "start": {"loss": asdict(found.start(*LOSS))},
        "arms": {regime: _arm(found, regime) for regime in recipe.regimes},
        "paper": [asdict(figure) | {"measured": _measured(found, recipe, figure)} for figure in recipe.paper],
    }


def _arm(found: Found, regime: str) -> dict[str, Any]:
    bands = found.names("held_out", "bands")
    generations = []
    for generation in range(found.last(regime) + 1):
        loss = found.mean(regime, generation, *LOSS)
        generations.append(
            {
                "generation": generation,
                "loss": asdict(loss),
                "perplexity": perplexity(loss.value),
                "ratio": _exp(found.change(regime, generation, *LOSS)),
                "bands": {band: _exp(found.change(regime, generation, *_band(band))) for band in bands},
            }
        )
    return {"generations": generations, "definitions": [asdict(finding) for finding in judge(_evidence(found, regime))]}


def _measured(found: Found, recipe: Recipe, figure: Paper) -> float | None:
    """Our number beside one of a paper; None where the run has no such arm or generation."""
    last = found.last(figure.regime)
    generation = last if figure.generation < 0 else figure.generation
    if figure.regime not in recipe.regimes or generation > last:
        return None
    now, first = found.mean(figure.regime, generation, *LOSS).value, found.start(*LOSS).value
    return {
        "loss": now,
        "perplexity": perplexity(now),
        "ratio": perplexity(now - first),
        "rise": perplexity(now) - perplexity(first),
    }[figure.measure]


def _evidence(found: Found, regime: str) -> Evidence:
    def course(column: _Column, real: float = math.nan) -> Course:
        return Course(_table(found, regime, column), _control(found, column), real)

    def perplexities(*path: str) -> Course:
        return course(lambda name, generation: _perplexities(found, name, generation, *path))

    def written(*path: str) -> Course:
        real = found.values(START, 0, "unseen", *path)
        return course(lambda name, generation: found.values(name, generation, "written", *path), float(real.mean()))

    whole = perplexities(*LOSS)
    bands = {band: perplexities(*_band(band)) for band in found.bands()}
    if "written" not in found.row(regime, 1):
        return Evidence(whole, bands)
    real = _strange(found, START, 0, "unseen")
    return Evidence(
        whole,
        bands,
        tail={
            "rarest tokens that are written": written("vocabulary_kept", "rarest"),
            "rare 2-grams that are written": written("rare_ngrams_kept", "2"),
        },
        variety={
            "distinct 2-grams": written("distinct", "2"),
            "distinct 4-grams": written("distinct", "4"),
            "spread of the texts' losses under generation 0": written("surprise", "deviation"),
        },
        strange=course(lambda name, generation: _strange(found, name, generation, "written"), float(real.mean())),
    )


def _table(found: Found, regime: str, column: _Column) -> list[list[float]]:
    """A number by seed, then by generation."""
    columns = [column(regime, generation) for generation in range(found.last(regime) + 1)]
    return np.array(columns).T.tolist()  # type: ignore[no-any-return]


def _control(found: Found, column: _Column) -> list[list[float]]:
    """The same of the control; empty where the run has none."""
    return _table(found, CONTROL, column) if found.last(CONTROL) else []


def _perplexities(found: Found, regime: str, generation: int, *path: str) -> Values:
    """From the losses of each seed."""
    with np.errstate(over="ignore"):
        return np.exp(found.values(regime, generation, *path))


def _strange(found: Found, regime: str, generation: int, kind: str) -> Values:
    """The share of strange texts, of each seed."""
    counts, of = (found.values(regime, generation, kind, "strange", place) for place in ("0", "1"))
    return np.array([share(*pair) for pair in zip(counts, of, strict=True)])


def _band(name: str) -> tuple[str, ...]:
    return ("held_out", "bands", name, "loss", "value")


def _exp(interval: Interval) -> dict[str, float]:
    return {name: perplexity(value) for name, value in asdict(interval).items()}
