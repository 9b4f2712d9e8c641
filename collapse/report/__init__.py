"""The report of a run: pictures, and a page that needs no other file, from `results.json` alone.

>>> import json
>>> from collapse.findings.results import RunResults
>>> results = RunResults.from_json(json.loads(Path("out/results.json").read_bytes()))   # doctest: +SKIP
>>> write(Path("out"), results)   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from collapse.findings.results import RunResults
from collapse.report.page import page
from collapse.report.pictures import draw_all
from collapse.report.speeds import Times, times

__all__ = ["PAGE", "Times", "times", "write"]

PAGE = "report.html"


def write(
    out: Path,
    results: RunResults,
    spent: Times | None = None,
    put: Callable[[Path, bytes], object] = Path.write_bytes,
) -> Path:
    """Write `report.html` and its pictures into a folder, and return the path of the page.

    The same results give the same bytes.

    Args:
        spent: what `times` reads from the folder of a run.
        put: writes a file.
    """
    drawn = draw_all(results)
    for picture in drawn.values():
        put(out / f"{picture.name}.png", picture.png)
    put(out / PAGE, page(results, drawn, spent).encode())
    return out / PAGE
