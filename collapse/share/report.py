"""The page and the picture of a result. Both need no other file: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from markupsafe import Markup

from archive.show import count_of
from collapse.report.markup import Html, join, paragraph, safe, section, table, tag, whole_page
from collapse.report.style import CSS
from collapse.share.periods import month_of, name_of, reference_of
from collapse.share.results import Series, ShareResult
from collapse.share.wording import is_refused, number
from query.explorer.draw.share import HEIGHT, Bar, Estimate, picture, share
from query.explorer.draw.svg import element

#: How the picture looks; the explorer has a style of its own.
_PICTURE = """
.share { display: block; overflow: visible; font: 12px system-ui, sans-serif; color: #555; }
.share .base { stroke: #8a8a8a; } .share .scale { stroke: #e4e4e4; } .share .axis { fill: #555; }
.share .strong { font-weight: 600; fill: #a33d00; } .share .floor { stroke: #a33d00; stroke-width: 1.5; }
.share .reference { stroke: #222; } .share .interval { stroke: #0072b2; stroke-width: 2; opacity: .55; }
.share .value { fill: #0072b2; }
"""
#: Pixels: the width of the picture file, and between two series in it.
_WIDTH, _GAP = 960, 44
#: Letters of the headline in a line of it, and lines of it.
_LETTERS, _LINES = 115, 4
#: Series that are drawn; all are in the table, and in share.json.
_DRAWN = 24


def page(result: ShareResult) -> tuple[str, str]:
    """Return the content of `report.html` and of `share.svg`."""
    reference = name_of(month_of(reference_of(result.reference, result.by)), result.by)
    shown = [each for each in zip(result.series, result.findings, strict=True) if each[0].points][:_DRAWN]
    title = f"Machine text in {result.source}, by {result.by}"
    verdict = join([tag("p", tag("b", result.headline)), *map(paragraph, result.warnings)])
    body = join(
        [
            tag("h1", title),
            paragraph(
                f"{result.texts:,} texts, by when each or a near-duplicate of it was first seen, by captures of grade "
                f"{result.grade} or better. Texts from before {result.reference} are taken for human.",
                "lead",
            ),
            Html(f'<div class="verdict">{verdict}</div>'),
            _summary(result),
            *(_series(number_, each, sentence, reference) for number_, (each, sentence) in enumerate(shown)),
            section("texts", "The texts", [_counts("left out", result.left_out), _counts("stratum", result.strata)]),
            section("machine", "The machine text", _machine(result)),
            section("believe", "When not to believe it", [paragraph(each) for each in DOUBTS]),
        ]
    )
    html = whole_page(title, CSS + _PICTURE, body)
    return html, _svg([each for each, _ in shown], result.headline, reference)


#: Of every result.
DOUBTS = (
    "No number here is about a single text. None says that somebody used a machine: people learn words from machines, "
    "and machines write for people who correct them.",
    "Words per million are no share. They tell that a fashion changed, and a fashion among people does the same.",
    "Excess vocabulary is a lower bound for the words that changed, and it changes with the news too: a year with an "
    "epidemic has excess words that no machine wrote. The floor shows how much it moves by itself.",
    "The mixture is about the machine that wrote the sample. Text of another model, or written to another prompt, may "
    "be counted as human; human text of a kind that was not there before may be counted as the machine's.",
    "What the archive captured decides what is counted. A crawl that turns to other sites changes all three numbers; "
    "the series of the same hosts shows how much of it that is.",
)


def estimate_of(series: Series, reference: str) -> Estimate:
    """Return a series as it is drawn."""
    bars = [
        Bar(each.month, each.value, each.low, each.high, each.refused or series.refused, each.texts, each.hosts)
        for each in series.points
    ]
    return Estimate(named(series), series.unit, series.floor, reference, bars)


def named(series: Series) -> str:
    """Return the title of a series with what it is of."""
    return (
        series.title + (f", {series.stratum}" if series.stratum else "") + (", the same hosts" if series.panel else "")
    )


def _series(at: int, series: Series, sentence: str, reference: str) -> Html:
    notes = [f"{series.says} Source: {series.source}."]
    notes += [f"It holds if {series.condition[0].lower()}{series.condition[1:]}"] if series.condition else []
    parts = [paragraph(sentence), Html(str(share(estimate_of(series, reference), f"series-{at}")))]
    return section(f"series-{at}", named(series), [*parts, *(paragraph(each, "note") for each in notes)])


def _summary(result: ShareResult) -> Html:
    """Return what each estimate says; those of single strata that are refused are folded."""
    shown: list[list[str]] = []
    folded: list[list[str]] = []
    for each, sentence in zip(result.series, result.findings, strict=True):
        slope = "–" if each.slope is None else f"{each.slope:.2f}"
        of = folded if each.stratum is not None and is_refused(sentence) else shown
        of.append([named(each), number(each, each.floor), slope, sentence])
    head = ["estimate", "floor", "slope", "what it says"]
    if not folded:
        return table(head, shown, {1, 2})
    about = f"{count_of(len(folded), 'estimate')} of single strata refused"
    rest = f"<details><summary>{safe(about)}</summary>{table(head, folded, {1, 2})}</details>"
    return join([table(head, shown, {1, 2}), Html(rest)])


def _counts(name: str, counts: dict[str, int]) -> Html:
    return table([name, "texts"], [[key, f"{count:,}"] for key, count in counts.items() if count], {1})


def _machine(result: ShareResult) -> Sequence[str]:
    rejects = [
        [name, reason, f"{count:,}"] for name, each in result.machine_rejects.items() for reason, count in each.items()
    ]
    return [_counts("sample", result.machine), table(["sample", "not used", "rows"], rejects, {2})]


def _svg(series: Sequence[Series], headline: str, reference: str) -> str:
    """Return all pictures below each other as one file."""
    parts = [element("style", Markup(_PICTURE)), element("rect", width="100%", height="100%", fill="#fff")]
    y = 8
    for line in wrap(headline, _LETTERS)[:_LINES]:
        y += 18
        parts.append(element("text", line, x=8, y=y, font_size=14, font_weight="bold"))
    y += 14
    for at, each in enumerate(series):
        parts.append(element("text", f"{named(each)} ({each.unit})", x=8, y=y + 14, font_size=13))
        parts.append(picture(estimate_of(each, reference), f"file-{at}", y=y + 22))
        y += HEIGHT + _GAP
    return str(
        element("svg", *parts, xmlns="http://www.w3.org/2000/svg", width=_WIDTH, height=y + 16, class_="share",
                viewBox=f"0 0 {_WIDTH} {y + 16}")
    )  # fmt: skip
