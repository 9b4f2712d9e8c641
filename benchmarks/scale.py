"""Millions of made signatures through `archive index`: time and memory, and how they grow.

    python benchmarks/scale.py [--texts 1,2,5,10] [--folder DIR]

A made lake holds no texts, only captures and signatures: three texts in ten are copies of another (in families, with a
similarity of 0.7 to 1), and one in ten shares a band value with all others of these, as a footer would make
them. So a tenth of all texts is one bucket. Pairs are verified by their signatures.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise

import numpy as np
import pyarrow as pa

from archive.files import write_parquet
from archive.lake import Lake
from archive.progress import Reporter
from archive.tables import CAPTURES
from index import ids, tables
from index.minhash.procedure import Parameters
from index.neardup import index
from index.neardup.signatures import PARQUET_OPTIONS, signature_rows
from index.tables import SIGNATURES

_PART = 500_000
_START = 1_300_000_000_000_000


def make(lake: Lake, count: int, seed: int = 1) -> None:
    """Write the captures and signatures of a made lake."""
    dice = np.random.default_rng(seed)
    parameters = Parameters()
    lake.create()
    tables.create(lake, parameters)
    footer = dice.integers(0, 1 << 16, parameters.rows, np.uint16)
    before = np.empty((0, parameters.hashes), np.uint16)
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
        content_ids = ids.text(dice.integers(0, 1 << 63, (size, 4), np.uint64))
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
        lake.commit(
            CAPTURES, [write_parquet(lake, CAPTURES, captures, "made", {"month": f"20{first // _PART:02}"})], []
        )


class _Clock(Reporter):
    """Notes when each stage begins."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []

    def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
        self.begun.append((name, time.perf_counter()))


def measure(folder: str) -> None:
    """Index the lake in this process; print the numbers as JSON."""
    lake, clock = Lake(folder), _Clock()
    started = time.perf_counter()
    summary = index(lake, workers=1, reporter=clock)
    ended = time.perf_counter()
    begins = [*clock.begun, ("end", ended)]
    reporter = {name: after[1] - at for (name, at), after in pairwise(begins)}
    again = time.perf_counter()
    index(lake, workers=1)
    numbers = {
        "seconds": ended - started,
        "again": time.perf_counter() - again,
        "reporter": reporter,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "texts": summary.texts,
        "candidates": summary.candidates,
        "pairs": summary.pairs,
        "clusters": summary.clusters,
    }
    print(json.dumps(numbers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", default="1,2,5,10", help="millions, with commas")
    parser.add_argument("--folder", help="where the lakes are made")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure)
        return
    columns = (
        "texts",
        "largest bucket",
        "seconds",
        "bands",
        "find",
        "verify",
        "µs a text",
        "nothing new",
        "peak memory",
    )
    print(f"| {' | '.join((*columns, 'candidates', 'pairs'))} |\n|{' --: |' * (len(columns) + 2)}")
    for millions in given.texts.split(","):
        count = int(float(millions) * 1_000_000)
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            make(Lake(folder), count)
            done = subprocess.run(
                [sys.executable, __file__, "--measure", folder], capture_output=True, text=True, check=True
            )
        n = json.loads(done.stdout)
        reporter = n["reporter"]
        times = " | ".join(f"{reporter[name]:.0f}" for name in ("bands", "find", "verify"))
        print(
            f"| {count:,} | {count // 10:,} | {n['seconds']:.0f} | {times} | {n['seconds'] / count * 1e6:.1f}", end=" "
        )
        print(f"| {n['again']:.0f} | {n['peak'] / 1e9:.1f} GB | {n['candidates']:,} | {n['pairs']:,} |", flush=True)


if __name__ == "__main__":
    main()
