"""The page: the verdict, then the numbers it rests on, then how they were measured."""

from __future__ import annotations

import re
from collections.abc import Mapping

from collapse.findings import wording
from collapse.findings.results import RunResults
from collapse.findings.verdict import paragraphs
from collapse.report import method, tables
from collapse.report.canvas import Picture
from collapse.report.markup import Html, join, paragraph, picture, safe, section, tag, whole_page
from collapse.report.samples import samples
from collapse.report.speeds import Times
from collapse.report.style import CSS

_UNITS = (
    "A perplexity of 100 means that the model hesitates between 100 equally likely tokens; its logarithm is the loss, "
    "in nats per token. Less is better. A ratio of 1.105 is 0.1 nats, one of 2.718 is 1."
)
_SAMPLES = "The first prompts of the first seed's training text; they were not chosen."
_DEFINITIONS = (
    "Schaeffer et al. 2025 count eight definitions of model collapse in the literature, which contradict one another "
    "in part. This table shows which of them each arm meets, by the rule in small print; open means that this run "
    "cannot tell."
)
_WHY = "The numbers behind each answer:"
_PAPERS = (
    "What a paper reports, next to what this run measured. The text, the model and the length of the training differ, "
    "unless you gave the paper's; so levels seldom agree, and changes often only in direction. Yes: the paper's figure "
    "is in our interval, or what it says in words is more than chance here. In direction: more than chance on the same "
    "side, by another amount. Open: this run is too small, or has too few seeds, to tell."
)
_NUMBERS = "Means over seeds. metrics.parquet and results.json have every number of every seed."
#: Behind the name of an arm or of what was measured.
_FINDING = re.compile(r"(?:(?<=real text )|(?<=\): ))(?:rose|fell|came) to [\d.,]+ times")


def page(results: RunResults, pictures: Mapping[str, Picture], times: Times | None) -> str:
    """Return the content of `report.html`, which needs no other file: no script, no font, no network."""
    title = f"Collapse test of {results.set.name}"
    named = [
        (anchor, heading, section(anchor, heading, parts))
        for anchor, heading, parts in _sections(results, pictures, times)
    ]
    shown = [each for each in named if each[2]]
    links = " ".join(f'<a href="#{anchor}">{safe(heading)}</a>' for anchor, heading, _ in shown)
    recipe = results.recipe
    lead = ", ".join(part for part in (recipe.title, recipe.source) if part)
    lead = f"{lead}. Model {recipe.model}, {wording.counted(len(results.seeds), 'seed')}."
    body = join(
        [
            tag("h1", title),
            paragraph(lead, "lead"),
            Html(f'<div class="verdict">{join([_emphasized(text) for text in paragraphs(results)])}</div>'),
            tables.arms(results),
            paragraph(_UNITS, "note"),
            Html(f"<nav>{links}</nav>"),
            *(content for _, _, content in named),
        ]
    )
    return whole_page(title, CSS, body)


def _emphasized(text: str) -> Html:
    """Return a paragraph of the verdict, with the outcome of each arm in bold."""
    return Html(_FINDING.sub(r"<b>\g<0></b>", paragraph(text)))


def _sections(
    results: RunResults, pictures: Mapping[str, Picture], times: Times | None
) -> list[tuple[str, str, list[Html]]]:
    """Return the anchor, title and parts of each section; one without parts is not shown."""

    def shown(name: str) -> Html:
        return picture(pictures.get(name))

    def with_note(note: str, part: Html) -> list[Html]:
        return [paragraph(note, "note"), part] if part else []

    evaluated = [paragraph(_DEFINITIONS), tables.definitions(results), paragraph(_WHY, "note"), tables.reasons(results)]
    return [
        ("suspect-set", "The suspect set", [shown("dose"), shown("looks"), tables.likeness(results)]),
        ("losses", "Loss on real text, by generation", [shown("loss")]),
        ("rare", "Which real text is lost", [shown("tails"), shown("where")]),
        ("written", "What the models write, as generation 0 sees it", [shown("surprise")]),
        ("variety", "The variety of what they write", [shown("diversity")]),
        ("samples", "Samples", with_note(_SAMPLES, samples(results))),
        ("definitions", "Eight definitions of collapse", [*evaluated, tables.users()] if results.regimes else []),
        ("papers", "Compared with papers", with_note(_PAPERS, tables.papers(results))),
        ("numbers", "Every generation", with_note(_NUMBERS, tables.generations(results))),
        ("method", "The method", [method.method(results)]),
        ("arms", "The arms", [tables.regimes(results)]),
        ("text", "The text", [method.the_set(results)]),
        ("recipe", "The recipe", [method.recipe(results)]),
        ("speed", "The speed", [method.speeds(times)]),
    ]
