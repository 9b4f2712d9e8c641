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

    lap("next")
    taken = []

    def endless() -> Iterator[int]:
        for number in range(10**9):
            taken.append(number)
            yield number

    run = engine.run(quick, endless())
    next(run)
    found["taken"] = len(taken)
    run.close()

    lap("next")
    ((found["environment"]),) = [end.result for end in engine.run(environment, [0])]
    lap("next")
    said.clear()
    found["died once"] = [end.result for end in engine.run(die_once, [""], progress=lambda *done: said.append(done))]
    found["progress of one that died"] = sum(items for items, _ in said)
    import endless as deadly

    found["died twice"] = [(type(end).__name__, end.error) for end in engine.run(deadly.die, [1])]
    lap("next")
    found["errors"] = sorted(end.error for end in engine.run(refuse, [0, 1]))
    found["scratch not there"] = [end.error for end in engine.run(quick, [0], scratch=str(folder / "none"))]
    lap("next")
    with engine.scratch() as scratch:
        found["scratch"] = [type(end) is Done for end in engine.run(quick, [0], scratch=scratch)]
    found["scratch is left"] = os.path.exists(scratch)

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


def stages(folder: Path, engine: Any) -> dict[str, Any]:
    return {}


if __name__ == "__main__":
    import on_ray

    print(json.dumps(on_ray.checks(Path(sys.argv[1]))))
