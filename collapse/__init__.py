"""The collapse test: models trained generation after generation on what models wrote, and what is lost.

>>> import collapse
>>> results = collapse.run(["wikitext-2"], "report", collapse.load("smoke"))   # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collapse.experiment import Machine, Reading, plan, run
    from collapse.recipe import Recipe, load

__all__ = ["Machine", "Reading", "Recipe", "load", "plan", "run"]


def __getattr__(name: str) -> Any:
    # imported when used: the command line shows its help without torch
    if name not in __all__:
        raise AttributeError(name)
    from collapse import experiment, recipe

    return getattr(recipe if name in ("Recipe", "load") else experiment, name)
