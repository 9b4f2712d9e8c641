"""Speed of MinHash signatures, ours and other tools' on the same texts.

    python benchmarks/minhash.py SOURCE... [--peers PYTHON] [--texts N] [--slow N] [--rounds N]

SOURCE is a file of JSON lines (.gz too) with a `text`, or a folder of HTML pages (*.html.gz).
PYTHON is an interpreter that has the other tools; one that is not installed there is passed over and named:

    python -m venv peers && peers/bin/pip install 'datatrove[io,processing]' spacy rensa datasketch text-dedup

Cuts the source into texts of 1,000 words (those of short texts run on) and tells how many a second each tool signs on
one core, from Python strings, with 112 hashes of 5 words; then what the processor and the memory would allow.
Each measurement has a process of its own, bound to one core; of several rounds the fastest counts. The tables are
Markdown, for docs/benchmarks.md; --json keeps all numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from corpus import LENGTH, cut, described, source, spread
from processes import Result, arguments, machine, main, package_version, step

# Nothing but the standard library up here: the interpreter of the other tools runs this file as well.

HASHES = 112
_BATCH = 256  # texts that we sign at a time


def normal_and_sign(texts: list[str]) -> Callable[[], object]:
    from index.minhash.kernel import sign
    from index.minhash.normalise import normal_forms

    def run() -> None:
        for first in range(0, len(texts), _BATCH):
            sign(normal_forms(texts[first : first + _BATCH]))

    return run


def normal(texts: list[str]) -> Callable[[], object]:
    from index.minhash.normalise import normal_forms

    return lambda: normal_forms(texts)


def kernel(texts: list[str]) -> Callable[[], object]:
    import pyarrow as pa

    from archive.text.normalise import normalise
    from index.minhash.kernel import sign

    array = pa.array([normalise(text) for text in texts], pa.large_string())
    return lambda: sign(array)


def datatrove_sign(texts: list[str]) -> Callable[[], object]:
    """Stage 1 of datatrove's MinHash in its defaults, which are 5 words, 14 buckets, 8 hashes; it writes to disk."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupSignature

    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]

    def run() -> None:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            MinhashDedupSignature(folder).run(iter(documents))

    return run


def grams(text: str) -> list[str]:
    """Five words joined, the fastest way in Python; for the tools that take ready shingles."""
    words = text.split()
    return list(map(" ".join, zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)))


def shingles(texts: list[str]) -> Callable[[], object]:
    return lambda: [len(grams(text)) for text in texts]


def rensa_r(texts: list[str]) -> Callable[[], object]:
    from rensa import RMinHash

    return lambda: RMinHash.from_token_sets((grams(text) for text in texts), num_perm=HASHES, seed=1)


def rensa_rho(texts: list[str]) -> Callable[[], object]:
    from rensa import RMinHash

    return lambda: RMinHash.digest_matrix_from_token_sets_rho(map(grams, texts), num_perm=HASHES, seed=1)


def rensa_c(texts: list[str]) -> Callable[[], object]:
    from rensa import CMinHash

    return lambda: CMinHash.from_token_sets((grams(text) for text in texts), num_perm=HASHES, seed=1)


def rensa_words(texts: list[str]) -> Callable[[], object]:
    from rensa import RMinHash

    return lambda: RMinHash.from_token_sets((text.split() for text in texts), num_perm=HASHES, seed=1)


def rensa_ready(texts: list[str]) -> Callable[[], object]:
    from rensa import RMinHash

    ready = [grams(text) for text in texts]
    return lambda: RMinHash.from_token_sets(ready, num_perm=HASHES, seed=1)


def datasketch_sign(texts: list[str]) -> Callable[[], object]:
    from datasketch import MinHash

    return lambda: MinHash.bulk(([gram.encode() for gram in grams(text)] for text in texts), num_perm=HASHES)


@dataclass(frozen=True, slots=True)
class Signer:
    label: str
    package: str  #: that it is made with; "" for ours
    prepare: Callable[[list[str]], Callable[[], object]]


SIGNERS = {
    "ours": Signer("ours, from raw text: normal form, Arrow, kernel", "", normal_and_sign),
    "normal": Signer("… the normal form alone", "", normal),
    "kernel": Signer("… the kernel alone, on texts in normal form", "", kernel),
    "datatrove": Signer("stage 1 of MinHash, to disk", "datatrove", datatrove_sign),
    "datasketch": Signer("MinHash", "datasketch", datasketch_sign),
    "rensa-c": Signer("C-MinHash", "rensa", rensa_c),
    "rensa-r": Signer("R-MinHash", "rensa", rensa_r),
    "rensa-rho": Signer("rho sketch (a sample of the shingles)", "rensa", rensa_rho),
    "rensa-words": Signer("R-MinHash of single words, as its manual has it", "rensa", rensa_words),
    "rensa-ready": Signer("R-MinHash of ready shingles", "rensa", rensa_ready),
    "shingles": Signer("(making these shingles in Python, alone)", "", shingles),
}

SIGNATURE_NOTES = """\
- All make 112 hashes a text. What a shingle is differs: ours and datatrove's are 5 words without case and punctuation
  (datatrove's tokenizer is spaCy's, and it makes all numbers 0); datasketch and rensa have none of their own and got
  5 words between white space as they stand, joined in Python.
- datatrove also writes the signatures to disk, sorts and reads them back; the others, ours too, keep them in memory.
- datasketch hashes shingles with SHA-1, its default. rensa's R-MinHash is fast similarity sketching, no MinHash of 112
  permutations, and its rho sketch takes a sample of the shingles.
"""


def step_sign(name: str, path: str, rounds: str) -> Result:
    """In a process of its own: the fastest of some rounds, after one with a few texts."""
    signer, texts = SIGNERS[name], json.loads(Path(path).read_text())
    signer.prepare(texts[:20])()
    run, seconds = signer.prepare(texts), []
    for _ in range(int(rounds)):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return {"texts": len(texts), "best": min(seconds), "all": seconds, "version": package_version(signer.package)}


def step_limits(path: str) -> Result:
    """How fast the permutations alone can go, and how fast memory delivers bytes."""
    import numpy as np
    import pyarrow as pa

    from archive.text.normalise import normalise
    from index.minhash import kernel, procedure

    texts = pa.array([normalise(text) for text in json.loads(Path(path).read_text())], pa.large_string())
    _, counts = kernel.sign(texts)
    ready, _ = kernel.shingle_sets(texts)
    factors, summands = (np.array(drawn, np.uint32) for drawn in procedure.permutations(HASHES))
    low, signature = np.empty(HASHES, np.uint32), np.empty(HASHES, np.uint16)
    large = np.random.default_rng(1).integers(0, 9, 1 << 26)
    copy = np.ones_like(large)

    def best(run: Callable[[], object]) -> float:
        def once() -> float:
            started = time.perf_counter()
            run()
            return time.perf_counter() - started

        once()
        return min(once() for _ in range(5))

    # all shingles as if they were one text: no start and no end but one
    permuting = best(lambda: kernel._sign(ready, len(ready), factors, summands, low, signature))
    return {
        "shingles": float(counts.mean()),
        "bytes": texts.nbytes / len(texts),
        "steps_per_second": len(ready) * HASHES / permuting,
        "read_bytes_per_second": large.nbytes / best(large.sum),
        "copied_bytes_per_second": large.nbytes / best(lambda: np.copyto(copy, large)),
    }


def signatures(args: argparse.Namespace) -> Result:
    texts = spread(list(cut((text for text, _ in source(args.source)), LENGTH)), args.texts)
    few = spread(texts, args.slow)
    results: Result = {"machine": machine(), "texts": described(texts)}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        files = {}
        for name, chosen in (("all", texts), ("few", few)):
            files[name] = f"{folder}/{name}.json"
            Path(files[name]).write_text(json.dumps(chosen))
        for name, signer in SIGNERS.items():
            python = args.peers if signer.package else sys.executable
            file = files["few" if name == "datatrove" else "all"]
            results[name] = step(python, "sign", name, file, str(args.rounds))
        limits = results["limits"] = step(sys.executable, "limits", files["all"])

    def rate(name: str) -> float:
        return float(results[name]["texts"] / results[name]["best"])

    print(f"{results['machine']}. {results['texts']}. datatrove got {len(few):,} of them.\n")
    print("| one core | signatures/s | µs a text | ours to it |\n| --- | --: | --: | --: |")
    for name, signer in SIGNERS.items():
        label, error = signer.label, results[name].get("error")
        if signer.package:
            label = " ".join(filter(None, (signer.package, results[name].get("version")))) + f": {label}"
        if error:
            print(f"| {label} | {error} | | |")
            continue
        times = f"{rate('ours') / rate(name):.1f}×" if signer.package else ""
        print(f"| {label} | {rate(name):,.0f} | {1e6 / rate(name):,.0f} | {times} |")
    print(f"\n{SIGNATURE_NOTES}")
    steps, read, copied = (limits[f"{name}_per_second"] for name in ("steps", "read_bytes", "copied_bytes"))
    rows = (
        (f"permutations alone: {steps / 1e9:.1f} G multiply-add-min/s", steps / limits["shingles"] / HASHES),
        (f"memory, read (NumPy's sum): {read / 1e9:.1f} GB/s", read / limits["bytes"]),
        (f"memory, copied (NumPy's copyto): {copied / 1e9:.1f} GB/s", copied / limits["bytes"]),
    )
    print("| what one core allows | texts/s | the kernel reaches | from raw text |\n| --- | --: | --: | --: |")
    for label, most in rows:
        print(f"| {label} | {most:,.0f} | {rate('kernel') / most:.1%} | {rate('ours') / most:.1%} |")
    print(f"\nA text has {limits['shingles']:,.0f} shingles and {limits['bytes']:,.0f} bytes on average.")
    return results


if __name__ == "__main__":
    parser = arguments(__doc__, texts=2000, rounds=5)
    parser.add_argument("--slow", type=int, default=300, help="texts for datatrove")
    main(parser, signatures, {"sign": step_sign, "limits": step_limits})
