"""The manual explains each reason that a crawl counts by, and the program has no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

pytest.importorskip("scrapy")

from crawls import crawled, of
from OpenSSL import SSL
from rawserver import Answer, missing, page, serving
from twisted.internet.error import (
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
)
from twisted.python.failure import Failure
from twisted.web.client import ResponseNeverReceived

from crawler import reasons
from crawler.frontier.hosts import Manners
from crawler.wire.handler import _REASONS, _reason

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


def test_what_goes_wrong_on_the_wire_has_a_stable_reason_and_its_details_in_the_record(tmp_path: Path) -> None:
    def answer(path: str, request: bytes) -> Answer:
        if path == "/":
            return page("<a href=/reset>a</a><a href=/closed>b</a>")
        return Answer([], "reset") if path == "/reset" else Answer([]) if path == "/closed" else missing()

    with serving(answer) as server:
        result = crawled(tmp_path, server.address + "/", manners=Manners(delay=0.0, factor=0.0, rest=0.1, failures=9))
    assert result.reasons == {"closed": 1, "reset": 1}
    assert "non-clean" in of(tmp_path, "metadata", "/reset")[0].notes["error"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(), "refused"),
        (DNSLookupError(), "dns"),
        (TCPTimedOutError(), "timeout"),
        (NoRouteError(), "network"),
        (ResponseNeverReceived([Failure(SSL.Error([]))]), "tls"),
        (ResponseNeverReceived([Failure(ConnectionDone())]), "closed"),
        (ValueError("a middleware"), "no-answer"),
    ],
)
def test_errors_of_the_network_have_reasons(error: Exception, reason: str) -> None:
    assert _reason(error) == reason
