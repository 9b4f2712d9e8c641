"""The folder that `archive probe --out` writes: probe.json, and report.html, which needs no other file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from archive.atomic import disk_error_line
from archive.errors import CollapseError
from archive.owned import Owned
from archive.show import count_of, json_text
from collapse.probe.results import Probe, ProbeResult, SetUse, Topic
from collapse.probe.texts import REASONS
from collapse.probe.wording import MEASURES
from collapse.report.markup import Html, join, paragraph, safe, section, table, tag
from collapse.report.style import CSS

_JSON, _PAGE = "probe.json", "report.html"


def write(result: ProbeResult, out: str | os.PathLike[str]) -> ProbeResult:
    """Write both files, in place of older ones of the command; return the result with the path of the page.

    Raises:
        CollapseError: the folder holds something that the command did not make, or cannot be written.
    """
    folder = Path(out)
    own = Owned(folder, "probe", error=CollapseError)
    result = replace(result, report=os.fspath(folder / _PAGE))
    try:
        with own.entered():
            own.write_file(folder / _PAGE, page(result).encode())
            own.write_file(folder / _JSON, json_text(result).encode() + b"\n")
    except OSError as error:
        raise CollapseError(disk_error_line(error, folder)) from None
    return result


def page(result: ProbeResult) -> str:
    """Return the page."""
    title = f"{result.b.name} next to {result.a.name}"
    body = join(
        [
            tag("h1", title),
            paragraph(how(result), "lead"),
            Html(f'<div class="verdict">{join([paragraph(result.summary), *map(paragraph, result.warnings)])}</div>'),
            _measures(result),
            paragraph(LEGEND, "note"),
            section("limits", "What this cannot say", [paragraph(text) for text in result.limits]),
            section("distrust", "Each number, and when not to believe it", [_meanings(result)]),
            section("thin", "Topics of A that B has less of", [_topics(result.thin)]),
            section("thick", "Topics of A that B has more of", [_topics(result.thick)]),
            section("texts", "The texts", [_sets(result), _left_out(result)]),
        ]
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{safe(title)}</title>\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


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


def number(probe: Probe, value: float | None) -> str:
    """Write a value as its measure is written."""
    return "" if value is None else f"{value:.{MEASURES[probe.code].digits}f}"


def cells(probe: Probe) -> tuple[str, str, str, str, str, str]:
    """Return A, B, the difference, the mean and the range of the halves of A, and whether B is outside."""
    if probe.not_run is not None:
        return "", "", "", "", "", f"not run: {probe.not_run}"
    value = number(probe, probe.value)
    if probe.low is not None:
        value += f" ({number(probe, probe.low)} to {number(probe, probe.high)})"
    elif probe.value is not None and probe.value >= 0:
        value = f"+{value}"
    spread = f"{number(probe, probe.null_low)} to {number(probe, probe.null_high)}"
    outside = "outside" if probe.outside else "inside"
    return number(probe, probe.a), number(probe, probe.b), value, number(probe, probe.null), spread, outside


HEAD = ("measure", "A", "B", "B | A (95 %)", "A | A", "range of 95 %", "")


def _measures(result: ProbeResult) -> Html:
    rows = []
    for probe in result.probes:
        *numbers, verdict = cells(probe)
        kind = "open" if probe.outside is None else "yes" if probe.outside else "no"
        rows.append((f"{probe.title}, {probe.unit}", *numbers, tag("span", verdict, kind)))
    return table(HEAD, rows, range(1, 6))


def _meanings(result: ProbeResult) -> Html:
    rows = [(probe.title, probe.says, probe.distrust) for probe in result.probes]
    return table(("measure", "what it says", "when not to believe it"), rows)


def _topics(topics: tuple[Topic, ...]) -> Html:
    rows = [(", ".join(topic.words), f"{topic.a:.1%}", f"{topic.b:.1%}") for topic in topics]
    return table(("words", "share of A", "share of B"), rows, (1, 2))


def _sets(result: ProbeResult) -> Html:
    rows = [(name, each.name, f"{each.texts:,}", f"{each.usable:,}", f"{each.sites:,}") for name, each in _both(result)]
    return table(("", "set", "texts read", "usable", "sites"), rows, (2, 3, 4))


def _left_out(result: ProbeResult) -> Html:
    rows = [
        (name, reason, REASONS[reason], f"{count:,}")
        for name, each in _both(result)
        for reason, count in each.left_out.items()
    ]
    rows += [
        (name, reason, "could not be read, or not asked for", f"{count:,}")
        for name, each in _both(result)
        for reason, count in each.rejects.items()
    ]
    return table(("", "left out", "because", "texts"), rows, (3,))


def _both(result: ProbeResult) -> tuple[tuple[str, SetUse], ...]:
    return ("A", result.a), ("B", result.b)
