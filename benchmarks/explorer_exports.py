"""Real exports of a large lake against the numbers that the set builder of `archive explore` shows.

    python benchmarks/explorer_exports.py LAKE

Each set is written by the command that its page names, read back, and deleted.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from query.explorer.cube.controls import Controls
from query.explorer.cube.cube import Cube
from query.explorer.open_lake import OpenLake

_SETS = (
    Controls(date(2014, 1, 1)),
    Controls(date(2019, 7, 1), after=date(2018, 1, 1), grade="B", near=True),
    Controls(date(2016, 1, 1), grade="C", preset="gopher", honour_opt_outs=True),
)


@dataclass
class Exported:
    """What an export holds."""

    characters: int = 0
    ids: list[str] = field(default_factory=list)
    months: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)


def read(folder: Path) -> Exported:
    found = Exported()
    for path in sorted(folder.rglob("*.parquet")):
        rows = pq.read_table(path, columns=["content_id", "text", "language", "captured_at"])
        found.characters += pc.sum(pc.utf8_length(rows["text"])).as_py() or 0
        found.ids += rows["content_id"].to_pylist()
        found.months.update(f"{each:%Y-%m}" for each in rows["captured_at"].to_pylist())
        found.languages.update(each or "" for each in rows["language"].to_pylist())
    return found


def compare(location: str, cube: Cube, controls: Controls, folder: Path) -> None:
    words = controls.command()
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "archive", words[0], str(folder), *words[2:], "--lake", location, "--workers", "1"]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found, counts = read(folder), cube.counts(controls)[0]
    own = (len(set(found.ids)), found.characters, dict(found.months), dict(found.languages))
    shown = (counts.texts, counts.characters, counts.months, counts.languages)
    is_same = own == shown and tuple(sorted(found.ids)[: len(counts.examples)]) == counts.examples
    print(
        f"archive {' '.join(words)}: {own[0]:,} texts, {own[1]:,} characters, {time.perf_counter() - begun:.0f} s, "
        f"{cpu:.0f} CPU s: {'the same' if is_same else 'OTHER'} texts, characters, months, languages, examples",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lake")
    args = parser.parse_args()
    with OpenLake(args.lake) as opened, tempfile.TemporaryDirectory() as folder:
        cube = opened.act(
            lambda context: context.counting.cube_now(context.lake.location, context.versions, context.marks)
        )
        for number, controls in enumerate(_SETS):
            compare(opened.location, cube, controls, Path(folder, str(number)))


if __name__ == "__main__":
    main()
