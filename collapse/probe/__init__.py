"""How does one set of texts differ from another, and is that more than two halves of the first set differ?

>>> import lowbackground as lb
>>> result = lb.probe("before.jsonl", "after.jsonl")   # doctest: +SKIP
>>> [probe.code for probe in result.probes if probe.outside]   # doctest: +SKIP
['classifier-ngrams', 'topic-coverage']
"""

from __future__ import annotations

from collapse.probe.results import Probe, ProbeResult, SetUse, Topic
from collapse.probe.run import probe

__all__ = ["Probe", "ProbeResult", "SetUse", "Topic", "probe"]
