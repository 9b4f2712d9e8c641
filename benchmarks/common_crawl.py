"""Common Crawl as a source: manners, costs that are said beforehand, plans, speed, and dates of the ARC era.

    python benchmarks/common_crawl.py PART… [--folder /tmp/common-crawl]

Each PART is one of those below, and prints a table. All of it runs on this machine: tests/minicc makes small crawls and
serves them as the real hosts do. What is made stays in the folder, so that a second run makes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from common_crawl_plans import BLOCKS, CRAWL, HOST, PARTS, ROWS, write_index
from common_crawl_plans import STEPS as PLAN_STEPS
from mini_crawls import (
    CRAWLS,
    RECORDS,
    Ran,
    archive,
    archive_started,
    emptied,
    ended,
    made_pages,
    peak_rate,
    real_pages,
    served,
    table,
    write_mini,
)
from processes import machine, step

from archive.lake import Lake


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
                    with emptied(folder / "run-streaming") as run:
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
        print(name, numbers, flush=True)
        rows.append([name, found["files"], found["records"], found["known"], len(log), *numbers])
        site.forget()

    with served(root, folder / "planning.log") as site, emptied(folder / "plans") as run:
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
              f"{ran.peak_mb:.0f} MB, {len(site.log())} requests, {ran.json['files_skipped']:,} files skipped"
              if "files_skipped" in ran.json else ran.output[-2000:])  # fmt: skip
    print(f"{BLOCKS:,} blocks in the sorted index, {PARTS * ROWS:,} rows in the table")
    table("selection|files|records|known files|requests|select s|plan s|s with start|CPU s|MB", rows)


# -- manners and costs -------------------------------------------------------------------------------------------------

#: Requests a second, for all runs that count requests. The default is 1.
RATE = 20


def _pages(folder: Path) -> Path:
    """Three crawls of pages of 60 kB, so that parts of files are cheaper than files."""
    root = folder / "pages"
    if not root.exists():
        write_mini(root, {crawl: made_pages(crawl, 1500, 40_000) for crawl in CRAWLS}, files=8)
    return root


def manners(folder: Path) -> None:
    """Requests against the plan, and against the rate, by the log of the server."""
    root, rows = _pages(folder), list[list[object]]()
    host, language = ["--host", "site8.com", "--host", "site9.org"], ["--language", "por", "--sample", "0.4"]
    both, late = ["cc:2013..2021"], ["cc:2019..2021"]

    def run(name: str, flags: list[str], *commands: list[str], rate: int = RATE) -> None:
        with served(root, folder / "manners.log", *flags) as site, emptied(folder / "run-manners") as run:
            how = ["--mirror", site.address, "--rate", str(rate)]
            plain = [[each for each in words if not each.startswith("--workers=")] for words in commands]
            costs = [_said(archive(run, *words, *how, "--dry-run")) for words in plain]
            site.forget()
            running = [archive_started(run, *words, *how) for words in commands]
            results = [ended(each) for each in running]
            log, files = site.log(), site.log(RECORDS)
            planned = sum(each["requests"] for each in costs)
            busy, refused = (sum(each["status"] == status for each in log) for status in (503, 403))
            captures = sum(each.json["captures"] for each in results)
            numbers = [captures, planned, len(files), f"{len(files) / planned:.3f}", len(log) - len(files)]
            most = [f"{peak_rate(log, seconds) / rate:.2f}" for seconds in (1, 10)]
            rows.append([name, *numbers, f"{100 * busy / len(log):.1f} %", refused, *most])
            print(rows[-1], [each.code for each in results], flush=True)

    limited = ["--rate", str(RATE), "--refuse-after", "40"]
    run("a host by ranges", limited, [*both, *host, "--workers=1"])
    run("a language by ranges, four workers", limited, [*late, *language, "--workers=4"])
    run("whole files, two workers", limited, [*both, "--workers=2"])
    tlds = [[*late, "--tld", tld, "--sample", "0.2"] for tld in ("de", "pt")]
    run("two ingests at once, into one lake", limited, *tlds)
    run("two that select some of the same", limited, [*late, *language], tlds[0])
    lower = ["--rate", "5", "--refuse-after", "20"]
    run("a server that allows a quarter of the rate", lower, [*late, *language, "--workers=2"])
    table("ingest|captures|planned|asked|ratio|for indexes|503|403|rate, most in 1 s|most in 10 s", rows)


def cost(folder: Path) -> None:
    """What the dry run says against what then happens, in a lake that has 10,000 captures."""
    root, rows = folder / "cost", list[list[object]]()
    sizes = {"CC-MAIN-2014-35": 10_500, "CC-MAIN-2019-35": 4000, "CC-MAIN-2020-34": 4000}
    if not root.exists():
        write_mini(root, {crawl: made_pages(crawl, count, 6000) for crawl, count in sizes.items()}, files=16)
    base = folder / "cost-lake"
    if not base.exists():
        done = archive(base, "cc:CC-MAIN-2014-35", "--mirror", str(root))
        print(f"the lake: {done.json['captures']:,} captures", flush=True)
    late = ["cc:2019..2021"]
    for name, words in {
        "whole files": [*late, "--files", "6"],
        "two hosts": [*late, "--host", "site0.com", "--host", "site1.org"],
        "a language": [*late, "--language", "eng"],
        "a sample": [*late, "--sample", "0.6"],
    }.items():
        with served(root, folder / "cost.log") as site, emptied(folder / "run-cost") as run:
            shutil.copytree(base / "lake", run / "lake")
            how = [*words, "--mirror", site.address, "--rate", "1"]
            said = _said(archive(run, *how, "--dry-run"))
            site.forget()
            before = _lake_bytes(run / "lake")
            ran = archive(run, *how, "--workers", "2")
            log = site.log(RECORDS)
            begun = log[0]["at"]
            did = {
                "files": ran.json["files"], "records": ran.json["captures"] + sum(ran.json["rejects"].values()),
                "requests": len(log), "bytes": sum(each["sent"] for each in log),
                "lake": _lake_bytes(run / "lake") - before,
                "seconds": max(each["at"] + each["seconds"] for each in log) - begun,
            }  # fmt: skip
            plan = {key: said[key] for key in ("files", "records", "requests", "bytes")} | {"lake": said["lake_bytes"]}
            plan["seconds"] = 3600 * max(said["hours"], said["core_hours"] / 2)
            print(name, plan, did, f"core s {3600 * said['core_hours']:.1f}", flush=True)
            rows.append(
                [name, *(f"{_short(plan[key])} / {_short(did[key])} ({plan[key] / did[key]:.2f})" for key in did)]
            )
    table("selection|files|records|requests|bytes|lake bytes|seconds", rows)


def _said(ran: Ran) -> dict[str, Any]:
    """Return what a dry run says, of all crawls together."""
    cost: dict[str, Any] = ran.json["cost"]
    return cost | {key: sum(each[key] for each in cost["crawls"]) for key in ("files", "records", "requests", "bytes")}


def _short(number: float) -> str:
    return f"{number / 1e6:.2f}M" if number >= 1e6 else f"{number:,.0f}"


def _lake_bytes(lake: Path) -> int:
    there = Lake(str(lake))
    return sum(sum(pa.table(there.delta(name).get_add_actions(flatten=True))["size_bytes"].to_pylist())
               for name in ("captures", "documents", "rejects"))  # fmt: skip


PAGES, FILES, ROUNDS = 1200, 6, 3
STEPS = PLAN_STEPS
BY_NAME: dict[str, Callable[[Path], None]] = {
    "manners": manners,
    "cost": cost,
    "planning": planning,
    "streaming": streaming,
}


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
