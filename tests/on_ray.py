"""Work on a Ray cluster of three nodes on loopback, in a process of its own: it prints what came of each check, as JSON.

python tests/on_ray.py FOLDER
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECRET = "not-for-others-7d1f"


def report(task: int, ctx: Any) -> int:
    """Report ten items, some before and some after the totals are sent."""
    for _ in range(10):
        ctx.progress(1, 100)
        time.sleep(0.1)
    return task


def quick(task: int, ctx: Any) -> int:
    return task


def environment(_: int, ctx: Any) -> dict[str, Any]:
    return {
        "secret": SECRET in "".join(os.environ.values()),
        "ours": os.environ.get("SET_FOR_THE_CLUSTER"),
        "ray": "ray" in sys.modules,
        "attempt": ctx.attempt,
    }


def die_once(folder: str, ctx: Any) -> int:
    ctx.progress(5, 5)
    if ctx.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return int(ctx.attempt)


def refuse(task: int, ctx: Any) -> None:
    from archive.errors import ArchiveError

    if task:
        raise ValueError("as nobody expects")
    raise ArchiveError("as it should be")


def wait_for_loss(folder: str, ctx: Any) -> int:
    """Tell which process this is, and wait until the node is killed; who has the task then returns the attempt."""
    started = Path(folder, "started")
    if started.exists():
        return int(ctx.attempt)
    (part := Path(folder, "part")).write_text(str(os.getpid()))
    part.rename(started)
    time.sleep(60)
    raise AssertionError("nobody killed it")


def checks(folder: Path) -> dict[str, Any]:
    import ray
    from ray.cluster_utils import Cluster

    os.environ["SET_FOR_THE_CLUSTER"] = "yes"
    started = time.monotonic()

    def lap(what: str) -> None:
        print(f"{what}: {time.monotonic() - started:.1f} s", file=sys.stderr)

    # the head only keeps the books
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1, wait=False)
    cluster.wait_for_nodes()
    lap("cluster")
    os.environ["AWS_SECRET_ACCESS_KEY"] = SECRET  # after the cluster began
    from archive.engine import Done, Failed, open_engine

    engine: Any = open_engine(f"ray:{cluster.address}")
    found: dict[str, Any] = {"workers": engine.workers, "one of four": open_engine("ray:4").workers}

    said: list[tuple[int, int]] = []
    ends = list(engine.run(report, range(4), progress=lambda *done: said.append(done)))
    found["results"] = sorted(end.result for end in ends)
    found["progress"] = [sum(items for items, _ in said), sum(size for _, size in said)]
    found["reports before the end"] = sum(1 for items, _ in said if 0 < items < 10)

    taken = []

    def endless() -> Iterator[int]:
        for number in range(10**9):
            taken.append(number)
            yield number

    run = engine.run(quick, endless())
    next(run)
    found["taken"] = len(taken)
    run.close()

    ((found["environment"]),) = [end.result for end in engine.run(environment, [0])]
    said.clear()
    found["died once"] = [end.result for end in engine.run(die_once, [""], progress=lambda *done: said.append(done))]
    found["progress of one that died"] = sum(items for items, _ in said)
    import endless as deadly

    found["died twice"] = [(type(end).__name__, end.error) for end in engine.run(deadly.die, [1])]
    found["errors"] = sorted(end.error for end in engine.run(refuse, [0, 1]))
    found["scratch not there"] = [end.error for end in engine.run(quick, [0], scratch=str(folder / "none"))]
    with engine.scratch() as scratch:
        found["scratch"] = [type(end) is Done for end in engine.run(quick, [0], scratch=scratch)]
    found["scratch is left"] = os.path.exists(scratch)

    found.update(several_machines(folder, engine))
    waiting = folder / "waiting"
    waiting.mkdir()
    nodes = {node.all_processes["raylet"][0].process.pid: node for node in cluster.list_all_nodes()}

    def kill(items: int, size: int) -> None:
        """Kill the node whose process has begun the task."""
        if (waiting / "started").exists() and len(cluster.list_all_nodes()) == 3:
            process = int((waiting / "started").read_text())
            while process not in nodes:
                process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
            cluster.remove_node(nodes[process], allow_graceful=False)

    ends = list(engine.run(wait_for_loss, [str(waiting)], progress=kill))
    found["lost"] = [end.error if isinstance(end, Failed) else end.result for end in ends]
    lap("lost")
    found.update(stages(folder, engine))
    lap("stages")
    ray.shutdown()
    cluster.shutdown()
    lap("shutdown")
    return found


def several_machines(folder: Path, engine: Any) -> dict[str, Any]:
    """Ask for scratch in a cluster one of whose machines has another name."""
    import archive.engine.ray as engine_of_ray
    from archive.errors import ArchiveError

    names, engine_of_ray._hosts = engine_of_ray._hosts, lambda: {"another"}
    try:
        with engine.scratch():
            line = ""
    except ArchiveError as error:
        line = str(error)
    os.environ["LOWBACKGROUND_SCRATCH"] = str(folder)
    with engine.scratch() as scratch:
        where = Path(scratch).parent == folder
    del os.environ["LOWBACKGROUND_SCRATCH"]
    engine_of_ray._hosts = names
    return {"several machines": line, "scratch where it was set": where}


def stages(folder: Path, engine: Any) -> dict[str, Any]:
    """Make a lake and a set with the cluster, and the same in this process."""
    import made
    from conftest import record

    import lowbackground as lb

    texts = [made.words(60, number) for number in range(12)]
    texts += [made.edited(text, 2, 100 + number) for number, text in enumerate(texts[:4])]
    for number in range(2):
        pages = [
            record(
                url=f"http://example.com/{at}",
                body=" ".join(text),
                date=f"201{at % 6}-05-06",
                content_type="text/plain",
            )
            for at, text in enumerate(texts)
            if at % 2 == number
        ]
        (folder / f"{number}.warc").write_bytes(b"".join(pages))
    found: dict[str, Any] = {}
    contents = {}
    for name, workers in (("cluster", engine), ("here", 1)):
        lake = lb.open(folder / name)
        lb.ingest(lake, [str(folder / f"{number}.warc") for number in range(2)], workers=workers)
        lb.quality(lake, workers=workers)
        lb.index(lake, workers=workers)
        quality = lake.read("quality").sort_by("content_id").to_pylist()
        captures = lb.query(lake, "SELECT url, captured_at, content_id, grade FROM captures ORDER BY ALL").to_pylist()
        contents[name] = [made.found(lake), quality, captures]
        found["captures"] = len(captures)
    found["same lake"] = contents["cluster"] == contents["here"]
    sets = {}
    for name, workers in (("set", engine), ("set-here", 1)):
        lb.export(folder / "cluster", folder / name, before="2020-01-01", near=True, shard_size=2000, workers=workers)
        sets[name] = {path.name: path.read_bytes() for path in (folder / name).rglob("*") if path.is_file()}
    found["shards"] = sum(name.endswith(".parquet") for name in sets["set"])
    found["same bytes"] = sets["set"] == sets["set-here"]
    verified = lb.verify(folder / "set", workers=engine)
    found["sound"] = [verified.sound, verified.rows]
    return found


if __name__ == "__main__":
    import on_ray

    print(json.dumps(on_ray.checks(Path(sys.argv[1]))))
