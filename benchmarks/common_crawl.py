"""Common Crawl as a source: manners, costs that are said beforehand, plans, speed, and dates of the ARC era.

    python benchmarks/common_crawl.py PART… [--folder /tmp/common-crawl]

Each PART is one of those below, and prints a table. All of it runs on this machine: tests/minicc makes small crawls and
serves them as the real hosts do. What is made stays in the folder, so that a second run makes nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable
from pathlib import Path

from mini_crawls import Ran, archive, emptied, real_pages, served, table, write_mini
from processes import machine


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


PAGES, FILES, ROUNDS = 1200, 6, 3
PARTS: dict[str, Callable[[Path], None]] = {"streaming": streaming}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--folder", type=Path, default=Path("/tmp/common-crawl"))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}\n")
    for part in given.parts:
        print(f"{part}: {(PARTS[part].__doc__ or '').strip()}", flush=True)
        PARTS[part](given.folder)


if __name__ == "__main__":
    main()
