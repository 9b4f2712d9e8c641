"""The pictures of a report, one in each module."""

from __future__ import annotations

from collapse.findings.results import RunResults
from collapse.report.canvas import Picture
from collapse.report.pictures import diversity, dose, looks, loss, surprise, tails, where

_DRAWN = (loss, surprise, tails, diversity, dose, where, looks)


def draw_all(results: RunResults) -> dict[str, Picture]:
    """Draw the pictures for which a run has metrics, by name."""
    pictures = [module.draw(results) for module in _DRAWN]
    return {picture.name: picture for picture in pictures if picture}
