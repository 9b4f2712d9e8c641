"""What a run found, in sentences that claim no more than its numbers show."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from collapse.findings import wording
from collapse.findings.results import Comparison, RunResults, compare
from collapse.findings.suspect import Side, likenesses, reference, worst
from collapse.findings.unigram import shortfall
from collapse.measures.metrics import Metric, TextKind, band_loss, held_out_loss, of_text, surprise, unigram_loss
from collapse.regimes import CONTROL, Regime

_TRAINED = {
    "replace": "Trained only on what the generation before wrote",
    "mix": "Trained on {} real text and otherwise on what the generation before wrote",
    "accumulate": "Trained on the real text and all that was written since",
    "accumulate-subsample": "Trained on as much text as at first, drawn from the real text and all written since",
    "fresh": "Trained on new real text each time",
    "suspect": "{} suspect text",
}
_AGREEMENTS = {
    "yes": "can be seen here",
    "in direction": "only in direction",
    "no": "cannot be seen here",
    "open": "stay open",
}
_OUTCOMES = {
    Comparison.MORE: ", worse by more than chance",
    Comparison.LESS: ", better by more than chance",
    Comparison.SAME: ", within the noise floor: that cannot be distinguished from chance",
    Comparison.OPEN: "; the interval reaches into the noise floor, so that cannot be distinguished from chance",
    Comparison.UNKNOWN: "; whether by chance is not known",
}


def paragraphs(results: RunResults) -> list[str]:
    """Return the verdict as plain text: on generation 0, on each arm, on the suspect set, on the definitions."""
    texts = [f"{_start(results)} {_floor(results)}"]
    if not any(regime.kind != CONTROL for regime in results.regimes):
        texts.append("No arm has a generation that could have lost anything, so nothing is said of collapse.")
    texts += [" ".join([_arm(results, arm), *_tail(results, arm)]) for arm in results.tested]
    texts += [_doses(results), *_suspicion(results)] if results.suspects else []
    return texts + _definitions(results) + _papers(results)


def outcome(results: RunResults, arm: Regime) -> Comparison:
    """Compare the change of the last generation's loss on held-out text with the noise floor."""
    return compare(results.change(arm, results.last(arm), held_out_loss), results.noise)


def final(results: RunResults, arm: Regime) -> float:
    """Return by how many nats the last generation's loss on held-out text exceeds that of generation 0."""
    return results.change(arm, results.last(arm), held_out_loss).value


def hardest(results: RunResults, arms: Sequence[Regime]) -> Regime:
    """Return the arm that lost most."""
    return max(arms, key=lambda arm: -math.inf if math.isnan(final(results, arm)) else final(results, arm))


def _start(results: RunResults) -> str:
    recipe = results.recipe
    loss, single = results.at_start(held_out_loss).value, results.at_start(unigram_loss).value
    text = (
        f"Generation 0, trained on {recipe.blocks * recipe.block:,} tokens of real text, has a perplexity of "
        f"{wording.number(wording.times(loss))} on held-out real text ({wording.number(loss)} nats for a token, "
        f"{wording.counted(len(results.seeds), 'seed')})."
    )
    if loss < single or math.isnan(loss) or math.isnan(single):
        return text
    return (
        f"{text} That is no better than to know how often each token occurs ({wording.number(single)} nats): it has "
        "learned next to nothing, and what follows says little."
    )


def _floor(results: RunResults) -> str:
    if math.isnan(results.noise.value):
        return "No noise floor was measured (no arm real), so no difference can be distinguished from chance."
    text = "Another seed on the same real text moves that by up to"
    if math.isnan(results.noise.high):
        text = f"{text} {wording.ratio(results.noise.value)} times"
        return f"{text}; with one seed there are no intervals, so no difference can be distinguished from chance."
    floor = f"{wording.ratio(results.noise.high)} times: the noise floor"
    return f"{text} {floor}. A change that does not exceed it may be chance."


def _arm(results: RunResults, arm: Regime) -> str:
    last = results.last(arm)
    text = f"{_trained(arm)}: perplexity on held-out real text {_moved(results, arm)}"
    if not math.isnan(final(results, arm)):
        since = f" that of generation 0 in {wording.counted(last, 'generation')}"
        text += f"{since}{_OUTCOMES[outcome(results, arm)]}."
    else:
        text += "."
    text += _below_frequencies(results, arm)
    if arm.kind == "accumulate":
        text += f" (Generation {last} trains on {last + 1} times as much text, and so for longer.)"
    return text


def _below_frequencies(results: RunResults, arm: Regime) -> str:
    """Say, with a space before it, that an arm ends worse than a table of frequencies; nothing where it does not."""
    found = shortfall(results, arm)
    if not found.excess.value > 0:
        return ""
    loss, single = results.mean(arm, results.last(arm), held_out_loss).value, results.at_start(unigram_loss).value
    if math.isnan(loss) or math.isnan(single):
        return ""
    shown = " in the mean, though not beyond its interval," if found.worse is None and len(results.seeds) > 1 else ""
    since = f" since generation {found.since}" if found.since not in (None, results.last(arm)) else ""
    return (
        f" At {wording.number(loss)} nats for a token it is{shown} worse than to know only how often each token occurs "
        f"({wording.number(single)} nats){since}: it guesses real text no better than a table of frequencies."
    )


def _doses(results: RunResults) -> str:
    """Say what each share of suspect text does, and what other real text does."""
    outcomes = []
    for arm in [*results.references, *results.suspects]:
        compared = "" if math.isnan(final(results, arm)) else _OUTCOMES[outcome(results, arm)].split(":")[0]
        outcomes.append(f"{_trained(arm)}: {_moved(results, arm)}{compared}")
    below = "".join(f" {arm}:{text}" for arm in results.suspects if (text := _below_frequencies(results, arm)))
    return (
        "Perplexity on held-out real text by that of generation 0, which saw as much of the real text alone. "
        f"{'; '.join(outcomes)}.{below}"
    )


def _trained(arm: Regime) -> str:
    return f"{_TRAINED[arm.kind].format(wording.percent(arm.share or 0.0))} ({arm})"


def _moved(results: RunResults, arm: Regime) -> str:
    """Return, say, `rose to 1.71 times (95 %: 1.65 to 1.77)`."""
    change = results.change(arm, results.last(arm), held_out_loss)
    if math.isnan(change.value):
        return wording.UNKNOWN
    within = outcome(results, arm) is Comparison.SAME or abs(change.value) <= results.noise.value
    return f"{'came' if within else 'rose' if change.value > 0 else 'fell'} to {wording.ratios(change)}"


def _tail(results: RunResults, arm: Regime) -> list[str]:
    """Say whether rare tokens lose earlier and more than common ones, if the arm lost anything."""
    bands = results.bands()
    if outcome(results, arm) is not Comparison.MORE or len(bands) < 2:
        return []
    rare, common = band_loss(bands[0]), band_loss(bands[-1])
    text = (
        f"That of the {bands[0]} tokens came to {_risen(results, arm, rare)}, that of the {bands[-1]} to "
        f"{_risen(results, arm, common)}"
    )
    match compare(results.change(arm, results.last(arm), rare, less=common), results.floor(rare, less=common)):
        case Comparison.MORE:
            return [f"{text}: what is rare loses more."]
        case Comparison.LESS:
            return [f"{text}: what is common loses more."]
        case _:
            return [f"{text}; that the two differ cannot be distinguished from chance."]


def _risen(results: RunResults, arm: Regime, loss: Metric) -> str:
    """Say how far the loss rose, and since when that is more than chance."""
    text = f"{wording.ratio(results.change(arm, results.last(arm), loss).value)} times"
    generations = range(1, results.last(arm) + 1)
    floor = results.floor(loss)
    beyond = [g for g in generations if compare(results.change(arm, g, loss), floor) is Comparison.MORE]
    if not beyond:
        return f"{text} (within chance)"
    return f"{text} (more than chance from generation {beyond[0]} on)" if len(generations) > 1 else text


def _definitions(results: RunResults) -> list[str]:
    """Say how many definitions of collapse each arm meets."""
    texts, count = [], 0
    for arm in results.tested:
        findings = results.arms[str(arm)].definitions if str(arm) in results.arms else []
        met = [finding.title.lower() for finding in findings if finding.holds]
        left = sum(finding.holds is None for finding in findings)
        count = max(count, len(findings))
        texts.append(f"{arm} meets {len(met)}{f' ({wording.listed(met)})' if met else ''}, and {left} are open")
    return [f"Of {count} definitions of collapse in the literature, {'; '.join(texts)}."] if count else []


def _papers(results: RunResults) -> list[str]:
    """Say how often this run agrees with the recipe's paper."""
    counts = Counter(figure.agrees for figure in results.paper)
    if not counts:
        return []
    told = [f"{count} {says}" for name, says in _AGREEMENTS.items() if (count := counts[name])]
    return [f"Of {wording.counted(counts.total(), 'figure')} of the paper, {wording.listed(told)}."]


def _suspicion(results: RunResults) -> list[str]:
    """Say what the suspect set does to a model, and what its text looks like to one."""
    outcomes = {arm: outcome(results, arm) for arm in results.suspects}
    harmful = [arm for arm, comparison in outcomes.items() if comparison is Comparison.MORE]
    if harmful:
        text = (
            "The suspect set teaches worse on held-out real text than as much real text does; "
            f"{wording.percent(harmful[0].share or 0.0)} is the least share at which that was more than chance."
        )
        text += _against_reference(results, harmful[-1])
        if lost := worst(results, harmful[-1])[:3]:
            where = [f"{part.described} ({wording.ratio(part.change.value)} times)" for part in lost]
            than = "Compared with that, it" if reference(results, harmful[-1]) else "It"
            text += f" {than} is worst for {wording.listed(where)}."
    elif Comparison.UNKNOWN in outcomes.values():
        text = "Whether the suspect set teaches worse than real text is not known."
    else:
        text = "That the suspect set teaches worse than real text cannot be distinguished from chance."
    text += (
        " Text about other things, or in another style, teaches worse as well: this is no proof that models wrote it."
    )
    return [text, *_likeness(results)]


def _against_reference(results: RunResults, arm: Regime) -> str:
    """Compare the arm with new real text, which is merely another set as well."""
    other = reference(results, arm)
    change = results.between(arm, other, 1, held_out_loss) if other else None
    if change is None or math.isnan(change.value):
        return ""
    compared = _OUTCOMES[compare(change, results.noise)]
    return f" Compared with new real text ({other}), perplexity comes to {wording.ratios(change)}{compared}."


def _likeness(results: RunResults) -> list[str]:
    """Say what the suspect text is like to generation 0."""
    kinds: tuple[TextKind, ...] = ("suspect", "unseen", "written")
    losses = [results.at_start(of_text(kind, surprise)).value for kind in kinds]
    if math.isnan(losses[0]):
        return []
    suspect, real, own = (wording.number(wording.times(loss)) for loss in losses)
    text = (
        f"To generation 0 the suspect text has a perplexity of {suspect}, real text that it never saw {real}, and what "
        f"it writes itself {own}."
    )
    sides = Counter(likeness.side for likeness in likenesses(results))
    known = [(side, sides[side]) for side in (Side.MODEL, Side.BEYOND, Side.REAL, Side.OTHER) if sides[side]]
    if known:
        counts = wording.listed([f"{count} {side.value}" for side, count in known])
        text += f" Of {sides.total()} measures of variety it is in {counts}; the rest say nothing or stay open."
    return [f"{text} A likeness to a model's text is no proof: other human text can have it as well."]
