"""How well, and how fast, text is taken from gold pages, by extractor and setting.

    python benchmarks/extraction.py FOLDER [--pages N] [--json OUT]

FOLDER holds `evaldata.json` and pages as `*.html.gz`, in the form of trafilatura's evaluation: for each page, segments
that the text must hold (`with`) and must not hold (`without`). The score is that evaluation's: F1 over segments,
with white space made equal. trafilatura runs if it is installed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

from resiliparse.extract.html2text import extract_plain_text

from archive.text import extractor
from archive.text.charset import decode
from archive.text.extract import from_html

Extract = Callable[[str], str]

SETTINGS = {
    "resiliparse, all text": {"main_content": False},
    "resiliparse, main content": {"main_content": True},
    "… without list bullets": {"main_content": True, "list_bullets": False},
    "… and without alternative texts": {"main_content": True, "list_bullets": False, "alt_texts": False},
    "… and without comments": {"main_content": True, "list_bullets": False, "alt_texts": False, "comments": False},
    "… with form fields": {"main_content": True, "list_bullets": False, "alt_texts": False, "form_fields": True},
}


def gold(folder: Path, count: int | None) -> list[tuple[str, list[str], list[str]]]:
    """The decoded pages with the segments wanted and unwanted."""
    pages = []
    for entry in list(json.loads((folder / "evaldata.json").read_text()).values())[:count]:
        path = folder / f"{entry['file']}.gz"
        if path.exists():
            html, _ = decode(gzip.decompress(path.read_bytes()), "text/html")
            pages.append((html, entry.get("with", []), entry.get("without", [])))
    return pages


def measure(pages: list[tuple[str, list[str], list[str]]], extract: Extract) -> dict[str, float]:
    started = time.perf_counter()
    texts = [" ".join(extract(html).split()) for html, _, _ in pages]
    seconds = time.perf_counter() - started
    right = missed = wrong = 0
    for text, (_, wanted, unwanted) in zip(texts, pages, strict=True):
        found = [" ".join(segment.split()) in text for segment in wanted]
        right += sum(found)
        missed += len(found) - sum(found)
        wrong += sum(" ".join(segment.split()) in text for segment in unwanted)
    return {
        "f1": 2 * right / (2 * right + missed + wrong),
        "precision": right / (right + wrong),
        "recall": right / (right + missed),
        "empty": sum(not text for text in texts),
        "pages_per_second": len(pages) / seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pages = gold(args.folder, args.pages)
    extracts: dict[str, Extract] = {}
    for name, options in SETTINGS.items():
        extracts[name] = lambda html, options=options: extract_plain_text(html, **options)  # type: ignore[misc]
    extracts["ours (normal form, title, all text where there is no main content)"] = lambda html: from_html(html).text
    try:
        other = extractor("trafilatura")
        extracts["trafilatura"] = lambda html: other(html).text
    except Exception as error:
        print(f"without trafilatura: {error}")
    results = {}
    print(f"{len(pages)} pages\n\n| extractor | F1 | precision | recall | empty | pages/s |\n|---|--:|--:|--:|--:|--:|")
    for name, extract in extracts.items():
        result = results[name] = measure(pages, extract)
        print(
            "| {} | {f1:.3f} | {precision:.3f} | {recall:.3f} | {empty} | {pages_per_second:.0f} |".format(
                name, **result
            )
        )
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
