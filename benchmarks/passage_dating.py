"""How much of what pages say after a date was there before: texts, paragraphs and words, by certify and by brute force.

    python benchmarks/passage_dating.py page-versions.jsonl.gz [--before 2022-01-01] [--draws 2000]

The file holds captured versions of pages as JSON lines (`service`, `path`, `date`, `text`). The versions from before
the date go into a lake, with their dates; the later ones are the data set that is certified. Brute force compares each
later version with all earlier ones: texts and lines as they are, sets of shingles by exact counts of what they share,
and all runs of 15 words. Intervals are 95 % of draws of the services with all their versions.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from processes import machine
from texts import write_records

from archive.intake import ingest
from archive.lake import Lake
from archive.text.normalise import normalise
from index.certify import certify
from index.certify.characters import alike
from index.certify.paragraphs import LEAST
from index.minhash import characters
from index.minhash.kernel import shingle_sets
from index.minhash.procedure import Parameters
from index.neardup import index

RUN, THRESHOLD = 15, 0.8
_TABLE = characters.table()
_FOLDED = (_TABLE & np.uint32(0x1FFFFF)).astype(np.uint32)


def words(text: str) -> list[str]:
    """The words of a text, without the kernels: what is no part of a word becomes a space."""
    points = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)
    folded = np.where(_FOLDED[points] == 0, np.uint32(32), _FOLDED[points])
    alone = (_TABLE[points] & characters.ALONE) != 0
    if alone.any():
        marks = (_TABLE[points] & characters.MARK) != 0
        after = np.concatenate([[False], alone[:-1] & ~marks[1:]])
        folded = np.insert(folded, np.flatnonzero(alone | after), np.uint32(32))
    return folded.astype("<u4").tobytes().decode("utf-32-le").split()


class Near:
    """Finds whether any of some texts has a similarity of 0.8 or more with another, by words and by characters.

    Which shingles two texts share is counted exactly, from a sorted list of all.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        flat, starts = shingle_sets(pa.array(texts, pa.large_string()))
        self.sizes = np.diff(starts)
        order = np.argsort(flat, kind="stable")
        self.shingles, self.owners = flat[order], np.repeat(np.arange(len(texts)), self.sizes)[order]

    def of(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        flat, starts = shingle_sets(pa.array(texts, pa.large_string()))
        found = np.zeros(len(texts), bool)
        for number, (first, last) in enumerate(pairwise(starts.tolist())):
            own = flat[first:last]
            begins, ends = np.searchsorted(self.shingles, own), np.searchsorted(self.shingles, own, "right")
            met = [
                self.owners[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True) if end > begin
            ]
            common = np.bincount(np.concatenate(met), minlength=len(self.texts)) if met else np.zeros(1, np.int64)
            total = self.sizes + len(own) - common if met else np.ones(1, np.int64)
            for other in np.flatnonzero((common > 0) & (common >= THRESHOLD * total - 1e-9)).tolist():
                shared, all_ = alike(texts[number], self.texts[other])
                if shared >= THRESHOLD * all_ - 1e-9:
                    found[number] = True
                    break
        return found


def lines_of(text: str) -> list[str]:
    """The lines that certify judges: those with two shingles, repeated ones counted."""
    return [line for line in text.split("\n") if len(words(line)) >= LEAST + Parameters().words - 1]


def brute_force(early: Sequence[str], late: Sequence[str]) -> list[dict[str, int]]:
    """What of each later text was there, by comparing all."""
    texts = set(early)
    lines = {line for text in early for line in lines_of(text)}
    runs: set[int] = set()
    for text in texts:
        own = words(text)
        runs.update(hash(tuple(own[at : at + RUN])) for at in range(len(own) - RUN + 1))
    distinct = sorted(texts)
    near_text = Near(distinct).of(late)
    wanted = sorted({line for text in late for line in lines_of(text)} - lines)
    near_line = dict(zip(wanted, Near(sorted(lines)).of(wanted).tolist(), strict=True))
    counts = []
    for number, text in enumerate(late):
        own, mine = words(text), lines_of(text)
        known = np.zeros(len(own), bool)
        for at in range(len(own) - RUN + 1):
            if hash(tuple(own[at : at + RUN])) in runs:
                known[at : at + RUN] = True
        exact = text in texts
        counts.append(_counts(
            len(own), exact, bool(near_text[number]) and not exact, len(mine),
            sum(line in lines for line in mine), sum(line not in lines and near_line[line] for line in mine),
            len(own) if exact else int(known.sum()),
        ))  # fmt: skip
    return counts


def _counts(
    all_words: int, exact: bool, near: bool, lines: int, exact_lines: int, near_lines: int, known: int
) -> dict[str, int]:
    return {
        "texts": 1, "texts exact": int(exact), "texts exact or near": int(exact or near),
        "paragraphs": lines, "paragraphs exact": exact_lines, "paragraphs exact or near": exact_lines + near_lines,
        "words": all_words, "words of exact texts": all_words * exact,
        "words of exact or near texts": all_words * (exact or near), "words in passages": known,
    }  # fmt: skip


def certified(lake: str, source: Path, out: Path, before: str) -> list[dict[str, int]]:
    """The same, as `archive certify` has it."""
    certify(lake, source, out, before=before, paragraphs=True, passages=True)
    counts = []
    for line in (out / source.name).read_text().splitlines():
        row = json.loads(line)
        kinds = [part["proof"] for part in row["proof_paragraphs"]]
        counts.append(_counts(row["proof_words"], row["proof"] == "exact", row["proof"] == "near", len(kinds),
                              kinds.count("exact"), kinds.count("near"), row["proof_known_words"]))  # fmt: skip
    return counts


def shares(counts: Sequence[dict[str, int]], services: Sequence[str], draws: int) -> dict[str, list[float]]:
    """Each share with its interval: 95 % of draws of the services."""
    names = list(counts[0])
    by_service: dict[str, npt.NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(names), np.int64))
    for each, service in zip(counts, services, strict=True):
        by_service[service] += np.array([each[name] for name in names])
    sums = np.stack([by_service[service] for service in sorted(by_service)])
    dice = np.random.default_rng(1)
    drawn = np.stack([sums[dice.integers(0, len(sums), len(sums))].sum(axis=0) for _ in range(draws)])
    out = {}
    for name in names:
        whole = name.split()[0]
        if name != whole:
            of, at = names.index(whole), names.index(name)
            low, high = np.percentile(drawn[:, at] / drawn[:, of], [2.5, 97.5])
            out[name] = [round(float(each), 4) for each in (sums[:, at].sum() / sums[:, of].sum(), low, high)]
    return out


def versions(path: Path) -> Iterable[dict[str, Any]]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        yield from map(json.loads, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("source", type=Path)
    parser.add_argument("--before", default="2022-01-01")
    parser.add_argument("--draws", type=int, default=2000)
    given = parser.parse_args()
    rows = list(versions(given.source))
    early = [row for row in rows if row["date"] < given.before]
    late = [row for row in rows if row["date"] >= given.before]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        lake, source = f"{folder}/lake", Path(folder, "late.jsonl")

        def url(row: dict[str, Any]) -> str:
            host, page = (re.sub(r"[^a-z0-9]+", "-", row[key].lower()).strip("-") for key in ("service", "path"))
            return f"https://{host}.example/{page}"

        write_records(
            f"{folder}/early.warc", ((row["text"], row["date"].replace("+00:00", "Z"), url(row)) for row in early)
        )
        ingest(Lake(lake), [f"{folder}/early.warc"])
        index(lake, passages=True)
        source.write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in late))
        started = time.perf_counter()
        ours = certified(lake, source, Path(folder, "out"), given.before)
        seconds = time.perf_counter() - started
    started = time.perf_counter()
    plain = brute_force([normalise(row["text"]) for row in early], [normalise(row["text"]) for row in late])
    services = [row["service"] for row in late]
    differing = {
        name: sum(one[name] != other[name] for one, other in zip(ours, plain, strict=True)) for name in ours[0]
    }
    years = {
        year: shares([each for each, row in zip(ours, late, strict=True) if row["date"][:4] == year],
                     [row["service"] for row in late if row["date"][:4] == year], given.draws)["words in passages"]
        for year in sorted({row["date"][:4] for row in late})
    }  # fmt: skip
    print(json.dumps({
        "machine": machine(), "load": os.getloadavg()[0], "versions before": len(early), "versions after": len(late),
        "pages": len({row["path"] for row in late}), "services": len(set(services)),
        "words after": sum(each["words"] for each in ours),
        "paragraphs after": sum(each["paragraphs"] for each in ours),
        "certify seconds": round(seconds, 1), "brute force seconds": round(time.perf_counter() - started, 1),
        "shares": shares(ours, services, given.draws), "shares by brute force": shares(plain, services, given.draws),
        "versions that differ": differing, "words in passages, by year": years,
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
