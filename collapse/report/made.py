"""How the numbers were made: the set, the model, the recipe, the method and its sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive.reasons import REJECTS
from archive.show import bytes_text
from collapse import words
from collapse.corpus.tally import REASONS
from collapse.decoding import KINDS
from collapse.found import Found
from collapse.report import tables
from collapse.report.markup import Html, join, paragraph, table, tag
from collapse.report.speeds import Times

_SOURCES = (
    "Shumailov, Shumaylov, Zhao, Papernot, Anderson, Gal 2024: AI models collapse when trained on recursively generated "
    "data. Nature 631, 755-759.",
    "Gerstgrasser et al. 2024: Is model collapse inevitable? Breaking the curse of recursion by accumulating real and "
    "synthetic data. arXiv:2404.01413.",
    "Kazdan et al. 2024: Collapse or thrive? Perils and promises of synthetic data in a self-generating world. "
    "arXiv:2410.16713.",
    "Schaeffer, Kazdan, Arulandu, Koyejo 2025: Position: model collapse does not mean what you think. arXiv:2503.03150.",
)


def method(found: Found) -> Html:
    """The method in five sentences."""
    recipe = found.recipe
    prompt = (
        f"behind the first {recipe['prompt']} tokens of each block of real text" if recipe["prompt"] else "from nothing"
    )
    kind = str(recipe["decoding"]).partition(":")[0]
    return paragraph(
        f"Generation 0 is a model trained on {recipe['blocks']:,} blocks of {recipe['block']} tokens of real text. "
        f"It writes as many blocks, {prompt}, each token picked by {recipe['decoding']} ({KINDS[kind][2] if kind in KINDS else kind}); "
        "an arm says what of this, and of real text, the next generation is trained on, from the same first weights. "
        "Every generation is judged by its loss on real text that no generation was trained on and that shares no near-"
        "duplicate with what was. "
        "All is done again with another seed, other blocks and other first weights, and numbers are compared with "
        "generation 0 of their own seed; intervals are Student's over the seeds. "
        "The arm `real` trains on generation 0's text again with another seed: what it moves is the noise floor, and only "
        "a change whose whole interval lies beyond it is said to be more than chance."
    )


def the_set(found: Found) -> Html:
    about = found.results["set"]
    parts = [_reading(about, "The set")]
    if split := about.get("split"):
        given = "as the source says" if split["is_given"] else "drawn"
        rows = [
            ("documents to train on", f"{split['train_documents']:,} ({bytes_text(split['train_bytes'])})"),
            (f"documents held out, {given}", f"{split['held_out_documents']:,} ({bytes_text(split['held_out_bytes'])})"),
            ("dropped, since they share text with those", _counts(split["dropped"])),
            ("tokens that models are judged by", _of(about, "held_out_tokens")),
            ("from so many documents", _of(about, "held_out_documents_used")),
            ("tokens of the vocabulary", _of(about, "vocabulary")),
            *((f"blocks: {name.replace('_', ' ')}", f"{count:,}") for name, count in about.get("blocks", {}).items()),
        ]
        parts.append(table(("", ""), rows))
    if second := about.get("suspect"):
        parts += [
            _reading(second, "The suspect set"),
            paragraph(f"Used: {second['documents']:,} documents; dropped as kin of held-out text: {_counts(second['dropped'])}."),
        ]
    return join(parts)


def recipe(found: Found) -> Html:
    """All settings of the run."""
    held = {name: value for name, value in found.recipe.items() if name != "paper"}
    rows = [(name.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value)) for name, value in held.items()]
    size = found.results.get("parameters")
    return table(("setting", "value"), [("parameters of the model", f"{size:,}" if size else words.UNKNOWN), *rows])


def speeds(times: Times | None) -> Html:
    """Tokens a second of one process."""
    rows = [
        (step, f"{spent['tokens']:,.0f}", f"{spent['seconds']:,.1f}", words.number(spent["tokens"] / spent["seconds"]))
        for step, spent in sorted((times or {}).items())
        if spent["seconds"] > 0
    ]
    return table(("step", "tokens", "seconds of all processes", "tokens a second, one process"), rows)


def sources() -> Html:
    return Html("<ul>" + "".join(tag("li", source) for source in _SOURCES) + "</ul>")


def arms(found: Found) -> Html:
    return tables.regimes(found.regimes)


def _reading(about: Mapping[str, Any], title: str) -> Html:
    """What was read of a set, and what was rejected and why."""
    reading = about["reading"]
    told = (
        f"{title}, {about['name']}: {reading['documents']:,} documents read, {bytes_text(reading['bytes'])}"
        + (", a sample of what there is" if reading["is_sample"] else "")
        + "."
    )
    known = {**REJECTS, **REASONS}
    rows = [(code, f"{count:,}", known.get(code, "")) for code, count in reading["rejects"].items()]
    return join([paragraph(told), table(("not used as it was", "how many", "why"), rows, numbers=9)])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"


def _of(about: Mapping[str, Any], name: str) -> str:
    return f"{about[name]:,}" if about.get(name) is not None else words.UNKNOWN
