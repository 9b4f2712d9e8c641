"""How far the presets agree with datatrove's own filters on the same texts, why not always, and how fast both are.

    python benchmarks/quality.py SOURCE … --peers PYTHON [--texts N] [--english] [--json OUT]

SOURCE is a lake, or as in benchmarks/corpus.py: folders of pages, or JSON lines with `text`. PYTHON is an
interpreter that has datatrove with its `processing` extra; this file runs there too (`--theirs`), and imports
nothing of the project then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: What we call a reason of datatrove's.
REASONS = {
    "empty": "empty",
    "dup_para_frac": "gopher_dup_paragraphs",
    "dup_para_char_frac": "gopher_dup_paragraph_chars",
    "dup_line_frac": "gopher_dup_lines",
    "dup_line_char_frac": "gopher_dup_line_chars",
    **{f"top_{size}_gram": f"gopher_top_{size}_gram" for size in (2, 3, 4)},
    **{f"duplicated_{size}_n_grams": f"gopher_dup_{size}_grams" for size in range(5, 11)},
    "gopher_short_doc": "gopher_short",
    "gopher_long_doc": "gopher_long",
    "gopher_below_avg_threshold": "gopher_short_words",
    "gopher_above_avg_threshold": "gopher_long_words",
    "gopher_too_many_hashes": "gopher_hashes",
    "gopher_too_many_ellipsis": "gopher_ellipses",
    "gopher_too_many_bullets": "gopher_bullet_lines",
    "gopher_too_many_end_ellipsis": "gopher_ellipsis_lines",
    "gopher_below_alpha_threshold": "gopher_alphabetic_words",
    "gopher_enough_stop_words": "gopher_stop_words",
    "lorem_ipsum": "c4_lorem_ipsum",
    "curly_bracket": "c4_curly_bracket",
    "too_few_sentences": "c4_sentences",
    "line_punct_ratio": "fineweb_punctuated_lines",
    "short_line_ratio": "fineweb_short_lines",
    "char_dup_ratio": "fineweb_dup_line_chars",
    "list_ratio": "fineweb_newlines_per_word",
}
FILTERS = (
    "Gopher repetition",
    "Gopher quality",
    "C4",
    "C4 without the rule of terminal punctuation",
    "FineWeb quality, on what that left",
)
PRESETS = ("gopher", "c4", "fineweb")


def theirs(texts: Sequence[str]) -> dict[str, Any]:
    """Datatrove's verdict on each text by each filter, its number of words, and what the filters take."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.utils.text import split_into_words

    def reason(answer: Any) -> str | None:
        return None if answer is True else REASONS[answer[1]]

    repetition, quality, c4 = GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter()
    lenient, fineweb = C4QualityFilter(filter_no_terminal_punct=False), FineWebQualityFilter()
    repetition.filter(Document("A first text, which loads the tokenizer.", ""))
    result: dict[str, Any] = {name: [] for name in (*FILTERS, *PRESETS)}
    seconds = dict.fromkeys(PRESETS, 0.0)
    for text in texts:
        for name, steps in {
            "gopher": (quality, repetition),
            "c4": (c4,),
            "fineweb": (repetition, quality, lenient, fineweb),
        }.items():
            split_into_words.__globals__["split_into_parts"].cache_clear()
            document, found = Document(text, ""), None
            started = time.perf_counter()
            for step in steps:
                found = reason(step.filter(document))
                if found:
                    break
            seconds[name] += time.perf_counter() - started
            result[name].append(found)
        for name, single in zip(FILTERS, (repetition, quality, c4), strict=False):
            result[name].append(reason(single.filter(Document(text, ""))))
        document = Document(text, "")
        result[FILTERS[3]].append(reason(lenient.filter(document)))
        last = "dropped before" if result[FILTERS[3]][-1] else reason(fineweb.filter(document))
        result[FILTERS[4]].append("fineweb_empty" if last == "empty" else last)
    result["words"] = [len(split_into_words(text)) if text else 0 for text in texts]
    result["seconds"] = seconds
    return result


def ours(texts: Sequence[str]) -> dict[str, Any]:
    """The reasons that our rules give."""
    import duckdb
    import pyarrow as pa

    from index.quality import presets
    from index.quality.signals import measured, signals

    column = pa.array(texts, pa.large_string())
    measured(column[:2])  # compiles, or loads what was compiled
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        measured(column)
        seconds.append(time.perf_counter() - started)
    quality = signals(pa.array([str(number) for number in range(len(texts))]), column)
    db = duckdb.connect()
    db.register("quality", quality)
    groups = (
        presets.GOPHER_REPETITION,
        presets.GOPHER_QUALITY,
        presets.C4,
        presets.C4_FOR_FINEWEB,
        presets.FINEWEB,
    )
    result: dict[str, Any] = {}
    for name, rules in zip(FILTERS, groups, strict=True):
        result[name] = _column(db, "CASE " + " ".join(f"WHEN {rule.sql} THEN '{rule.name}'" for rule in rules) + " END")
    result[FILTERS[4]] = [
        "dropped before" if before else now for before, now in zip(result[FILTERS[3]], result[FILTERS[4]], strict=True)
    ]
    for name in PRESETS:
        result[name] = _column(db, presets.reason_sql(name))
        kept = _column(db, presets.sql(name))
        assert [reason is None for reason in result[name]] == kept
    result["words"] = _column(db, "words")
    result["seconds"] = min(seconds)
    return result


def _column(db: Any, sql: str) -> list[Any]:
    return [row[0] for row in db.execute(f"SELECT {sql} FROM quality ORDER BY content_id::int").fetchall()]


def compare(texts: Sequence[str], peers: str) -> dict[str, Any]:
    """Both on the same texts: shares that agree, and what they disagree on."""
    from archive.text import language_of

    asked = subprocess.run(
        [peers, __file__, "--theirs"], input=json.dumps(list(texts)), capture_output=True, text=True, check=True
    )
    other, own = json.loads(asked.stdout), ours(texts)
    english = [language_of(text)[0] == "en" for text in texts]
    rows: dict[str, Any] = {}
    for name in (*FILTERS, *PRESETS):
        pairs = list(zip(other[name], own[name], strict=True))
        same = [(a is None) == (b is None) for a, b in pairs]
        rows[name] = {
            "kept_by_datatrove": sum(a is None for a, _ in pairs) / len(pairs),
            "agree": sum(same) / len(pairs),
            "agree_english": sum(s for s, e in zip(same, english, strict=True) if e) / max(sum(english), 1),
            "same_reason": sum(a == b for a, b in pairs) / len(pairs),
            "differences": [
                {
                    "text": number,
                    "datatrove": a,
                    "ours": b,
                    "words": [other["words"][number], own["words"][number]],
                    "english": english[number],
                }
                for number, (a, b) in enumerate(pairs)
                if (a is None) != (b is None)
            ],
        }
    speed = {name: len(texts) / seconds for name, seconds in other["seconds"].items()}
    return {
        "texts": len(texts),
        "english": sum(english),
        "characters": sum(map(len, texts)),
        "words": [sum(other["words"]), sum(own["words"])],
        "filters": rows,
        "texts_per_second": {**speed, "ours, all signals": len(texts) / own["seconds"]},
    }


def read(paths: Sequence[Path], english: bool) -> list[str]:
    """The texts of lakes, in the order of their ids, or of other sources."""
    from corpus import source

    from archive.lake import Lake
    from archive.text import language_of

    texts: list[str] = []
    for path in paths:
        if (path / "documents").is_dir():
            texts += Lake(str(path)).read("documents", ["content_id", "text"]).sort_by("content_id")["text"].to_pylist()
        else:
            texts += [text for text, _ in source([path]) if text]
    return [text for text in texts if not english or language_of(text)[0] == "en"]


def main() -> None:
    if "--theirs" in sys.argv:
        print(json.dumps(theirs(json.load(sys.stdin))))
        return
    from corpus import described, spread

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--peers", required=True, metavar="PYTHON")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--english", action="store_true", help="only texts in English")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    texts = spread(read(args.sources, args.english), args.texts)
    result = compare(texts, args.peers)
    print(f"{described(texts)}; {result['english']} English; words {result['words']} (datatrove, ours)\n")
    print("| | datatrove keeps | agreement | … on English | same reason |\n|---|--:|--:|--:|--:|")
    for name, row in result["filters"].items():
        numbers = (row["kept_by_datatrove"], row["agree"], row["agree_english"], row["same_reason"])
        print(f"| {name} | " + " | ".join(f"{number:.1%}" for number in numbers) + " |")
    print("\n| | texts/s |\n|---|--:|")
    for name, rate in result["texts_per_second"].items():
        print(f"| {name if name.startswith('ours') else 'datatrove: ' + name} | {rate:,.0f} |")
    print("\ndifferences:")
    for name, row in result["filters"].items():
        for each in row["differences"]:
            language = "en" if each["english"] else "other"
            print(f"  {name}: text {each['text']} ({language}): {each['datatrove']} / {each['ours']}, {each['words']}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
