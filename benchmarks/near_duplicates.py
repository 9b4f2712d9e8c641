"""Near-duplicate detection from texts to clusters, ours and other tools' on the same texts.

    python benchmarks/near_duplicates.py SOURCE... [--peers PYTHON] [--texts N] [--exact N] [--rounds N]

SOURCE is a file of JSON lines (.gz too) with a `text` and perhaps a `date`, or a folder of HTML pages (*.html.gz).
PYTHON is an interpreter that has the other tools (see minhash.py).

Finds the near-duplicates among the texts of the source, or with --texts among so many made from it of which every fifth
is an edited copy: time from start to end of the process, peak memory, and what was found. Each measurement has a
process of its own, bound to one core (to two for two workers); of several rounds the fastest counts.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path

from corpus import COPIES, LENGTH, described, made, source
from processes import Result, arguments, machine, main, measure, package_version, step
from texts import write_records

# Nothing but the standard library up here: the interpreter of the other tools runs this file as well.

WORDS, BANDS, ROWS, THRESHOLD = 5, 14, 8, 0.8
HASHES = BANDS * ROWS
_START = date(2013, 1, 1)


def step_ours(location: str, workers: str) -> Result:
    """`index.neardup.run` on a lake that has texts and no index yet."""
    from archive.lake import Lake
    from archive.progress import Reporter
    from index.neardup import index

    class Clock(Reporter):
        def __init__(self) -> None:
            self.at: list[tuple[str, float]] = []

        def stage(self, name: str, total: int | None = None, size: int | None = None) -> None:
            self.at.append((name, time.perf_counter()))

    clock = Clock()
    summary = index(Lake(location), workers=int(workers), reporter=clock)
    clock.stage("")
    stages: dict[str, float] = {}
    for (name, began), (_, ended) in itertools.pairwise(clock.at):
        stages[name] = stages.get(name, 0.0) + ended - began
    return {
        "dropped": summary.clustered - summary.clusters,
        "clusters": summary.clusters,
        "pairs": summary.pairs,
        "candidates": summary.candidates,
        "stages": stages,
    }


def step_datatrove(texts: str, out: str) -> Result:
    """The four stages of datatrove's MinHash, one worker, in its defaults."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    config = MinhashConfig(n_grams=WORDS, num_buckets=BANDS, hashes_per_bucket=ROWS)
    stages = {
        "signatures": (1, [JsonlReader(texts), MinhashDedupSignature(f"{out}/signatures", config)]),
        "buckets": (BANDS, [MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets", config=config)]),
        "cluster": (1, [MinhashDedupCluster(f"{out}/buckets", f"{out}/remove", config)]),
        "filter": (1, [JsonlReader(texts), MinhashDedupFilter(f"{out}/remove"), JsonlWriter(f"{out}/kept")]),
    }
    seconds: dict[str, float] = {}
    in_clusters = 0
    for name, (tasks, steps) in stages.items():
        started = time.perf_counter()
        run = LocalPipelineExecutor(pipeline=steps, tasks=tasks, workers=1, logging_dir=f"{out}/logs/{name}")
        stats = run.run()
        seconds[name] = time.perf_counter() - started
        if name == "cluster":
            in_clusters = int(stats.stats[0]["duplicates"].total)
    dropped = sum(file.stat().st_size for file in Path(out, "remove").glob("*.remove")) // 4
    clusters = in_clusters - dropped
    return {"dropped": dropped, "clusters": clusters, "stages": seconds, "version": package_version("datatrove")}


def text_dedup_command(python: str, texts: str, out: str) -> list[str]:
    """text-dedup's own command, with its faster hash."""
    options = {
        "path": "json",
        "data_files": texts,
        "split": "train",
        "column": "text",
        "cache_dir": f"{out}/cache",
        "output": f"{out}/kept",
        "num_proc": 1,
        "ngram": WORDS,
        "num_perm": HASHES,
        "b": BANDS,
        "r": ROWS,
        "threshold": THRESHOLD,
        "hash_func": "xxh3",
    }
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return [python, "-m", "text_dedup.minhash", *given]


def step_exact(texts: str) -> Result:
    """Every pair compared, with our shingles: what there is to be found."""
    import pyarrow as pa

    from index.minhash.kernel import jaccard, shingle_sets

    rows = [json.loads(line)["text"] for line in Path(texts).read_text().splitlines()]
    flat, starts = shingle_sets(pa.array(rows, pa.large_string()))
    sets = sorted((flat[first:last] for first, last in itertools.pairwise(starts)), key=len)
    root, pairs = list(range(len(sets))), 0

    def find(text: int) -> int:
        while root[text] != text:
            root[text] = text = root[root[text]]
        return text

    for text, mine in enumerate(sets):
        for other in range(text + 1, len(sets)):
            if len(mine) < THRESHOLD * len(sets[other]):
                break  # this and all that follow are too long
            if jaccard(mine, sets[other]) >= THRESHOLD:
                pairs += 1
                root[find(other)] = find(text)
    roots = [find(text) for text in range(len(sets))]
    different = set(roots)
    clusters = sum(1 for count in _counts(roots).values() if count > 1)
    return {"dropped": len(sets) - len(different), "clusters": clusters, "pairs": pairs}


def _counts(values: Iterable[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


NOTES = """\
- Time is from the start to the end of the process. *Dropped* are all texts of a cluster but one.
- Ours starts from the lake, whose ingest is not in its time, and reads Parquet. It computes the similarity of every
  candidate exactly, leaves out those below 0.8, orders each pair by date, and commits signatures, bands, pairs and
  clusters, so that a later run does only what is new. It writes no kept texts.
- datatrove and text-dedup read JSON lines, take any two texts that share a band for duplicates (there is no threshold
  beside the bands), and write the kept texts. datatrove makes all numbers 0 first. text-dedup splits at each character
  that is no letter or digit, so that two of these have an empty word between them.
- Peak memory is that of the largest process, where there are several.
"""


def pipeline(args: argparse.Namespace) -> Result:
    from archive.intake import ingest
    from archive.lake import Lake

    rows: list[tuple[str, str | None]]
    if args.texts:
        rows = [(text, None) for text in made((text for text, _ in source(args.source)), args.texts)]
        what = f"{len(rows):,} texts of {LENGTH:,} words, {len(rows) // COPIES:,} of them edited copies"
    else:
        rows = list(source(args.source))
        what = f"{len(rows):,} texts"
    results: Result = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        captures, lake, texts = f"{folder}/captures.warc", f"{folder}/lake", f"{folder}/texts"
        days = ((_START + timedelta(days=number % 4000)).isoformat() for number in range(len(rows)))
        dated = zip(rows, days, strict=True)
        write_records(
            captures,
            ((text, at or day, f"https://{number}.example/") for number, ((text, at), day) in enumerate(dated)),
        )
        started = time.perf_counter()
        ingest(Lake(lake), [captures], workers=1)
        results["ingest_seconds"] = time.perf_counter() - started
        distinct = export(lake, texts)
        what += f"; {len(distinct):,} are different in normal form"
        results["texts"] = f"{what}. Each tool gets these: {described(distinct)}"

        def ours(workers: int) -> Result:
            shutil.rmtree(f"{folder}/copy", ignore_errors=True)
            shutil.copytree(lake, f"{folder}/copy")
            return step(sys.executable, "ours", f"{folder}/copy", str(workers), cores=workers)

        def datatrove() -> Result:
            shutil.rmtree(f"{folder}/datatrove", ignore_errors=True)
            return step(args.peers, "datatrove", texts, f"{folder}/datatrove")

        def text_dedup() -> Result:
            shutil.rmtree(f"{folder}/text-dedup", ignore_errors=True)
            result = measure(text_dedup_command(args.peers, f"{texts}/texts.jsonl", f"{folder}/text-dedup"))
            if "error" not in result:
                (kept,) = re.findall(r"After\s*: *(\d+)", result.pop("output"))
                result["dropped"] = len(distinct) - int(kept)
                command = [args.peers, "-c", "from importlib.metadata import version; print(version('text-dedup'))"]
                result["version"] = subprocess.run(command, capture_output=True, text=True).stdout.strip()
            return result

        def best(run: Callable[[], Result]) -> Result:
            return min((run() for _ in range(args.rounds)), key=lambda result: float(result.get("seconds", 0)))

        ours(1)  # the first run of all compiles the kernels, which stay on disk
        results["ours, 1 worker, 1 core"] = best(lambda: ours(1))
        results["ours, 2 workers, 2 cores"] = best(lambda: ours(2))
        results["datatrove"] = best(datatrove)
        results["text-dedup"] = best(text_dedup)
        if len(distinct) <= args.exact:
            results["(every pair compared)"] = step(sys.executable, "exact", f"{texts}/texts.jsonl")

    print(f"{results['machine']}. {results['texts']}. Their ingest took {results['ingest_seconds']:.1f} s.\n")
    print("| | seconds | of ours | peak memory | dropped | clusters | pairs |\n| --- |" + " --: |" * 6)
    base = results["ours, 1 worker, 1 core"]["seconds"]
    for name, result in results.items():
        if not isinstance(result, dict):
            continue
        if "error" in result:
            print(f"| {name} | {result['error']} | | | | | |")
            continue
        found = " | ".join(f"{result[key]:,}" if key in result else "" for key in ("dropped", "clusters", "pairs"))
        label = f"{name} {result['version']}, 1 worker, 1 core" if "version" in result else name
        seconds, memory = result["seconds"], result["peak_mb"]
        print(f"| {label} | {seconds:.1f} | {seconds / base:.1f}× | {memory:,.0f} MB | {found} |")
    print(f"\n{NOTES}")
    for name, result in results.items():
        if isinstance(result, dict) and "stages" in result:
            parts = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result["stages"].items())
            print(f"- {name}: {parts}")
    return results


def export(lake: str, folder: str) -> list[str]:
    """The different texts of a lake in the order of their dates, as JSON lines for the other tools."""
    import query
    from archive.lake import Lake

    rows = query.connect(Lake(lake)).execute("SELECT content_id, text FROM documents ORDER BY first_seen, content_id")
    texts = []
    Path(folder).mkdir()
    with Path(folder, "texts.jsonl").open("w") as file:
        for content_id, text in rows.fetchall():
            texts.append(text)
            file.write(json.dumps({"id": content_id, "text": text}) + "\n")
    return texts


if __name__ == "__main__":
    parser = arguments(__doc__, texts=0, rounds=1)
    parser.add_argument("--exact", type=int, default=2000, help="compare every pair of up to so many texts")
    main(parser, pipeline, {"ours": step_ours, "datatrove": step_datatrove, "exact": step_exact})
