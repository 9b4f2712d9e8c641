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


def use_gpu(task: tuple[str, int], ctx: Any) -> tuple[str | None, int]:
    """Return the GPU that this process sees, and how many such tasks run; wait until there were as many as expected."""
    folder, expected = Path(task[0]), task[1]
    (own := folder / f"{os.getpid()}-{time.monotonic()}").touch()
    deadline = time.monotonic() + 60
    while len(running := list(folder.glob("*-*"))) < expected and not (folder / "all").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (folder / "all").touch()
    time.sleep(1)
    running = max(running, list(folder.glob("*-*")), key=len)
    own.unlink()
    return os.environ.get("CUDA_VISIBLE_DEVICES"), len(running)


def share_files(task: int, ctx: Any) -> str:
    """Write a file for the caller, and return what it wrote for all."""
    Path(ctx.write(f"of/{task}")).write_text(str(task))
    return Path(ctx.read("asked")).read_text()


def make_lock(task: int, ctx: Any) -> Any:
    import threading

    return threading.Lock()


def kill_worker(task: int, ctx: Any) -> None:
    """Kill the worker of Ray that this process belongs to."""
    process = os.getpid()
    while not Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::"):
        process = _parent(process)
    os.kill(process, signal.SIGKILL)
    time.sleep(60)


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def fill_memory(task: int, ctx: Any) -> int:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.RLIM_INFINITY))
    return len(bytes(16 << 30))


def wait_for_loss(folder: str, ctx: Any) -> int:
    """Tell which process this is, and wait until the node is killed; who has the task then returns the attempt."""
    started = Path(folder, "started")
    if started.exists():
        return int(ctx.attempt)
    (part := Path(folder, "part")).write_text(str(os.getpid()))
    part.rename(started)
    time.sleep(60)
    raise AssertionError("nobody killed it")


def checks(folder: Path, s3: str) -> dict[str, Any]:
    import ray
    from ray.cluster_utils import Cluster

    # other tests run on this machine
    os.environ |= {"RAY_worker_niceness": "0", "RAY_raylet_start_wait_time_s": "120", "SET_FOR_THE_CLUSTER": "yes"}
    started = time.monotonic()

    def lap(what: str) -> None:
        print(f"{what}: {time.monotonic() - started:.1f} s", file=sys.stderr)

    os.environ |= {"AWS_ENDPOINT_URL": s3, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    # the head only keeps the books
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1, wait=False)
    cluster.wait_for_nodes()
    lap("cluster")
    os.environ["AWS_SECRET_ACCESS_KEY"] = SECRET  # after the cluster began
    import archive.engine.ray as engine_of_ray
    from archive.engine import Done, Failed, open_engine

    sent: list[bytes] = []  # all that travels to a worker
    pickles, engine_of_ray.pickle = engine_of_ray.pickle, Recorded(sent)  # type: ignore[assignment]
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
    found["result that cannot be sent"] = [end.error for end in engine.run(make_lock, [0])]
    found["worker killed"] = [end.error for end in engine.run(kill_worker, [0])]
    found["no memory"] = [end.error for end in engine.run(fill_memory, [0])]
    ours, engine_of_ray._versions = engine_of_ray._versions, lambda: "lowbackground 0"  # type: ignore[assignment]
    found["other versions"] = [end.error for end in engine.run(quick, [0])]
    engine_of_ray._versions = ours
    found["no GPU"] = error_of(lambda: list(engine.run(quick, [0], gpus=1)))
    lap("tasks")
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
                process = _parent(process)
            cluster.remove_node(nodes[process], allow_graceful=False)

    ends = list(engine.run(wait_for_loss, [str(waiting)], progress=kill))
    found["lost"] = [end.error if isinstance(end, Failed) else end.result for end in ends]
    lap("lost")
    node = cluster.add_node(num_cpus=4, num_gpus=2)
    for share, expected in (("1", 2), ("0.5", 4)):
        (using := folder / f"using-{share}").mkdir()
        with_gpus = open_engine(f"ray:?gpus={share}")
        ends = list(with_gpus.run(use_gpu, [(str(using), expected)] * 6, at_once=1, gpus=1))
        found[f"GPUs, {share} for each"] = [sorted({end.result[0] for end in ends}), max(end.result[1] for end in ends)]
    (using := folder / "using").mkdir()
    found["GPU of a task without"] = [end.result[0] for end in engine.run(use_gpu, [(str(using), 1)])]
    cluster.remove_node(node)
    lap("GPUs")
    found.update(in_store(engine, s3))
    os.environ["LOWBACKGROUND_SCRATCH"] = "s3://scratch/here"
    found.update(stages(folder, engine))
    found.update(upkeep(folder, engine))
    found["store after the stages"] = objects(s3)
    lap("stages")
    found["secret sent"] = any(SECRET.encode() in each for each in sent)
    found["tasks sent"] = len(sent)
    engine_of_ray.pickle = pickles
    ray.shutdown()
    cluster.shutdown()
    lap("shutdown")
    return found


class Recorded:
    """The module `pickle`, which keeps what it was given."""

    def __init__(self, kept: list[bytes]) -> None:
        self._kept = kept

    def dumps(self, value: Any) -> bytes:
        import pickle

        self._kept.append(pickle.dumps(value))
        return self._kept[-1]


def error_of(function: Any) -> str:
    from archive.errors import ArchiveError

    try:
        function()
    except ArchiveError as error:
        return str(error)
    return ""


def objects(s3: str) -> list[str]:
    import boto3  # type: ignore[import-untyped]

    client = boto3.client("s3", endpoint_url=s3, region_name="us-east-1")
    keys = [each["Key"] for each in client.list_objects_v2(Bucket="scratch").get("Contents", ())]
    return [key for key in keys if key != "here/"]  # Arrow makes it, for the prefix that was named


def in_store(engine: Any, s3: str) -> dict[str, Any]:
    """Share files through a store of objects, and end a run in the middle."""
    import boto3

    boto3.client("s3", endpoint_url=s3, region_name="us-east-1").create_bucket(Bucket="scratch")
    os.environ["LOWBACKGROUND_SCRATCH"] = "s3://scratch/here"
    found: dict[str, Any] = {}
    with engine.scratch() as scratch:
        Path(scratch, "asked").write_text("first")
        Path(scratch, "spill").mkdir()
        Path(scratch, "spill", "own").write_text("mine")
        read = [end.result for end in engine.run(share_files, range(3), scratch=scratch)]
        Path(scratch, "asked").write_text("second")
        read += [end.result for end in engine.run(share_files, range(3, 6), scratch=scratch)]
        written = sorted(path.name for path in Path(scratch, "of").iterdir())
        stored = sorted(key.split("/", 2)[2] for key in objects(s3))
    found["shared through a store"] = [read, written, stored]
    try:
        with engine.scratch() as scratch:
            Path(scratch, "asked").write_text("third")
            for _ in engine.run(share_files, range(1000), scratch=scratch):
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        time.sleep(1)
    found["left in the store"] = objects(s3)
    os.environ["LOWBACKGROUND_SCRATCH"] = "s3://no-such-bucket/here"

    def write() -> None:
        with engine.scratch() as scratch:
            Path(scratch, "asked").write_text("fourth")
            list(engine.run(share_files, [0], scratch=scratch))

    found["no such bucket"] = error_of(write)
    del os.environ["LOWBACKGROUND_SCRATCH"]
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
        lb.index(lake, passages=True, workers=workers)
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
    proven = {}
    (folder / "rows.jsonl").write_text("".join(json.dumps({"text": " ".join(text)}) + "\n" for text in texts[2:]))
    for name, workers in (("proven", engine), ("proven-here", 1)):
        lb.certify(
            folder / "cluster", folder / "rows.jsonl", folder / name, before="2020-01-01",
            paragraphs=True, passages=True, workers=workers,
        )  # fmt: skip
        proven[name] = {
            path.name: path.read_bytes()
            for path in (folder / name).rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
    found["same proofs"] = proven["proven"] == proven["proven-here"]
    verified = lb.verify(folder / "proven", all=True, workers=engine)
    found["sound proofs"] = [verified.sound, verified.rows]
    return found


def upkeep(folder: Path, engine: Any) -> dict[str, Any]:
    """Read a lake of an older version again, merge its files, and compare texts that vectors propose; also here."""
    import few
    import made
    import made_vectors
    import numpy as np
    from conftest import record, snapshot
    from older import older

    import lowbackground as lb
    from index.vectors.upkeep import build

    few.files_are_many()
    for number in range(3):
        text = made.words(60, 50 + number)
        pages = [
            record(url=f"http://late.example/{number}/{at}", body=" ".join(each), content_type="text/plain")
            for at, each in enumerate((text, made.edited(text, 3, 60 + number)))
        ]
        (folder / f"late-{number}.warc").write_bytes(b"".join(pages))
    found: dict[str, Any] = {}
    contents = {}
    for name, workers in (("cluster", engine), ("here", 1)):
        lake = older(lb.open(folder / name), str(folder / f"older-{name}"))
        regraded = lb.maintain(lake, regrade=True, workers=workers)
        found["graded again"] = [regraded.files, regraded.captures, regraded.captures_kept]
        for number in range(3):  # each a file of signatures
            lb.ingest(lake, str(folder / f"late-{number}.warc"), workers=workers)
            lb.index(lake, workers=workers)
        texts = sorted(lake.read("documents")["content_id"].to_pylist())
        for number in range(3):
            some = texts[number::3]
            vectors = np.random.default_rng(number).standard_normal((len(some), 16)).astype(np.float32) + 2
            made_vectors.add(lake, some, vectors)
            build(lake, workers=workers)
        done = lb.maintain(lake, keep="0", workers=workers).done
        found["rebuilt"] = sorted({step.of for step in done if step.step == "rebuild"})
        found["alike"] = lb.index(lake, alike=0.5, workers=workers).alike
        likenesses = lb.query(lake, "SELECT * FROM likenesses ORDER BY ALL").to_pylist()
        contents[name] = [snapshot(lake), made.found(lake), likenesses]
    found["same upkeep"] = contents["cluster"] == contents["here"]
    return found


if __name__ == "__main__":
    import on_ray
    from servers import s3_server

    with s3_server() as address:
        print(json.dumps(on_ray.checks(Path(sys.argv[1]), address)))
