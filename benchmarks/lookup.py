"""What `archive lookup` says of texts that were planted in a lake, of edited, quoted and rewritten ones, and of others.

    python benchmarks/lookup.py ../shared/data/human-machine
        [--others ../shared/data/dated/page-versions-2012-2026.jsonl.gz]
        [--texts 100000] [--words 40] [--encoder FOLDER] [--questions 100] [--keep FOLDER]

The lake has the texts of people (HC3, fast-detect-gpt; 60 words and more), but every fifth of them; the paragraphs of
20 words and more of the texts in --others; and texts of --words words that nobody wrote, up to the number of --texts.
Without --encoder it has no vectors. --keep makes the lake in a folder that stays, or asks the one that is there. The
questions:

- exact: texts of the lake.
- edited: the same with one word in a hundred changed.
- quoted: 15 words, one after the other, of a text of the lake in the middle of 100 that nobody wrote.
- rewritten: texts of the lake with the sentences in another order, synonyms of common words, and every sixth word of
  the others left out, so that no 15 words are as they were. (No model wrote them.)
- answers and continuations of models: of the same questions as texts of the lake, and of their beginnings.
- unrelated: the texts of people that are not in the lake, of other articles.

An answer is right where its text is the planted one. Times are wall-clock, of one question after the other; the machine
may be shared.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

from confusion import changed
from texts import write_records

from archive.intake import ingest
from archive.lake import Lake
from archive.text.normalise import content_id, normalise
from index.neardup import index
from query.lookup import Lookup, LookupResult
from query.lookup.run import LEAST

_SYNONYMS = """
said/stated big/large small/little people/persons also/too many/numerous often/frequently help/assist show/reveal
start/begin end/finish make/create use/employ get/obtain give/provide found/discovered important/significant
because/since however/but about/around children/kids woman/lady man/gentleman new/recent old/former good/fine bad/poor
high/elevated increase/rise reduce/lower different/distinct study/investigation results/findings patients/cases
treatment/therapy doctor/physician police/officers government/administration told/informed think/believe need/require
try/attempt very/extremely more/additional after/following before/prior between/among during/throughout can/may
will/shall should/ought company/firm work/labour home/house money/funds problem/issue way/manner
"""
_OTHER = dict(pair.split("/") for pair in _SYNONYMS.split())
Question = tuple[str, str | None]  # a text, and the content id of the planted one


def people_and_models(folder: Path) -> tuple[list[str], dict[str, list[tuple[str, str]]], list[str]]:
    """The texts of people; what models wrote, each with the text of a person that it goes with; and other texts."""
    human: list[str] = []
    models: dict[str, list[tuple[str, str]]] = {"continued by models": [], "answers of models": []}
    for path in sorted(folder.glob("*.raw_data.json")):
        made = json.loads(path.read_text())
        human += made["original"]
        models["continued by models"] += zip(made["sampled"], made["original"], strict=True)
    for path in sorted(folder.glob("hc3_*.csv")):
        with path.open(newline="") as file:
            last = ""
            for row in csv.DictReader(file):  # the answer of a person, then that of the model
                if row["label"] == "1":
                    models["answers of models"].append((row["text"], last))
                else:
                    last = row["text"]
                    human.append(last)
    articles: dict[str, str] = {}  # fast-detect-gpt has several cuts of each: one by its first words
    for text in map(normalise, human):
        if len(text.split()) >= 60:
            articles.setdefault(" ".join(text.split()[:8]), text)
    human = list(articles.values())
    return [text for at, text in enumerate(human) if at % 5], models, human[::5]


def invented(count: int, vocabulary: Sequence[str], dice: random.Random) -> list[str]:
    return dice.choices(vocabulary, k=count)


def rewritten(text: str, dice: random.Random) -> str:
    """A text with other words in another order. Every 15 words in a row lose one, or get another one."""
    sentences = re.split(r"(?<=[.!?]) +", text.replace("\n", " "))
    dice.shuffle(sentences)
    out, kept = [], 0
    for word in " ".join(sentences).split():
        other = _OTHER.get(word.lower())
        kept = 0 if other else kept + 1
        if kept == 6:
            kept = 0
            continue
        out.append(other or word)
    return " ".join(out)


def paragraphs(path: Path) -> list[str]:
    """The different paragraphs of 20 words and more of the texts in a file of JSON lines."""
    with gzip.open(path, "rt") as file:
        parts = (normalise(part) for line in file for part in json.loads(line)["text"].split("\n"))
        return list(dict.fromkeys(part for part in parts if len(part.split()) >= 20))


def planted(
    folder: Path, scratch: Path, texts: int, questions: int, others_of: Path | None, words_each: int
) -> tuple[Lake, dict[str, list[Question]]]:
    """A lake, and the questions by what they are."""
    dice = random.Random(1)
    human, models, others = people_and_models(folder)
    vocabulary = sorted({word for text in human for word in text.split()})
    human = human[: texts // 2]
    rows = human + (paragraphs(others_of)[: texts - len(human)] if others_of else [])
    rows += [" ".join(invented(words_each, vocabulary, dice)) for _ in range(texts - len(rows))]
    dated = [
        (text, f"20{10 + at % 10}-0{1 + at % 9}-01T00:00:00Z", f"http://{at}.example/") for at, text in enumerate(rows)
    ]
    lake = Lake(str(scratch / "lake"))
    if not lake.exists():
        for part in range(2):  # two files of texts: two processes embed them
            write_records(scratch / f"texts-{part}.warc", dated[part::2])
            ingest(lake, [str(scratch / f"texts-{part}.warc")], workers=1)
        index(lake, workers=2, passages=True)
    chosen = [text for text in human if len(text.split()) >= 100]
    chosen = dice.sample(chosen, min(questions, len(chosen)))
    made: dict[str, list[Question]] = {"exact": [], "edited": [], "quoted": [], "rewritten": []}
    for text in chosen:
        own, words = content_id(text), [word for word in text.split() if re.search(r"\w", word)]
        at = dice.randrange(len(words) - 14)
        around = invented(100, vocabulary, dice)
        made["exact"].append((text, own))
        made["edited"].append((changed(text, 100), own))
        made["quoted"].append((" ".join([*around[:50], *words[at : at + 15], *around[50:]]), own))
        made["rewritten"].append((rewritten(text, dice), own))
    there = set(human)
    for name, pairs in models.items():
        about = [(text, content_id(normalise(of))) for text, of in pairs if normalise(of) in there and text.strip()]
        made[name] = dice.sample(about, min(questions, len(about)))
    made["unrelated"] = [(text, None) for text in dice.sample(others, min(questions, len(others)))]
    return lake, made


def is_right(found: LookupResult, wanted: str | None) -> bool:
    """Whether the strongest kind has the planted text."""
    rows = {
        "exact": [found.exact] if found.exact else [],
        "near": found.near,
        "quote": found.quote,
        "alike": found.alike,
    }
    return found.kind is not None and wanted in {row.content_id for row in rows[found.kind]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=40)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--others", type=Path)
    parser.add_argument("--encoder")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        scratch = options.keep or stack.enter_context(tempfile.TemporaryDirectory())
        Path(scratch).mkdir(parents=True, exist_ok=True)
        started = time.perf_counter()
        lake, made = planted(
            options.folder, Path(scratch), options.texts, options.questions, options.others, options.words
        )
        if options.encoder:
            from index.vectors import embed

            embed(lake, encoder=options.encoder, workers=2)
        print(f"{lake.rows('documents'):,} texts; lake and indexes in {time.perf_counter() - started:.0f} s")
        cold = ["lookup", "--lake", lake.location, "--text", made["edited"][0][0], "--kinds", "exact,near,quote"]
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-m", "archive", *cold], check=True, capture_output=True)
            times.append(time.perf_counter() - begun)
        print(f"cold, the command without alike: {median(times):.1f} s")
        begun = time.perf_counter()
        with Lookup(lake, encoder=options.encoder) as lookup:
            print(f"opened in {time.perf_counter() - begun:.1f} s; not searched: {', '.join(lookup.not_searched)}")
            report(lookup, made)


def report(lookup: Lookup, made: dict[str, list[Question]]) -> None:
    kinds = ("exact", "near", "quote", "alike", None)
    print(
        "\n| questions | exact | near | quote | alike | none | of the planted text | median | 95 % | highest cosine |"
    )
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |")
    for group, questions in made.items():
        table: Counter[str | None] = Counter()
        times, right, cosines = [], 0, []
        for text, wanted in questions:
            begun = time.perf_counter()
            found = lookup.text(text, least_cosine=-1)
            times.append(time.perf_counter() - begun)
            cosines += [found.alike[0].cosine] if found.alike else []
            alike = tuple(each for each in found.alike if each.cosine >= LEAST)
            if found.kind == "alike":
                found = replace(found, alike=alike, kind="alike" if alike else None)
            table[found.kind] += 1
            right += is_right(found, wanted)
        counts = " | ".join(str(table[kind]) for kind in kinds)
        spread = quantiles(cosines, n=20) if len(cosines) > 1 else []
        cosine = f"{median(cosines):.2f} ({spread[0]:.2f}–{spread[-1]:.2f})" if spread else ""
        slow = quantiles(times, n=20)[-1]
        print(f"| {group} | {counts} | {right} | {median(times) * 1000:.0f} ms | {slow * 1000:.0f} ms | {cosine} |")


if __name__ == "__main__":
    main()
