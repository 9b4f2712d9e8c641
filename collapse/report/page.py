"""The page: the verdict, then what it stands on, then how it was made."""

from __future__ import annotations

from collections.abc import Mapping

from collapse import words
from collapse.found import Found
from collapse.report import made, tables
from collapse.report.canvas import Picture
from collapse.report.markup import Html, join, paragraph, picture, safe, section
from collapse.report.samples import samples
from collapse.report.speeds import Times
from collapse.report.style import CSS
from collapse.verdict import paragraphs


def page(found: Found, pictures: Mapping[str, Picture], times: Times | None) -> str:
    """All of `report.html`. It needs nothing beside itself: no script, no font, no network."""

    def shown(name: str) -> Html:
        return picture(pictures.get(name))

    recipe = found.recipe
    suspects = [
        shown("dose"),
        shown("where") if found.suspects else Html(""),
        shown("looks"),
        tables.likeness(found) if found.suspects else Html(""),
    ]
    sections = {
        "suspect": ("The suspect set", suspects),
        "loss-by-generation": ("Loss on real text, by generation", [shown("loss")]),
        "tails-of-text": ("What is rare", [shown("tails"), Html("") if found.suspects else shown("where")]),
        "written": ("What the models write, as generation 0 sees it", [shown("surprise")]),
        "variety": ("Variety", [shown("diversity")]),
        "samples": ("Samples", _samples(found)),
        "definitions": ("Eight definitions of collapse", _definitions(found)),
        "papers": ("Beside the papers", _papers(found)),
        "numbers": ("Every generation", [tables.generations(found), _legend(found)]),
        "method": ("How it was made", _method(found, times)),
    }
    made_of = {name: section(name, title, parts) for name, (title, parts) in sections.items()}
    links = "".join(f'<a href="#{name}">{safe(sections[name][0])}</a> ' for name, body in made_of.items() if body)
    title = f"Collapse test of {found.results['set'].get('name', 'a set')}"
    seeds = words.counted(len(found.seeds), "seed")
    lead = f"{recipe['title']} ({recipe['source']}): model {recipe['model']}, {seeds}."
    body = join(
        [
            Html(f"<h1>{safe(title)}</h1>"),
            paragraph(lead, "lead"),
            Html('<div class="verdict">' + join([paragraph(text) for text in paragraphs(found)]) + "</div>"),
            tables.arms(found),
            paragraph(tables.floor(found) + " " + _PERPLEXITY, "note"),
            Html(f"<nav>{links}</nav>"),
            *made_of.values(),
        ]
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{safe(title)}</title>\n'
        f"<style>{CSS}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


_PERPLEXITY = (
    "A perplexity of 100 is to hesitate between 100 equally likely tokens; its logarithm is the loss, in nats for a token. "
    "×1.105 is 0.1 nats, ×2.718 is 1. Less is better."
)


def _samples(found: Found) -> list[Html]:
    shown = samples(found)
    told = "Generation 0 and the arms' generations behind the same prompts, the first of the first seed's set; not chosen."
    return [paragraph(told, "note"), shown] if shown else []


def _definitions(found: Found) -> list[Html]:
    told = (
        "Schaeffer et al. 2025 count eight definitions of model collapse in the literature, which contradict one another in "
        "part. Which of them an arm meets, by the rule that is written small:"
    )
    shown = tables.definitions(found)
    return [paragraph(told), shown, tables.reasons(found), tables.sources()] if found.regimes else []


def _papers(found: Found) -> list[Html]:
    shown = tables.papers(found)
    told = "Figures that papers report, beside what was measured here, with another model and set unless the recipe says so."
    return [paragraph(told, "note"), shown] if shown else []


def _legend(found: Found) -> Html:
    if not found.regimes:
        return Html("")
    return paragraph("Means over seeds; every number of every seed stands in numbers.parquet and results.json.", "note")


def _method(found: Found, times: Times | None) -> list[Html]:
    return [
        made.method(found),
        made.sources(),
        Html("<h3>Arms</h3>") if found.regimes else Html(""),
        made.arms(found),
        Html("<h3>Text</h3>"),
        made.the_set(found),
        Html("<h3>Recipe</h3>"),
        made.recipe(found),
        *([Html("<h3>Speed</h3>"), made.speeds(times)] if times else []),
    ]
