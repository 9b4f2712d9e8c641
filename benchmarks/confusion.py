"""What `archive certify` says of old texts, lightly edited ones, and of what models wrote about the same.

    python benchmarks/confusion.py ../shared/data/human-machine

The texts of people (HC3, fast-detect-gpt; 60 words and more) go into a lake with a date from before. The data set is
mixed from the same texts, from edited ones, from answers of models to the same questions, from continuations that
models made of the beginnings of the same texts, and from rewritings: every fourth word another one.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from archive.intake import ingest
from archive.lake import Lake
from index.certify import certify
from index.neardup import index


def groups(folder: Path) -> dict[str, list[str]]:
    """The texts by what they are; `same` is what goes into the lake."""
    human: list[str] = []
    answers: list[str] = []
    continued: list[str] = []
    for path in sorted(folder.glob("*.raw_data.json")):
        made = json.loads(path.read_text())
        human += made["original"]
        continued += made["sampled"]
    for path in sorted(folder.glob("hc3_*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                (answers if row["label"] == "1" else human).append(row["text"])
    human = [text for text in dict.fromkeys(human) if len(text.split()) >= 60]
    long = [text for text in human if len(text.split()) >= 100]
    return {
        "same": human,
        "one word in a hundred changed": [changed(text, 100) for text in human],
        "a footer of six words": [f"{text}\n\nShare this page with your friends" for text in long],
        "rewritten: one word in four changed": [changed(text, 4) for text in human],
        "answers of models": answers,
        "continued by models": continued,
    }


def changed(text: str, every: int) -> str:
    """The text with one word in so many replaced, at least one."""
    words, dice = text.split(" "), random.Random(len(text))
    for at in range(min(every // 2, len(words) // 2), len(words), every):
        words[at] = "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=6))
    return " ".join(words)


def confusion(folder: Path, scratch: Path, passages: bool = False) -> dict[str, Counter[str]]:
    """For each group how many rows are proven, and how; with passages also how many words are."""
    made = groups(folder)
    old, mixed = scratch / "old.jsonl", scratch / "set.jsonl"
    old.write_text("".join(json.dumps({"text": text, "date": "2019-01-01"}) + "\n" for text in made["same"]))
    rows = [{"text": text, "group": name} for name, texts in made.items() for text in texts]
    mixed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lake = Lake(str(scratch / "lake"))
    ingest(lake, [str(old)], workers=1)
    index(lake, workers=1, passages=passages)
    certify(
        lake, str(mixed), str(scratch / "out"), before="2022-01-01", grade="E", passages=passages, workers=1
    )  # fmt: skip
    table: dict[str, Counter[str]] = {name: Counter() for name in made}
    for line in (scratch / "out" / "set.jsonl").read_text().splitlines():
        row = json.loads(line)
        table[row["group"]][row["proof"]] += 1
        if passages:
            table[row["group"]].update({"words": row["proof_words"], "known words": row["proof_known_words"]})
    return table


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print("| rows | exact | near | none | words in passages |\n| --- | --: | --: | --: | --: |")
        for group, kinds in confusion(Path(sys.argv[1]), Path(name), passages=True).items():
            share = f"{kinds['known words'] / kinds['words']:.1%}"
            print(f"| {group} | {kinds['exact']:,} | {kinds['near']:,} | {kinds['none']:,} | {share} |")
