"""The table of the measures as text, for the screen and for the page."""

from __future__ import annotations

from archive.show import count_of
from collapse.probe.results import Probe, ProbeResult
from collapse.probe.wording import MEASURES

HEAD = ("measure", "unit", "A", "B", "B | A (95 %)", "A | A", "range of 95 %", "")
LEGEND = (
    "A: texts of A that nothing was fitted on. B: as many texts of B. B | A: the AUC, or B less A. A | A: the same "
    "where both sides are halves of A, on average; if B is more of A, B | A is within the range in 95 % of cases."
)


def how(result: ProbeResult) -> str:
    """Say what was compared with what."""
    unit = "site" if result.by == "site" else "text"
    drawn = [*(["lengths"] if result.lengths > 1 else []), *([f"{result.period}s"] if result.period else [])]
    same_as = f", drawn of the same {' and '.join(drawn)}" if drawn else ""
    same = "A and B are the same set: a third of it was compared with the rest. " if result.same else ""
    return (
        f"{same}{count_of(result.texts, 'text')} on each side of a comparison, each the first {result.words} words "
        f"of a text{same_as}. No {unit} is on two sides. A was divided into halves "
        f"{result.divisions} times."
    )


def _number(probe: Probe, value: float | None) -> str:
    """Write a value as its measure is written."""
    return "" if value is None else f"{value:.{MEASURES[probe.code].digits}f}"


def cells(probe: Probe) -> tuple[str, str, str, str, str, str]:
    """Return A, B, the difference, the mean and the range of the halves of A, and whether B is outside."""
    if probe.not_run is not None:
        return "", "", "", "", "", "not run"
    value = _number(probe, probe.value)
    if probe.low is not None:
        value += f" ({_number(probe, probe.low)} to {_number(probe, probe.high)})"
    elif probe.value is not None and probe.value >= 0:
        value = f"+{value}"
    spread = f"{_number(probe, probe.null_low)} to {_number(probe, probe.null_high)}"
    outside = "outside" if probe.outside else "inside"
    return _number(probe, probe.a), _number(probe, probe.b), value, _number(probe, probe.null), spread, outside
