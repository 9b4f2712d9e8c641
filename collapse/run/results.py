"""What a run found, put together from its generations: `results.json` and `numbers.parquet`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from collapse import folder
from collapse.findings.results import Found
from collapse.findings.summary import summed_up
from collapse.recipe import Recipe
from collapse.regimes import SUSPECT
from collapse.run import blocks
from collapse.run import generation as steps
from collapse.run.arm import Arm
from collapse.run.measure import EDGES, plain

RESULTS, NUMBERS = "results.json", "numbers.parquet"
#: Blocks of each generation that the report shows.
_SAMPLES = 3


def collect(out: Path, recipe: Recipe, starts: Sequence[Arm], arms: Sequence[Arm]) -> dict[str, Any]:
    """All numbers of a finished run; the same for the same numbers of its generations."""
    kept = blocks.load(folder.blocks(out))
    generations = [
        {"seed": arm.seed, "regime": arm.regime, "generation": generation, **_numbers(arm, generation)}
        for arm in [*starts, *arms]
        for generation in arm.generations
    ]
    found: dict[str, Any] = plain(
        {
            "recipe": asdict(recipe),
            "set": kept.about,
            "parameters": kept.parameters,
            "edges": EDGES.tolist(),
            **summed_up(Found({"recipe": asdict(recipe), "generations": generations}), recipe),
            "samples": _samples(kept, recipe, starts[0], [arm for arm in arms if arm.seed == starts[0].seed]),
            "generations": generations,
        }
    )
    return found


def write(out: Path, results: Mapping[str, Any]) -> None:
    """The results as JSON, and every number of every generation as a row of a Parquet file."""
    owned = folder.owned(out)
    owned.write_file(out / RESULTS, json.dumps(results, indent=1, ensure_ascii=False).encode())
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
    with owned.atomic_file(out / NUMBERS) as part:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), part, compression="zstd")


def _numbers(arm: Arm, generation: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((arm.folder(generation) / steps.NUMBERS).read_bytes())
    return found


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, float | None]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _flat(item, f"{name}.{place}")
    elif not isinstance(value, str):
        yield name, value


def _samples(kept: blocks.Data, recipe: Recipe, start: Arm, arms: Sequence[Arm]) -> list[dict[str, Any]]:
    """What each generation of a seed wrote behind the same prompts; and blocks of the suspect set."""
    pools = kept.drawn(recipe, start.seed)
    real = pools["real"][:_SAMPLES]
    out: list[dict[str, Any]] = [
        {"regime": "text", "generation": None, "texts": kept.tokenizer.decode(real[:, recipe.prompt :])},
        {"regime": "prompt", "generation": None, "texts": kept.tokenizer.decode(real[:, : recipe.prompt])},
    ]
    for arm in [start, *(arm for arm in arms if arm.writes())]:
        for generation in arm.generations:
            written = np.load(arm.folder(generation) / steps.WRITTEN, mmap_mode="r")[:_SAMPLES]
            out.append({"regime": arm.regime, "generation": generation, "texts": kept.tokenizer.decode(written)})
    if SUSPECT in pools:
        texts = kept.tokenizer.decode(pools[SUSPECT][:_SAMPLES])
        out.append({"regime": SUSPECT, "generation": None, "texts": texts})
    return out
