"""Millions of made signatures through `archive index`: time and memory, and how they grow.

    python benchmarks/scale.py [--texts 1,2,5,10] [--add 10000] [--memory 2G] [--workers 1] [--folder DIR]

A made lake holds no texts, only captures and signatures: three texts in ten are copies of another (in families, with a
similarity of 0.7 to 1), and one in ten shares a band value with all others of these, as a footer would make
them. So a tenth of all texts is one bucket. Pairs are verified by their signatures.

Afterwards so many texts of the same kind are added, and indexed; then all is derived from nothing once more, and must
be the same. Seconds are of the processor, of all processes together, where they are not of the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from archive.cli import Size
from archive.engine import open_engine
from archive.files import write_parquet
from archive.lake import Lake
from archive.progress import Reporter
from archive.tables import CAPTURES
from index import ids, tables
from index.minhash.procedure import Parameters
from index.neardup import index
from index.neardup.derive import derive
from index.neardup.kept import Kept
from index.neardup.run import is_stored
from index.neardup.signatures import PARQUET_OPTIONS, signature_rows
from index.neardup.texts import as_matrix
from index.tables import SIGNATURES

_PART = 500_000
_START = 1_300_000_000_000_000


def make(lake: Lake, count: int, seed: int = 1, add: bool = False) -> None:
    """Write the captures and signatures of a made lake, or add some to one."""
    dice = np.random.default_rng(seed)
    parameters = Parameters()
    lake.create()
    tables.create(lake, parameters)
    footer = dice.integers(0, 1 << 16, parameters.rows, np.uint16)
    before = np.empty((0, parameters.hashes), np.uint16)
    if add:
        dice = np.random.default_rng(seed + 1)
        (table,) = lake.read_files(SIGNATURES.name, [sorted(lake.files(SIGNATURES.name))[0]], ["signature"])
        before = as_matrix(table["signature"], parameters.hashes)
    for first in range(0, count, _PART):
        size = min(_PART, count - first)
        signatures = dice.integers(0, 1 << 16, (size, parameters.hashes), np.uint16)
        copies = np.flatnonzero(dice.random(size) < 0.3)
        pool = np.concatenate([before, signatures])
        originals = dice.integers(0, max(len(before), 1) + copies, len(copies))
        similarity = dice.uniform(0.7, 1, len(copies))
        same = dice.random((len(copies), parameters.hashes)) < similarity[:, None]
        signatures[copies] = np.where(same, pool[originals], signatures[copies])
        signatures[dice.random(size) < 0.1, : parameters.rows] = footer
        before = signatures[: _PART // 5]
        content_ids = ids.text(dice.integers(0, 1 << 64, (size, 4), np.uint64))
        counts = dice.integers(100, 2000, size).astype(np.int32)
        rows = signature_rows(content_ids.cast(pa.string()), counts, signatures)
        lake.commit(SIGNATURES, [write_parquet(lake, SIGNATURES, rows, "made", **PARQUET_OPTIONS)], [])
        values = {
            "content_id": content_ids,
            "captured_at": pa.array(_START + dice.integers(0, 3 * 10**14, size), pa.timestamp("us", "UTC")),
            "file": pa.array(["made.warc.gz"] * size),
            "offset": np.arange(first, first + size),
            "skip": np.zeros(size, np.int64),
        }
        schema = CAPTURES.file_schema
        captures = pa.table({f.name: values.get(f.name, pa.nulls(size, f.type)) for f in schema})
        lake.commit(CAPTURES, [write_parquet(lake, CAPTURES, captures, "made", {"month": f"2{first // _PART:03}"})], [])


class _Clock(Reporter):
    """Notes when each stage begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []

    def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
        self.begun.append((name, _cpu()))


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def measure(folder: str, memory: int, workers: int) -> None:
    """Index the lake in this process; print the numbers as JSON."""
    lake, clock = Lake(folder), _Clock()
    started, cpu = time.perf_counter(), _cpu()
    summary = index(lake, workers=workers, memory=memory, reporter=clock)
    ended, ended_cpu = time.perf_counter(), _cpu()
    begins = [*clock.begun, ("end", ended_cpu)]
    stages: dict[str, float] = {}
    for (name, at), after in pairwise(begins):
        stages[name] = stages.get(name, 0) + after[1] - at
    again = _cpu()
    index(lake, workers=workers)
    numbers = {
        "seconds": ended - started,
        "cpu": ended_cpu - cpu,
        "again": _cpu() - again,
        "stages": stages,
        "peak": max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        * 1024,
        "texts": summary.texts,
        "candidates": summary.candidates,
        "pairs": summary.pairs,
        "clusters": summary.clusters,
    }
    print(json.dumps(numbers))


def _run(what: str, folder: str, cache: str, memory: int, workers: int) -> Any:
    command = [sys.executable, __file__, what, folder, "--memory", str(memory), "--workers", str(workers)]
    environment = {**os.environ, "XDG_CACHE_HOME": cache}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def compare(folder: str, memory: int, workers: int) -> None:
    """Derive the near-duplicates from nothing; print whether the lake has them, row by row."""
    lake = Lake(folder)
    with tempfile.TemporaryDirectory() as other, Kept(lake.location, Path(other)) as kept:
        engine = open_engine(workers)
        derived = derive(lake, lake.snapshot(), tables.parameters_of(lake), engine, memory, kept, Reporter())
        print(json.dumps("yes" if is_stored(lake, derived) else "NO"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", default="1,2,5,10", help="millions, with commas")
    parser.add_argument("--add", type=int, default=10_000, help="texts that are added")
    parser.add_argument("--check", action="store_true", help="derive from nothing after that, and compare")
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", help="where the lakes are made")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--compare", help=argparse.SUPPRESS)
    given = parser.parse_args()
    memory = Size().convert(given.memory, None, None)
    if given.measure:
        measure(given.measure, memory, given.workers)
        return
    if given.compare:
        compare(given.compare, memory, given.workers)
        return
    columns = (
        *("texts", "seconds by the clock", "seconds", "bands", "dates", "find", "verify", "µs a text", "nothing new"),
        *(
            "peak memory",
            "candidates",
            "pairs",
            f"{given.add:,} more: by the clock",
            "seconds",
            "peak memory",
            "the same",
        ),
    )
    print(f"| {' | '.join(columns)} |\n|{' --: |' * len(columns)}")
    for millions in given.texts.split(","):
        count = int(float(millions) * 1_000_000)
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            lake, cache = f"{folder}/lake", f"{folder}/cache"
            make(Lake(lake), count)
            n = _run("--measure", lake, cache, memory, given.workers)
            times = " | ".join(f"{n['stages'][name]:.0f}" for name in ("bands", "dates", "find", "verify"))
            print(
                f"| {count:,} | {n['seconds']:.0f} | {n['cpu']:.0f} | {times} | {n['cpu'] / count * 1e6:.1f}", end=" "
            )
            print(f"| {n['again']:.1f} | {n['peak'] / 1e9:.2f} GB | {n['candidates']:,} | {n['pairs']:,}", end=" ")
            if given.add:
                make(Lake(lake), given.add, add=True)
                n = _run("--measure", lake, cache, memory, given.workers)
                print(f"| {n['seconds']:.1f} | {n['cpu']:.1f} | {n['peak'] / 1e9:.2f} GB", end=" ", flush=True)
                same = _run("--compare", lake, cache, memory, given.workers) if given.check else ""
                print(f"| {same}", end=" ")
            print("|", flush=True)


if __name__ == "__main__":
    main()
