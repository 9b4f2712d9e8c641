"""The texts that benchmarks measure with: read from files, cut to one length, or made with edited copies.

Nothing but the standard library up here: interpreters that only have other tools import it as well.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

LENGTH = 1000  # words of a text
COPIES = 5  # every fifth of the texts that are made is a copy
_EDITS = 20  # words changed in a copy at most: 100 of 996 shingles, a similarity of 0.82
_WORD = re.compile(r"\S+\s*")


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
    runs = list(cut(texts, LENGTH // 10))
    out: list[str] = []
    originals: list[str] = []
    for number in range(count):
        if number % COPIES == COPIES - 1:
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
