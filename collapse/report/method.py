"""How the numbers were made: the method and its sources, the set, the recipe, the speed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archive.reasons import REJECTS
from archive.show import bytes_text
from collapse.corpus.tally import REASONS
from collapse.decoding import KINDS
from collapse.findings import wording
from collapse.findings.results import Found
from collapse.report.markup import Html, join, paragraph, table, tag
from collapse.report.speeds import Times

_SOURCES = (
    "Shumailov, Shumaylov, Zhao, Papernot, Anderson and Gal 2024: AI models collapse when trained on recursively "
    "generated data. Nature 631, 755-759.",
    "Gerstgrasser et al. 2024: Is model collapse inevitable? Breaking the curse of recursion by accumulating real and "
    "synthetic data. arXiv:2404.01413.",
    "Kazdan et al. 2024: Collapse or thrive? Perils and promises of synthetic data in a self-generating world. "
    "arXiv:2410.16713.",
    "Schaeffer, Kazdan, Arulandu and Koyejo 2025: Position: model collapse does not mean what you think. "
    "arXiv:2503.03150.",
)
_METHOD = (
    "Generation 0 is a model that is trained on {blocks:,} blocks of {block} tokens of real text, and writes as many "
    "blocks, {prompt} (decoding {decoding}: {says}). "
    "Each further generation starts from the same weights as generation 0 and is trained on what its arm makes of real "
    "and written blocks. "
    "All are judged by their loss on held-out real text that no generation was trained on, and with which no training "
    "document shares a near-duplicate or a long excerpt. "
    "All of it is done again for each seed, with other blocks, another order and other draws; each generation is "
    "compared with generation 0 of its own seed, and intervals are Student's over the seeds. "
    "The arm real trains on generation 0's blocks again with another seed: how far that goes from generation 0 is the "
    "noise floor, and only a change whose whole interval lies beyond it is said to be more than chance."
)


def method(found: Found) -> Html:
    """The method in five sentences, and whose it is."""
    recipe = found.recipe
    kind = str(recipe["decoding"]).partition(":")[0]
    prompt = f"each behind the first {recipe['prompt']} tokens of a block of real text"
    told = _METHOD.format(
        blocks=recipe["blocks"],
        block=recipe["block"],
        prompt=prompt if recipe["prompt"] else "each from the token that ends a text",
        decoding=recipe["decoding"],
        says=KINDS[kind][2].split(": ")[-1] if kind in KINDS else kind,
    )
    sources = "".join(tag("li", source) for source in _SOURCES)
    return join([paragraph(told), Html(f'<ul class="note">{sources}</ul>')])


def the_set(found: Found) -> Html:
    """What was read, what of it was held out, and what was left out."""
    about = found.results["set"]
    rows = []
    if split := about.get("split"):
        out = "documents held out, as the source says" if split["is_given"] else "documents held out, drawn"
        rows += [
            ("documents to train on", f"{split['train_documents']:,} ({bytes_text(split['train_bytes'])})"),
            (out, f"{split['held_out_documents']:,} ({bytes_text(split['held_out_bytes'])})"),
            ("training documents dropped, as they share text with those", _counts(split["dropped"])),
        ]
    rows += [
        ("tokens that models are judged by", _of(about, "held_out_tokens")),
        ("documents that these come from", _of(about, "held_out_documents_used")),
        ("tokens in the vocabulary", _of(about, "vocabulary")),
        ("blocks there were", ", ".join(f"{n:,} {k.replace('_', ' ')}" for k, n in about.get("blocks", {}).items())),
    ]
    parts = [_reading(about, "The set"), table(("", ""), rows)]
    if second := about.get("suspect"):
        dropped = f"dropped, as they share text with held-out ones: {_counts(second['dropped'])}."
        parts += [
            _reading(second, "The suspect set"),
            paragraph(f"Documents of it that were used: {second['documents']:,}; {dropped}"),
        ]
    return join(parts)


def recipe(found: Found) -> Html:
    """All settings of the run, and the size of the model."""
    rows = [("parameters of the model", _of(found.results, "parameters"))]
    for name, value in found.recipe.items():
        if name != "paper":
            told = ", ".join(value) if isinstance(value, list) else str(value)
            rows.append((name.replace("_", " "), told))
    return table(("", ""), rows)


def speeds(times: Times | None) -> Html:
    """Tokens a second of one process."""
    rows = [
        (
            step,
            f"{spent['tokens']:,.0f}",
            f"{spent['seconds']:,.1f}",
            wording.number(spent["tokens"] / spent["seconds"]),
        )
        for step, spent in sorted((times or {}).items())
        if spent["seconds"] > 0
    ]
    return table(("step", "tokens", "seconds, of all processes", "tokens a second, one process"), rows, (1, 2, 3))


def _reading(about: Mapping[str, Any], title: str) -> Html:
    """What was read of a set, and what could not be used as it was, and why."""
    reading = about["reading"]
    sample = ", a sample of what there is" if reading["is_sample"] else ""
    told = f"{title}, {about['name']}: {reading['documents']:,} documents ({bytes_text(reading['bytes'])}){sample}."
    known = {**REJECTS, **REASONS}
    rows = [(code, f"{count:,}", known.get(code, "")) for code, count in reading["rejects"].items()]
    return join([paragraph(told), table(("not used as it was", "how many", "why"), rows, (1,))])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"


def _of(about: Mapping[str, Any], name: str) -> str:
    return f"{about[name]:,}" if about.get(name) is not None else wording.UNKNOWN
