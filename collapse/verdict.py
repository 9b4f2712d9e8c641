"""What a run found, in sentences. They claim no more than its numbers: what chance may have made is called so."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from collapse import words
from collapse.found import LOSS, Call, Found, call
from collapse.regimes import Regime
from collapse.suspicion import looks, worst

_TRAINED = {
    "replace": "Trained only on what the generation before wrote (replace)",
    "mix": "Trained on {} real text and otherwise on what the generation before wrote ({})",
    "accumulate": "Trained on the real text and all that was written since (accumulate)",
    "accumulate-subsample": "Trained on as much as at first, drawn from the real text and all that was written since "
    "(accumulate-subsample)",
    "fresh": "Trained on new real text each time (fresh)",
    "suspect": "With suspect text in place of {} of the real text ({})",
}
_JUDGED = {
    Call.MORE: "That is worse, by more than chance makes it",
    Call.LESS: "That is better, by more than chance makes it",
    Call.SAME: "That lies within the noise floor: it cannot be told from chance",
    Call.OPEN: "Its interval reaches into the noise floor: it cannot be told from chance",
    Call.UNKNOWN: "Whether that is chance is not known",
}


def sentences(results: Mapping[str, Any]) -> list[str]:
    """The verdict as plain text, a paragraph each: what was measured and the noise floor, each arm, the suspect set."""
    return paragraphs(Found(results))


def paragraphs(found: Found) -> list[str]:
    """`sentences` of results that were read."""
    told = [f"{_start(found)} {_floor(found)}"]
    if not found.arms and not found.suspects:
        told.append("No arm has a generation after generation 0, so nothing is said of collapse.")
    for arm in found.arms:
        told.append(" ".join([_arm(found, arm), *_tail(found, arm), *_definitions(found, arm)]))
    told += [_arm(found, arm) for arm in found.suspects]
    return [*told, *_suspicion(found)] if found.suspects else told


def headline(found: Found) -> str:
    """The title of the picture of losses: what matters most."""
    judged = {arm: of_arm(found, arm) for arm in found.arms}
    if Call.MORE in judged.values():
        arm = hardest(found)
        return f"{words.name(arm)}: perplexity on real text rises to {words.ratio(final(found, arm))} times"
    if Call.UNKNOWN in judged.values():
        return "Perplexity on held-out real text; what chance does to it is not known"
    return "In no arm does the perplexity on real text rise by more than chance makes it"


def hardest(found: Found) -> Regime:
    """The arm over generations that lost most."""
    return max(found.arms, key=lambda arm: -math.inf if math.isnan(final(found, arm)) else final(found, arm))


def of_arm(found: Found, arm: Regime) -> Call:
    """What the last generation's loss on held-out text comes to."""
    return call(found.change(arm, found.last(arm), *LOSS), found.noise)


def final(found: Found, arm: Regime) -> float:
    """The last generation's perplexity by that of generation 0."""
    return words.times(found.change(arm, found.last(arm), *LOSS).value)


def _start(found: Found) -> str:
    recipe = found.recipe
    loss = found.start(*LOSS).value
    told = (
        f"Generation 0, trained on {recipe['blocks'] * recipe['block']:,} tokens of real text, has a perplexity of "
        f"{words.number(words.times(loss))} on held-out real text ({words.number(loss)} nats for a token, "
        f"{words.counted(len(found.seeds), 'seed')})."
    )
    single = found.start("unseen", "entropy").value
    if loss >= single:
        told += (
            f" That is no better than to know how often each token occurs ({words.number(single)} nats in as much "
            "real text): it has learned next to nothing, and what follows says little."
        )
    return told


def _floor(found: Found) -> str:
    if math.isnan(found.noise.value):
        return "No noise floor was measured (no arm `real`), so no difference can be told from chance."
    told = "Another seed on the same real text moves that by up to"
    if math.isnan(found.noise.high):
        return (
            f"{told} {words.ratio(words.times(found.noise.value))} times; with one seed there are no intervals, so no "
            "difference can be told from chance."
        )
    high = words.ratio(words.times(found.noise.high))
    return f"{told} {high} times: the noise floor. A change that does not exceed it may be chance."


def _arm(found: Found, arm: Regime) -> str:
    last = found.last(arm)
    change = found.change(arm, last, *LOSS)
    trained = _TRAINED[arm.kind].format(words.percent(arm.share or 0.0), arm)
    if math.isnan(change.value):
        return f"{trained}: not measured."
    judged = of_arm(found, arm)
    verb = "rose" if change.value > 0 and judged is not Call.SAME else "fell" if judged is not Call.SAME else "came"
    told = f"{trained}, the model's perplexity on held-out real text {verb} to {words.ratios(change)} that "
    if arm.kind == "suspect":
        told += "of the model that saw as much real text alone."
    else:
        told += f"of generation 0 in {words.counted(last, 'generation')}."
    told += f" {_JUDGED[judged]}."
    if arm.kind == "accumulate" and last:
        told += f" (Generation {last} trains on {last + 1} times as much text, and so for longer.)"
    return told


def _tail(found: Found, arm: Regime) -> list[str]:
    """Whether rare tokens lose more than common ones, where the arm lost anything."""
    bands = found.bands()
    if of_arm(found, arm) is not Call.MORE or len(bands) < 2:
        return []
    rare, common = (("held_out", "bands", band, "loss", "value") for band in (bands[0], bands[-1]))
    last = found.last(arm)
    lost = [words.ratio(words.times(found.change(arm, last, *path).value)) for path in (rare, common)]
    told = f"There the perplexity of the {bands[0]} tokens rose to {lost[0]} times, that of the {bands[-1]} to {lost[1]}"
    excess = found.change(arm, last, *rare, less=common)
    match call(excess, found.floor(*rare, less=common)):
        case Call.MORE:
            return [f"{told}: what is rare goes first."]
        case Call.LESS:
            return [f"{told}: here what is common loses more."]
        case _:
            return [f"{told}; that the two differ cannot be told from chance."]


def _definitions(found: Found, arm: Regime) -> list[str]:
    """Which definitions of collapse the arm meets."""
    findings = found.results["arms"].get(str(arm), {}).get("definitions", [])
    if not findings:
        return []
    titles = {
        holds: [finding["title"].lower() for finding in findings if finding["holds"] is holds]
        for holds in (True, False, None)
    }
    told = f"Of the {len(findings)} definitions of collapse in the literature it meets {len(titles[True])}"
    told += f" ({'; '.join(titles[True])})" if titles[True] else ""
    return [f"{told}, {len(titles[False])} it does not, and {len(titles[None])} this run cannot decide."]


def _suspicion(found: Found) -> list[str]:
    """What the suspect set does to a model, and what its text looks like to one."""
    judged = {arm: of_arm(found, arm) for arm in found.suspects}
    harmful = [arm for arm, told in judged.items() if told is Call.MORE]
    if harmful:
        told = (
            "The suspect set teaches worse on held-out real text than as much real text does; "
            f"{words.percent(harmful[0].share or 0.0)} is the least share at which that was more than chance."
        )
        if lost := worst(found, harmful[-1])[:3]:
            where = [f"{part.named} ({words.ratio(words.times(part.change.value))} times)" for part in lost]
            told += f" It is worst for {words.listed(where)}."
    elif Call.UNKNOWN in judged.values():
        told = "Whether the suspect set teaches worse than real text is not known."
    else:
        told = "That the suspect set teaches worse than real text cannot be told from chance."
    other = "Text about other things, or in another style, teaches worse as well: this is no proof that models wrote it."
    return [f"{told} {other}", *_looks(found)]


def _looks(found: Found) -> list[str]:
    measured = [look for look in looks(found) if look.is_apart]
    surprise = {name: found.start(name, "surprise", "mean").value for name in ("suspect", "unseen", "written")}
    if not measured or math.isnan(surprise["suspect"]):
        return []
    perplexities = {name: words.number(words.times(value)) for name, value in surprise.items()}
    nearer = [look.title for look in measured if look.is_nearer_to_model]
    told = (
        f"To generation 0 the suspect text has a perplexity of {perplexities['suspect']}, real text that it never saw "
        f"{perplexities['unseen']}, and what it writes itself {perplexities['written']}. In {len(nearer)} of the "
        f"{len(measured)} measures by which its own text differs from real text, the suspect text lies nearer to the "
        "model's"
    )
    told += f" ({words.listed(nearer)})." if nearer else "."
    return [f"{told} That is a likeness, no proof: another source of human text can look like that as well."]


