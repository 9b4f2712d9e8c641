"""The folder that `archive probe --out` writes: probe.json, and report.html, which needs no other file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from archive.atomic import disk_error_line
from archive.errors import CollapseError
from archive.owned import Owned
from archive.show import json_text
from collapse.probe.results import ProbeResult, SetUse, Topic
from collapse.probe.table import HEAD, LEGEND, cells, how
from collapse.probe.texts import REASONS
from collapse.report.markup import Html, join, paragraph, safe, section, table, tag, whole_page
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
    return whole_page(title, CSS, body)


def _measures(result: ProbeResult) -> Html:
    rows = []
    for probe in result.probes:
        *numbers, verdict = cells(probe)
        kind = "open" if probe.outside is None else "yes" if probe.outside else "no"
        title = Html(f"{safe(probe.title)} <span class='small'>{safe(probe.code)}</span>")
        why = f"{verdict}: {probe.not_run}" if probe.not_run else verdict
        rows.append((title, probe.unit, *numbers, tag("span", why, kind)))
    return table(HEAD, rows, range(2, 7))


def _meanings(result: ProbeResult) -> Html:
    rows = [(probe.title, probe.says, probe.distrust) for probe in result.probes]
    return table(("measure", "what it says", "when not to believe it"), rows)


def _topics(topics: tuple[Topic, ...]) -> Html:
    rows = [(", ".join(topic.words), f"{topic.a:.1%}", f"{topic.b:.1%}") for topic in topics]
    return table(("words", "share of A", "share of B"), rows, (1, 2))


def _sets(result: ProbeResult) -> Html:
    rows = [
        (name, each.name, *(f"{count:,}" for count in (each.texts, each.usable, each.unmatched, each.sites)))
        for name, each in _both(result)
    ]
    head = ("", "set", "texts read", "usable", "of these in no comparison", "sites")
    return table(head, rows, (2, 3, 4, 5))


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
