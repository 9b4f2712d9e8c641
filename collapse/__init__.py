"""The collapse test: models trained generation after generation on what models wrote, and what is lost.

>>> import collapse
>>> run = collapse.run(["wikitext-2"], "collapse-out", collapse.recipe("smoke"))   # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collapse.recipe import Recipe
    from collapse.recipe import load as recipe
    from collapse.run import run

__all__ = ["Recipe", "recipe", "run"]


def __getattr__(name: str) -> Any:
    # imported when used: the command line shows its help without torch
    if name == "run":
        from collapse.run import run

        return run
    if name in ("Recipe", "recipe"):
        from collapse import recipe

        return recipe.Recipe if name == "Recipe" else recipe.load
    raise AttributeError(name)
