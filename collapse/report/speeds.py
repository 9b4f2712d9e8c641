"""How fast a run trained and wrote, from the times that its steps recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

#: By step (`train`, `write`): `tokens` and `seconds`, added up over all generations.
Times = Mapping[str, Mapping[str, float]]


def times(out: Path) -> Times:
    """Add up the times of all generations in the folder of a run."""
    held: dict[str, dict[str, float]] = {}
    for path in sorted(out.glob("steps/*/*/*/times.json")):
        for step, spent in json.loads(path.read_bytes()).items():
            total = held.setdefault(step, {"tokens": 0, "seconds": 0.0})
            for name in total:
                total[name] += spent[name]
    return held
