"""The index of passages, and a suffix array of the same texts: bytes, time, memory, questions a second.

    python benchmarks/passages.py SOURCE... [--peers PYTHON] [--texts N] [--rounds N]

SOURCE is a file of JSON lines (.gz too) with a `text`, or a folder of HTML pages (*.html.gz). PYTHON is an interpreter
that has pydivsufsort. With --texts so many are made from the source, of which every fifth is an edited copy.

The questions are texts of 500 words that nobody wrote, each with a quote of 15 to 60 words of a text of the lake, and
edited copies of texts of the lake. Both must find the same words. Each measurement has a process of its own, bound to
one core. Times are processor time: the machine may be shared.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from corpus import described, made, source
from processes import Result, arguments, machine, main, package_version, step
from texts import write_records

# Nothing but the standard library up here: the interpreter of the suffix array runs this file as well.

_START = date(2013, 1, 1)
_RUN = 15
_QUOTES, _COPIES = 200, 50


def step_ours(location: str) -> Result:
    """The stage, on a lake that has texts."""
    from archive.engine import open_engine
    from archive.lake import Lake
    from index import stage
    from index.passages import ready as _ready  # noqa: F401
    from index.passages import segments
    from index.passages.stage import Passages

    lake, started = Lake(location), time.process_time()
    texts = stage.run(Passages(), lake, open_engine(1))
    seconds = time.process_time() - started
    files = segments.files(lake)
    keys = lake.read("passages", ["key"])["key"]
    return {
        "texts": texts, "build_seconds": seconds, "bytes": sum(file.size for file in files), "files": len(files),
        "fingerprints": len(keys) - keys.null_count,
    }  # fmt: skip


def step_questions(location: str, questions: str) -> Result:
    """Questions to the index, one after the other."""
    from archive.lake import Lake
    from index.passages import ready as _ready  # noqa: F401
    from index.passages.find import PassageIndex

    asked = json.loads(Path(questions).read_text())
    started = time.process_time()
    with PassageIndex(Lake(location)) as index:
        opened = time.process_time() - started
        seconds, known, complete = [], 0, 0
        for text in asked:
            started = time.process_time()
            found = index.find(text)
            seconds.append(time.process_time() - started)
            known += found.known_words
            complete += found.is_complete
    warm = seconds[_QUOTES // 10 : _QUOTES]
    return {
        "open_seconds": opened, "first_seconds": seconds[0], "quote_seconds": sum(warm) / len(warm),
        "slowest_seconds": max(warm), "copy_seconds": sum(seconds[_QUOTES:]) / _COPIES, "known": known,
        "complete": complete / len(asked),
    }  # fmt: skip


def step_suffixes(folder: str) -> Result:
    """A suffix array over words: that over the bytes of their numbers, at the first byte of each."""
    import numpy as np
    from pydivsufsort import divsufsort

    words = np.fromfile(f"{folder}/words", ">u4")
    started = time.process_time()
    suffixes = divsufsort(words.view(np.uint8).copy())
    suffixes = (suffixes[suffixes % 4 == 0] // 4).astype(np.uint32)
    seconds = time.process_time() - started
    suffixes.tofile(f"{folder}/suffixes")
    return {
        "build_seconds": seconds, "bytes": suffixes.nbytes + words.nbytes, "version": package_version("pydivsufsort"),
    }  # fmt: skip


def step_runs(folder: str) -> Result:
    """All runs of 15 words of the questions, looked up in the suffix array by binary search."""
    import numba
    import numpy as np

    words = np.fromfile(f"{folder}/words", ">u4").astype(np.uint32)
    suffixes = np.fromfile(f"{folder}/suffixes", np.uint32)

    @numba.njit
    def known(words, suffixes, asked, covered):  # type: ignore[no-untyped-def]
        for first in range(asked.size - _RUN + 1):
            low, high, equal = 0, suffixes.size, False
            while low < high and not equal:
                middle = (low + high) // 2
                at, order = suffixes[middle], 0
                for offset in range(_RUN):
                    if at + offset >= words.size:
                        order = -1
                    elif words[at + offset] != asked[first + offset]:
                        order = -1 if words[at + offset] < asked[first + offset] else 1
                    if order:
                        break
                if order == 0:
                    equal = True
                elif order < 0:
                    low = middle + 1
                else:
                    high = middle
            if equal:
                covered[first : first + _RUN] = True

    asked = [np.array(each, np.uint32) for each in json.loads(Path(folder, "numbers").read_text())]
    known(words, suffixes, asked[0], np.zeros(len(asked[0]), np.bool_))
    total, seconds = 0, []
    for each in asked:
        covered = np.zeros(len(each), np.bool_)
        started = time.process_time()
        known(words, suffixes, each, covered)
        seconds.append(time.process_time() - started)
        total += int(covered.sum())
    warm = seconds[_QUOTES // 10 : _QUOTES]
    return {
        "quote_seconds": sum(warm) / len(warm), "copy_seconds": sum(seconds[_QUOTES:]) / _COPIES, "known": total,
    }  # fmt: skip


def questions(texts: Sequence[str]) -> list[str]:
    """Texts of words in no order, each with a quote; then edited copies."""
    dice, out = random.Random(2), []
    for _ in range(_QUOTES):
        text = dice.choice(texts).split()
        first = dice.randint(0, max(len(text) - 60, 0))
        quote = text[first : first + dice.randint(_RUN, 60)]
        filler = [dice.choice(dice.choice(texts).split() or [""]) for _ in range(500 - len(quote))]
        at = dice.randint(0, len(filler))
        out.append(" ".join([*filler[:at], *quote, *filler[at:]]))
    for _ in range(_COPIES):
        text = dice.choice(texts).split()
        for _ in range(len(text) // 40):
            text[dice.randrange(len(text))] = dice.choice(text)
        out.append(" ".join(text))
    return out


def numbered(texts: Sequence[str], asked: Sequence[str], folder: str) -> int:
    """Write the words of texts as numbers, with a number of its own behind each text; return how many words."""
    import numpy as np

    from index.passages.kernel import words_of

    def hashes(text: str):  # type: ignore[no-untyped-def]
        return words_of(np.frombuffer(text.encode(), np.uint8)).hashes

    own = [hashes(text) for text in texts]
    known = np.unique(np.concatenate(own))
    parts, count = [], 0
    for number, each in enumerate(own):
        parts += [np.searchsorted(known, each), np.array([len(known) + 1 + number])]
        count += len(each)
    np.concatenate(parts).astype(">u4").tofile(f"{folder}/words")
    unknown = len(known) + len(texts) + 2
    numbers = []
    for text in asked:
        each = hashes(text)
        at = np.minimum(np.searchsorted(known, each), len(known) - 1)
        numbers.append(np.where(known[at] == each, at, unknown).tolist())
    Path(folder, "numbers").write_text(json.dumps(numbers))
    return count


def measure(args: argparse.Namespace) -> Result:
    from archive.intake import ingest
    from archive.lake import Lake
    from archive.text.normalise import normalise

    read = [normalise(text) for text, _ in source(args.source)]
    texts = [normalise(text) for text in (made(read, args.texts) if args.texts else read)]
    texts = list(dict.fromkeys(text for text in texts if text))
    results: Result = {"machine": machine(), "texts": described(texts)}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        days = ((_START + timedelta(days=number % 3000)).isoformat() for number in range(len(texts)))
        rows = ((text, day, f"https://{number}.example/") for number, (text, day) in enumerate(zip(texts, days)))  # noqa: B905
        write_records(f"{folder}/captures.warc", rows)
        ingest(Lake(f"{folder}/lake"), [f"{folder}/captures.warc"], workers=1)
        asked = questions(texts)
        Path(folder, "questions.json").write_text(json.dumps(asked))
        results["words"] = numbered(texts, asked, folder)
        results["ours"] = step(sys.executable, "ours", f"{folder}/lake")
        results["questions"] = step(sys.executable, "questions", f"{folder}/lake", f"{folder}/questions.json")
        results["suffix array"] = step(args.peers, "suffixes", folder)
        if "error" not in results["suffix array"]:
            results["suffix array, questions"] = step(sys.executable, "runs", folder)
    count = results["words"]
    print(f"{results['machine']}. {results['texts']}; {count:,} words\n")
    for name in ("ours", "suffix array"):
        if "error" in results[name]:
            print(f"{name}: {results[name]['error']}")
            continue
        size, seconds = results[name]["bytes"] / count, results[name]["build_seconds"]
        print(f"{name}: {size:.2f} bytes a word, {count / seconds:,.0f} words/s, {results[name]['peak_mb']:,.0f} MB")
    for name in ("questions", "suffix array, questions"):
        print(name, {key: round(value, 4) for key, value in results.get(name, {}).items() if key != "output"})
    return results


if __name__ == "__main__":
    main(arguments(__doc__, texts=0, rounds=1), measure, {
        "ours": step_ours, "questions": step_questions, "suffixes": step_suffixes, "runs": step_runs,
    })  # fmt: skip
