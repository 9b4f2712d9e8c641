"""Rate and memory of `archive certify` on a large data set.

    python benchmarks/certify.py page-versions.jsonl.gz [--megabytes 1000] [--workers 1,2] [--rounds 3] [--paragraphs]

Of the texts of the source, cut to pieces of about 1,000 words, every second one goes into a lake. The data set is
made of all pieces again and again, each time with a few other words changed, until it is so large; every
tenth row is a piece as it was. Memory and CPU are those of all processes together, looked at ten times a second; the
main process is what workers wait for. With --workers 1,2 both certify the same set in turns, in each round.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import Result, machine, watched


def pieces(path: str) -> list[str]:
    """The texts in pieces of about 1,000 words, line ends kept."""
    made, held, count = [], [], 0
    with gzip.open(path, "rt") as file:
        for row in map(json.loads, file):
            for line in row["text"].split("\n"):
                held.append(line)
                count += line.count(" ") + 1
                if count >= 1000:
                    made.append("\n".join(held))
                    held, count = [], 0
    return list(dict.fromkeys(made))


def write_set(path: Path, texts: list[str], megabytes: int) -> int:
    """A data set of so many megabytes; returns its rows."""
    dice, size, rows = random.Random(1), 0, 0
    with path.open("w") as file:
        while size < megabytes * 1_000_000:
            text = texts[rows % len(texts)]
            if rows % 10:
                words = text.split(" ")
                for _ in range(5):
                    words[dice.randrange(len(words))] = f"word{dice.randrange(10**9)}"
                text = " ".join(words)
            size += file.write(json.dumps({"id": rows, "text": text}) + "\n")
            rows += 1
    return rows


def certify(folder: Path, workers: int, more: list[str]) -> Result:
    """Certify the set; what it reports, and what it took."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    command = ["certify", f"{folder}/set.jsonl", "--out", f"{folder}/out", "--lake", f"{folder}/lake"]
    command += ["--before", "2022-01-01", "--grade", "E", "--workers", str(workers), "--json", *more]
    return watched([sys.executable, "-m", "archive", *command])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--paragraphs", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        texts = pieces(given.source)
        old = [{"text": text, "date": "2015-01-01"} for text in texts[::2]]
        (folder / "old.jsonl").write_text("".join(json.dumps(row) + "\n" for row in old))
        for command in (["ingest", str(folder / "old.jsonl")], ["index"]):
            command = [sys.executable, "-m", "archive", *command, "--lake", f"{folder}/lake"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows = write_set(folder / "set.jsonl", texts, given.megabytes)
        size = (folder / "set.jsonl").stat().st_size / 1e6
        print(f"{machine()}; {len(old):,} texts in the lake; {rows:,} rows, {size:,.0f} MB\n")
        print("| workers | load | seconds | rows/s | MB/s | CPU s | … of the main process | peak MB |")
        print("| --: " * 8 + "|")
        for _ in range(given.rounds):
            for workers in map(int, given.workers.split(",")):
                load = os.getloadavg()[0]
                made = certify(folder, workers, ["--paragraphs"] * given.paragraphs)
                seconds = made["seconds"]
                print(f"| {workers} | {load:.1f} | {seconds:.1f} | {rows / seconds:,.0f} ", end="")
                print(f"| {size / seconds:.1f} | {made['cpu']:.1f} | {made['main']:.1f} ", end="")
                print(f"| {made['peak'] / 1e6:,.0f} |", flush=True)
        print("\n" + ", ".join(f"{kind} {count:,}" for kind, count in made["proof"].items()))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
