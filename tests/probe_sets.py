"""Sets of made texts for `archive probe`: sites have habits of their own, and texts have topics."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from collapse.probe import Probe, ProbeResult, probe

Row = dict[str, Any]
TOPICS = [[f"{letter}{'abcdefghij'[number // 6]}{'uvwxyz'[number % 6]}" for number in range(60)] for letter in
          ("sea", "law", "art", "war")]  # fmt: skip
EVERY = ["the", "of", "and", "to", "in", "is"]
#: Made texts share few words by chance, and every measure is quick with so few divisions.
QUICK = {"divisions": 4}


def rows(seed: int, texts: int = 160, sites: int = 50, name: str = "a", topics: int = 4, words: int = 30) -> list[Row]:
    """Rows whose texts are from so many sites, each with a word that it likes."""
    rng = random.Random(f"{name} {seed}")
    habits = [f"habit{rng.choice('abcdefgh')}" for _ in range(sites)]
    return [
        {"text": _text(rng, habits[row % sites], rng.randrange(topics), words), "url": f"https://{name}{row % sites}.com/{row}"}
        for row in range(texts)
    ]  # fmt: skip


def _text(rng: random.Random, habit: str, topic: int, words: int) -> str:
    every = [*EVERY, habit]
    return " ".join(rng.choice(every) if rng.random() < 0.4 else rng.choice(TOPICS[topic]) for _ in range(words))


def changed(rows: Iterable[Row], **replaced: str) -> list[Row]:
    """The same rows with words in place of others."""
    return [
        {**row, "text": " ".join(replaced.get(word, word) for word in row["text"].split())} for row in rows
    ]  # fmt: skip


def write(path: Path, rows: Iterable[Row]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def of(result: ProbeResult, code: str) -> Probe:
    return next(each for each in result.probes if each.code == code)


def outside(result: ProbeResult) -> set[str]:
    return {each.code for each in result.probes if each.outside}


def compared(folder: Path, a: Iterable[Row], b: Iterable[Row], **options: Any) -> ProbeResult:
    return probe(write(folder / "a.jsonl", a), write(folder / "b.jsonl", b), **{**QUICK, **options})
