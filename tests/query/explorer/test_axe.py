"""axe-core finds no moderate fault, nor a worse one, on any kind of page: light and dark, on a desktop and on a phone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("numba")

from whole import Served, browser, page, served  # noqa: F401

_AXE = Path(os.environ.get("AXE") or Path(__file__).parents[3] / "demo" / "axe" / "package" / "axe.min.js")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not _AXE.is_file(), reason="no axe-core: `make check-explore` fetches it; or let AXE name its axe.min.js"
    ),
]
_RUN = """async () => (await axe.run(document, {resultTypes: ['violations', 'incomplete']})).violations.flatMap(
    each => each.nodes.map(node => [each.impact, each.id, node.html.slice(0, 160), node.failureSummary.slice(0, 300)]))"""


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_moderate_fault_or_a_worse_one(browser: Any, served: Served, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    opened = context.new_page()
    found = {}
    for name, path in served.kinds.items():
        opened.goto(served.address + path, timeout=300_000)
        if name == "set":
            opened.locator("#texts").wait_for(timeout=60_000)
        opened.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        opened.add_script_tag(content=_AXE.read_text())
        if faults := opened.evaluate(_RUN):
            found[name] = faults
    context.close()
    for name, faults in found.items():
        print(name, *faults, sep="\n    ")
    assert {name for name, faults in found.items() for impact, *_ in faults if impact != "minor"} == set()
