"""Kills a node of a Ray cluster in each stage, and the head in an ingest, and compares all with one machine's work.

    python benchmarks/cluster.py [--texts 2000] [--seed 0]

The nodes are on loopback. Needs the extra `ray`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lowbackground as lb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


class Nodes:
    """A head without processors, and two nodes with one each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self._nodes = [self._cluster.add_node(num_cpus=1) for _ in range(2)]
        self.address = self._cluster.address

    def lose(self) -> None:
        """Kill the node that is oldest."""
        self._cluster.remove_node(self._nodes.pop(0), allow_graceful=False)

    def replace(self) -> None:
        self._nodes.append(self._cluster.add_node(num_cpus=1))

    def end(self) -> None:
        self._cluster.shutdown()


def _start(words: list[str], engine: str, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "archive", *words, "--engine", engine, "--quiet", "-v"]
    with open(log, "wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)


def _make(folder: Path, count: int) -> list[str]:
    made, conftest = importlib.import_module("made"), importlib.import_module("conftest")
    texts = [made.words(200, number) for number in range(count)]
    texts[1::10] = [made.edited(text, 4, number) for number, text in enumerate(texts[::10])]
    files = []
    for part in range(16):
        pages = [
            conftest.record(
                url=f"http://example.com/{number}", body=" ".join(texts[number]), date=f"201{number % 6}-05-06",
                content_type="text/plain",
            )
            for number in range(part, count, 16)
        ]  # fmt: skip
        path = folder / f"{part}.warc"
        path.write_bytes(b"".join(pages))
        files.append(str(path))
    return files


def _contents(lake: str) -> list[Any]:
    opened = lb.open(lake)
    found: list[Any] = [importlib.import_module("made").found(opened), opened.read("quality").sort_by("content_id")]
    return [*found, lb.query(opened, "SELECT url, captured_at, content_id, grade FROM captures ORDER BY ALL")]


def _set(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(folder: Path, count: int, dice: random.Random) -> dict[str, Any]:
    files, log = _make(folder, count), folder / "log"
    lakes, sets = [str(folder / name) for name in ("here", "there")], [folder / "set", folder / "set-there"]

    def stages(lake: str, out: Path) -> dict[str, list[str]]:
        return {
            "ingest": ["ingest", *files, "--lake", lake],
            "quality": ["quality", "--lake", lake],
            "index": ["index", "--lake", lake],
            "export": ["export", str(out), "--lake", lakes[1], "--before", "2020-01-01", "--shard-size", "50000"],
            "verify": ["verify", str(out), "--all"],
        }

    nodes, times = Nodes(), {}
    for name, words in stages(lakes[1], sets[1]).items():
        begun = time.monotonic()
        command = _start(words, f"ray:{nodes.address}", log)
        while "processors, " not in log.read_text() and command.poll() is None:
            time.sleep(0.05)
        time.sleep(dice.uniform(0, 3))
        running = command.poll() is None
        nodes.lose()
        assert command.wait(600) == 0, log.read_text()
        lost = log.read_text().count("a machine was lost")
        times[name] = {"while it ran": running, "tasks lost": lost, "seconds": round(time.monotonic() - begun, 1)}
        nodes.replace()
    nodes.end()
    for words in stages(lakes[0], sets[0]).values():
        subprocess.run([sys.executable, "-m", "archive", *words, "--workers", "2", "--quiet"], check=True, stdout=-3)
    same = [a == b for a, b in zip(_contents(lakes[0]), _contents(lakes[1]), strict=True)]
    result = {"texts": count, "stages": times, "same lake": all(same), "same set": _set(sets[0]) == _set(sets[1])}

    nodes, lake = Nodes(), str(folder / "head")  # the head dies, and the command with it
    command = _start(stages(lake, sets[0])["ingest"], f"ray:{nodes.address}", log)
    begun = time.monotonic()
    while " committed " not in log.read_text() and command.poll() is None:
        time.sleep(0.05)
    nodes.end()
    command.kill()
    command.wait()
    result["captures when the head died"] = lb.stats(lake).captures if Path(lake, "captures").exists() else 0
    nodes = Nodes()
    for name in ("ingest", "quality", "index"):
        command = _start(stages(lake, sets[0])[name], f"ray:{nodes.address}", log)
        assert command.wait(600) == 0, log.read_text()
    nodes.end()
    same = [a == b for a, b in zip(_contents(lakes[0]), _contents(lake), strict=True)]
    return result | {"same lake after the head died": all(same)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(Path(folder), options.texts, random.Random(options.seed)), indent=1))


if __name__ == "__main__":
    main()
