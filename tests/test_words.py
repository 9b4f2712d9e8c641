"""The words of the project: comments, docstrings, messages and manuals are plain, and names are those of the glossary.

CONTRIBUTING.md has the glossary. `words_left.json` allows each file the words that it still has; the numbers only
shrink. After you have removed some, `python tests/test_words.py` writes what is left, and refuses more than before.
"""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEFT = Path(__file__).with_name("words_left.json")
PRODUCT = ("archive", "collapse", "crawler", "index", "query", "lowbackground.py")
MANUALS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs")

#: A phrase in prose, and what is meant by it.
PHRASES = {
    r"\bli(?:es|e)\b(?! of\b)": "is in, are in",
    r"\blay\b(?! out)": "was in, were in",
    r"\bstands?\b(?! for\b)": "is in, is written in",
    r"\bstood\b": "was in",
    r"\bbeside\b": "next to, with",
    r"\bsays? so\b": "raises, reports",
    r"\btold\b": "reported, called",
    r"\bwhat there is\b": "the entries, the contents",
    r"\bkeeps silent\b": "prints nothing",
    r"\bis at hand\b": "is available",
    r"\bwhence\b|\bthereof\b|\bwhereof\b": "from which, of it",
    r"\bmay well\b": "may, can",
}
#: A name in code, and the term that the glossary has for it.
NAMES = {
    "Summary": "IngestResult, …",
    "Watcher": "Reporter",
    "Display": "Reporter",
    "Found": "the name of what was found",
    "made": "table, manifest, …",
    "kin": "leakage, overlap",
    "said": "line, message",
    "saying": "error_line",
    "trouble": "error_line",
    "whole": "complete, or what the thing is",
    "place": "row, position, index",
    "places": "rows, positions",
    "form": "format_",
}


def files(*under: str) -> list[str]:
    """Return the files of the project below some folders, as git lists them."""
    listed = subprocess.run(["git", "ls-files", *under], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kept = [name for name in listed.splitlines() if name.endswith((".py", ".md")) and (ROOT / name).exists()]
    # the reference is written from the code, and the pages of the demo tell stories
    return [name for name in kept if not name.startswith(("docs/reference/", "archive/demo/pages.py"))]


def prose(name: str) -> Iterator[str]:
    """Yield the comments and strings of a module; the lines of a manual outside of code."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".md"):
        yield re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```|^ {4}\S.*?$", "", text, flags=re.DOTALL | re.MULTILINE))
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def names(name: str) -> Iterator[str]:
    """Yield the names that a module gives: to classes, functions, parameters, variables and attributes."""
    for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def words(name: str) -> Counter[str]:
    """Count the words of a file that should be others."""
    found: Counter[str] = Counter()
    text = "\n".join(prose(name))
    for phrase, meant in PHRASES.items():
        for hit in re.findall(phrase, text, re.IGNORECASE):
            found[f"{hit.lower()} ({meant})"] += 1
    if name.endswith(".py"):
        for given in names(name):
            if given.lstrip("_") in NAMES:
                found[f"{given} ({NAMES[given.lstrip('_')]})"] += 1
    return found


ALL = files(*PRODUCT, *MANUALS)


@pytest.mark.parametrize("name", ALL)
def test_a_file_has_no_more_words_to_avoid_than_it_is_allowed(name: str) -> None:
    allowed = json.loads(LEFT.read_text()).get(name, 0)
    found = words(name)
    assert found.total() <= allowed, f"{dict(found)}; {allowed} of them are allowed"


def test_the_glossary_is_in_order_and_defines_each_term_once() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Glossary")[2]
    terms = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][2:]
    assert terms == sorted(terms, key=lambda term: term.replace("-", " ").lower())
    assert len(terms) == len(set(terms)) > 60


def main() -> None:
    """Write what is left, where it is less than before."""
    before = json.loads(LEFT.read_text()) if LEFT.exists() else None
    left = {name: count for name in ALL if (count := words(name).total())}
    if before is not None and "--anew" not in sys.argv:
        more = [name for name, count in left.items() if count > before.get(name, 0)]
        if more:
            sys.exit("\n".join(f"{name}: {dict(words(name))}" for name in more))
    LEFT.write_text(json.dumps(left, indent=0, sort_keys=True) + "\n")
    print(f"{sum(left.values())} in {len(left)} files")


if __name__ == "__main__":
    main()
