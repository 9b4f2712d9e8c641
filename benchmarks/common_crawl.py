"""Common Crawl as a source: manners, costs that are said beforehand, plans, speed, and dates of the ARC era.

    python benchmarks/common_crawl.py PART… [--folder /tmp/common-crawl]

Each PART is one of those below, and prints a table. All of it runs on this machine: tests/minicc makes small crawls and
serves them as the real hosts do. What is made stays in the folder, so that a second run makes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from common_crawl_plans import BLOCKS, CRAWL, HOST, PARTS, ROWS, write_index
from common_crawl_plans import STEPS as PLAN_STEPS
from mini_crawls import Ran, archive, emptied, real_pages, served, table, write_mini
from processes import machine, step


def streaming(folder: Path) -> None:
    """Files that stream from a server on loopback against the same files on disk, in turns."""
    root, crawl = folder / "streaming", "CC-MAIN-2019-35"
    write_mini(root, {crawl: real_pages(crawl, PAGES)}, files=FILES)
    size = sum(path.stat().st_size for path in root.glob(f"crawl-data/{crawl}/segments/*/warc/*"))
    print(f"{PAGES:,} pages in {FILES} files of {size / FILES / 1e6:.0f} MB, {ROUNDS} rounds", flush=True)
    rows: list[list[object]] = []
    with served(root, folder / "streaming.log") as site:
        kinds = {
            "disk": [str(root / f"crawl-data/{crawl}/segments/*/warc/*")],
            "server": [f"cc:{crawl}", "--mirror", site.address, "--rate", "1000"],
        }
        for workers in (1, 2):
            runs: dict[str, list[Ran]] = {kind: [] for kind in kinds}
            before = site.cpu()
            for _ in range(ROUNDS):
                for kind, words in kinds.items():
                    with emptied(folder / "run") as run:
                        runs[kind].append(archive(run, *words, "--workers", str(workers)))
            assert len({ran.json["captures"] for each in runs.values() for ran in each}) == 1
            for kind, each in runs.items():
                wall, cpu = [ran.seconds for ran in each], [ran.cpu for ran in each]
                ratios = [one.seconds / two.seconds for one, two in zip(runs["disk"], each, strict=True)]
                of_cpu = [one.cpu / two.cpu for one, two in zip(runs["disk"], each, strict=True)]
                name = f"{kind}, {workers} worker{'s' * (workers > 1)}"
                numbers = [min(wall), statistics.median(wall), statistics.median(cpu)]
                numbers += [min(runs["disk"], key=lambda ran: ran.seconds).seconds / min(wall)]
                numbers += [statistics.median(ratios), statistics.median(of_cpu)]
                rows.append([name, *(f"{number:.{1 if at < 3 else 3}f}" for at, number in enumerate(numbers))])
            print(f"the server used {(site.cpu() - before) / ROUNDS:.2f} CPU s a run", flush=True)
    table("source|s, best|s, median|CPU s|speed of disk, best|median of pairs|CPU of disk", rows)


def planning(folder: Path) -> None:
    """Plans of a crawl with an index of real size, which is made: a host, 3 million records, 56,000 files."""
    root = folder / "planning"
    write_index(root)
    rows: list[list[object]] = []

    def measured(name: str, mirror: str, run: Path, lake: str, **options: object) -> None:
        os.environ["XDG_CACHE_HOME"] = str(run / "cache")
        found = step(sys.executable, "plan", mirror, str(run / lake), json.dumps(options))
        numbers = [f"{found[key]:.1f}" for key in ("select_s", "plan_s", "seconds", "cpu", "peak_mb")]
        log = site.log()
        rows.append([name, found["files"], found["records"], found["known"], len(log), *numbers])
        site.forget()

    with served(root, folder / "planning.log") as site, emptied(folder / "run") as run:
        measured("a host, nothing is cached", site.address, run, "empty", host=[HOST])
        measured("a host, the index is cached", site.address, run, "empty", host=[HOST])
        began = time.perf_counter()
        ran = archive(run, f"cc:{CRAWL}", "--host", HOST, "--mirror", site.address, "--rate", "1000", "--dry-run")
        print(f"the command for that, with --dry-run: {time.perf_counter() - began:.1f} s, {ran.cpu:.1f} CPU s")
        measured("all files", site.address, run, "empty")
        measured("a language", site.address, run, "empty", language=["por"])
        for name, options in (("all files", {}), ("a language", {"language": ["por"]})):
            lake = name.replace(" ", "-")
            made = step(sys.executable, "ledger", site.address, str(run / lake), json.dumps(options))
            print(f"{name}: the ledger that is made for the lake has {made['rows']:,} rows", flush=True)
            site.forget()
            measured(f"{name}, all of it is known", site.address, run, lake, **options)
        began = time.perf_counter()
        (run / "all-files").rename(run / "lake")
        ran = archive(run, f"cc:{CRAWL}", "--mirror", site.address, "--rate", "1000")
        print(f"the command for all files, where all are known: {ran.seconds:.1f} s, {ran.cpu:.1f} CPU s, "
              f"{ran.peak_mb:.0f} MB, {len(site.log())} requests, {ran.json['files_skipped']:,} files skipped")  # fmt: skip
    print(f"{BLOCKS:,} blocks in the sorted index, {PARTS * ROWS:,} rows in the table")
    table("selection|files|records|known files|requests|select s|plan s|s with start|CPU s|MB", rows)


PAGES, FILES, ROUNDS = 1200, 6, 3
STEPS = PLAN_STEPS
BY_NAME: dict[str, Callable[[Path], None]] = {"planning": planning, "streaming": streaming}


def main() -> None:
    if sys.argv[1:2] == ["step"]:
        print(json.dumps(STEPS[sys.argv[2]](*sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=BY_NAME, metavar="PART", help=", ".join(BY_NAME))
    parser.add_argument("--folder", type=Path, default=Path("/tmp/common-crawl"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}\n")
    for part in given.parts:
        print(f"{part}: {(BY_NAME[part].__doc__ or '').strip()}", flush=True)
        BY_NAME[part](given.folder)


if __name__ == "__main__":
    main()
