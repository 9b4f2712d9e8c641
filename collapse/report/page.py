"""The page: the verdict, then what it stands on, then how it was made."""

from __future__ import annotations

import re
from collections.abc import Mapping

from collapse.findings import wording
from collapse.findings.results import Found
from collapse.findings.verdict import paragraphs
from collapse.report import method, tables
from collapse.report.canvas import Picture
from collapse.report.markup import Html, join, paragraph, picture, safe, section, tag
from collapse.report.samples import samples
from collapse.report.speeds import Times
from collapse.report.style import CSS

_UNITS = (
    "A perplexity of 100 is to hesitate between 100 equally likely tokens; its logarithm is the loss, in nats for a "
    "token. Less is better. A ratio of 1.105 is 0.1 nats, one of 2.718 is 1."
)
_SAMPLES = "The first prompts of the first seed's training text; they were not chosen."
_DEFINITIONS = (
    "Schaeffer et al. 2025 count eight definitions of model collapse in the literature, which contradict one another "
    "in part. Which of them each arm meets, by the rule in small print; open where this run cannot tell:"
)
_WHY = "The numbers on which each answer stands:"
_PAPERS = "Figures that papers report, beside this run. The set is another unless you gave it the paper's."
_NUMBERS = "Means over seeds. Every number of every seed stands in numbers.parquet and results.json."
#: Behind the name of an arm or of what was measured.
_FINDING = re.compile(r"(?:(?<=real text )|(?<=\): ))(?:rose|fell|came) to [\d.,]+ times")


def page(found: Found, pictures: Mapping[str, Picture], times: Times | None) -> str:
    """All of `report.html`. It needs nothing beside itself: no script, no font, no network."""
    name = found.results["set"].get("name", "a set")
    title = f"Collapse test of {name}"
    sections = _sections(found, pictures, times)
    made_of = {anchor: section(anchor, told, parts) for anchor, told, parts in sections}
    links = " ".join(f'<a href="#{anchor}">{safe(told)}</a>' for anchor, told, _ in sections if made_of[anchor])
    recipe = found.recipe
    lead = ", ".join(part for part in (recipe["title"], recipe["source"]) if part)
    lead = f"{lead}. Model {recipe['model']}, {wording.counted(len(found.seeds), 'seed')}."
    body = join(
        [
            tag("h1", title),
            paragraph(lead, "lead"),
            Html(f'<div class="verdict">{join([_told(text) for text in paragraphs(found)])}</div>'),
            tables.arms(found),
            paragraph(_UNITS, "note"),
            Html(f"<nav>{links}</nav>"),
            *made_of.values(),
        ]
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{safe(title)}</title>\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _told(text: str) -> Html:
    """A paragraph of the verdict, with what became of each arm in bold."""
    return Html(_FINDING.sub(r"<b>\g<0></b>", paragraph(text)))


def _sections(found: Found, pictures: Mapping[str, Picture], times: Times | None) -> list[tuple[str, str, list[Html]]]:
    """Anchor, title and parts of each; one without parts does not show."""

    def shown(name: str) -> Html:
        return picture(pictures.get(name))

    def with_note(note: str, part: Html) -> list[Html]:
        return [paragraph(note, "note"), part] if part else []

    judged = [paragraph(_DEFINITIONS), tables.definitions(found), paragraph(_WHY, "note"), tables.reasons(found)]
    return [
        ("suspect-set", "The suspect set", [shown("dose"), shown("looks"), tables.likeness(found)]),
        ("losses", "Loss on real text, by generation", [shown("loss")]),
        ("rare", "Which real text is lost", [shown("tails"), shown("where")]),
        ("written", "What the models write, as generation 0 sees it", [shown("surprise")]),
        ("variety", "The variety of what they write", [shown("diversity")]),
        ("samples", "Samples", with_note(_SAMPLES, samples(found))),
        ("definitions", "Eight definitions of collapse", [*judged, tables.users()] if found.regimes else []),
        ("papers", "Beside the papers", with_note(_PAPERS, tables.papers(found))),
        ("numbers", "Every generation", with_note(_NUMBERS, tables.generations(found))),
        ("method", "How it was made", [method.method(found)]),
        ("arms", "The arms", [tables.regimes(found)]),
        ("text", "The text", [method.the_set(found)]),
        ("recipe", "The recipe", [method.recipe(found)]),
        ("speed", "The speed", [method.speeds(times)]),
    ]
