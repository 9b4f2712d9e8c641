"""The manual explains each reason that a crawl counts by, and the program has no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawler import reasons
from crawler.wire.handler import _REASONS

ROOT = Path(__file__).parents[2]
KNOWN = reasons.FAILURES | reasons.REFUSALS | reasons.LEFT_OUT


def test_the_manual_has_the_reasons_of_the_program() -> None:
    manual = (ROOT / "docs" / "crawl.md").read_text().partition("\n## Reasons\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+) \|$", manual, re.MULTILINE)
    assert [(name.replace("`", ""), meaning) for name, meaning in rows] == list(KNOWN.items())


def test_the_program_counts_by_no_other_reason() -> None:
    found: set[str] = {reason for _, reason in _REASONS}
    for path in (ROOT / "crawler").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            values: list[ast.expr] = []
            if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("left_out"):
                values = [node.slice]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("Outcome", "Look"):
                values = [*node.args[1:2], *(each.value for each in node.keywords if each.arg == "reason")]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("self._refuse", "self._refused"):
                values = node.args[1:2]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith(".closed"):
                values = [node.value]
            elif isinstance(node, ast.FunctionDef) and node.name in ("_reason", "reason"):
                values = [each.value for each in ast.walk(node) if isinstance(each, ast.Return) and each.value]
            found |= {each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    found -= {"", "spider-error"}  # pages at which the spider failed are counted apart
    assert {"scope", "refused", "no-memento-datetime", "host-budget", "depth"} <= found
    starts = tuple(part.rstrip("…") for name in KNOWN for part in name.split(", ") if part.endswith("…"))
    assert {each for each in found if each not in KNOWN and not each.startswith(starts)} == set()
