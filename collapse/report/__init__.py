"""The report of a run: pictures, and a page that needs nothing beside itself, from `results.json` alone.

>>> import json
>>> write(Path("out"), json.loads(Path("out/results.json").read_bytes()))   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from collapse.findings.results import Found
from collapse.report.page import page
from collapse.report.pictures import draw_all
from collapse.report.speeds import Times, times

__all__ = ["PAGE", "Times", "times", "write"]

PAGE = "report.html"


def write(
    out: Path,
    results: Mapping[str, Any],
    spent: Times | None = None,
    put: Callable[[Path, bytes], object] = Path.write_bytes,
) -> Path:
    """Leave `report.html` and its pictures in a folder; the same bytes for the same results.

    Args:
        spent: what `times` finds in the folder of a run.
        put: writes a file.

    Returns:
        The page.
    """
    found = Found(results)
    drawn = draw_all(found)
    for picture in drawn.values():
        put(out / f"{picture.name}.png", picture.png)
    put(out / PAGE, page(found, drawn, spent).encode())
    return out / PAGE
