"""What the parent process of an ingest has to do, where many workers hand it their parts.

    python benchmarks/parent.py FILE.warc.gz [--workers 16] [--span 2M] [--extractor resiliparse]

The work is done here, one task after the other, as if that many workers did it at once: a clock goes on by the CPU
seconds of each task, divided by the workers, and by those of the parent. The parent plans, packs tasks and unpacks
results as for a pipe, and commits; commits are as far apart as they would be with that many workers. Tells how much of
one core it takes while the workers are busy, and what comes once: to create the lake, and to merge files at the end.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from archive.engine import Context, Done, Tasks
from archive.intake import run
from archive.intake.unit import Settings
from archive.text import extractor


class _Workers:
    """An engine that does each task in this process, and counts its CPU seconds apart."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.work = 0.0  # CPU seconds
        self.parts = self.pages = 0
        self.began = self.ended = (
            0.0  # CPU seconds of this process, when the first task was asked for and the last done
        )

    def run(self, work: Any, tasks: Any, **_: Any) -> Iterator[Done[Any, Any]]:
        tasks = tasks if isinstance(tasks, Tasks) else Tasks(tasks)
        self.began = self.began or time.process_time()
        waiting: list[Any] = []
        while True:
            while len(waiting) < self.workers and (task := tasks.take()) is not None:
                waiting.append(pickle.dumps(task))  # an engine gives each worker a task
            if not waiting:
                break
            packed = waiting.pop(0)
            started = time.process_time()
            task = pickle.loads(packed)
            result = pickle.dumps(work(task, Context(1)))
            self.work += time.process_time() - started
            part = pickle.loads(result)
            self.parts += 1
            self.pages += sum(tally.records for tally in part.tallies)
            yield Done(task, part)
        self.ended = time.process_time()

    def scratch(self) -> AbstractContextManager[str]:
        return tempfile.TemporaryDirectory()


class _Clock:
    """`time`, as the parent would see it."""

    def __init__(self, workers: _Workers) -> None:
        self._workers = workers

    def monotonic(self) -> float:
        workers = self._workers
        return time.process_time() - workers.work + workers.work / workers.workers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("warc", nargs="+")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--span", type=int, default=32, help="MiB at most")
    parser.add_argument("--extractor", default="resiliparse")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    extractor(args.extractor)("<p>warm</p>")
    workers = _Workers(args.workers)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, patch.object(run, "time", _Clock(workers)):
        started = time.process_time()
        settings = Settings(args.extractor)
        run.ingest_with(f"{folder}/lake", args.warc, settings, workers, span=args.span << 20)
        parent = time.process_time() - started - workers.work
    while_busy = workers.ended - workers.began - workers.work
    seconds = workers.work / args.workers
    result = {
        "workers": args.workers,
        "pages": workers.pages,
        "parts": workers.parts,
        "work_cpu": workers.work,
        "seconds_of_the_workers": seconds,
        "parent_cpu": parent,
        "parent_cpu_while_workers_are_busy": while_busy,
        "parent_of_a_core": while_busy / seconds,
        "parent_ms_a_part": 1000 * while_busy / max(workers.parts, 1),
    }
    print(json.dumps(result, indent=2))
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
