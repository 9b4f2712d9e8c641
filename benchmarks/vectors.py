"""How much, how fast and in how much memory a search among vectors finds, beside usearch, autofaiss and DuckDB.

    python benchmarks/vectors.py DATA --cache VECTORS.npy [--size 200000 …] [--peers usearch …] [--json OUT]

DATA is a folder like ../shared/data. The vectors of its paragraphs and sentences are computed by the packaged MiniLM,
as many as `--seconds` of processor time allow, and kept in VECTORS.npy; a file that is there is used. Larger sets are
these vectors and rotated copies of them: each copy, by a random rotation of its own, has the same neighbours inside,
and is nearly orthogonal to the others.

For each size a lake is filled and `index.vectors.build` is run in a process, and searched in another one. The recall
that the build prints is compared with that of plain numpy, for other questions. Memory is what belongs to the process
alone (`RssAnon`): mapped files are in the page cache.

With `--folder` the vectors and the lake stay there, and are used again: 2.4 GB for a million vectors.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks"), str(ROOT)]

#: Vectors of a file of `embeddings`, and neighbours that count.
_FILE, K = 100_000, 10
Matrix = npt.NDArray[np.float32]


def texts(data: Path) -> list[str]:
    """Different paragraphs and sentences of 6 to 70 words, in random order."""
    found: dict[str, None] = {}
    for text in _sources(data):
        for line in text.split("\n"):
            if 6 <= len(line.split()) <= 70:
                found[line.strip()] = None
    some = list(found)
    random.Random(0).shuffle(some)
    return some


def _sources(data: Path) -> Iterator[str]:
    csv.field_size_limit(1 << 30)
    for path in sorted((data / "dated").glob("*.jsonl.gz")):
        with gzip.open(path, "rt") as file:
            yield from (json.loads(line)["text"] for line in file)
    for path in sorted((data / "lm/wikitext-2").glob("*.txt.gz")):
        yield gzip.decompress(path.read_bytes()).decode().replace(" . ", " .\n")
    for path in sorted((data / "human-machine").glob("*.csv")):
        with path.open(newline="") as file:
            yield from (cell.replace(". ", ".\n") for row in csv.reader(file) for cell in row)


def embedded(data: Path, cache: Path, seconds: float) -> Matrix:
    """The vectors of texts, from the cache or computed for so many seconds of processor time."""
    if not cache.exists():
        from index.embeddings.encode import encode
        from index.embeddings.encoder import open_encoder
        from index.embeddings.model import Model
        from index.embeddings.tokens import Tokens

        encoder = open_encoder(dtype="bf16")
        parts, started = [], time.process_time()
        for _, vectors in encode(texts(data), Tokens(encoder), Model(encoder, "cpu")):
            parts.append(vectors.astype(np.float16))
            if time.process_time() - started > seconds:
                break
        np.save(cache, np.concatenate(parts))
    stored: Matrix = np.load(cache).astype(np.float32)
    return stored


def inflate(real: Matrix, size: int, path: Path) -> npt.NDArray[np.float16]:
    """So many vectors in a file: the real ones, and copies of them, each rotated in its own way."""
    out = np.lib.format.open_memmap(path, "w+", np.float16, (size, real.shape[1]))
    for copy, first in enumerate(range(0, size, len(real))):
        some = real[: min(len(real), size - first)]
        if copy:
            square = np.random.default_rng(copy).standard_normal((real.shape[1],) * 2)
            some = some @ np.linalg.qr(square)[0].astype(np.float32)
        out[first : first + len(some)] = some
    out.flush()
    return out


def fill(location: str, vectors: npt.NDArray[np.float16]) -> None:
    """Write vectors into the table `embeddings` of a lake; the content id of a row is a hash of its number."""
    from made_vectors import ENCODER, names

    from archive.files import write_parquet
    from archive.lake import Lake
    from archive.tables import DOCUMENTS
    from index.embeddings.stage import Embeddings
    from index.embeddings.table import EMBEDDINGS

    lake = Lake(location)
    lake.create()
    lake.create([EMBEDDINGS])
    for number, first in enumerate(range(0, len(vectors), _FILE)):
        some = vectors[first : first + _FILE].astype(np.float32)
        ids = pa.array(names(len(some), number))
        zeros = pa.array(np.zeros(len(some), np.int16))
        texts = {name: pa.nulls(len(ids)) for name in DOCUMENTS.file_schema.names} | {"content_id": ids, "text": ids}
        offsets = pa.array(np.arange(len(some) + 1, dtype=np.int32) * some.shape[1])
        rows = {"content_id": ids, "part": zeros, "start": zeros, "end": zeros, "tokens": zeros,
                "vector": pa.ListArray.from_arrays(offsets, pa.array(some.reshape(-1)))}  # fmt: skip
        for table, data, partition, options in (
            (DOCUMENTS, texts, {}, {}),
            (EMBEDDINGS, rows, {"encoder": ENCODER}, {**Embeddings.parquet_options, "compression_level": 1}),
        ):
            file = write_parquet(lake, table, pa.table(data), table.name, partition, **options)
            if not lake.commit_to(lake.delta(table.name), table, [file], [str(number)]):
                raise RuntimeError("another process writes to this lake")


class Memory:
    """The most memory that belongs to this process alone, looked at 20 times a second."""

    def __init__(self) -> None:
        self.most, self._ends = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ends.wait(0.05):
            lines = Path("/proc/self/status").read_text().splitlines()
            (line,) = [line for line in lines if line.startswith("RssAnon")]
            self.most = max(self.most, int(line.split()[1]) << 10)


def built(location: str) -> dict[str, Any]:
    """Run in a process of its own: make all segments, and measure the recall."""
    from dataclasses import asdict

    from archive.lake import Lake
    from archive.progress import Reporter
    from index.vectors import build

    with Memory() as memory:
        steps: list[dict[str, Any]] = []

        class Steps(Reporter):
            def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
                steps.append({"step": name, "seconds": time.monotonic(), "processor seconds": time.process_time(),
                              "memory": memory.most})  # fmt: skip
                print(steps[-1], file=sys.stderr, flush=True)
                memory.most = 0

        reporter = Steps()
        reporter.stage("training")
        result = build(Lake(location), workers=1, reporter=reporter)
        reporter.stage("end")
    for one, following in itertools.pairwise(steps):
        one |= {name: following[name] - one[name] for name in ("seconds", "processor seconds")}
        one["memory"] = following["memory"]
    return {**asdict(result), "steps": steps[:-1]}


def searched(location: str, questions: Path) -> dict[str, Any]:
    """Run in a process of its own: search for vectors, together and one by one."""
    from index.vectors import open_vectors

    asked = np.load(questions)
    with Memory() as memory:
        started = time.monotonic()
        vectors = open_vectors(location)
        opened = time.monotonic() - started
        hits = vectors.search_many([row[None] for row in asked], K + 1)
        wall, processor = time.monotonic(), time.process_time()
        vectors.search_many([row[None] for row in asked], K + 1)
        wall, processor = time.monotonic() - wall, time.process_time() - processor
        alone = []
        for row in asked[:100]:
            started = time.monotonic()
            vectors.search(row, K)
            alone.append(time.monotonic() - started)
    return {"seconds to open": opened, "q/s": len(asked) / wall, "q/s of a core": len(asked) / processor,
            "median seconds, one by one": float(np.median(alone)), "memory": memory.most,
            "found": [[hit.content_id for hit in each] for each in hits]}  # fmt: skip


def truth(vectors: npt.NDArray[np.float16], rows: npt.NDArray[np.int64]) -> list[set[int]]:
    """The rows of the 10 nearest others of some rows, by plain numpy."""
    asked = vectors[rows].astype(np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    best, numbers = np.full((len(rows), K + 1), -2, np.float32), np.full((len(rows), K + 1), -1)
    for first in range(0, len(vectors), 10_000):
        block = vectors[first : first + 10_000].astype(np.float32)
        cosines = asked @ (block / np.linalg.norm(block, axis=1, keepdims=True)).T
        for question in np.flatnonzero((cosines > best.min(axis=1, keepdims=True)).any(axis=1)):
            both = np.concatenate([best[question], cosines[question]])
            order = np.argpartition(-both, K)[: K + 1]
            numbers[question] = np.concatenate([numbers[question], first + np.arange(len(block))])[order]
            best[question] = both[order]
    return [{int(number) for number in line} - {int(row)} for line, row in zip(numbers, rows, strict=True)]


def recall(found: list[list[int]], true: list[set[int]], rows: npt.NDArray[np.int64]) -> float:
    shares = []
    for each, nearest, row in zip(found, true, rows, strict=True):
        others = [number for number in each if number != row][:K]
        shares.append(len(nearest & set(others)) / K)
    return float(np.mean(shares))


def _child(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, check=True, text=True)
    out: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return out


def ours(folder: Path, vectors: npt.NDArray[np.float16], rows: npt.NDArray[np.int64]) -> tuple[Any, list[list[int]]]:
    """What was measured, and the rows that each question found."""
    from made_vectors import names

    location = str(folder / "lake")
    if not (folder / "lake").exists():
        fill(location, vectors)
    made = _child("--built", location)
    print(json.dumps(made), flush=True)
    np.save(folder / "questions.npy", vectors[rows].astype(np.float32))
    found = _child("--searched", location, str(folder / "questions.npy"))
    hits = found.pop("found")
    wanted, numbers = {name for each in hits for name in each}, {}
    for number, first in enumerate(range(0, len(vectors), _FILE)):
        here = names(min(_FILE, len(vectors) - first), number)
        numbers.update({name: first + at for at, name in enumerate(here) if name in wanted})
    lists = sum(path.stat().st_size for path in Path(location).rglob("*.lists"))
    return {"build": made, "search": found, "bytes a vector": made["bytes"] / len(vectors),
            "bytes a vector, lists": lists / len(vectors),
            "vectors/s": len(vectors) / sum(step["seconds"] for step in made["steps"] if step["step"] != "recall"),
            }, [[numbers[name] for name in each] for each in hits]  # fmt: skip


def peer(name: str, path: Path, questions: Path, folder: Path) -> dict[str, Any]:
    """Run in a process of its own, on one core: another program on the same vectors; the rows that it finds."""
    vectors, asked = np.load(path, mmap_mode="r"), np.load(questions)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    size, processor = 0, time.process_time()
    with Memory() as memory:
        if name == "usearch":
            from usearch.index import Index

            index = Index(ndim=vectors.shape[1], metric="cos", dtype="f16")
            for first in range(0, len(vectors), 10_000):
                index.add(np.arange(first, min(first + 10_000, len(vectors))),
                          np.asarray(vectors[first : first + 10_000]), threads=1)  # fmt: skip
                if first % 100_000 == 0:
                    print(first + 10_000, time.process_time() - processor, file=sys.stderr, flush=True)
            index.save(str(folder / "usearch"))
            made, processor = time.process_time() - processor, time.process_time()
            found = index.search(asked, K + 1, threads=1).keys.tolist()
            size = (folder / "usearch").stat().st_size
        elif name == "autofaiss":
            import contextlib

            import faiss
            from autofaiss import build_index

            (folder / "npy").mkdir(exist_ok=True)
            np.save(folder / "npy" / "0.npy", np.asarray(vectors, np.float32))
            faiss.omp_set_num_threads(1)
            processor = time.process_time()
            with contextlib.redirect_stdout(sys.stderr):
                index, _ = build_index(str(folder / "npy"), index_path=str(folder / "autofaiss"),
                                       index_infos_path=str(folder / "infos.json"), metric_type="ip",
                                       max_index_memory_usage=f"{100 * len(vectors) // 1_000_000}MB",
                                       current_memory_available="2GB", nb_cores=1)  # fmt: skip
            made = time.process_time() - processor
            index = faiss.read_index(str(folder / "autofaiss"))
            processor = time.process_time()
            found = index.search(np.ascontiguousarray(asked, np.float32), K + 1)[1].tolist()
            size = (folder / "autofaiss").stat().st_size
        else:
            import duckdb

            asked, made, found = asked[:5], 0.0, []
            db = duckdb.connect(config={"threads": 1})
            files = str(folder / "lake/embeddings/**/*.parquet")
            width = vectors.shape[1]
            for question in asked:
                rows = db.execute(
                    f"SELECT content_id FROM read_parquet('{files}') "
                    f"ORDER BY array_cosine_similarity(vector::FLOAT[{width}], ?::FLOAT[{width}]) DESC LIMIT {K + 1}",
                    [question.tolist()],
                ).fetchall()
                found.append([row[0] for row in rows])
        spent = time.process_time() - processor
    return {"name": name, "processor seconds": made, "vectors/s of a core": len(vectors) / made if made else None,
            "q/s of a core": len(asked) / spent, "bytes": size, "memory": memory.most, "found": found}  # fmt: skip


def main() -> None:
    if sys.argv[1:2] == ["--built"]:
        print(json.dumps(built(sys.argv[2])))
        return
    if sys.argv[1:2] == ["--searched"]:
        print(json.dumps(searched(sys.argv[2], Path(sys.argv[3]))))
        return
    if sys.argv[1:2] == ["--peer"]:
        print(json.dumps(peer(sys.argv[2], *map(Path, sys.argv[3:6]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--size", type=int, nargs="+", default=[200_000])
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--peers", nargs="*", default=[], choices=["usearch", "autofaiss", "duckdb"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    real = embedded(options.data, options.cache, options.seconds)
    out: list[dict[str, Any]] = []
    for size in options.size:
        with tempfile.TemporaryDirectory(prefix="vectors-") as name:
            folder = (options.folder or Path(name)) / str(size)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "all.npy"
            vectors = np.load(path, mmap_mode="r") if path.exists() else inflate(real, size, path)
            rows = np.sort(np.random.default_rng(5).choice(size, options.questions, replace=False))
            measured, hits = ours(folder, vectors, rows)
            true = truth(vectors, rows)
            found = {"real": len(real), "vectors": size, "load": os.getloadavg()[0], **measured,
                     "recall by numpy": recall(hits, true, rows), "peers": []}  # fmt: skip
            print(json.dumps(found, indent=1), flush=True)
            for each in options.peers:
                try:
                    theirs = _child("--peer", each, str(folder / "all.npy"), str(folder / "questions.npy"),
                                    str(folder))  # fmt: skip
                except subprocess.CalledProcessError as error:
                    print(f"{each}: failed ({error.returncode})", flush=True)
                    continue
                hits = theirs.pop("found")
                if each != "duckdb":  # that one is exact
                    theirs["recall by numpy"] = recall(hits, true, rows)
                found["peers"].append(theirs)
                print(json.dumps(theirs), flush=True)
            out.append(found)
    print("peak of this process, MB:", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
    if options.json:
        options.json.write_text(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
