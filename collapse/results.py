"""What a run found, put together from its generations: `results.json` and `numbers.parquet`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collapse import data, models, steps
from collapse.measures.definitions import judge
from collapse.measures.evidence import Course, Evidence
from collapse.measures.spread import Interval, noise_floor, over_seeds, share
from collapse.numbers import EDGES, plain
from collapse.recipe import Recipe
from collapse.steps import START, Arm

RESULTS, NUMBERS = "results.json", "numbers.parquet"
CONTROL = "real"
#: Blocks of each generation that the report shows.
_SAMPLES = 3


def collect(out: Path, recipe: Recipe, starts: Sequence[Arm], arms: Sequence[Arm]) -> dict[str, Any]:
    """All numbers of a finished run; the same for the same numbers of its generations."""
    kept = data.load(steps.data_folder(out))
    generations = [
        {"seed": arm.seed, "regime": arm.regime, "generation": generation, **_numbers(arm, generation)}
        for arm in [*starts, *arms]
        for generation in arm.generations
    ]
    table = _Table(recipe, generations)
    regimes = {regime: table.arm(regime) for regime in recipe.regimes}
    start = models.Start(recipe.model, recipe.block, kept.tokenizer.size, recipe.dropout, recipe.prompt)
    found: dict[str, Any] = plain(
        {
            "recipe": asdict(recipe),
            "set": kept.about,
            "parameters": models.parameters(start.build(recipe.seed)),
            "edges": EDGES.tolist(),
            "noise_floor": asdict(noise_floor(table.perplexities(CONTROL))) if table.has(CONTROL) else None,
            "start": {"loss": asdict(over_seeds(table.column(START, 0, "held_out", "loss", "loss", "value")))},
            "arms": regimes,
            "paper": [asdict(figure) | {"measured": table.measured(figure)} for figure in recipe.paper],
            "samples": _samples(kept, recipe, starts[0], [arm for arm in arms if arm.seed == starts[0].seed]),
            "generations": generations,
        }
    )
    return found


def write(out: Path, results: Mapping[str, Any]) -> None:
    """The results as JSON, and every number of every generation as a row of a Parquet file."""
    steps.replace(out / RESULTS, json.dumps(results, indent=1, ensure_ascii=False).encode())
    rows = [
        {
            "seed": item["seed"],
            "regime": item["regime"],
            "generation": item["generation"],
            "measure": name,
            "value": value,
        }
        for item in results["generations"]
        for name, value in _flat(item)
        if name not in ("seed", "regime", "generation")
    ]
    schema = pa.schema(
        {
            "seed": pa.int64(),
            "regime": pa.string(),
            "generation": pa.int64(),
            "measure": pa.string(),
            "value": pa.float64(),
        }
    )
    part = out / (NUMBERS + ".part")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), part, compression="zstd")
    part.replace(out / NUMBERS)


def _numbers(arm: Arm, generation: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((arm.folder(generation) / steps.NUMBERS).read_bytes())
    return found


class _Table:
    """The numbers by regime, seed and generation; generation 0 is that of every regime."""

    def __init__(self, recipe: Recipe, generations: Sequence[Mapping[str, Any]]) -> None:
        self._recipe = recipe
        self._seeds = sorted({item["seed"] for item in generations})
        self._found = {(item["regime"], item["seed"], item["generation"]): item for item in generations}

    def has(self, regime: str) -> bool:
        return (regime, self._seeds[0], 1) in self._found

    def last(self, regime: str) -> int:
        return max((g for name, _, g in self._found if name == regime), default=0)

    def column(self, regime: str, generation: int, *path: str) -> list[float]:
        """A number of each seed."""
        name = START if generation == 0 else regime
        return [_at(self._found[name, seed, generation], path) for seed in self._seeds]

    def rows(self, regime: str, *path: str) -> list[list[float]]:
        """A number by seed and generation."""
        columns = [self.column(regime, generation, *path) for generation in range(self.last(regime) + 1)]
        return [list(row) for row in zip(*columns, strict=True)]

    def perplexities(self, regime: str) -> Any:
        return np.exp(np.array(self.rows(regime, "held_out", "loss", "loss", "value")))

    def course(self, regime: str, *path: str) -> Course:
        control = self.rows(CONTROL, *path) if self.has(CONTROL) else []
        return Course(self.rows(regime, *path), control)

    def arm(self, regime: str) -> dict[str, Any]:
        """What the seeds of a regime say together."""
        generations = []
        for generation in range(self.last(regime) + 1):
            losses = self.column(regime, generation, "held_out", "loss", "loss", "value")
            generations.append(
                {
                    "generation": generation,
                    "loss": asdict(over_seeds(losses)),
                    "perplexity": math.exp(float(np.mean(losses))),
                    "ratio": _exp(over_seeds(self._ratios(regime, generation, "held_out", "loss", "loss", "value"))),
                    "bands": {
                        band: _exp(
                            over_seeds(self._ratios(regime, generation, "held_out", "bands", band, "loss", "value"))
                        )
                        for band in self._bands()
                    },
                }
            )
        return {
            "generations": generations,
            "definitions": [asdict(finding) for finding in judge(self._evidence(regime))],
        }

    def measured(self, figure: Any) -> float | None:
        """Our number beside one of a paper; None where the run has no such arm or generation."""
        last = self.last(figure.regime)
        generation = last if figure.generation < 0 else figure.generation
        if figure.regime not in self._recipe.regimes or generation > last:
            return None
        now, first = (
            float(np.mean(self.column(figure.regime, number, "held_out", "loss", "loss", "value")))
            for number in (generation, 0)
        )
        return {
            "loss": now,
            "perplexity": math.exp(now),
            "ratio": math.exp(now - first),
            "rise": math.exp(now) - math.exp(first),
        }[figure.measure]

    def _bands(self) -> list[str]:
        found = [set(item["held_out"]["bands"]) for item in self._found.values()]
        return [
            name for name in self._found[START, self._seeds[0], 0]["held_out"]["bands"] if all(name in f for f in found)
        ]

    def _ratios(self, regime: str, generation: int, *path: str) -> list[float]:
        """By how many nats each seed's loss lies above that of its generation 0."""
        now, before = self.column(regime, generation, *path), self.column(regime, 0, *path)
        return [a - b for a, b in zip(now, before, strict=True)]

    def _evidence(self, regime: str) -> Evidence:
        def exp(*path: str) -> Course:
            course = self.course(regime, *path)
            return Course(np.exp(course.arm).tolist(), np.exp(course.control).tolist() if len(course.control) else [])

        perplexity = exp("held_out", "loss", "loss", "value")
        bands = {band: exp("held_out", "bands", band, "loss", "value") for band in self._bands() if band != "unseen"}
        if "written" not in self._found.get((regime, self._seeds[0], 1), {}):
            return Evidence(perplexity, bands)

        def real(*path: str) -> float:
            return float(np.mean([_at(self._found[START, seed, 0]["unseen"], path) for seed in self._seeds]))

        def written(*path: str) -> Course:
            course = self.course(regime, "written", *path)
            return Course(course.arm, course.control, real(*path))

        strange = self._strange(regime)
        return Evidence(
            perplexity,
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
            strange=strange,
        )

    def _strange(self, regime: str) -> Course:
        def shares(name: str) -> list[list[float]]:
            pairs = self.rows(name, "written", "strange")
            return [[share(*pair) for pair in row] for row in pairs]  # type: ignore[misc]

        real = [share(*self._found[START, seed, 0]["unseen"]["strange"]) for seed in self._seeds]
        return Course(shares(regime), shares(CONTROL) if self.has(CONTROL) else [], float(np.mean(real)))


def _at(item: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = item
    for name in path:
        value = value[name]
    return math.nan if value is None else value


def _exp(interval: Interval) -> dict[str, float]:
    return {name: math.exp(value) for name, value in asdict(interval).items()}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, float | None]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _flat(item, f"{name}.{place}")
    elif not isinstance(value, str):
        yield name, value


def _samples(kept: data.Data, recipe: Recipe, start: Arm, arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """What each generation of a seed wrote behind the same prompts."""
    real = kept.drawn(recipe, start.seed)["real"][:_SAMPLES]
    out: list[dict[str, Any]] = [
        {"regime": "text", "generation": None, "texts": kept.tokenizer.decode(real[:, recipe.prompt :])},
        {"regime": "prompt", "generation": None, "texts": kept.tokenizer.decode(real[:, : recipe.prompt])},
    ]
    for arm in [start, *(arm for arm in arms if arm.writes())]:
        for generation in arm.generations:
            written = np.load(arm.folder(generation) / steps.WRITTEN, mmap_mode="r")[:_SAMPLES]
            out.append({"regime": arm.regime, "generation": generation, "texts": kept.tokenizer.decode(written)})
    return out
