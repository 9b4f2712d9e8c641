"""What each generation wrote behind the same prompts, side by side."""

from __future__ import annotations

from collapse import words
from collapse.found import Found
from collapse.regimes import Regime
from collapse.report.markup import Html, join, safe, table, tag

#: Characters of a sample that are shown.
_LONGEST = 700


def samples(found: Found) -> Html:
    """For each prompt a table: an arm in each row, a generation in each column."""
    held = {(sample["regime"], sample["generation"]): sample["texts"] for sample in found.results.get("samples", ())}
    count = max((len(texts) for texts in held.values()), default=0)
    return join([_prompt(found, held, number) for number in range(count)])


def _prompt(found: Found, held: dict[tuple[str, int | None], list[str]], number: int) -> Html:
    def text(regime: str, generation: int | None) -> str:
        texts = held.get((regime, generation), [])
        return _cut(texts[number]) if number < len(texts) else ""

    arms = [regime for regime in found.regimes if any((str(regime), g) in held for g in range(1, 1 + found.last(regime)))]
    last = max((found.last(arm) for arm in arms), default=0)
    start = text("start", 0)
    rows = [(_arm(arm), start if place == 0 else "as above", *(text(str(arm), g) for g in range(1, last + 1))) for place, arm in enumerate(arms)]
    if not rows and start:
        rows = [(Html("generation 0"), start)]
    parts = [tag("h3", f"Prompt {number + 1}")]
    for told, what in (("The prompt: ", text("prompt", None)), ("The real text goes on: ", text("text", None))):
        if what:
            parts.append(Html(f"<blockquote>{tag('span', told, 'small')}{safe(what)}</blockquote>"))
    head = ("arm", *("generation 0, trained on real text" if g == 0 else f"generation {g}" for g in range(last + 1)))
    parts.append(table(head, rows, numbers=99, kind="samples"))
    return join(parts)


def _arm(arm: Regime) -> Html:
    return Html(f"{tag('b', str(arm))}<br>{safe(words.short(arm))}")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} more characters)"
