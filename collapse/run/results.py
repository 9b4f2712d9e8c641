"""The results of a run, collected from its generations: `results.json` and `metrics.parquet`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collapse import folder
from collapse.findings.results import RunResults, Sample
from collapse.findings.summary import summarized
from collapse.json_form import from_json, to_json
from collapse.measures.metrics import GenerationMetrics
from collapse.recipe import Recipe
from collapse.regimes import SUSPECT
from collapse.run import blocks
from collapse.run import generation as steps
from collapse.run.arm import Arm
from collapse.run.measure import EDGES

RESULTS, METRICS = "results.json", "metrics.parquet"
#: Blocks of each generation that the report shows.
_SAMPLES = 3
_SCHEMA = pa.schema(
    {
        "seed": pa.int64(),
        "regime": pa.string(),
        "generation": pa.int64(),
        "measure": pa.string(),
        "value": pa.float64(),
    }
)


def collect(out: Path, recipe: Recipe, starts: Sequence[Arm], arms: Sequence[Arm]) -> RunResults:
    """Collect the results of a finished run; they depend only on the metrics of its generations."""
    data = blocks.load(folder.blocks(out))
    every = [(arm, generation) for arm in [*starts, *arms] for generation in arm.generations]
    return summarized(
        recipe,
        [_metrics(arm, generation) for arm, generation in every],
        set=data.about,
        parameters=data.parameters,
        edges=EDGES.tolist(),
        samples=_samples(data, recipe, starts[0], [arm for arm in arms if arm.seed == starts[0].seed]),
    )


def write(out: Path, results: RunResults) -> None:
    """Write the results as JSON, and every metric of every generation as a row of a Parquet file."""
    owned = folder.owned(out)
    owned.write_file(out / RESULTS, json.dumps(results.to_json(), indent=1, ensure_ascii=False).encode())
    rows = []
    for generation in results.generations:
        content = to_json(generation)
        key = {name: content.pop(name) for name in ("seed", "regime", "generation")}
        rows += [{**key, "measure": name, "value": value} for name, value in _flat(content)]
    with owned.atomic_file(out / METRICS) as part:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), part, compression="zstd")


def _metrics(arm: Arm, generation: int) -> GenerationMetrics:
    content = json.loads((arm.folder(generation) / steps.METRICS).read_bytes())
    metrics: GenerationMetrics = from_json(GenerationMetrics, content)
    return metrics


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, float | None]]:
    """Yield each number in JSON with its path: `held_out.loss.loss.value`."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, f"{name}.{index}")
    else:
        yield name, value


def _samples(data: blocks.Data, recipe: Recipe, start: Arm, arms: Sequence[Arm]) -> list[Sample]:
    """Return what each generation of a seed wrote behind the same prompts, and blocks of the suspect set."""
    pools = data.drawn(recipe, start.seed)
    real = pools["real"][:_SAMPLES]
    samples = [
        Sample("text", None, data.tokenizer.decode(real[:, recipe.prompt :])),
        Sample("prompt", None, data.tokenizer.decode(real[:, : recipe.prompt])),
    ]
    for arm in [start, *(arm for arm in arms if arm.writes())]:
        for generation in arm.generations:
            written = np.load(arm.folder(generation) / steps.WRITTEN, mmap_mode="r")[:_SAMPLES]
            samples.append(Sample(arm.regime, generation, data.tokenizer.decode(written)))
    if SUSPECT in pools:
        samples.append(Sample(SUSPECT, None, data.tokenizer.decode(pools[SUSPECT][:_SAMPLES])))
    return samples
