"""Measure `archive probe`: how often it sees a difference where there is none, and what it gives where there is one.

python benchmarks/probe.py null DATA --draws 100            # texts of one set against others of the same set
python benchmarks/probe.py sets DATA                        # machine answers, continuations, a mixture, another domain
python benchmarks/probe.py vectors DATA --encoder FOLDER    # both for a classifier on vectors, with fewer draws
python benchmarks/probe.py speed DATA --texts 10000         # processor time and memory

DATA holds `human-machine/` (HC3 as CSV, fast-detect-gpt as JSON) and `lm/wikitext-2/`.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archive.progress import Reporter
from collapse.corpus import Corpus, Document, ReadReport, read
from collapse.probe import features
from collapse.probe.results import ProbeResult
from collapse.probe.run import Settings, compare

Texts = list[Document]
#: Articles of WikiText stand for sites: pieces of so many words, and so many of an article at most.
_PIECE, _PIECES = 90, 6
#: Of a text, where vectors are computed: the same in all draws.
_WORDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["null", "sets", "vectors", "speed"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--by", choices=["site", "text"], action="append", help="for null; both by default")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--divisions", type=int, default=10)
    parser.add_argument("--encoder")
    parser.add_argument("--texts", type=int, default=10_000)
    given = parser.parse_args()
    if given.what == "null":
        for by in given.by or ["site", "text"]:
            null(by, (_sites if by == "site" else _texts)(given.data), given.draws, given.divisions, None)
    elif given.what == "sets":
        sets(given.data, given.divisions, None)
    elif given.what == "vectors":
        keep_vectors()
        null("text", _texts(given.data, 400), given.draws, given.divisions, given.encoder)
        sets(given.data, given.divisions, given.encoder)
    else:
        speed(given.data, given.texts, given.divisions)


def run(a: Texts, b: Texts, divisions: int, seed: int = 0, encoder: str | None = None) -> ProbeResult:
    """Compare two lists of documents as the command compares two sets."""
    settings = Settings(encoder, 10_000, _WORDS if encoder else None, divisions, seed, ("A", "B"))
    return compare(_corpus(a, seed), _corpus(b, seed), settings, Reporter())


def keep_vectors() -> None:
    """Compute the vector of a text once, though it is in many draws."""
    known: dict[str, NDArray[np.float32]] = {}
    compute = features.vectors

    def vectors(texts: Sequence[str], name: str, done: Callable[[int], None]) -> tuple[str, NDArray[np.float32]]:
        new = [text for text in dict.fromkeys(texts) if text not in known] or [texts[0]]
        identity, found = compute(new, name, done)
        known.update(zip(new, found, strict=True))
        return identity, np.array([known[text] for text in texts])

    features.vectors = vectors


def null(name: str, draws: Iterator[tuple[Texts, Texts]], count: int, divisions: int, encoder: str | None) -> None:
    """Print how often the interval of an AUC holds 0.5, and each measure is outside, where both sets are of one."""
    holds: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    values: dict[str, list[float]] = {}
    several, started = [], time.process_time()
    for draw, (a, b) in zip(range(count), draws, strict=False):
        result = run(a, b, divisions, draw, encoder)
        for probe in result.probes:
            if probe.value is None:
                continue
            values.setdefault(probe.code, []).append(probe.value)
            outside[probe.code] += bool(probe.outside)
            if probe.low is not None and probe.high is not None:
                holds[probe.code] += probe.low <= 0.5 <= probe.high
        several.append(sum(bool(probe.outside) for probe in result.probes))
        if (draw + 1) % 10 == 0:
            print(f"{name}: {draw + 1} draws, {result.texts} texts on a side, {result.divisions} divisions, "
                  f"{(time.process_time() - started) / (draw + 1):.1f} s of CPU each; "
                  f"measures outside, all together: {np.mean(several) / len(values):.3f} of them; "
                  f"none in {several.count(0)} draws", flush=True)  # fmt: skip
    for code, found in values.items():
        held = f", interval holds 0.5 in {holds[code]}" if code in holds else ""
        print(f"  {code:20} outside in {outside[code]:3} of {len(found)}{held}, mean {np.mean(found):+.4f}, "
              f"spread {np.std(found):.4f}", flush=True)  # fmt: skip


def sets(data: Path, divisions: int, encoder: str | None) -> None:
    """Print every measure for pairs of sets that differ in a known way."""
    results = {}
    for name, (a, b) in _pairs(data).items():
        started = time.process_time()
        results[name] = result = run(a, b, divisions, encoder=encoder)
        print(f"{name}: {result.texts} texts on a side, {result.words} words, {time.process_time() - started:.0f} s")
        for probe in result.probes:
            if probe.value is not None:
                between = f"{probe.null_low:+.3f} to {probe.null_high:+.3f}"
                interval = "" if probe.low is None else f" ({probe.low:.3f} to {probe.high:.3f})"
                sides = "" if probe.a is None else f"{probe.a:.3f} | {probe.b:.3f}, "
                print(f"  {probe.code:20} {sides}{probe.value:+.3f}{interval}; expected {between}"
                      f"{'  OUTSIDE' if probe.outside else ''}", flush=True)  # fmt: skip


def speed(data: Path, texts: int, divisions: int) -> None:
    """Print the processor time and the memory for so many texts of each set."""
    pieces = [piece for article in _articles(data, 1_000) for piece in article]
    random.Random(0).shuffle(pieces)
    started = time.process_time()
    result = run(pieces[:texts], pieces[texts : 2 * texts], divisions)
    print(f"{result.a.usable} and {result.b.usable} texts, {result.texts} on a side, {result.words} words: "
          f"{time.process_time() - started:.0f} s of CPU, "
          f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")  # fmt: skip


def _corpus(documents: Texts, seed: int) -> Corpus:
    ordered = sorted(documents, key=lambda document: document.position(seed))
    return Corpus("", ordered, [], ReadReport(len(ordered), 0, {}, False))


def _articles(data: Path, pieces: int) -> list[Texts]:
    """Return the articles of WikiText as pieces of equal length."""
    corpus = read([str(data / "lm" / "wikitext-2" / "train.txt.gz")])
    articles = []
    for number, article in enumerate(corpus.train):
        words = article.text.split()
        cut = [" ".join(words[at : at + _PIECE]) for at in range(0, len(words) - _PIECE, _PIECE)]
        articles.append([Document(text, f"{number}.example") for text in cut[:pieces]])
    return articles


def _sites(data: Path) -> Iterator[tuple[Texts, Texts]]:
    """Yield sets of pieces of different articles: 100 articles in A, 80 in B."""
    articles = _articles(data, _PIECES)
    for seed in range(1 << 30):
        chosen = random.Random(seed).sample(articles, 180)
        yield [*chain(*chosen[:100])], [*chain(*chosen[100:])]


def _texts(data: Path, most: int = 1_000) -> Iterator[tuple[Texts, Texts]]:
    """Yield parts of the human answers of HC3: 60 % in A, 40 % in B."""
    human = [Document(text) for text in _hc3(data, "wiki_csai", "0")]
    for seed in range(1 << 30):
        drawn = random.Random(seed).sample(human, min(most, len(human)))
        at = len(drawn) * 6 // 10
        yield drawn[:at], drawn[at:]


def _pairs(data: Path) -> dict[str, tuple[Texts, Texts]]:
    """Return sets that differ in a known way."""
    human, machine = (_documents(_hc3(data, "wiki_csai", label)) for label in "01")
    doctors, advice = (_documents(_hc3(data, "medicine", label)) for label in "01")
    xsum = [_continued(data, "xsum", model) for model in ("davinci", "gpt-4")]
    at = len(human) * 6 // 10
    b = human[at:]
    some = machine[: len(b) // 9]
    return {
        "HC3 wiki_csai, human | machine": (human, machine),
        "HC3 medicine, human | machine": (doctors, advice),
        "XSum, human | GPT-3 continuations": xsum[0],
        "XSum, human | GPT-4 continuations": xsum[1],
        "HC3 wiki_csai, human | 90 % human and 10 % machine": (human[:at], b + some),
        "human HC3 wiki_csai | human HC3 medicine": (human, doctors),
    }


def _hc3(data: Path, domain: str, label: str) -> list[str]:
    with (data / "human-machine" / f"hc3_{domain}_full.csv").open(encoding="utf-8", newline="") as file:
        return sorted({row["text"] for row in csv.DictReader(file) if row["label"] == label})


def _continued(data: Path, domain: str, model: str) -> tuple[Texts, Texts]:
    """Return originals and continuations of the same beginnings, without what both begin with."""
    found = json.loads((data / "human-machine" / f"{domain}_{model}.raw_data.json").read_bytes())
    ends = [_ends(*both) for both in zip(found["original"], found["sampled"], strict=True)]
    return _documents([human for human, _ in ends]), _documents([machine for _, machine in ends])


def _ends(human: str, machine: str) -> tuple[str, str]:
    first, second = human.split(), machine.split()
    same = next((at for at, (x, y) in enumerate(zip(first, second, strict=False)) if x != y), 0)
    return " ".join(first[same:]), " ".join(second[same:])


def _documents(texts: Sequence[str]) -> Texts:
    return [Document(text) for text in random.Random(0).sample(list(texts), len(texts))]


if __name__ == "__main__":
    main()
