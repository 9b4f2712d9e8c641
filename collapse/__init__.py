"""The collapse test: models trained generation after generation on what models wrote, and what is lost.

>>> import collapse
>>> results = collapse.Experiment(["wikitext-2"], "report", collapse.load("smoke")).run()   # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collapse.recipe import Recipe, load
    from collapse.run.experiment import Experiment, Reading
    from collapse.run.machine import Machine

__all__ = ["Experiment", "Machine", "Reading", "Recipe", "load"]

_PLACES = {
    "Experiment": "run.experiment",
    "Machine": "run.machine",
    "Reading": "run.experiment",
    "Recipe": "recipe",
    "load": "recipe",
}


def __getattr__(name: str) -> Any:
    # imported when used: the command line shows its help without torch
    if name not in _PLACES:
        raise AttributeError(name)
    return getattr(import_module(f"collapse.{_PLACES[name]}"), name)
