"""The collapse test: train models generation after generation on what models wrote, and measure what is lost.

>>> import collapse
>>> result = collapse.collapse("wikitext-2", recipe="smoke", out="report")   # doctest: +SKIP
>>> print(*result.verdict, sep="\\n")   # doctest: +SKIP

`Experiment` is the same with typed settings in place of the options.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collapse.api import CollapseResult, collapse
    from collapse.findings.results import RunResults
    from collapse.recipe import Recipe, load
    from collapse.run.experiment import Experiment, Reading
    from collapse.run.machine import Machine

__all__ = ["CollapseResult", "Experiment", "Machine", "Reading", "Recipe", "RunResults", "collapse", "load"]

#: Imported when used, so that the command line shows its help without torch.
_LATER = {
    "CollapseResult": "collapse.api",
    "Experiment": "collapse.run.experiment",
    "Machine": "collapse.run.machine",
    "Reading": "collapse.run.experiment",
    "Recipe": "collapse.recipe",
    "RunResults": "collapse.findings.results",
    "collapse": "collapse.api",
    "load": "collapse.recipe",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
