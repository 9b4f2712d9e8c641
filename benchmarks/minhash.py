"""Speed of MinHash signatures and of near-duplicate detection, ours and other tools' on the same texts.

    python benchmarks/minhash.py signatures SOURCE... [--peers PYTHON] [--texts N] [--slow N] [--rounds N]
    python benchmarks/minhash.py pipeline SOURCE... [--peers PYTHON] [--texts N] [--exact N] [--rounds N]

SOURCE is a file of JSON lines (.gz too) with a `text` and perhaps a `date`, or a folder of HTML pages (*.html.gz).
PYTHON is an interpreter that has the other tools; one that is not installed there is passed over and named:

    python -m venv peers && peers/bin/pip install 'datatrove[io,processing]' spacy rensa datasketch text-dedup

`signatures` cuts the source into texts of 1,000 words (those of short texts run on) and tells how many a second each
tool signs on one core, from Python strings, with 112 hashes of 5 words; then what the processor and the memory would
allow. `pipeline` finds the near-duplicates among the texts of the source, or with --texts among so many made from it
of which every fifth is an edited copy: time from start to end of the process, peak memory, and what was found.

Each measurement has a process of its own, bound to one core (to two for two workers); of several rounds the fastest
counts. The tables are Markdown, for docs/benchmarks.md; --json keeps all numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gzip
import itertools
import json
import os
import platform
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# Nothing but the standard library up here: the interpreter of the other tools runs this file as well.

WORDS, BANDS, ROWS, THRESHOLD = 5, 14, 8, 0.8
HASHES = BANDS * ROWS
_LENGTH = 1000  # words of a text
_COPIES = 5  # every fifth of the texts that are made is a copy
_EDITS = 20  # words changed in a copy at most: 100 of 996 shingles, a similarity of 0.82
_BATCH = 256  # texts that we sign at a time
_WORD = re.compile(r"\S+\s*")
_START = date(2013, 1, 1)
_ALONE = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "RAYON", "POLARS")}

Result = dict[str, Any]


# --- texts


def source(paths: Iterable[Path]) -> Iterator[tuple[str, str | None]]:
    """Each text with its date, where it has one."""
    for path in paths:
        if path.is_dir():
            from archive.text.charset import decode
            from archive.text.extract import from_html

            for page in sorted(path.glob("*.html.gz")):
                html, _ = decode(gzip.decompress(page.read_bytes()), "text/html")
                yield from_html(html).text, None
            continue
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            for line in file:
                row = json.loads(line)
                yield row["text"], row.get("date")


def cut(texts: Iterable[str], size: int) -> Iterator[str]:
    """All words of all texts, in runs of so many; what lies between words stays."""
    held: list[str] = []
    for text in texts:
        held += _WORD.findall(text + "\n\n")
        whole = len(held) // size * size
        for first in range(0, whole, size):
            yield "".join(held[first : first + size]).strip()
        del held[:whole]


def spread(texts: Sequence[str], count: int) -> list[str]:
    """So many of the texts, evenly from first to last."""
    count = min(count, len(texts))
    return [texts[number * len(texts) // count] for number in range(count)]


def made(texts: Iterable[str], count: int) -> list[str]:
    """Texts of ten random runs of 100 words; every fifth is a copy of one before it with 1 to 20 words changed."""
    rng = random.Random(1)
    runs = list(cut(texts, _LENGTH // 10))
    out: list[str] = []
    originals: list[str] = []
    for number in range(count):
        if number % _COPIES == _COPIES - 1:
            words = _WORD.findall(rng.choice(originals))
            others = _WORD.findall(rng.choice(runs))
            for place in rng.sample(range(len(words)), rng.randint(1, _EDITS)):
                words[place] = rng.choice(others)
            out.append("".join(words))
        else:
            originals.append("\n".join(rng.choice(runs) for _ in range(10)))
            out.append(originals[-1])
    return out


def described(texts: Sequence[str]) -> str:
    """How many texts, how long, and how many are ASCII."""
    characters = sum(map(len, texts))
    ascii_texts = sum(text.isascii() for text in texts) / len(texts)
    ascii_characters = sum(character < "\x80" for text in texts for character in text) / characters
    size = sum(len(text.encode()) for text in texts) / len(texts)
    return (
        f"{len(texts):,} texts of {characters / len(texts):,.0f} characters on average ({size:,.0f} bytes); "
        f"{ascii_texts:.0%} of the texts are ASCII throughout, and {ascii_characters:.1%} of the characters"
    )


# --- signatures: each takes the texts, prepares what is not timed, and returns what is


def normal_and_sign(texts: list[str]) -> Callable[[], object]:
    from index.kernel import sign
    from index.normal import normal_forms

    def run() -> None:
        for first in range(0, len(texts), _BATCH):
            sign(normal_forms(texts[first : first + _BATCH]))

    return run


def normal(texts: list[str]) -> Callable[[], object]:
    from index.normal import normal_forms

    return lambda: normal_forms(texts)


def kernel(texts: list[str]) -> Callable[[], object]:
    import pyarrow as pa

    from archive.text.normalise import normalise
    from index.kernel import sign

    array = pa.array([normalise(text) for text in texts], pa.large_string())
    return lambda: sign(array)


def datatrove_sign(texts: list[str]) -> Callable[[], object]:
    """Stage 1 of datatrove's MinHash in its defaults, which are 5 words, 14 buckets, 8 hashes; it writes to disk."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupSignature

    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]

    def run() -> None:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            MinhashDedupSignature(folder).run(iter(documents))

    return run


def grams(text: str) -> list[str]:
    """Five words joined, the fastest way in Python; for the tools that take ready shingles."""
    words = text.split()
    return list(map(" ".join, zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)))


def shingles(texts: list[str]) -> Callable[[], object]:
    return lambda: [len(grams(text)) for text in texts]


def rensa_r(texts: list[str]) -> Callable[[], object]:
    from rensa import RMinHash

    return lambda: RMinHash.from_token_sets((grams(text) for text in texts), num_perm=HASHES, seed=1)


def rensa_rho(texts: list[str]) -> Callable[[], object]:
    from rensa import RMinHash

    return lambda: RMinHash.digest_matrix_from_token_sets_rho(map(grams, texts), num_perm=HASHES, seed=1)


def rensa_c(texts: list[str]) -> Callable[[], object]:
    from rensa import CMinHash

    return lambda: CMinHash.from_token_sets((grams(text) for text in texts), num_perm=HASHES, seed=1)


def rensa_words(texts: list[str]) -> Callable[[], object]:
    from rensa import RMinHash

    return lambda: RMinHash.from_token_sets((text.split() for text in texts), num_perm=HASHES, seed=1)


def rensa_ready(texts: list[str]) -> Callable[[], object]:
    from rensa import RMinHash

    ready = [grams(text) for text in texts]
    return lambda: RMinHash.from_token_sets(ready, num_perm=HASHES, seed=1)


def datasketch_sign(texts: list[str]) -> Callable[[], object]:
    from datasketch import MinHash

    return lambda: MinHash.bulk(([gram.encode() for gram in grams(text)] for text in texts), num_perm=HASHES)


@dataclass(frozen=True, slots=True)
class Signer:
    label: str
    package: str  #: that it is made with; "" for ours
    prepare: Callable[[list[str]], Callable[[], object]]


SIGNERS = {
    "ours": Signer("ours, from raw text: normal form, Arrow, kernel", "", normal_and_sign),
    "normal": Signer("… the normal form alone", "", normal),
    "kernel": Signer("… the kernel alone, on texts in normal form", "", kernel),
    "datatrove": Signer("stage 1 of MinHash, to disk", "datatrove", datatrove_sign),
    "datasketch": Signer("MinHash", "datasketch", datasketch_sign),
    "rensa-c": Signer("C-MinHash", "rensa", rensa_c),
    "rensa-r": Signer("R-MinHash", "rensa", rensa_r),
    "rensa-rho": Signer("rho sketch (a sample of the shingles)", "rensa", rensa_rho),
    "rensa-words": Signer("R-MinHash of single words, as its manual has it", "rensa", rensa_words),
    "rensa-ready": Signer("R-MinHash of ready shingles", "rensa", rensa_ready),
    "shingles": Signer("(making these shingles in Python, alone)", "", shingles),
}

SIGNATURE_NOTES = """\
- All make 112 hashes a text. What a shingle is differs: ours and datatrove's are 5 words without case and punctuation
  (datatrove's tokenizer is spaCy's, and it makes all numbers 0); datasketch and rensa have none of their own and got
  5 words between white space as they stand, joined in Python.
- datatrove also writes the signatures to disk, sorts and reads them back; the others, ours too, keep them in memory.
- datasketch hashes shingles with SHA-1, its default. rensa's R-MinHash is fast similarity sketching, no MinHash of 112
  permutations, and its rho sketch takes a sample of the shingles.
"""


def step_sign(name: str, path: str, rounds: str) -> Result:
    """In a process of its own: the fastest of some rounds, after one with a few texts."""
    signer, texts = SIGNERS[name], json.loads(Path(path).read_text())
    signer.prepare(texts[:20])()
    run, seconds = signer.prepare(texts), []
    for _ in range(int(rounds)):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return {"texts": len(texts), "best": min(seconds), "all": seconds, "version": _version(signer.package)}


def step_limits(path: str) -> Result:
    """How fast the permutations alone can go, and how fast memory delivers bytes."""
    import numpy as np
    import pyarrow as pa

    from archive.text.normalise import normalise
    from index import kernel, procedure

    texts = pa.array([normalise(text) for text in json.loads(Path(path).read_text())], pa.large_string())
    _, counts = kernel.sign(texts)
    ready, _ = kernel.shingle_sets(texts)
    factors, summands = (np.array(drawn, np.uint32) for drawn in procedure.permutations(HASHES))
    low, signature = np.empty(HASHES, np.uint32), np.empty(HASHES, np.uint16)
    large = np.random.default_rng(1).integers(0, 9, 1 << 26)
    copy = np.ones_like(large)

    def best(run: Callable[[], object]) -> float:
        def once() -> float:
            started = time.perf_counter()
            run()
            return time.perf_counter() - started

        once()
        return min(once() for _ in range(5))

    # all shingles as if they were one text: no start and no end but one
    permuting = best(lambda: kernel._sign(ready, len(ready), factors, summands, low, signature))
    return {
        "shingles": float(counts.mean()),
        "bytes": texts.nbytes / len(texts),
        "steps_per_second": len(ready) * HASHES / permuting,
        "read_bytes_per_second": large.nbytes / best(large.sum),
        "copied_bytes_per_second": large.nbytes / best(lambda: np.copyto(copy, large)),
    }


def signatures(args: argparse.Namespace) -> Result:
    texts = spread(list(cut((text for text, _ in source(args.source)), _LENGTH)), args.texts)
    few = spread(texts, args.slow)
    results: Result = {"machine": machine(), "texts": described(texts)}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = {}
        for name, chosen in (("all", texts), ("few", few)):
            files[name] = f"{folder}/{name}.json"
            Path(files[name]).write_text(json.dumps(chosen))
        for name, signer in SIGNERS.items():
            python = args.peers if signer.package else sys.executable
            file = files["few" if name == "datatrove" else "all"]
            results[name] = step(python, "sign", name, file, str(args.rounds))
        limits = results["limits"] = step(sys.executable, "limits", files["all"])

    def rate(name: str) -> float:
        return float(results[name]["texts"] / results[name]["best"])

    print(f"{results['machine']}. {results['texts']}. datatrove got {len(few):,} of them.\n")
    print("| one core | signatures/s | µs a text | ours to it |\n| --- | --: | --: | --: |")
    for name, signer in SIGNERS.items():
        label, error = signer.label, results[name].get("error")
        if signer.package:
            label = " ".join(filter(None, (signer.package, results[name].get("version")))) + f": {label}"
        if error:
            print(f"| {label} | {error} | | |")
            continue
        times = f"{rate('ours') / rate(name):.1f}×" if signer.package else ""
        print(f"| {label} | {rate(name):,.0f} | {1e6 / rate(name):,.0f} | {times} |")
    print(f"\n{SIGNATURE_NOTES}")
    steps, read, copied = (limits[f"{name}_per_second"] for name in ("steps", "read_bytes", "copied_bytes"))
    rows = (
        (f"permutations alone: {steps / 1e9:.1f} G multiply-add-min/s", steps / limits["shingles"] / HASHES),
        (f"memory, read (NumPy's sum): {read / 1e9:.1f} GB/s", read / limits["bytes"]),
        (f"memory, copied (NumPy's copyto): {copied / 1e9:.1f} GB/s", copied / limits["bytes"]),
    )
    print("| what one core allows | texts/s | the kernel reaches | from raw text |\n| --- | --: | --: | --: |")
    for label, most in rows:
        print(f"| {label} | {most:,.0f} | {rate('kernel') / most:.1%} | {rate('ours') / most:.1%} |")
    print(f"\nA text has {limits['shingles']:,.0f} shingles and {limits['bytes']:,.0f} bytes on average.")
    return results


# --- pipeline: each in a process of its own


def step_ours(location: str, workers: str) -> Result:
    """`index.pipeline` on a lake that has texts and no index yet."""
    from archive.lake import Lake
    from archive.show import Stages
    from index.pipeline import build

    class Clock(Stages):
        def __init__(self) -> None:
            self.at: list[tuple[str, float]] = []

        def stage(self, name: str, total: int | None = None) -> None:
            self.at.append((name, time.perf_counter()))

    clock = Clock()
    summary = build(Lake(location), workers=int(workers), stages=clock)
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
    return {"dropped": dropped, "clusters": clusters, "stages": seconds, "version": _version("datatrove")}


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

    from index.kernel import jaccard, shingle_sets

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


PIPELINE_NOTES = """\
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
        what = f"{len(rows):,} texts of {_LENGTH:,} words, {len(rows) // _COPIES:,} of them edited copies"
    else:
        rows = list(source(args.source))
        what = f"{len(rows):,} texts"
    results: Result = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        captures, lake, texts = f"{folder}/captures.jsonl", f"{folder}/lake", f"{folder}/texts"
        with open(captures, "w") as file:
            for number, (text, at) in enumerate(rows):
                day = (_START + timedelta(days=number % 4000)).isoformat()
                file.write(json.dumps({"text": text, "date": at or day, "url": f"https://{number}.example/"}) + "\n")
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
    print(f"\n{PIPELINE_NOTES}")
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


# --- processes


def machine() -> str:
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else model
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _version(package: str) -> str:
    try:
        return version(package) if package else ""
    except PackageNotFoundError:
        return ""


def step(python: str, name: str, *words: str, cores: int = 1) -> Result:
    """One of the steps in a fresh process, with what it reports, its seconds and its peak memory."""
    result = measure([python, __file__, "step", name, *words], cores)
    if "error" not in result:
        result |= json.loads(result.pop("output").strip().splitlines()[-1])
    return result


def measure(command: list[str], cores: int = 1) -> Result:
    """Run a command through a small process, since the kernel counts the memory of the one that starts it too."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "COLUMNS": "200"}
    environment = {**os.environ, **_ALONE, **offline}
    wrap = [sys.executable, __file__, "step", "wrap", str(cores), *command]
    done = subprocess.run(wrap, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    result: Result = json.loads(done.stdout)
    if result.pop("code"):
        last = (result.pop("output").strip().splitlines() or ["it failed"])[-1]
        if not re.search(r"No module named|ImportError|Please install", last):
            raise SystemExit(f"{' '.join(command)}: {last}")
        reason = last.rpartition(": ")[2].rstrip(")")
        return {"error": f"not installed ({reason})"}
    return result


def step_wrap(cores: str, *command: str) -> Result:
    """Run a command on so many cores, and wait for all that it leaves behind."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(cores) :])
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans, as of a fork server, come to us
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode
        seconds = time.perf_counter() - started
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"code": code, "seconds": seconds, "peak_mb": peak, "output": text}


STEPS: dict[str, Callable[..., Result]] = {
    "wrap": step_wrap,
    "sign": step_sign,
    "limits": step_limits,
    "ours": step_ours,
    "datatrove": step_datatrove,
    "exact": step_exact,
}


def main() -> None:
    if sys.argv[1:2] == ["step"]:
        print(json.dumps(STEPS[sys.argv[2]](*sys.argv[3:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for run, texts, rounds in ((signatures, 2000, 5), (pipeline, 0, 1)):
        command = commands.add_parser(run.__name__)
        command.set_defaults(run=run)
        command.add_argument("source", type=Path, nargs="+")
        command.add_argument("--peers", default=sys.executable, help="an interpreter that has the other tools")
        command.add_argument("--texts", type=int, default=texts)
        command.add_argument("--rounds", type=int, default=rounds, help="the fastest of so many counts")
        command.add_argument("--json", type=Path)
        if run is signatures:
            command.add_argument("--slow", type=int, default=300, help="texts for datatrove")
        else:
            command.add_argument("--exact", type=int, default=2000, help="compare every pair of up to so many texts")
    args = parser.parse_args()
    results = args.run(args)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
