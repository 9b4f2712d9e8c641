"""What a run found, in sentences. They claim no more than its numbers: what chance may have made is called so."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from collapse.findings import wording
from collapse.findings.results import LOSS, Call, Found, Path, call
from collapse.findings.suspect import Side, beside, looks, worst
from collapse.regimes import CONTROL, Regime

_TRAINED = {
    "replace": "Trained only on what the generation before wrote",
    "mix": "Trained on {} real text and otherwise on what the generation before wrote",
    "accumulate": "Trained on the real text and all that was written since",
    "accumulate-subsample": "Trained on as much text as at first, drawn from the real text and all written since",
    "fresh": "Trained on new real text each time",
    "suspect": "{} suspect text",
}
_JUDGED = {
    Call.MORE: ", worse by more than chance",
    Call.LESS: ", better by more than chance",
    Call.SAME: ", within the noise floor: that cannot be told from chance",
    Call.OPEN: "; the interval reaches into the noise floor, so that cannot be told from chance",
    Call.UNKNOWN: "; whether by chance is not known",
}


def sentences(results: Mapping[str, Any]) -> list[str]:
    """The verdict as plain text, a paragraph each: what was measured and the noise floor, each arm, the suspect set."""
    return paragraphs(Found(results))


def paragraphs(found: Found) -> list[str]:
    """`sentences` of results that were read."""
    told = [f"{_start(found)} {_floor(found)}"]
    if not any(regime.kind != CONTROL for regime in found.regimes):
        told.append("No arm has a generation that could have lost anything, so nothing is said of collapse.")
    told += [" ".join([_arm(found, arm), *_tail(found, arm)]) for arm in found.arms]
    told += [_doses(found), *_suspicion(found)] if found.suspects else []
    return told + _definitions(found)


def headline(found: Found) -> str:
    """The title of the picture of losses: what became of the arm that lost most, of those that surely did."""
    judged = {arm: of_arm(found, arm) for arm in found.arms}
    for known, says in (
        (Call.MORE, "rises to {} times"),
        (Call.UNKNOWN, "comes to {} times; whether by chance is not known"),
    ):
        if of_it := [arm for arm, told in judged.items() if told is known]:
            arm = hardest(found, of_it)
            return f"{wording.name(arm)}: perplexity on real text {says.format(wording.ratio(final(found, arm)))}"
    return "In no arm does the perplexity on real text rise by more than chance makes it"


def of_arm(found: Found, arm: Regime) -> Call:
    """What the last generation's loss on held-out text comes to."""
    return call(found.change(arm, found.last(arm), *LOSS), found.noise)


def final(found: Found, arm: Regime) -> float:
    """By how many nats the last generation's loss on held-out text lies above that of generation 0."""
    return found.change(arm, found.last(arm), *LOSS).value


def hardest(found: Found, arms: Sequence[Regime]) -> Regime:
    """The one of arms that lost most."""
    return max(arms, key=lambda arm: -math.inf if math.isnan(final(found, arm)) else final(found, arm))


def _start(found: Found) -> str:
    recipe = found.recipe
    loss, single = found.start(*LOSS).value, found.start("unigram").value
    told = (
        f"Generation 0, trained on {recipe['blocks'] * recipe['block']:,} tokens of real text, has a perplexity of "
        f"{wording.number(wording.times(loss))} on held-out real text ({wording.number(loss)} nats for a token, "
        f"{wording.counted(len(found.seeds), 'seed')})."
    )
    if loss < single or math.isnan(loss) or math.isnan(single):
        return told
    return (
        f"{told} That is no better than to know how often each token occurs ({wording.number(single)} nats): it has "
        "learned next to nothing, and what follows says little."
    )


def _floor(found: Found) -> str:
    if math.isnan(found.noise.value):
        return "No noise floor was measured (no arm real), so no difference can be told from chance."
    told = "Another seed on the same real text moves that by up to"
    if math.isnan(found.noise.high):
        told = f"{told} {wording.ratio(found.noise.value)} times"
        return f"{told}; with one seed there are no intervals, so no difference can be told from chance."
    floor = f"{wording.ratio(found.noise.high)} times: the noise floor"
    return f"{told} {floor}. A change that does not exceed it may be chance."


def _arm(found: Found, arm: Regime) -> str:
    last = found.last(arm)
    told = f"{_trained(arm)}: perplexity on held-out real text {_moved(found, arm)}"
    if not math.isnan(final(found, arm)):
        since = f" that of generation 0 in {wording.counted(last, 'generation')}"
        told += f"{since}{_JUDGED[of_arm(found, arm)]}."
    else:
        told += "."
    if (lost := found.mean(arm, last, *LOSS).value) > (single := found.start("unigram").value):
        told += (
            f" At {wording.number(lost)} nats for a token it is worse than to know only how often each token occurs "
            f"({wording.number(single)} nats)."
        )
    if arm.kind == "accumulate":
        told += f" (Generation {last} trains on {last + 1} times as much text, and so for longer.)"
    return told


def _doses(found: Found) -> str:
    """What each share of suspect text does, and other real text beside it."""
    told = []
    for arm in [*found.references, *found.suspects]:
        judged = "" if math.isnan(final(found, arm)) else _JUDGED[of_arm(found, arm)].split(":")[0]
        told.append(f"{_trained(arm)}: {_moved(found, arm)}{judged}")
    return (
        "Perplexity on held-out real text by that of generation 0, which saw as much of the real text alone. "
        f"{'; '.join(told)}."
    )


def _trained(arm: Regime) -> str:
    return f"{_TRAINED[arm.kind].format(wording.percent(arm.share or 0.0))} ({arm})"


def _moved(found: Found, arm: Regime) -> str:
    """`rose to 1.71 times (95 %: 1.65 to 1.77)`."""
    change = found.change(arm, found.last(arm), *LOSS)
    if math.isnan(change.value):
        return wording.UNKNOWN
    within = of_arm(found, arm) is Call.SAME or abs(change.value) <= found.noise.value
    return f"{'came' if within else 'rose' if change.value > 0 else 'fell'} to {wording.ratios(change)}"


def _tail(found: Found, arm: Regime) -> list[str]:
    """Whether rare tokens lose earlier and more than common ones, where the arm lost anything."""
    bands = found.bands()
    if of_arm(found, arm) is not Call.MORE or len(bands) < 2:
        return []
    rare, common = (("held_out", "bands", band, "loss", "value") for band in (bands[0], bands[-1]))
    told = (
        f"That of the {bands[0]} tokens came to {_risen(found, arm, rare)}, that of the {bands[-1]} to "
        f"{_risen(found, arm, common)}"
    )
    match call(found.change(arm, found.last(arm), *rare, less=common), found.floor(*rare, less=common)):
        case Call.MORE:
            return [f"{told}: what is rare loses more."]
        case Call.LESS:
            return [f"{told}: what is common loses more."]
        case _:
            return [f"{told}; that the two differ cannot be told from chance."]


def _risen(found: Found, arm: Regime, path: Path) -> str:
    """How far, and since when that is more than chance."""
    told = f"{wording.ratio(found.change(arm, found.last(arm), *path).value)} times"
    generations = range(1, found.last(arm) + 1)
    floor = found.floor(*path)
    beyond = [g for g in generations if call(found.change(arm, g, *path), floor) is Call.MORE]
    if not beyond:
        return f"{told} (within chance)"
    return f"{told} (more than chance from generation {beyond[0]} on)" if len(generations) > 1 else told


def _definitions(found: Found) -> list[str]:
    """How many definitions of collapse each arm meets."""
    told, count = [], 0
    for arm in found.arms:
        findings = found.results["arms"].get(str(arm), {}).get("definitions", [])
        met = [finding["title"].lower() for finding in findings if finding["holds"]]
        left = sum(finding["holds"] is None for finding in findings)
        count = max(count, len(findings))
        told.append(f"{arm} meets {len(met)}{f' ({wording.listed(met)})' if met else ''}, and {left} are open")
    return [f"Of {count} definitions of collapse in the literature, {'; '.join(told)}."] if count else []


def _suspicion(found: Found) -> list[str]:
    """What the suspect set does to a model, and what its text looks like to one."""
    judged = {arm: of_arm(found, arm) for arm in found.suspects}
    harmful = [arm for arm, told in judged.items() if told is Call.MORE]
    if harmful:
        told = (
            "The suspect set teaches worse on held-out real text than as much real text does; "
            f"{wording.percent(harmful[0].share or 0.0)} is the least share at which that was more than chance."
        )
        told += _beside_other(found, harmful[-1])
        if lost := worst(found, harmful[-1])[:3]:
            where = [f"{part.named} ({wording.ratio(part.change.value)} times)" for part in lost]
            than = "Beside that it" if beside(found, harmful[-1]) else "It"
            told += f" {than} is worst for {wording.listed(where)}."
    elif Call.UNKNOWN in judged.values():
        told = "Whether the suspect set teaches worse than real text is not known."
    else:
        told = "That the suspect set teaches worse than real text cannot be told from chance."
    told += (
        " Text about other things, or in another style, teaches worse as well: this is no proof that models wrote it."
    )
    return [told, *_looks(found)]


def _beside_other(found: Found, arm: Regime) -> str:
    """The arm beside new real text, which is merely another set as well."""
    other = beside(found, arm)
    change = found.between(arm, other, 1, *LOSS) if other else None
    if change is None or math.isnan(change.value):
        return ""
    judged = _JUDGED[call(change, found.noise)]
    return f" Beside new real text ({other}), perplexity comes to {wording.ratios(change)}{judged}."


def _looks(found: Found) -> list[str]:
    surprise = [found.start(kind, "surprise", "mean").value for kind in ("suspect", "unseen", "written")]
    if math.isnan(surprise[0]):
        return []
    suspect, real, own = (wording.number(wording.times(value)) for value in surprise)
    told = (
        f"To generation 0 the suspect text has a perplexity of {suspect}, real text that it never saw {real}, and what "
        f"it writes itself {own}."
    )
    sides = Counter(look.side for look in looks(found))
    known = [(side, sides[side]) for side in (Side.MODEL, Side.BEYOND, Side.REAL, Side.OTHER) if sides[side]]
    if known:
        places = wording.listed([f"{count} {side.value}" for side, count in known])
        told += f" Of {sides.total()} measures of variety it is in {places}; the rest say nothing or cannot be told."
    return [f"{told} A likeness to a model's text is no proof: other human text can have it as well."]
