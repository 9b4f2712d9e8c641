"""Kills a node of a Ray cluster in the middle of a task of each stage, and the head, and compares all with one machine.

    python benchmarks/cluster.py [--texts 400] [--seed 0] [--scratch folder|s3] [--only nodes|head|killed|two]

The nodes are on loopback. Needs the extra `ray`; the store of objects is moto's server.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import lowbackground as lb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

Words = dict[str, list[str]]
#: Seconds that a command may take, on a machine that does other work too.
_LONGEST = 3600


class Nodes:
    """A head without processors, and two nodes with one each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self._nodes = [self._cluster.add_node(num_cpus=1) for _ in range(2)]
        self.address = self._cluster.address

    def lose_one_at_work(self, command: subprocess.Popen[bytes], delay: float) -> bool:
        """Kill a node that has had a task for so long; return False if the command ended before that."""
        since: dict[Any, float] = {}
        while command.poll() is None:
            for node in self._nodes:
                if not _works(node.all_processes["raylet"][0].process.pid):
                    since.pop(node, None)
                elif time.monotonic() - since.setdefault(node, time.monotonic()) >= delay:
                    self._nodes.remove(node)
                    self._cluster.remove_node(node, allow_graceful=False)
                    return True
            time.sleep(0.002)
        return False

    def work(self) -> bool:
        """Return whether a node has a task."""
        return any(_works(node.all_processes["raylet"][0].process.pid) for node in self._nodes)

    def replace(self) -> None:
        while len(self._nodes) < 2:
            self._nodes.append(self._cluster.add_node(num_cpus=1))

    def end(self) -> None:
        self._cluster.shutdown()


def _works(raylet: int) -> bool:
    """Return whether a worker of a node has a task: Ray then gives the process its name."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"ray::serve"):
                    return True
    return False


def _start(words: list[str], engine: str, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "archive", *words, "--engine", engine, "--quiet", "-v"]
    with open(log, "wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)


def _end(command: subprocess.Popen[bytes], log: Path) -> None:
    try:
        status = command.wait(_LONGEST)
    except subprocess.TimeoutExpired:
        command.kill()
        status = command.wait()
    if status not in {0, 1}:
        raise SystemExit(f"{command.args!r} ended with {status}\n{log.read_text()[-5000:]}")


def _here(words: list[str]) -> None:
    subprocess.run([sys.executable, "-m", "archive", *words, "--workers", "2", "--quiet"], stdout=-3, check=True)


def _make(folder: Path, count: int) -> None:
    """Write web archives, an index of another holder, a data set, and an encoder."""
    made, conftest, tiny = (importlib.import_module(name) for name in ("made", "conftest", "tiny_encoder"))
    texts = [made.words(200, number) for number in range(count)]
    texts[1::10] = [made.edited(text, 4, number) for number, text in enumerate(texts[::10])]
    for part in range(16):
        pages = [
            conftest.record(
                url=f"http://example.com/{number}", body=" ".join(texts[number]), date=f"201{number % 6}-05-06",
                content_type="text/plain",
            )
            for number in range(part, count, 16)
        ]  # fmt: skip
        (folder / f"{part}.warc").write_bytes(b"".join(pages))
    rows = [made.edited(text, number % 3, number) for number, text in enumerate(texts)]
    rows += [made.words(200, count + number) for number in range(count)]
    for part in range(4):
        (folder / f"{part}.jsonl").write_text(
            "".join(json.dumps({"text": " ".join(row)}) + "\n" for row in rows[part::4])
        )
    tiny.write_encoder(folder / "encoder")


def _index(folder: Path, lake: str) -> None:
    """Write indexes that list every capture of a lake, as another holder would."""
    rows = lb.query(lb.open(lake), "SELECT url, captured_at, payload_digest FROM captures ORDER BY url").to_pylist()
    for part in range(4):
        lines = []
        for row in rows[part::4]:
            stamp, digest = f"{row['captured_at']:%Y%m%d%H%M%S}", row["payload_digest"].removeprefix("sha1:")
            fields = {"url": row["url"], "mime": "text/plain", "status": "200", "digest": digest, "length": "1000",
                      "offset": "0", "filename": "other.warc.gz"}  # fmt: skip
            lines.append(f"com,example)/{row['url'].rpartition('/')[2]} {stamp} {json.dumps(fields)}\n")
        (folder / f"{part}.cdxj").write_text("".join(lines))


def _stages(folder: Path, lake: str, where: str) -> Words:
    """Return the commands. Those from `certify` on read the lake `there`, so that what they write can be compared."""
    there, before = str(folder / "there"), ["--before", "2020-01-01"]
    model = ["--model", "tiny", "--regimes", "replace,real", "--generations", "1", "--seeds", "2", "--blocks", "24"]
    model += ["--block", "64", "--held-out-blocks", "8", "--epochs", "1", "--device", "cpu", "--text-column", "text"]
    return {
        "ingest": ["ingest", *(str(folder / f"{part}.warc") for part in range(16)), "--span", "20K", "--lake", lake],
        "quality": ["quality", "--lake", lake],
        "index": ["index", "--passages", "--lake", lake],
        "embed": ["embed", "--encoder", str(folder / "encoder"), "--dtype", "fp32", "--lake", lake],
        "index, alike": ["index", "--alike", "0.9", "--lake", lake],
        "maintain": ["maintain", "--regrade", "--keep", "0", "--lake", f"{lake}-older"],
        "witness": ["witness", *(str(folder / f"{part}.cdxj") for part in range(4)), "--operator", "Other", "--lake",
                    lake],
        "certify": ["certify", str(folder / "rows"), "--out", f"{where}-proven", "--lake", there, *before,
                    "--paragraphs", "--passages"],
        "export": ["export", f"{where}-set", "--lake", there, *before, "--shard-size", "50000"],
        "verify": ["verify", f"{where}-set", "--all"],
        "verify, of rows": ["verify", f"{where}-proven", "--all"],
        "verify, of a lake": ["verify", lake, "--all"],
        "collapse": ["collapse", str(folder / "rows"), "--out", f"{where}-collapse", *model],
    }  # fmt: skip


def _contents(lake: str) -> dict[str, str]:
    """Return a hash of what each table of a lake holds; times and names of files differ from run to run."""
    opened = lb.open(lake)
    found: dict[str, Any] = {"index": importlib.import_module("made").found(opened)}
    for name, sql in {
        "captures": "SELECT url, captured_at, content_id, grade, operator FROM captures ORDER BY ALL",
        "quality": "FROM quality ORDER BY ALL",
        "embeddings": "FROM embeddings ORDER BY ALL",
        "likenesses": "FROM likenesses ORDER BY ALL",
    }.items():
        found[name] = lb.query(opened, sql).to_pylist()
    # a row names a text by its position in a file, and which texts are in one file depends on when they were committed
    found["passages"] = _passages(opened)
    return {name: hashlib.sha256(repr(rows).encode()).hexdigest() for name, rows in found.items()}


def _passages(lake: Any) -> list[str]:
    return sorted(map(str, lake.read("passages")["key"].to_pylist()))


def _is_each_once(lake: Any, table: str) -> bool:
    ids = lake.read(table, ["content_id"])["content_id"].to_pylist()
    return len(ids) == len(set(ids)) > 0


def _difference(left: str, right: str) -> float:
    """Return how much vectors of the same windows differ at most: batches depend on which texts are in one file."""
    sql = "SELECT vector FROM embeddings ORDER BY content_id, part"
    pair = [np.array(lb.query(lb.open(each), sql)["vector"].to_pylist()) for each in (left, right)]
    return float(np.abs(pair[0] - pair[1]).max())


def _files(folder: Path) -> dict[str, bytes]:
    """Return the files of a result; without those that hold times of the run, or numbers of inodes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {".made-by-archive", "times.json", "report.html"}
    }


class Bench:
    def __init__(self, folder: Path, dice: random.Random, scratch: str) -> None:
        self.folder, self.dice, self.scratch, self.log = folder, dice, scratch, folder / "log"

    def left(self) -> list[str]:
        """Return what is left of scratch."""
        if self.scratch.startswith("s3://"):
            from pyarrow import fs

            from archive.storage import filesystem

            store, path = filesystem(self.scratch)
            return [each.path for each in store.get_file_info(fs.FileSelector(path, True, True)) if each.is_file]
        return [str(path) for path in Path(self.scratch).iterdir()]

    def nodes(self) -> dict[str, Any]:
        """Kill a node in the middle of a task of each stage."""
        lakes = {name: str(self.folder / name) for name in ("here", "there")}
        ours = _stages(self.folder, lakes["there"], str(self.folder / "there"))
        theirs = _stages(self.folder, lakes["here"], str(self.folder / "here"))
        nodes, rows = Nodes(), {}
        for name, words in ours.items():
            if name == "maintain":  # reads the files again of lakes without grades
                for lake in lakes.values():
                    importlib.import_module("older").older(lb.open(lake), f"{lake}-older")
            if name == "witness":
                _index(self.folder, lakes["there"])
            _here(theirs[name]) if name not in {"certify", "export"} else None
            begun = time.monotonic()
            command = _start(words, f"ray:{nodes.address}", self.log)
            killed = nodes.lose_one_at_work(command, self.dice.uniform(0, 0.5))
            _end(command, self.log)
            lost = self.log.read_text().count("a machine was lost")
            rows[name] = {"killed": killed, "tasks lost": lost, "seconds": round(time.monotonic() - begun, 1),
                          "scratch left": len(self.left())}  # fmt: skip
            print(name, rows[name], file=sys.stderr)
            if name in {"certify", "export"}:
                _here(theirs[name])
            nodes.replace()
        nodes.end()
        here, there = _contents(lakes["here"]), _contents(lakes["there"])
        same: dict[str, Any] = {name: here[name] == there[name] for name in here}
        same["embeddings, greatest difference"] = _difference(*lakes.values())
        snapshot = importlib.import_module("conftest").snapshot
        again = [snapshot(lb.open(f"{lake}-older")) for lake in lakes.values()]
        same["graded again"] = again[0] == again[1]
        for name in ("proven", "set", "collapse"):
            same[name] = _files(self.folder / f"here-{name}") == _files(self.folder / f"there-{name}")
        return {"stages": rows, "same": same}

    def head(self) -> dict[str, Any]:
        """Kill the head, and with it the command, in the middle of a stage; run the command again."""
        lake, where = str(self.folder / "head"), str(self.folder / "head")
        words = _stages(self.folder, lake, where)
        words["export"][words["export"].index("--lake") + 1] = lake
        result: dict[str, Any] = {}
        for name in ("ingest", "index", "export"):
            nodes = Nodes()
            command = _start(words[name], f"ray:{nodes.address}", self.log)
            while not self._done(name, lake, where) and command.poll() is None:
                time.sleep(0.1)
            nodes.end()
            ended = command.poll() is not None
            command.kill()
            command.wait()
            before = self._done(name, lake, where)
            nodes = Nodes()
            command = _start(words[name], f"ray:{nodes.address}", self.log)
            kept = {path: os.stat(path).st_mtime_ns for path in self._made(where)}
            again = 0
            while command.poll() is None:
                time.sleep(0.01)
                current = {path: os.stat(path).st_mtime_ns for path in kept if os.path.exists(path)}
                again = max(again, sum(kept[path] != moment for path, moment in current.items()))
            _end(command, self.log)
            nodes.end()
            result[name] = {
                "ended before the kill": ended,
                "done before": before,
                "made again": again,
                "log": [line for line in self.log.read_text().splitlines() if " new " in line or "skipped" in line],
            }
            print(name, result[name], file=sys.stderr)
        lake_here, set_here = str(self.folder / "undisturbed"), str(self.folder / "undisturbed")
        theirs = _stages(self.folder, lake_here, set_here)
        theirs["export"][theirs["export"].index("--lake") + 1] = lake
        for name in ("ingest", "index", "export"):
            _here(theirs[name])
        made = importlib.import_module("made")
        captures = [
            lb.query(lb.open(each), "SELECT url, captured_at, content_id FROM captures ORDER BY ALL").to_pylist()
            for each in (lake, lake_here)
        ]
        same = {
            "captures": captures[0] == captures[1],
            "index": made.found(lb.open(lake)) == made.found(lb.open(lake_here)),
            "set": _files(Path(f"{where}-set")) == _files(Path(f"{set_here}-set")),
        }
        return {"stages": result, "same": same, "scratch left": self.left()}

    def _done(self, name: str, lake: str, where: str) -> int:
        with contextlib.suppress(Exception):
            if name == "ingest":
                return lb.stats(lake).captures if Path(lake, "captures").exists() else 0
            if name == "index":
                return lb.open(lake).rows("signatures")
            return len(list(Path(f"{where}-set", ".work", "done").glob("*.json")))
        return 0

    def _made(self, where: str) -> list[str]:
        return [str(path) for path in Path(f"{where}-set", ".work", "done").glob("*.json")]

    def killed(self) -> dict[str, Any]:
        """End the command in the middle of its tasks: by Ctrl-C, and by SIGKILL. Then run it again."""
        from archive.engine.scratch import discard, stale

        lake, where = str(self.folder / "there"), str(self.folder / "killed")
        if not Path(lake).exists():
            for name in ("ingest", "index"):
                _here(_stages(self.folder, lake, where)[name])
        words, nodes, result = _stages(self.folder, lake, where)["certify"], Nodes(), {}
        for number in (signal.SIGINT, signal.SIGKILL):
            command = _start(words, f"ray:{nodes.address}", self.log)
            while command.poll() is None and not (nodes.work() and self.left()):
                time.sleep(0.01)
            time.sleep(self.dice.uniform(0, 2))
            ended, begun = command.poll(), time.monotonic()
            command.send_signal(number)
            status = command.wait(60)
            while nodes.work() and time.monotonic() - begun < 60:
                time.sleep(0.1)
            seconds = round(time.monotonic() - begun, 1)
            time.sleep(3)
            result[number.name] = {
                "ended before": ended is not None, "status": status, "seconds until no task runs": seconds,
                "scratch left": len(self.left()), "folders that are stale": len(stale(self.scratch)),
            }  # fmt: skip
            for each in stale(self.scratch):
                discard(each)
            result[number.name]["scratch left then"] = len(self.left())
        _end(_start(words, f"ray:{nodes.address}", self.log), self.log)
        nodes.end()
        _here(_stages(self.folder, lake, str(self.folder / "undisturbed"))["certify"])
        same = _files(Path(f"{where}-proven")) == _files(self.folder / "undisturbed-proven")
        return {**result, "same": same, "scratch left": self.left()}

    def two(self) -> dict[str, Any]:
        """Run two commands at once on one lake, each with half of the files of the other too."""
        nodes, lake, where = Nodes(), str(self.folder / "two"), str(self.folder / "two")
        commands = []
        for number, parts in enumerate((range(12), range(4, 16))):
            words = ["ingest", *(str(self.folder / f"{part}.warc") for part in parts), "--span", "20K", "--lake", lake]
            commands.append(_start(words, f"ray:{nodes.address}", self.folder / f"log-{number}"))
        for number, command in enumerate(commands):
            _end(command, self.folder / f"log-{number}")
        both = [
            _start(_stages(self.folder, lake, where)["index"], f"ray:{nodes.address}", self.folder / f"log-{number}")
            for number in range(2)
        ]
        for number, command in enumerate(both):
            _end(command, self.folder / f"log-{number}")
        nodes.end()
        undisturbed = str(self.folder / "one")
        for name in ("ingest", "index"):
            _here(_stages(self.folder, undisturbed, where)[name])
        made = importlib.import_module("made")
        shared, alone = lb.open(lake), lb.open(undisturbed)
        sql = "SELECT url, captured_at, content_id FROM captures ORDER BY ALL"
        return {
            "captures": lb.query(shared, sql).to_pylist() == lb.query(alone, sql).to_pylist(),
            "index": made.found(shared) == made.found(alone),
            "passages": _passages(shared) == _passages(alone),
            "each text once": {table: _is_each_once(shared, table) for table in ("documents", "signatures")},
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scratch", choices=["folder", "s3"], default="folder")
    parser.add_argument("--only", action="append", choices=["nodes", "head", "killed", "two"])
    parser.add_argument("--keep", help="a folder for all that is made")
    options = parser.parse_args()
    # other work may run on this machine
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "RAY_raylet_start_wait_time_s": "300"}
    with contextlib.ExitStack() as stack:
        folder = Path(options.keep or stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        if options.scratch == "s3":
            import boto3

            address = stack.enter_context(importlib.import_module("servers").s3_server())
            os.environ |= {
                "AWS_ENDPOINT_URL": address,
                "AWS_ACCESS_KEY_ID": "of-moto",
                "AWS_SECRET_ACCESS_KEY": "of-moto",
            }
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="scratch")
            scratch = "s3://scratch/here"
        else:
            (folder / "scratch").mkdir()
            scratch = str(folder / "scratch")
        os.environ["LOWBACKGROUND_SCRATCH"] = scratch
        _make(folder, options.texts)
        (folder / "rows").mkdir()
        for part in range(4):
            shutil.move(folder / f"{part}.jsonl", folder / "rows")
        bench = Bench(folder, random.Random(options.seed), scratch)
        for name in options.only or ("nodes", "head", "killed", "two"):
            print(
                json.dumps({name: getattr(bench, name)(), "texts": options.texts, "scratch": options.scratch}, indent=1)
            )


if __name__ == "__main__":
    main()
