"""How many of the true near-duplicates the index finds, beside what theory says, and what people judged.

    python benchmarks/truth.py page-versions.jsonl.gz [copycat-judged-pairs.jsonl.gz]
                               [--alike COSINE] [--windows N | --words]

The versions (`text`, `date`) go into a fresh lake and its index; every pair of them is also compared by brute force.
With --alike, `archive embed` computes N windows of each (2), and the index compares what their vectors propose, too.
With --words the vectors are hashed counts of the words instead, which takes no time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from archive.intake import ingest
from archive.lake import Lake
from archive.text.normalise import normalise
from index.minhash.kernel import band_keys, jaccard, shared, shingle_set, shingle_sets, sign
from index.minhash.procedure import Parameters
from index.neardup import index
from index.vectors import build, embed
from query import connect


def similar_pairs(texts: list[str], threshold: float = 0.8) -> dict[tuple[int, int], float]:
    """The exact Jaccard similarity of every pair (later, earlier) of at least the threshold, by brute force."""
    flat, starts = shingle_sets(pa.array(texts, pa.large_string()))
    sets = [flat[first:last] for first, last in pairwise(starts)]
    sizes = np.diff(starts)
    found = {}
    for later in range(len(texts)):
        # sets of which one is so much smaller cannot be similar
        fits = (sizes[:later] >= threshold * sizes[later]) & (threshold * sizes[:later] <= sizes[later])
        for earlier in np.flatnonzero(fits):
            common = int(shared(sets[later], sets[earlier]))
            total = int(sizes[later] + sizes[earlier]) - common
            if total and common >= threshold * total:
                found[later, int(earlier)] = common / total
    return found


def count_words(lake: Lake) -> None:
    """Add a vector of 512 dimensions for each text: the square roots of the counts of its words, hashed."""
    from made_vectors import add  # of the tests

    table = lake.read("documents", ["content_id", "text"])
    vectors = np.zeros((table.num_rows, 512), np.float32)
    for row, text in enumerate(table["text"].to_pylist()):
        np.add.at(vectors[row], [crc32(word.encode()) % 512 for word in text.lower().split()], 1)
    vectors = np.sqrt(vectors)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    add(lake, table["content_id"].to_pylist(), vectors)
    build(lake)


def versions(path: str, alike: float | None, windows: int) -> None:
    """Recall by similarity, and how many dates are right."""
    from texts import write_records  # a script of this folder, which is not on the path of the tests

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "versions.warc"
        with gzip.open(path, "rt") as file:
            rows = [json.loads(line) for line in file]
        write_records(source, ((row["text"], row["date"], f"https://{at}.example/") for at, row in enumerate(rows)))
        lake = Lake(f"{folder}/lake")
        ingest(lake, [str(source)])
        if alike is not None and windows:
            print(embed(lake, windows=windows, dtype="fp32", device="cpu"))
        elif alike is not None:
            count_words(lake)
        print(index(lake, alike=alike))
        db = connect(lake)
        documents = db.execute(
            "SELECT content_id, text, first_seen, first_seen_near FROM documents ORDER BY first_seen, content_id"
        ).fetchall()
        duplicates = db.execute("SELECT content_id, earlier_id FROM duplicates").fetchall()
    number = {row[0]: at for at, row in enumerate(documents)}
    said = {tuple(sorted((number[a], number[b]), reverse=True)) for a, b in duplicates}
    texts = [row[1] for row in documents]
    true = similar_pairs(texts)
    keys = band_keys(*sign(pa.array(texts, pa.large_string())))
    print(f"{len(rows):,} versions, {len(texts):,} different texts, {len(true):,} true pairs;", end=" ")
    print(f"{len(said):,} reported, {len(said - true.keys())} of them false\n")
    print("| similarity | true pairs | share a band: theory | measured | reported | a later text with a witness |")
    print("| --- | --: | --: | --: | --: | --: |")
    witnessed = {later for later, _ in said}
    edges = (0.8, 0.85, 0.9, 0.95, 1.001)
    for low, high in pairwise(edges):
        here = [pair for pair, similarity in true.items() if low <= similarity < high]
        theory = np.mean([Parameters().chance(true[pair]) for pair in here])
        met = np.mean([(keys[a] == keys[b]).any() for a, b in here])
        reported = np.mean([pair in said for pair in here])
        known = np.mean([later in witnessed for later, _ in here])
        name = f"{low} to {min(high, 1.0):.2g}"
        print(f"| {name} | {len(here):,} | {theory:.1%} | {met:.1%} | {reported:.1%} | {known:.1%} |")
    candidates(keys, true)
    best: dict[int, int] = {}
    for later, earlier in true:
        best[later] = min(earlier, best.get(later, later))
    right = sum(row[3] == documents[best.get(at, at)][2] for at, row in enumerate(documents))
    early = sum(row[3] < documents[best.get(at, at)][2] for at, row in enumerate(documents))
    print(
        f"\nfirst_seen_near equals that of brute force for {right:,} of {len(documents):,} texts; {early} are too early"
    )


def candidates(keys: npt.NDArray[np.uint64], true: dict[tuple[int, int], float]) -> None:
    """How many pairs share a band, and how many of these are true, if so many of the earliest texts meet each other.

    Args:
        keys: of the bands of the texts, which are in the order of their dates.
    """
    buckets = defaultdict(list)
    for text, own in enumerate(keys.tolist()):
        for key in filter(None, own):
            buckets[key].append(text)
    print(f"\n{len(buckets):,} band values, the most frequent one in {max(map(len, buckets.values()))} texts\n")
    print("| the earliest texts that meet each other | candidates | true pairs among them |\n| --: | --: | --: |")
    leaders = Parameters().leaders
    for together in (8, 16, 32, 64, 128):
        found = set()
        for bucket in buckets.values():
            for at, later in enumerate(bucket):
                found |= {(later, earlier) for earlier in bucket[: at if at < together else leaders]}
        print(f"| {together} | {len(found):,} | {len(found & true.keys()):,} |")


def judged(path: str) -> None:
    """Similarity beside the label that people gave."""
    labels = defaultdict(list)
    with gzip.open(path, "rt") as file:
        for row in map(json.loads, file):
            left, right = (shingle_set(normalise(row[side])) for side in ("left", "right"))
            labels[row["label"]].append(jaccard(left, right))
    print("\n| label | pairs | median similarity | under 0.4 | 0.4 to 0.6 | 0.6 to 0.8 | 0.8 and more |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    for label, found in sorted(labels.items()):
        counts = np.histogram(found, bins=[0, 0.4, 0.6, 0.8, 1.001])[0]
        print(f"| {label} | {len(found)} | {np.median(found):.3f} | {' | '.join(map(str, counts))} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("versions")
    parser.add_argument("judged", nargs="?")
    parser.add_argument("--alike", type=float)
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--words", action="store_true")
    given = parser.parse_args()
    versions(given.versions, given.alike, 0 if given.words else given.windows)
    if given.judged:
        judged(given.judged)
