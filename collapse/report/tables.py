"""The tables of what was found: arms, generations, definitions of collapse, papers, and what a suspect set is like."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from collapse.findings import wording
from collapse.findings.results import LOSS, Call, Found, at
from collapse.findings.suspect import looks
from collapse.findings.verdict import of_arm
from collapse.measures.definitions import DEFINITIONS
from collapse.measures.spread import Interval
from collapse.regimes import CONTROL, START, Regime
from collapse.report.markup import Html, join, paragraph, safe, table, tag

_HOLDS = {True: ("yes", "yes"), False: ("no", "no"), None: ("open", "open")}
_CALLS = {
    Call.MORE: "worse by more than chance",
    Call.LESS: "better by more than chance",
    Call.SAME: "within the noise floor",
    Call.OPEN: "reaches into the noise floor",
    Call.UNKNOWN: "chance not known",
}


def arms(found: Found) -> Html:
    """What became of each arm in its last generation."""
    rows = []
    for regime in found.regimes:
        told = "makes the noise floor" if regime.kind == CONTROL else _CALLS[of_arm(found, regime)]
        rows.append((wording.name(regime), str(found.last(regime)), *_losses(found, regime, found.last(regime)), told))
    head = ("arm", "generations", "loss, nats a token", "perplexity", "by generation 0's", "95 %", "")
    return table(head, rows, range(1, 6))


def generations(found: Found) -> Html:
    """Loss and perplexity of every generation."""
    rows = [("all arms", "0", *_losses(found, START, 0)[:2], "", "")]
    for regime in found.regimes:
        for generation in range(1, found.last(regime) + 1):
            rows.append((str(regime), str(generation), *_losses(found, regime, generation)))
    head = ("arm", "generation", "loss, nats a token", "perplexity", "by generation 0's", "95 %")
    return table(head, rows, range(1, 6))


def definitions(found: Found) -> Html:
    """Which definition of collapse each arm meets."""
    judged = {regime: {item["code"]: item for item in _findings(found, regime)} for regime in found.regimes}
    rows = []
    for definition in DEFINITIONS:
        told = f"{tag('b', definition.title)}<br>{safe(definition.says)} {tag('span', definition.rule, 'small')}"
        cells = [judged[regime].get(definition.code) for regime in found.regimes]
        rows.append((Html(told), *(tag("span", *_HOLDS[cell["holds"]]) if cell else "" for cell in cells)))
    return table(("definition", *map(str, found.regimes)), rows)


def reasons(found: Found) -> Html:
    """The numbers that each answer stands on."""
    parts = []
    for regime in found.regimes:
        rows = [(item["title"], _HOLDS[item["holds"]][0], item["because"]) for item in _findings(found, regime)]
        if rows:
            inside = table(("definition", "", "because"), rows)
            parts.append(Html(f"<details><summary>{safe(wording.name(regime))}</summary>\n{inside}\n</details>"))
    return join(parts)


def users() -> Html:
    """Who has used each definition."""
    used = "; ".join(f"{definition.title.lower()}: {definition.used_by}" for definition in DEFINITIONS)
    return paragraph(f"Used by, for example: {used}.", "note")


def papers(found: Found) -> Html:
    """What papers report beside what was measured here."""
    rows = []
    for figure in found.results.get("paper") or ():
        reported, measured = at(figure, "reported"), at(figure, "measured")
        generation = "last generation" if figure["generation"] < 0 else f"generation {figure['generation']}"
        share = measured / reported if reported else math.nan
        rows.append(
            (
                figure["what"],
                f"{figure['measure']}, {figure['regime']}, {generation}",
                wording.number(reported),
                wording.number(measured),
                "" if math.isnan(share) else f"{share:.2f}",
            )
        )
    return table(("what", "here", "reported", "measured", "measured by reported"), rows, (2, 3, 4))


def likeness(found: Found) -> Html:
    """The suspect set's text beside real text and a model's."""
    rows = [
        (
            look.title,
            *(wording.number(value.value) for value in (look.real, look.suspect, look.written)),
            look.side.value,
        )
        for look in looks(found)
    ]
    head = ("measure", "real text, unseen", "suspect text", "what generation 0 writes", "the suspect text is, by it")
    return table(head, rows, (1, 2, 3))


def regimes(found: Found) -> Html:
    """What each arm is trained on."""
    return table(
        ("arm", "what a generation is trained on"), [(str(arm), wording.meaning(arm)) for arm in found.regimes]
    )


def _losses(found: Found, regime: Regime | str, generation: int) -> tuple[str, str, str, str]:
    loss = found.mean(regime, generation, *LOSS).value
    change: Interval = found.change(regime, generation, *LOSS)
    return (
        wording.UNKNOWN if math.isnan(loss) else f"{loss:.4f}",
        wording.number(wording.times(loss)),
        f"×{wording.ratio(change.value)}" if math.isfinite(change.value) else wording.UNKNOWN,
        wording.between(change),
    )


def _findings(found: Found, regime: Regime) -> list[Mapping[str, Any]]:
    findings: list[Mapping[str, Any]] = found.results["arms"].get(str(regime), {}).get("definitions", [])
    return findings
