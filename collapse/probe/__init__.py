"""How does one set of texts differ from another, and is that more than two halves of the first set differ?

>>> import lowbackground as lb
>>> result = lb.probe("before.jsonl", "after.jsonl")   # doctest: +SKIP
>>> [probe.code for probe in result.probes if probe.outside]   # doctest: +SKIP
['classifier-ngrams', 'topic-coverage']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from collapse.probe.results import Probe, ProbeResult, SetUse, Topic

if TYPE_CHECKING:
    from collapse.probe.run import probe

__all__ = ["Probe", "ProbeResult", "SetUse", "Topic", "probe"]


def __getattr__(name: str) -> Any:
    """Import `probe` when it is used, so that the command line shows its help without scikit-learn."""
    if name == "probe":
        return import_module("collapse.probe.run").probe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
