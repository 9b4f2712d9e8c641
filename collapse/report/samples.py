"""What each generation wrote behind the same prompts, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from collapse.findings import wording
from collapse.findings.results import RunResults
from collapse.regimes import START, SUSPECT
from collapse.report.markup import Html, join, safe, table, tag

#: Characters of a sample that are shown.
_LONGEST = 700
#: Shown above the table, in this order.
_FIRST = {
    ("prompt", None): "The prompt",
    ("text", None): "How the real text goes on",
    (START, 0): "How generation 0 goes on, trained on real text",
}

Texts = Mapping[tuple[str, int | None], Sequence[str]]


def samples(results: RunResults) -> Html:
    """Return a table for each prompt, with a row for each arm; then blocks of the suspect set."""
    held = {(sample.regime, sample.generation): sample.texts for sample in results.samples}
    count = max((len(texts) for (regime, _), texts in held.items() if regime != SUSPECT), default=0)
    return join([*(_prompt(results, held, number) for number in range(count)), _suspect(held)])


def _prompt(results: RunResults, held: Texts, number: int) -> Html:
    parts = [tag("h3", f"Prompt {number + 1}")]
    for key, title in _FIRST.items():
        if text := _text(held, key, number):
            parts.append(Html(f"<blockquote>{tag('span', f'{title}: ', 'small')}{safe(text)}</blockquote>"))
    arms = [arm for arm in results.regimes if (str(arm), 1) in held]
    generations = range(1, max((results.last(arm) for arm in arms), default=0) + 1)
    rows = [
        (
            Html(f"{tag('b', str(arm))}<br>{safe(wording.short(arm))}"),
            *(_text(held, (str(arm), generation), number) for generation in generations),
        )
        for arm in arms
    ]
    return join([*parts, table(("arm", *(f"generation {g}" for g in generations)), rows, kind="samples")])


def _suspect(held: Texts) -> Html:
    key = (SUSPECT, None)
    blocks = [_text(held, key, number) for number in range(len(held.get(key, ())))]
    quotes = [Html(f"<blockquote>{safe(text)}</blockquote>") for text in blocks]
    return join([tag("h3", "Blocks of the suspect set"), *quotes] if quotes else [])


def _text(held: Texts, key: tuple[str, int | None], number: int) -> str:
    texts = held.get(key, ())
    text = texts[number].strip() if number < len(texts) else ""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} more characters)"
