"""The set builder of `archive explore` on a large lake: the cube, its answers, and the exact counts.

    python benchmarks/explorer.py FOLDER SOURCE... [--texts 1000000] [--asks 200] [--exact 3] [--users 10]

FOLDER keeps the made lake (made_lake.py --mixed) between runs; here it gets the pairs of its near-duplicates, and
quality signals: those of its first texts, over and over, since measuring a million is not what is measured. The
cube is made in a fresh process. Then random positions of the controls are asked for, one after another, and by several
threads at once; some are counted in the lake itself too, where each number must be the same. At last the lake is served
on loopback, first with nothing kept and then again, and its pages are asked for: see explorer_served.py.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from explorer_served import measure_served
from made_lake import made
from processes import machine

from archive.files import write_parquet
from archive.lake import Lake
from index import tables
from index.minhash.procedure import Parameters
from index.quality.presets import PRESETS
from index.quality.signals import signals
from index.quality.stage import Quality
from index.quality.table import QUALITY
from query.explorer.cube import exact
from query.explorer.cube.build import ASKED, about_of, build
from query.explorer.cube.controls import Controls
from query.explorer.cube.cube import Cube
from query.sql import connect

_MEASURED = 2_000
_FIRST, _DAYS = date(2008, 6, 1), 6_400


def ready(lake: Lake) -> None:
    """Write what `archive index` and `archive quality` would, unless it is there."""
    if not lake.has(QUALITY):
        _write_signals(lake)
    if not tables.is_current(lake):
        _write_pairs(lake)


def _write_signals(lake: Lake) -> None:
    Quality().create(lake)
    files = sorted(lake.files("documents"))
    some = next(lake.read_files("documents", files[:1], ["content_id", "text"])).slice(0, _MEASURED).combine_chunks()
    measured = signals(some["content_id"].chunk(0), some["text"].chunk(0))
    for table in lake.read_files("documents", files, ["content_id"]):
        ids = table["content_id"]
        repeated = measured.take(pa.array([row % measured.num_rows for row in range(len(ids))]))
        place = repeated.schema.get_field_index("content_id")
        rows = repeated.set_column(place, QUALITY.schema.field("content_id"), ids)
        lake.commit(QUALITY, [write_parquet(lake, QUALITY, rows, "made")], [])


def _write_pairs(lake: Lake) -> None:
    """A copy is another text but for its last word."""
    tables.create(lake, Parameters())
    found = duckdb.sql(
        """
        WITH known AS (SELECT content_id, md5(regexp_replace(text, ' [^ ]*$', '')) AS beginning FROM read_parquet($1))
        SELECT a.content_id, b.content_id AS earlier_id, 0.95 AS similarity, 190 AS shared, 200 AS total,
               false AS estimated, a.content_id AS cluster_id
        FROM known AS a JOIN known AS b USING (beginning) WHERE a.content_id > b.content_id
        """,
        params=[[f"{lake.table_path('documents')}/{file}" for file in lake.files("documents")]],
    )
    assert found is not None  # a SELECT
    rows = found.to_arrow_table().cast(tables.DUPLICATES.schema)
    lake.commit(tables.DUPLICATES, [write_parquet(lake, tables.DUPLICATES, rows, "made")], [tables.state(lake)])


def drawn(dice: random.Random, languages: list[str]) -> Controls:
    """Some position of the controls."""
    before = _FIRST + timedelta(dice.randrange(30, _DAYS))
    after = before - timedelta(dice.randrange(1, 2_000)) if dice.random() < 0.3 else None
    return Controls(
        before,
        after,
        grade=dice.choice(ASKED),
        language=dice.choice([None, *languages]),
        preset=dice.choice([None, *PRESETS]),
        near=dice.random() < 0.5,
        honour_opt_outs=dice.random() < 0.5,
    )


def make(location: str, to: str) -> None:
    """Make the cube, and print what that took."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as spill:
        build(Lake(location), {}, "1GB", spill, Path(to))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        f"made in {time.perf_counter() - started:.0f} s ({used.ru_utime + used.ru_stime:.0f} CPU seconds), "
        f"{used.ru_maxrss / 1024:,.0f} MB at most"
    )


def _ask(cube: Cube, asked: list[Controls]) -> list[float]:
    times = []
    for each in asked:
        started = time.perf_counter()
        cube.counts(each)
        times.append(time.perf_counter() - started)
    return sorted(times)


def _spread(times: list[float]) -> str:
    middle, high = statistics.median(times), times[len(times) * 95 // 100]
    return f"{middle * 1000:.0f} ms (median), {high * 1000:.0f} (95 %), {max(times) * 1000:.0f} (longest)"


def measure(lake: Lake, asks: int, exactly: int, users: int, cells: Path) -> None:
    print(f"{machine()}; {lake.rows('documents'):,} texts, {lake.rows('captures'):,} captures, "
          f"{lake.rows('duplicates'):,} pairs", flush=True)  # fmt: skip
    print(subprocess.check_output([sys.executable, __file__, "make", lake.location, str(cells)], text=True), end="")
    table = pq.read_table(cells)
    grades = Counter(table["grade"].to_pylist())
    by_grade = ", ".join(f"{grade} {count:,}" for grade, count in sorted(grades.items()))
    print(f"{table.num_rows:,} cells ({by_grade}), {os.path.getsize(cells) / 1e6:.0f} MB")
    started = time.perf_counter()
    cube = Cube(table, about_of(table))
    del table
    print(f"opened in {time.perf_counter() - started:.1f} s")
    dice = random.Random(1)
    _, choices = cube.counts(Controls(date(2022, 1, 1)))
    languages = [each for each in choices.languages if each][:5]
    asked = [drawn(dice, languages) for _ in range(asks)]
    _ask(cube, asked[:10])
    cpu = time.process_time()
    times = _ask(cube, asked)
    print(f"one user: {_spread(times)}; {(time.process_time() - cpu) / asks * 1000:.0f} ms of CPU each")
    together: list[float] = []
    threads = [threading.Thread(target=lambda: together.extend(_ask(cube, asked[:50]))) for _ in range(users)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    print(f"{users} users at once: {_spread(sorted(together))}")
    print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB at most")
    for controls in asked[:exactly]:
        with connect(lake, memory="1GB") as db:
            started, cpu = time.perf_counter(), time.process_time()
            rows = db.execute(exact.sql(controls)).fetchall()
            took, cpu = time.perf_counter() - started, time.process_time() - cpu
        found, counted = exact.counts(rows, cube.about.bytes_a_character), cube.counts(controls)[0]
        for name in ("texts", "captures", "characters", "words", "months", "languages"):
            if getattr(found, name) != getattr(counted, name):
                raise SystemExit(f"{controls}: {name}: {getattr(found, name)} in the lake, {getattr(counted, name)}")
        print(f"exactly, in {took:.0f} s ({cpu:.0f} of CPU): the same {found.texts:,} texts: {controls}", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["make"]:
        make(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("source", type=Path, nargs="+")
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--asks", type=int, default=200)
    parser.add_argument("--exact", type=int, default=3)
    parser.add_argument("--users", type=int, default=10)
    args = parser.parse_args()
    lake = made(args.folder, args.source, args.texts, mixed=True)
    ready(lake)
    with tempfile.TemporaryDirectory() as folder:
        measure(lake, args.asks, args.exact, args.users, Path(folder, "cells.parquet"))
    measure_served(lake, args.users)


if __name__ == "__main__":
    main()
