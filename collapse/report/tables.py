"""The tables of the results: arms, generations, definitions of collapse, papers, and what a suspect set is like."""

from __future__ import annotations

import math

from collapse.findings import wording
from collapse.findings.results import Comparison, RunResults
from collapse.findings.suspect import likenesses
from collapse.findings.unigram import shortfall
from collapse.findings.verdict import outcome
from collapse.measures.definitions import DEFINITIONS, Finding
from collapse.measures.metrics import held_out_loss
from collapse.measures.spread import Interval
from collapse.regimes import CONTROL, START, Regime
from collapse.report.markup import Html, join, paragraph, safe, table, tag

_HOLDS = {True: ("yes", "yes"), False: ("no", "no"), None: ("open", "open")}
_COMPARED = {
    Comparison.MORE: "worse by more than chance",
    Comparison.LESS: "better by more than chance",
    Comparison.SAME: "within the noise floor",
    Comparison.OPEN: "reaches into the noise floor",
    Comparison.UNKNOWN: "chance not known",
}


def arms(results: RunResults) -> Html:
    """Return the table of each arm's last generation."""
    rows = []
    for regime in results.regimes:
        last = results.last(regime)
        compared = "gives the noise floor" if regime.kind == CONTROL else _COMPARED[outcome(results, regime)]
        frequencies = _frequencies(results, regime)
        rows.append((wording.name(regime), str(last), *_losses(results, regime, last), compared, frequencies))
    head = ("arm", "generations", "loss, nats a token", "perplexity", "by generation 0's", "95 %", "")
    return table((*head, "compared with word frequencies alone"), rows, range(1, 6))


def generations(results: RunResults) -> Html:
    """Return the table of every generation's loss and perplexity."""
    rows = [("all arms", "0", *_losses(results, START, 0)[:2], "", "")]
    for regime in results.regimes:
        for generation in range(1, results.last(regime) + 1):
            rows.append((str(regime), str(generation), *_losses(results, regime, generation)))
    head = ("arm", "generation", "loss, nats a token", "perplexity", "by generation 0's", "95 %")
    return table(head, rows, range(1, 6))


def definitions(results: RunResults) -> Html:
    """Return the table of the definitions of collapse that each arm meets."""
    findings = {regime: {item.code: item for item in _findings(results, regime)} for regime in results.regimes}
    rows = []
    for definition in DEFINITIONS:
        text = f"{tag('b', definition.title)}<br>{safe(definition.says)} {tag('span', definition.rule, 'small')}"
        cells = [findings[regime].get(definition.code) for regime in results.regimes]
        rows.append((Html(text), *(tag("span", *_HOLDS[cell.holds]) if cell else "" for cell in cells)))
    return table(("definition", *map(str, results.regimes)), rows)


def reasons(results: RunResults) -> Html:
    """Return the numbers on which each answer rests."""
    parts = []
    for regime in results.regimes:
        rows = [(item.title, _HOLDS[item.holds][0], item.because) for item in _findings(results, regime)]
        if rows:
            inside = table(("definition", "", "because"), rows)
            parts.append(Html(f"<details><summary>{safe(wording.name(regime))}</summary>\n{inside}\n</details>"))
    return join(parts)


def users() -> Html:
    """Say who has used each definition."""
    used = "; ".join(f"{definition.title.lower()}: {definition.used_by}" for definition in DEFINITIONS)
    return paragraph(f"Used by, for example: {used}.", "note")


def papers(results: RunResults) -> Html:
    """Return the table of what papers report, next to what this run measured."""
    rows = []
    for figure in results.paper:
        generation = "last generation" if figure.generation < 0 else f"generation {figure.generation}"
        arm = f"{figure.regime} compared with {figure.against}" if figure.against else figure.regime
        what = safe(figure.what) + (tag("span", f" ({figure.source})", "small") if figure.source else "")
        rows.append(
            (
                Html(what),
                f"{figure.measure}, {arm}, {generation}",
                figure.says or wording.number(figure.reported),
                wording.number(figure.measured),
                _span(figure.interval),
                tag("span", figure.agrees, {"yes": "yes", "no": "no"}.get(figure.agrees, "open")),
                figure.because,
            )
        )
    return table(("what", "here", "paper said", "measured", "95 %", "agrees?", ""), rows, (2, 3, 4))


def _span(interval: Interval) -> str:
    """Format the interval of a number."""
    if math.isnan(interval.low) or math.isnan(interval.high):
        return "no interval"
    return f"{wording.number(interval.low)} to {wording.number(interval.high)}"


def likeness(results: RunResults) -> Html:
    """Return the table that compares the suspect set's text with real text and a model's."""
    rows = [
        (
            row.title,
            *(wording.number(value.value) for value in (row.real, row.suspect, row.written)),
            row.side.value,
        )
        for row in likenesses(results)
    ]
    head = ("measure", "real text, unseen", "suspect text", "what generation 0 writes", "so the suspect text is")
    return table(head, rows, (1, 2, 3))


def regimes(results: RunResults) -> Html:
    """Return the table of what each arm is trained on."""
    return table(
        ("arm", "what a generation is trained on"), [(str(arm), wording.meaning(arm)) for arm in results.regimes]
    )


def _losses(results: RunResults, regime: Regime | str, generation: int) -> tuple[str, str, str, str]:
    loss = results.mean(regime, generation, held_out_loss).value
    change: Interval = results.change(regime, generation, held_out_loss)
    return (
        wording.UNKNOWN if math.isnan(loss) else f"{loss:.4f}",
        wording.number(wording.times(loss)),
        f"×{wording.ratio(change.value)}" if math.isfinite(change.value) else wording.UNKNOWN,
        wording.between(change),
    )


def _frequencies(results: RunResults, regime: Regime) -> Html | str:
    """Return whether the last generation guesses real text better than a table of frequencies, in nats per token."""
    found = shortfall(results, regime)
    if math.isnan(found.excess.value):
        return ""
    says = {True: "worse", False: "better", None: "worse in the mean"}[found.worse]
    text = f"{says} by {wording.number(abs(found.excess.value))} nats"
    return text if found.worse is False else tag("span", text, "yes")


def _findings(results: RunResults, regime: Regime) -> list[Finding]:
    return results.arms[str(regime)].definitions if str(regime) in results.arms else []
