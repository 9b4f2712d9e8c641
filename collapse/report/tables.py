"""The tables of what was found: losses, definitions of collapse, papers, and what a suspect set is like."""

from __future__ import annotations

import math

from collapse import words
from collapse.found import LOSS, Call, Found, at, interval
from collapse.measures.definitions import DEFINITIONS
from collapse.measures.spread import Interval
from collapse.regimes import Regime
from collapse.report.markup import Html, join, paragraph, safe, table, tag
from collapse.suspicion import looks
from collapse.verdict import of_arm

_HOLDS = {True: ("yes", "yes"), False: ("no", "no"), None: ("cannot tell", "open")}
_CALLS = {
    Call.MORE: "worse, no chance",
    Call.LESS: "better, no chance",
    Call.SAME: "within the noise floor",
    Call.OPEN: "cannot be told from chance",
    Call.UNKNOWN: "chance not known",
}


def arms(found: Found) -> Html:
    """What became of each arm in its last generation."""
    rows = []
    for regime in found.regimes:
        change = found.change(regime, found.last(regime), *LOSS)
        rows.append(
            (
                words.name(regime),
                str(found.last(regime)),
                words.number(words.times(found.mean(regime, found.last(regime), *LOSS).value)),
                _ratio(change.value),
                _between(change),
                "the noise floor" if regime.kind == "real" else _CALLS[of_arm(found, regime)],
            )
        )
    head = ("arm", "generations", "perplexity at the end", "by generation 0's", "95 %", "beside the noise floor")
    return table(head, rows)


def generations(found: Found) -> Html:
    """Perplexity and loss of every generation."""
    rows = []
    for regime in found.regimes:
        for generation in range(found.last(regime) + 1):
            loss, change = found.mean(regime, generation, *LOSS), found.change(regime, generation, *LOSS)
            rows.append(
                (
                    str(regime),
                    str(generation),
                    _number(loss.value, "{:.4f}"),
                    words.number(words.times(loss.value)),
                    _ratio(change.value),
                    _between(change) if generation else "",
                )
            )
    return table(("arm", "generation", "loss, nats a token", "perplexity", "by generation 0's", "95 %"), rows)


def definitions(found: Found) -> Html:
    """Which definition of collapse each arm meets."""
    judged = {
        regime: {finding["code"]: finding for finding in found.results["arms"][str(regime)].get("definitions", ())}
        for regime in found.regimes
    }
    rows = []
    for definition in DEFINITIONS:
        cells = [judged[regime].get(definition.code) for regime in found.regimes]
        marks = [tag("span", *_HOLDS[cell["holds"]]) if cell else Html("") for cell in cells]
        told = f"{tag('b', definition.title)}<br>{safe(definition.says)} {tag('span', definition.rule, 'small')}"
        rows.append((Html(told), *marks))
    return table(("definition", *(str(regime) for regime in found.regimes)), rows, numbers=99)


def reasons(found: Found) -> Html:
    """The numbers that each answer stands on."""
    parts = []
    for regime in found.regimes:
        findings = found.results["arms"][str(regime)].get("definitions", ())
        rows = [(finding["title"], _HOLDS[finding["holds"]][0], finding["because"]) for finding in findings]
        made = table(("definition", "meets it", "because"), rows, numbers=99)
        if made:
            parts.append(Html(f"<details><summary>{safe(words.name(regime))}</summary>\n{made}\n</details>"))
    return join(parts)


def sources() -> Html:
    """Who has used each definition."""
    used = "; ".join(f"{definition.title.lower()}: {definition.used_by}" for definition in DEFINITIONS)
    return paragraph(f"Used by, for example: {used}.", "note")


def papers(found: Found) -> Html:
    """What papers report beside what was measured here."""
    rows = []
    for figure in found.results.get("paper", ()):
        reported, measured = at(figure, "reported"), at(figure, "measured")
        both = reported and not math.isnan(measured)
        rows.append(
            (
                figure["what"],
                f"{figure['regime']}, generation {figure['generation'] if figure['generation'] >= 0 else 'last'}",
                words.number(reported),
                words.number(measured),
                _ratio(math.log(measured / reported)) if both and measured / reported > 0 else "",
            )
        )
    return table(("what", "arm here", "reported", "measured", "measured / reported"), rows, numbers=2)


def likeness(found: Found) -> Html:
    """The suspect set's text beside real text and a model's."""
    rows = []
    for look in looks(found):
        if math.isnan(look.suspect.value):
            continue
        side = "nearer to the model's" if look.is_nearer_to_model else "not nearer to the model's"
        values = [words.number(value.value) for value in (look.real, look.suspect, look.written)]
        rows.append((look.title, *values, side if look.is_apart else "says nothing: model and real text do not differ"))
    return table(("measure", "real text, unseen", "suspect text", "what generation 0 writes", "suspect text is"), rows)


def floor(found: Found) -> str:
    """The noise floor as a ratio of perplexities."""
    noise = interval(found.results.get("noise_floor"))
    if math.isnan(noise.value):
        return "No noise floor was measured."
    return f"Noise floor: {words.ratios(noise)}."


def regimes(shown: list[Regime]) -> Html:
    """What each arm is trained on."""
    return table(("arm", "each generation is trained on"), [(str(regime), words.meaning(regime)) for regime in shown])


def _ratio(nats: float) -> str:
    return words.UNKNOWN if math.isnan(nats) else f"×{words.ratio(words.times(nats))}"


def _between(nats: Interval) -> str:
    if math.isnan(nats.low) or math.isnan(nats.high):
        return "no interval"
    return f"{words.ratio(words.times(nats.low))} to {words.ratio(words.times(nats.high))}"


def _number(value: float, form: str) -> str:
    return words.UNKNOWN if math.isnan(value) else form.format(value)
