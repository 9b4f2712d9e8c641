"""Train the classifier of `archive/text/content` and write its weights.

    python benchmarks/train_extraction.py --trafilatura FOLDER --articles FOLDER --readability FOLDER --pages FOLDER

The folders are the evaluation set of trafilatura, of which only the half counts that `is_held_out` leaves; a checkout
of scrapinghub/article-extraction-benchmark; of mozilla/readability; and of the web content extraction benchmark of
Murrough Foley (`benchmark/ground-truth` and `release/html`), whose texts were written down by a language model and
checked by people. None of the four is needed to use the weights, and nothing of them is in this project. It needs
torch.

A segment is text of the page if its words are in the gold text: as a line, in one piece, or half of its runs of four
words. A short one must also be next to such a segment. Of trafilatura's pages only the segments count that have a
gold string.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from extraction import Gold, articles, is_held_out, segments
from numpy.typing import NDArray
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree
from torch import nn

import archive.text.content.model as model
from archive.text.charset import decode
from archive.text.content.features import measure
from archive.text.content.segments import segments_of
from archive.text.extract import title_of

_WORD = re.compile(r"\w+")
#: How much a page of each set counts. Those of trafilatura have few segments that are known.
_COUNTS = {"trafilatura": 3.0, "articles": 1.5, "readability": 0.7, "pages": 1.0}
#: The set whose idea of main content the weights follow; each set has its own constant.
_LIKE = "trafilatura"
_LONGEST = 450  #: segments of a page that are used


@dataclass(slots=True)
class Example:
    """A page: what is measured of its segments, which of them are text (NaN where that is not known)."""

    of: str
    rows: NDArray[np.int16]
    truth: NDArray[np.float64]
    weight: NDArray[np.float64]


def readability(folder: Path) -> Iterator[Gold]:
    """Yield the pages of readability's tests."""
    for page in sorted((folder / "test" / "test-pages").iterdir()):
        html, _ = decode((page / "source.html").read_bytes(), "text/html")
        wanted = (page / "expected.html").read_text()
        yield Gold(page.name, html, text=extract_plain_text(wanted, alt_texts=False, list_bullets=False))


def pages(folder: Path) -> Iterator[Gold]:
    """Yield the pages of the web content extraction benchmark."""
    for path in sorted((folder / "benchmark" / "ground-truth").glob("*.json")):
        html = folder / "release" / "html" / f"{path.stem}.html.gz"
        if html.exists():
            text = json.loads(path.read_text())["ground_truth"].get("main_content") or ""
            yield Gold(path.stem, decode(gzip.decompress(html.read_bytes()), "text/html")[0], text=text)


def example(of: str, gold: Gold) -> Example | None:
    """Measure a page; None where its gold text is not to be found in it."""
    tree = HTMLTree.parse(gold.html)
    found = segments_of(tree.body.html if tree.body else "")
    if not found.texts:
        return None
    measured = measure(found, title_of(tree.title) or "", gold.html)
    truth = by_strings(found.texts, gold) if of == "trafilatura" else by_text(found.texts, gold.text)
    if of != "trafilatura":
        there = sum(len(text) for text, known in zip(found.texts, truth, strict=True) if known == 1)
        if len(gold.text) <= 100 or there <= len(gold.text) / 2:
            return None
    weight = np.log2(measured.weight + 1) * ~np.isnan(truth)
    return Example(of, measured.rows.astype(np.int16), np.nan_to_num(truth), weight)


def by_strings(texts: list[str], gold: Gold) -> NDArray[np.float64]:
    """Return 1 for a segment with a string that the text must have, 0 for one with a string that it must not have."""
    truth = np.full(len(texts), np.nan)
    for at, text in enumerate(" ".join(each.split()) for each in texts):
        wanted, unwanted = (any(string in text for string in group) for group in (gold.wanted, gold.unwanted))
        if wanted != unwanted:
            truth[at] = wanted
    return truth


def by_text(texts: list[str], gold: str) -> NDArray[np.float64]:
    """Return which segments are in a gold text; NaN for one without words."""
    whole = f" {_words(gold)} "
    lines = {_words(line) for line in gold.split("\n")} - {""}
    runs = _runs(whole.split())
    plain = [_words(text) for text in texts]
    truth = np.array([0.0 if text else np.nan for text in plain])
    for at, text in enumerate(plain):
        if text in lines or (len(text) > 25 and (f" {text} " in whole or (" " not in text and text in whole))):
            truth[at] = 1
        elif len(text) > 25 and (own := _runs(text.split())):
            truth[at] = len(own & runs) > len(own) / 2
    for order in (range(1, len(plain)), range(len(plain) - 2, -1, -1)):
        step = order.step
        for at in order:
            if plain[at] and len(plain[at]) <= 25 and truth[at - step] == 1 and f" {plain[at]} " in whole:
                truth[at] = 1
    return truth


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    return set(zip(words, words[1:], words[2:], words[3:], strict=False))


class Network(nn.Module):  # type: ignore[misc]
    """`archive.text.content.model.Model`, with fractions."""

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(columns, width)
        self.second = nn.Conv1d(width, width, 2 * model.NEAR + 1, padding=model.NEAR)
        self.last = nn.Linear(2 * width, 1)
        self.set = nn.Parameter(torch.zeros(len(_COUNTS)))
        self.blind, self.dim = nn.Dropout(0.05), nn.Dropout(0.15)

    def forward(self, rows: torch.Tensor, sets: torch.Tensor) -> torch.Tensor:
        one = self.dim(torch.relu(self.first(self.blind(rows))))
        two = self.dim(torch.relu(self.second(one.transpose(1, 2)).transpose(1, 2)))
        scores: torch.Tensor = self.last(torch.cat([one, two], -1)).squeeze(-1)
        return scores + self.set[sets][:, None]


def train(examples: list[Example], epochs: int, width: int, seed: int) -> dict[str, list[list[int]]]:
    """Train a network and return its weights as whole numbers."""
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    rows = np.concatenate([each.rows for each in examples]).astype(np.float32)
    mean, deviation = rows.mean(0), rows.std(0) + 1e-3
    network = Network(rows.shape[1], width)
    names, at_once = list(_COUNTS), 16
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    batches = len(examples) // at_once + 1
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=epochs * batches + 1)
    for epoch in range(epochs):
        sizes = [len(each.rows) + chance.normal() * 60 for each in examples]
        order = np.argsort(sizes)  # pages of one size share a batch
        total = 0.0
        for at in chance.permutation(range(0, len(order), at_once)):
            chosen = [examples[each] for each in order[at : at + at_once]]
            longest = min(max(len(each.rows) for each in chosen), _LONGEST)
            x = torch.zeros(len(chosen), longest, rows.shape[1])
            y, w = torch.zeros(len(chosen), longest), torch.zeros(len(chosen), longest)
            for number, each in enumerate(chosen):
                size = min(longest, len(each.rows))
                x[number, :size] = torch.from_numpy((each.rows[:size] - mean) / deviation)
                y[number, :size] = torch.from_numpy(each.truth[:size])
                w[number, :size] = torch.from_numpy(each.weight[:size])
            w = w / (w.sum(1, keepdim=True) + 20) * torch.tensor([_COUNTS[each.of] for each in chosen])[:, None]
            scores = network(x, torch.tensor([names.index(each.of) for each in chosen]))
            loss = (nn.functional.binary_cross_entropy_with_logits(scores, y, reduction="none") * w).sum() / len(chosen)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / batches:.4f}", flush=True)
    return _whole(network, mean, deviation)


def _whole(network: Network, mean: Any, deviation: Any) -> dict[str, list[list[int]]]:
    """Return the weights of a network as `Model` has them. The scale of the columns becomes part of the first layer."""
    of = {name: each.detach().numpy().astype(float) for name, each in network.named_parameters()}
    first = of["first.weight"] / deviation
    kernel = of["second.weight"]
    both = model.WEIGHT * model.RESULT
    layers = {
        "first": (first.T, of["first.bias"] - first @ mean, model.WEIGHT),
        "second": (np.concatenate([kernel[:, :, at].T for at in range(kernel.shape[2])]), of["second.bias"], both),
        "last": (of["last.weight"].T, of["last.bias"] + of["set"][list(_COUNTS).index(_LIKE)], both),
    }
    return {
        name: np.rint(np.vstack([weights * model.WEIGHT, added * scale])).astype(int).tolist()
        for name, (weights, added, scale) in layers.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in _COUNTS:
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(model.__file__).with_name("weights.json"))
    args = parser.parse_args()
    read = {
        "trafilatura": [gold for gold in segments(args.trafilatura) if not is_held_out(gold.name)],
        "articles": articles(args.articles),
        "readability": readability(args.readability),
        "pages": pages(args.pages),
    }
    examples = [made for of, golds in read.items() for gold in golds if (made := example(of, gold))]
    print({of: sum(each.of == of for each in examples) for of in _COUNTS}, flush=True)
    weights = train(examples, args.epochs, args.width, args.seed)
    rows = (f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in layer) + "\n]" for name, layer in weights.items())
    args.out.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
