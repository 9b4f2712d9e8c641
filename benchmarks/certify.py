"""Rate and memory of `archive certify` on a large data set.

    python benchmarks/certify.py page-versions.jsonl.gz [--megabytes 1000] [--workers 2] [--paragraphs]

Of the texts of the source, cut to pieces of about 1,000 words, every second one goes into a lake. The data set is
made of all pieces again and again, each time with a few other words changed, until it is so large; every
tenth row is a piece as it was. Peak memory is that of all processes together, looked at ten times a second.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


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


class Memory(threading.Thread):
    """The most memory that a process and all below it held at one time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.peak = 0

    def run(self) -> None:
        while self._process.poll() is None:
            self.peak = max(self.peak, sum(map(_anonymous, _family(self._process.pid))))
            time.sleep(0.1)


def _family(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    family = [root]
    for pid in family:
        family += [child for child, parent in parents.items() if parent == pid]
    return family


def _anonymous(pid: int) -> int:
    """Bytes that are the process's own; pages of mapped files can be dropped at any time."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--paragraphs", action="store_true")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    archive = [sys.executable, "-m", "archive"]
    try:
        texts = pieces(given.source)
        old = [{"text": text, "date": "2015-01-01"} for text in texts[::2]]
        (folder / "old.jsonl").write_text("".join(json.dumps(row) + "\n" for row in old))
        for command in (["ingest", str(folder / "old.jsonl")], ["index"]):
            subprocess.run([*archive, *command, "--lake", f"{folder}/lake"], check=True, stdout=subprocess.DEVNULL)
        rows = write_set(folder / "set.jsonl", texts, given.megabytes)
        command = [*archive, "certify", f"{folder}/set.jsonl", "--out", f"{folder}/out", "--lake", f"{folder}/lake"]
        command += ["--before", "2022-01-01", "--grade", "E", "--workers", str(given.workers), "--json"]
        started = time.perf_counter()
        process = subprocess.Popen(command + ["--paragraphs"] * given.paragraphs, stdout=subprocess.PIPE, text=True)
        memory = Memory(process)
        memory.start()
        output, _ = process.communicate()
        seconds = time.perf_counter() - started
        size = (folder / "set.jsonl").stat().st_size / 1e6
        proof = json.loads(output)["proof"]
        print(f"{len(old):,} texts in the lake; {rows:,} rows, {size:,.0f} MB; {given.workers} workers")
        print(f"{seconds:.0f} s, {rows / seconds:,.0f} rows/s, {size / seconds:.0f} MB/s;", end=" ")
        print(f"{memory.peak / 1e6:,.0f} MB of memory at most")
        print(", ".join(f"{kind} {count:,}" for kind, count in proof.items()))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
