"""Kills `archive ingest cc:…` again and again, and compares the lake with one that nobody disturbed.

    python benchmarks/cc_kills.py [--kills 20] [--seed 0] [--lakes 1] [--pages 240]

A small Common Crawl (`tests/minicc`) is served on loopback: three crawls, one of the ARC era, a month of news. Seven
commands with overlapping selections bring it into one lake: by ranges of the index table and of the sorted index, and
by whole files in pieces of 16 kB. Each is killed with its workers at a random moment, some while a second one runs.
Where all is there before enough are killed, a file is forgotten. Then all of them run once more, and the same from a
folder. It exits with 1 where the lake differs from that of undisturbed commands in a capture, a document, a reject, a
date, a grade or a count, where a record is there twice, or where the folder gives a record.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from processes import machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from archive.intake.run import ingest
from archive.lake import Lake


def _tests(name: str) -> Any:
    """Import a module of the tests. Workers, which import this file, have no use for it."""
    return importlib.import_module(name)


def make(root: Path, pages: int) -> None:
    """Write a small Common Crawl."""
    minicc, fixtures = _tests("minicc"), _tests("minicc.fixtures")
    for crawl in fixtures.MAIN:
        minicc.write_crawl(root, crawl, fixtures.pages_of(crawl, pages), block=20, group=40)
    old = [each for each in fixtures.pages_of("CC-MAIN-2008-2009", pages) if each.status == 200]
    minicc.write_arc_crawl(root, "CC-MAIN-2008-2009", old, block=20)
    news = [minicc.page(f"http://news.example/{n}", f"News {n}", "2019-08-05T10:00:00") for n in range(pages // 8)]
    minicc.write_news(root, "2019-08", news)
    minicc.write_collinfo(root, fixtures.CRAWLS)


def one(folder: Path, root: Path, count: int, seed: int) -> bool:
    """Kill so many commands on one lake; returns whether it is as it must be."""
    kills, serve = _tests("minicc.kills"), _tests("minicc.serve").serve
    folder.mkdir()
    lake, started = Lake(str(folder / "lake")), time.monotonic()
    with serve(root) as server:
        drill = kills.Drill(lake, server, folder)
        drill.run(count, random.Random(seed))
    by_source = ", ".join(f"{name} {times}" for name, times in drill.by_source.most_common())
    print(f"seed {seed}: {drill.killed} kills, {drill.together} of them while two ran ({by_source})")
    print(f"seed {seed}: {drill.forgotten} files forgotten meanwhile", flush=True)
    try:
        kills.require_same(lake, kills.undisturbed(Lake(str(folder / "undisturbed")), root))
        for each in kills.ALL:
            again = ingest(lake, each.source, mirror=str(root), workers=1, **each.options)
            assert again.records == 0, f"{each.source}: {again.records} records came again from the folder"
    except AssertionError as error:
        print(f"seed {seed}: {error}")
        return False
    captures = lake.read("captures", ["url"]).num_rows
    print(f"seed {seed}: as undisturbed, {captures:,} captures; {time.monotonic() - started:.0f} s", flush=True)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20, help="of each lake")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lakes", type=int, default=1, help="with a seed each")
    parser.add_argument("--pages", type=int, default=240, help="of each crawl")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "xdg")
        make(folder / "minicc", options.pages)
        seeds = range(options.seed, options.seed + options.lakes)
        good = [one(folder / str(seed), folder / "minicc", options.kills, seed) for seed in seeds]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
