"""How well `export --decontaminate-like` finds rewrites of a benchmark's items, next to 13-grams of words.

    python benchmarks/decontaminate_like.py human-machine wikitext-2/train.txt.gz [--work FOLDER] [--json OUT]

`human-machine` has answers of people and of language models to the same questions (HC3), and passages with what models
wrote from the same first words (fast-detect-gpt). An item is what a person wrote; a rewrite is what a model wrote for
the same question or beginning, without the words that both begin with. Half of the pairs are planted: their human texts
are the items of a benchmark, and only their rewrites are in the lake. The lake also has both texts of the other half,
of all sets, and paragraphs of WikiText. Texts of people get a date before or after the publication at random, those
of models one after it. With `--work` the lake is kept and used again.

For each benchmark the script prints the items, the share of false positives that is asked for, the threshold, its floor
and bound, recall and precision there, and those of 13-grams. Then come false positives: in texts of people from after
the publication that share no 13-gram with an item, which have the same distribution as those that calibrate; in those
that share one; and in texts of models about other questions. `--splits` deals out the dates of the texts of people
again so many times: the median and the 95 % quantile of the share of later ones that pass, and how often it is above
what was asked for. Behind that it prints how often chance alone brings that about where the method is right.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import random
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from processes import machine
from texts import write_records

import lowbackground as lb
from archive.text.normalise import content_id, normalise
from query.export.calibrate import bound, most_hits

PUBLISHED, BEFORE = "2020-01-01", "2023-01-01"
SHARES = (0.001, 0.005, 0.01)
#: Words of a text, and the least of one that counts.
_MOST, _LEAST = 120, 15
Pair = tuple[str, str]


def cut(text: str) -> str:
    """The first words of a text, on one line."""
    return " ".join(text.split()[:_MOST])


def hc3(path: Path) -> Iterator[Pair]:
    """An answer of a person, and the one of a model that follows it: to the same question."""
    csv.field_size_limit(1 << 30)
    with path.open(newline="") as file:
        rows = {int(row["id"].partition("_")[2]): row for row in csv.DictReader(file)}
    for number, row in rows.items():
        other = rows.get(number + 1)
        if row["label"] == "0" and other and other["label"] == "1":
            yield row["text"], other["text"]


def continued(path: Path) -> Iterator[Pair]:
    """A passage and what a model made of its beginning, both without the words that they share at the start."""
    content = json.loads(path.read_text())
    for human, model in zip(content["original"], content["sampled"], strict=True):
        one, other = human.split(), model.split()
        same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
        yield " ".join(one[same:]), " ".join(other[same:])


def pairs(folder: Path) -> dict[str, list[Pair]]:
    """The pairs of each set, of texts that are long enough; no text twice."""
    found: dict[str, list[Pair]] = {}
    names = {"medicine": "hc3_medicine_full.csv", "wiki": "hc3_wiki_csai_full.csv"}
    read = {name: hc3(folder / file) for name, file in names.items()}
    read |= {name: continued(folder / f"{name}_gpt-4.raw_data.json") for name in ("pubmed", "xsum", "writing")}
    seen: set[str] = set()
    for name, each in read.items():
        found[name] = []
        for human, model in each:
            texts = cut(human), cut(model)
            if all(len(text.split()) >= _LEAST for text in texts) and not seen & set(texts):
                seen |= set(texts)
                found[name].append(texts)
    return found


def paragraphs(path: Path, count: int) -> list[str]:
    with gzip.open(path, "rt") as file:
        lines = [cut(line) for line in file if len(line.split()) >= 40]
    lines = list(dict.fromkeys(re.sub(r" @(\S)@ ", r"\1", line) for line in lines))
    return random.Random(1).sample(lines, min(count, len(lines)))


def plan(sets: dict[str, list[Pair]], others: list[str]) -> tuple[dict[str, list[Pair]], dict[str, tuple[str, str]]]:
    """Return the planted pairs of each set, and the texts of the lake with kind and date."""
    planted: dict[str, list[Pair]] = {}
    texts: dict[str, tuple[str, str]] = {}

    def person(text: str) -> None:
        before = hashlib.sha256(text.encode()).digest()[0] % 2
        texts[text] = "person", "2018-06-01T00:00:00Z" if before else "2021-06-01T00:00:00Z"

    for name, each in sets.items():
        planted[name] = []
        for human, model in each:
            if int(hashlib.sha256(human.encode()).hexdigest(), 16) % 2:
                planted[name].append((human, model))
                texts[model] = f"rewrite: {name}", "2021-06-01T00:00:00Z"
            else:
                person(human)
                texts[model] = "model", "2021-06-01T00:00:00Z"
    for text in others:
        person(text)
    for each in planted.values():
        for human, _ in each:
            texts.pop(human, None)
    return planted, texts


def lake(folder: Path, texts: dict[str, tuple[str, str]]) -> tuple[str, float]:
    """A lake with the texts and their vectors, and the seconds of making the vectors."""
    location = str(folder / "lake")
    rows = [(text, date, f"http://example.com/{number}") for number, (text, (_, date)) in enumerate(texts.items())]
    if not Path(location).exists():
        write_records(folder / "texts.warc", rows)
        lb.ingest(location, str(folder / "texts.warc"), workers=1)
    started = time.monotonic()
    lb.embed(location, workers=1)
    return location, time.monotonic() - started


def marked(location: str, out: Path, **options: Any) -> list[dict[str, Any]]:
    if not (out / "manifest.json").exists():
        lb.export(location, out, before=BEFORE, workers=1, **options)
    rows: list[dict[str, Any]] = lb.load(out).to_arrow().drop_columns(["text"]).to_pylist()
    return rows


def threshold(cosines: npt.NDArray[np.float64], share: float) -> float:
    """The least cosine that the command would choose for these texts from before; above 1 where it refuses."""
    hits = most_hits(len(cosines), share)
    return 2.0 if hits < 0 else round(float(np.sort(cosines)[-1 - hits]) + 1e-6, 6)


def chance(hits: int, calibrating: int, others: int, share: float) -> float:
    """How often more than a share of other texts pass a value that so many calibrating ones exceed: by 20,000 draws."""
    dice = np.random.default_rng(1)
    passing = dice.binomial(others, dice.beta(hits + 1, calibrating - hits, 20_000))
    return float((passing > share * others).mean())


def measure(location: str, folder: Path, name: str, planted: list[Pair], kinds: dict[str, str],
            splits: int) -> dict[str, Any]:  # fmt: skip
    """Measure one benchmark."""
    label = re.sub(r"\W+", "-", name)
    items = folder / f"{label}.jsonl"
    items.write_text("".join(json.dumps({"answer": human}) + "\n" for human, _ in planted))
    file = str(items)
    rows = marked(location, folder / f"like-{label}", decontaminate_like=file, published=PUBLISHED, least_cosine=0.5)
    grams = marked(location, folder / f"grams-{label}", decontaminate=file, mark=True)
    shares_words = {row["content_id"] for row in grams if row["contaminated"]}
    cosine = {row["content_id"]: row["like_cosine"] for row in rows}
    absent = len(kinds.keys() - cosine.keys())
    kinds = {key: kind for key, kind in kinds.items() if key in cosine}
    early = {row["content_id"] for row in rows if row["captured_at"].year < 2020}
    mine = np.array([cosine[key] for key, kind in kinds.items() if kind == f"rewrite: {name}"])
    strange = {key for key, kind in kinds.items() if kind not in {"person", f"rewrite: {name}"}}
    models = np.array([cosine[key] for key in strange])
    people = [key for key, kind in kinds.items() if kind == "person"]
    before = np.array([cosine[key] for key in people if key in early and key not in shares_words])
    after = np.array([cosine[key] for key in people if key not in early and key not in shares_words])
    sharing = np.array([cosine[key] for key in people if key not in early and key in shares_words])
    negatives = np.concatenate([after, sharing, models])
    result: dict[str, Any] = {
        "items": len(planted), "rewrites": len(mine), "before": len(before), "after": len(after),
        "models": len(models), "absent": absent,
        "sources": sum(key in early and key in shares_words for key in people), "sharing": len(sharing),
    }  # fmt: skip
    found = sum(kinds[key] == f"rewrite: {name}" for key in shares_words)
    wrong = len(shares_words & (strange | (set(people) - early)))
    result["13-grams"] = {"found": found, "recall": found / len(mine), "false": wrong,
                          "precision": found / max(found + wrong, 1)}  # fmt: skip
    result["calibrated"] = {}
    dice = np.random.default_rng(0)
    everybody = np.concatenate([before, after])
    for share in SHARES:
        least = threshold(before, share)
        hits = most_hits(len(before), share)
        at = {"threshold": least, **at_threshold(mine, negatives, least)}
        at |= {"floor": float((before >= least).mean()), "bound": bound(hits, len(before)) if hits >= 0 else None}
        at |= {"people after": int((after >= least).sum()), "people after, sharing": int((sharing >= least).sum()),
               "models": int((models >= least).sum())}  # fmt: skip
        rates = []
        for _ in range(splits):
            order = dice.permutation(len(everybody))
            half = everybody[order[: len(before)]], everybody[order[len(before) :]]
            rates.append(float((half[1] >= threshold(half[0], share)).mean()))
        at["splits"] = {"median": float(np.median(rates)), "95 %": float(np.quantile(rates, 0.95)),
                        "above what was asked for": float(np.mean(np.array(rates) > share))}  # fmt: skip
        at["expected"] = chance(hits, len(before), len(after), share)
        result["calibrated"][str(share)] = at
    result["curve"] = {f"{least:.2f}": at_threshold(mine, negatives, least) for least in np.arange(0.5, 0.96, 0.05)}
    return result


def at_threshold(rewrites: npt.NDArray[np.float64], negatives: npt.NDArray[np.float64], least: float) -> dict[str, Any]:
    found, wrong = int((rewrites >= least).sum()), int((negatives >= least).sum())
    return {"found": found, "recall": found / len(rewrites), "false": wrong,
            "precision": found / max(found + wrong, 1)}  # fmt: skip


def show(name: str, result: dict[str, Any]) -> None:
    """Print the rows of a table in Markdown: one for each share of false positives."""
    grams = result["13-grams"]
    for share, at in result["calibrated"].items():
        floor = f"{at['floor']:.2%}, below {at['bound']:.2%}" if at["bound"] is not None else "refused"
        some = grams["found"] + grams["false"]
        cells = [
            *(name, str(result["items"]), share, f"{at['threshold']:.3f}", floor),
            *(f"{at['recall']:.0%}", f"{at['precision']:.0%}"),
            *(f"{grams['recall']:.1%}", f"{grams['precision']:.0%} of {some}" if some else "none found"),
            f"{at['people after']} of {result['after']:,}",
            f"{at['people after, sharing']} of {result['sharing']}",
            f"{at['models']} of {result['models']:,}",
            f"{at['splits']['median']:.2%}, {at['splits']['95 %']:.2%}",
            f"{at['splits']['above what was asked for']:.0%} ({at['expected']:.0%})",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)
    curve = ((least, f"{at['precision']:.0%} / {at['recall']:.0%}") for least, at in result["curve"].items())
    print(f"{name}, precision / recall by least cosine: " + ", ".join(f"{a}: {b}" for a, b in curve), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--paragraphs", type=int, default=6000)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        planted, texts = plan(pairs(args.pairs), paragraphs(args.others, args.paragraphs))
        location, seconds = lake(folder, texts)
        print(f"{machine()}; {len(texts):,} texts, vectors in {seconds:.0f} s", flush=True)
        kinds = {content_id(normalise(text)): kind for text, (kind, _) in texts.items()}
        results = {}
        for name, each in planted.items():
            results[name] = measure(location, folder, name, each, kinds, args.splits)
            show(name, results[name])
            if args.json:
                args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
