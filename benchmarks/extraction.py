"""How well, and how fast, text is taken from gold pages, by extractor and by the parts that are kept.

    python benchmarks/extraction.py --segments FOLDER --articles FOLDER --fundus FOLDER [--pages N] [--json OUT]

There are three kinds of gold, each optional:

- `--segments`: `evaldata.json` and pages as `*.html.gz`, in the form of trafilatura's evaluation: for each page,
  strings that the text must have (`with`) and must not have (`without`). The score is that evaluation's, over all
  strings, with white space made equal. Half of the pages trained our classifier (`is_held_out`); the table has both
  halves and the whole.
- `--fundus`: news articles with their bodies, in the form of fundus' tests. Nothing was tuned on them.
- `--articles`: scrapinghub's article-extraction-benchmark (`ground-truth.json`, `html/`). All of it trained our
  classifier.

The score of the last two: words of a page that are in its gold body, each as often as it is there (an ideogram is a
word). Precision and recall are means over pages; F1 is made of these two means. The intervals are 95 % of 1,000 draws
of the pages. Time is processor time, of one process.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from resiliparse.extract.html2text import extract_plain_text

from archive.text.charset import decode
from archive.text.content.parts import PARTS
from archive.text.extract import from_html
from archive.text.normalise import normalise

Extract = Callable[[str], str]
Counts = NDArray[np.float64]

#: A word; an ideogram is one by itself.
_WORD = re.compile("[\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff]|[^\\W\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff]+")
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Gold:
    """A page with what its text must have and must not have, or with its text."""

    name: str
    html: str
    wanted: list[str] = field(default_factory=list)
    unwanted: list[str] = field(default_factory=list)
    text: str = ""


def is_held_out(name: str) -> bool:
    """Whether a page of trafilatura's set, by the name of its file, had no part in training."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


def segments(folder: Path) -> Iterator[Gold]:
    """Yield pages with strings that their text must have and must not have."""
    for entry in json.loads((folder / "evaldata.json").read_text()).values():
        path = folder / f"{entry['file']}.gz"
        if path.exists():
            html, _ = decode(gzip.decompress(path.read_bytes()), "text/html")
            wanted, unwanted = ([_plain(each) for each in entry.get(key, [])] for key in ("with", "without"))
            yield Gold(entry["file"], html, wanted, unwanted)


def articles(folder: Path) -> Iterator[Gold]:
    """Yield the pages of article-extraction-benchmark."""
    for name, entry in json.loads((folder / "ground-truth.json").read_text()).items():
        html, _ = decode(gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()), "text/html")
        yield Gold(name, html, text=entry["articleBody"])


def fundus(folder: Path) -> Iterator[Gold]:
    """Yield the pages of fundus' tests. A page has that body of its publisher of which most words are on it."""
    for path in sorted(folder.glob("*.html.gz")):
        html, _ = decode(gzip.decompress(path.read_bytes()), "text/html")
        stated = folder / f"{path.name.split('_')[0]}.json"
        if not stated.exists():
            continue
        bodies = [
            "\n".join(_strings(each["body"])) for each in json.loads(stated.read_text()).values() if each.get("body")
        ]
        if bodies:
            there = words(extract_plain_text(html))
            shares = [(words(body) & there).total() / max(words(body).total(), 1) for body in bodies]
            yield Gold(path.name, html, text=bodies[shares.index(max(shares))])


def _strings(body: Any) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, list):
        for each in body:
            yield from _strings(each)
    elif isinstance(body, dict):
        for key in ("summary", "headline", "paragraphs", "sections"):
            yield from _strings(body.get(key, ""))


def words(text: str) -> Counter[str]:
    """Count the words of a text."""
    return Counter(_WORD.findall(text.lower()))


def _plain(text: str) -> str:
    return " ".join(text.split())


def counts(gold: Gold, text: str) -> tuple[float, float, float]:
    """Return how much of a text is right, wrong and missing."""
    if gold.text:
        own, wanted = words(text), words(gold.text)
        right = (own & wanted).total()
        return right, own.total() - right, wanted.total() - right
    text = _plain(text)
    found = sum(each in text for each in gold.wanted)
    return found, sum(each in text for each in gold.unwanted), len(gold.wanted) - found


def scores(of: Counts, by_page: bool) -> tuple[float, float, float]:
    """Return F1, precision and recall of pages, from a row for each: right, wrong, missing."""
    right, wrong, missing = of.T if by_page else of.sum(0)[:, None]
    precision = float(np.mean(right / np.maximum(right + wrong, 1)))
    recall = float(np.mean(right / np.maximum(right + missing, 1)))
    return 2 * precision * recall / (precision + recall or 1), precision, recall


def measure(golds: list[Gold], extract: Extract) -> dict[str, Any]:
    """Return the scores of an extractor, with intervals."""
    return results_of(golds, extract, {"": golds})[""]


def results_of(golds: list[Gold], extract: Extract, groups: dict[str, list[Gold]]) -> dict[str, dict[str, Any]]:
    """Return the scores of an extractor for groups of pages, with intervals. Each page is extracted once."""
    started = time.process_time()
    texts = [extract(gold.html) for gold in golds]
    speed = len(golds) / (time.process_time() - started)
    of = {gold.name: (*counts(gold, text), not text) for gold, text in zip(golds, texts, strict=True)}
    return {
        title: _result(np.array([of[gold.name] for gold in group]), bool(golds[0].text), speed)
        for title, group in groups.items()
    }


def _result(of: Counts, by_page: bool, speed: float) -> dict[str, Any]:
    chance = np.random.default_rng(0)
    draws = [scores(of[chance.integers(0, len(of), len(of)), :3], by_page) for _ in range(_DRAWS)]
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    result: dict[str, Any] = {"empty": int(of[:, 3].sum()), "pages_per_second": speed}
    for at, (name, value) in enumerate(zip(("f1", "precision", "recall"), scores(of[:, :3], by_page), strict=True)):
        result[name] = (value, float(low[at]), float(high[at]))
    return result


def extractors(ablation: bool) -> Iterator[tuple[str, Extract]]:
    """Yield what is compared, by name."""

    def by_resiliparse(html: str, **options: Any) -> str:
        return normalise(extract_plain_text(html, list_bullets=False, alt_texts=False, **options))

    def ours(html: str, keep: frozenset[str] = frozenset()) -> str:
        return from_html(html, keep).text

    yield "ours", ours
    yield "Resiliparse, main content", partial(by_resiliparse, main_content=True)
    yield "… without comments", partial(by_resiliparse, main_content=True, comments=False)
    yield "Resiliparse, all text", by_resiliparse
    try:
        from trafilatura import extract
    except ImportError as error:
        print(f"without trafilatura: {error}")
    else:
        yield "trafilatura", lambda html: extract(html) or ""
        yield "trafilatura, fast, no comments", lambda html: extract(html, fast=True, include_comments=False) or ""
    if ablation:
        for part in PARTS:
            yield f"ours, keeping {part}", partial(ours, keep=frozenset([part]))
        yield "ours, keeping all parts", partial(ours, keep=frozenset(PARTS))


def compare(golds: list[Gold], groups: dict[str, list[Gold]], ablation: bool) -> dict[str, dict[str, Any]]:
    """Print a table for each group of pages, and return what is in them."""
    results: dict[str, dict[str, Any]] = {title: {} for title in groups}
    for name, extract in extractors(ablation):
        for title, result in results_of(golds, extract, groups).items():
            results[title][name] = result
    for title, of_extractor in results.items():
        print(f"\n{title}: {len(groups[title])} pages\n\n| extractor | F1 | precision | recall | empty | pages/s |")
        print("|---|--:|--:|--:|--:|--:|")
        for name, result in of_extractor.items():
            cells = [
                f"{value:.3f} ({low:.3f}–{high:.3f})"
                for value, low, high in map(result.get, ("f1", "precision", "recall"))
            ]
            print(
                f"| {name} | {' | '.join(cells)} | {result['empty']} | {result['pages_per_second']:.0f} |", flush=True
            )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--segments", type=Path)
    parser.add_argument("--articles", type=Path)
    parser.add_argument("--fundus", type=Path)
    parser.add_argument("--pages", type=int, help="of each set")
    parser.add_argument("--ablation", action="store_true", help="also each part kept, one at a time")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    results: dict[str, Any] = {}
    if args.segments:
        golds = list(segments(args.segments))[: args.pages]
        groups = {"held out": [gold for gold in golds if is_held_out(gold.name)]}
        groups |= {"trained on": [gold for gold in golds if not is_held_out(gold.name)], "both halves": golds}
        results |= compare(golds, {f"segments, {title}": group for title, group in groups.items()}, args.ablation)
    for title, read, folder in (("fundus", fundus, args.fundus), ("articles, trained on", articles, args.articles)):
        if folder:
            golds = list(read(folder))[: args.pages]
            results |= compare(golds, {title: golds}, args.ablation)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
