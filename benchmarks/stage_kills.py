"""Kills a stage of the index again and again on a lake that grows, and compares its table with that of one run.

    python benchmarks/stage_kills.py embed|passages [--kills 200] [--seed 0]

The command is killed with its workers at random moments, every fifth time with a second one at work.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from archive.lake import Lake

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


class Killed(NamedTuple):
    """A command that is killed."""

    server: str  #: which process of tests/forked.py it is forked from
    command: Callable[[Path], list[str]]  #: its words but for the lake; gets a folder for what it needs
    rows: Callable[[Lake], pa.Table]  #: what it keeps, sorted, and without what differs from run to run
    key: list[str]  #: columns that no two rows share


def _embed(folder: Path) -> list[str]:
    tiny = importlib.import_module("tiny_encoder")
    if not (folder / "encoder").exists():
        tiny.write_encoder(folder / "encoder")
    return ["embed", "--encoder", str(folder / "encoder"), "--dtype", "fp32"]


def _vectors(lake: Lake) -> pa.Table:
    found = lake.read("embeddings", ["content_id", "part", "encoder", "vector"])
    return found.sort_by([("content_id", "ascending"), ("part", "ascending")])


def _fingerprints(lake: Lake) -> pa.Table:
    """Return the fingerprints of each text, whatever segment it is in."""
    from index.passages import segments

    texts, keys = [], []
    for file in segments.files(lake):
        segment = segments.Segment(lake, file.path)
        own, rows = segment.between(0, 1 << 62)
        names = segment.content_ids().to_pylist()
        texts += [names[row] for row in rows.tolist()]
        keys += own.tolist()
        segment.close()
    return pa.table({"content_id": texts, "key": keys}).sort_by([("content_id", "ascending"), ("key", "ascending")])


COMMANDS = {
    "embed": Killed("collapse", _embed, _vectors, ["content_id", "part", "encoder"]),
    "passages": Killed("archive", lambda _: ["index", "--passages"], _fingerprints, ["content_id", "key"]),
}


def kills(what: Killed, count: int, seed: int) -> dict[str, Any]:
    forked, made = importlib.import_module("forked"), importlib.import_module("made")
    dice, started = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory() as name, forked.served():
        folder = Path(name)
        lakes = [Lake(str(folder / each)) for each in ("lake", "undisturbed")]
        commands = [[*what.command(folder), "--lake", lake.location, "--quiet"] for lake in lakes]
        seconds, killed, together, texts = 5.0, 0, 0, 0
        while killed < count:
            some = [(" ".join(made.words(dice.randint(1, 60), dice.randrange(10**9))), "2015-01-01") for _ in range(4)]
            for lake in lakes:
                made.put(lake, folder / f"in-{Path(lake.location).name}", some)
            texts += len(some)
            for _ in range(dice.randint(1, 8)):
                second = (
                    forked.start(commands[0], folder / "second", server=what.server) if not dice.randrange(5) else None
                )
                begun = time.monotonic()
                first = forked.start(commands[0], folder / "first", server=what.server)
                first.join(dice.uniform(0.2, 1.1) * seconds)
                first.kill(workers_too=True)
                if first.exitcode == -9:
                    killed += 1
                    together += second is not None
                else:
                    assert first.exitcode == 0, (folder / "first" / "2").read_text()
                    seconds = time.monotonic() - begun
                if second is not None:
                    if dice.randrange(2):
                        second.kill(workers_too=True)
                        killed += 1
                    second.join()
                    assert second.exitcode in {0, -9}, (folder / "second" / "2").read_text()
        for command in commands:
            forked.forked(*command, server=what.server)
        found = [what.rows(lake) for lake in lakes]
        keys = set(zip(*(found[0][column].to_pylist() for column in what.key), strict=True))
        return {
            "kills": killed,
            "of them while two ran": together,
            "texts": texts,
            "rows": found[0].num_rows,
            "each once": len(keys) == found[0].num_rows,
            "as undisturbed": found[0].equals(found[1]),
            "seconds": round(time.monotonic() - started),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(kills(COMMANDS[options.command], options.kills, options.seed), indent=1))


if __name__ == "__main__":
    main()
