"""How the numbers were measured: the method and its sources, the set, the recipe, the speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from archive.reasons import REJECTS
from archive.show import bytes_text
from collapse.corpus.report import ReadReport
from collapse.corpus.tally import REASONS
from collapse.decoding import KINDS
from collapse.findings import wording
from collapse.findings.results import RunResults
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
    "Each further generation starts from the same weights as generation 0, and is trained on a mixture of real and "
    "written blocks that depends on its arm. "
    "All are evaluated by their loss on held-out real text that no generation was trained on, and of which no training "
    "document is a near-duplicate or has a long excerpt. "
    "Everything is repeated for each seed, with other blocks, another order and other draws; each generation is "
    "compared with generation 0 of its own seed, and intervals are Student's over the seeds. "
    "The arm real trains on generation 0's blocks again with another seed: how far it moves from generation 0 is the "
    "noise floor, and only a change whose whole interval is beyond it is called more than chance."
)


def method(results: RunResults) -> Html:
    """Describe the method in a paragraph, and name its sources."""
    recipe = results.recipe
    kind = recipe.decoding.partition(":")[0]
    prompt = f"each behind the first {recipe.prompt} tokens of a block of real text"
    text = _METHOD.format(
        blocks=recipe.blocks,
        block=recipe.block,
        prompt=prompt if recipe.prompt else "each from the token that ends a text",
        decoding=recipe.decoding,
        says=KINDS[kind].says.split(": ")[-1] if kind in KINDS else kind,
    )
    sources = "".join(tag("li", source) for source in _SOURCES)
    return join([paragraph(text), Html(f'<ul class="note">{sources}</ul>')])


def the_set(results: RunResults) -> Html:
    """Show what was read, what of it was held out, and what was left out."""
    about, split = results.set, results.set.split
    held_out = "documents held out, as the source says" if split.is_given else "documents held out, drawn"
    rows = [
        ("documents to train on", f"{split.train_documents:,} ({bytes_text(split.train_bytes)})"),
        (held_out, f"{split.held_out_documents:,} ({bytes_text(split.held_out_bytes)})"),
        ("training documents dropped, as they share text with those", _counts(split.dropped)),
        ("tokens that models are evaluated on", f"{about.held_out_tokens:,}"),
        ("documents that these come from", f"{about.held_out_documents_used:,}"),
        ("tokens in the vocabulary", f"{about.vocabulary:,}"),
        ("blocks in the text", ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in about.blocks.items())),
    ]
    parts = [_reading(about.name, about.reading, "The set"), table(("", ""), rows)]
    if second := about.suspect:
        dropped = f"dropped, as they share text with held-out ones: {_counts(second.dropped)}."
        parts += [
            _reading(second.name, second.reading, "The suspect set"),
            paragraph(f"Documents of it that were used: {second.documents:,}; {dropped}"),
        ]
    return join(parts)


def recipe(results: RunResults) -> Html:
    """Show all settings of the run, and the size of the model."""
    rows = [("parameters of the model", f"{results.parameters:,}")]
    for item in fields(results.recipe):
        if item.name != "paper":
            value = getattr(results.recipe, item.name)
            text = ", ".join(value) if isinstance(value, tuple) else str(value)
            rows.append((item.name.replace("_", " "), text))
    return table(("", ""), rows)


def speeds(times: Times | None) -> Html:
    """Show how many tokens a second one process trained on and wrote."""
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


def _reading(name: str, reading: ReadReport, title: str) -> Html:
    """Show what was read of a set, and what could not be used as it was, and why."""
    sample = ", a sample of the whole" if reading.is_sample else ""
    text = f"{title}, {name}: {reading.documents:,} documents ({bytes_text(reading.bytes)}){sample}."
    known = {**REJECTS, **REASONS}
    rows = [(code, f"{count:,}", known.get(code, "")) for code, count in reading.rejects.items()]
    return join([paragraph(text), table(("not used as it was", "how many", "why"), rows, (1,))])


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
