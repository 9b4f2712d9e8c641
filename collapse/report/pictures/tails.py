"""Which tokens the models lose: the loss on held-out text by how frequent the token is in real text."""

from __future__ import annotations

import math

from collapse.findings import headlines, wording
from collapse.findings.results import RunResults
from collapse.measures.metrics import band_loss, band_share
from collapse.report import axes as draws
from collapse.report import canvas, captions
from collapse.report.canvas import Picture

_COLUMNS = 3
_CAPTION = (
    "The tokens of the held-out text in {count} bands, by their frequency in the text that generation 0 was trained "
    "on ({shares}). A line is the perplexity on one band, divided by that of generation 0 (up is worse; ×1.105 is 0.1 "
    "nats per token). If rare tokens are lost first, the darkest line rises first and most. {bands} {floor}{fresh}"
)
_FRESH = (
    " New real text (fresh) has more of the tokens that were rare in generation 0's text by accident, so its line of "
    "the rarest tokens can fall."
)
_FLOOR = "The grey band is the noise floor of the frequency band that chance moves most."


def draw(results: RunResults) -> Picture | None:
    """Draw a panel for each arm, a line for each band; None without arms or bands."""
    bands = results.bands()
    if not results.tested or len(bands) < 2:
        return None
    arms = [regime for regime in results.regimes if regime.kind != "suspect"]
    courses = {
        (arm, band): [results.change(arm, generation, band_loss(band)) for generation in range(results.last(arm) + 1)]
        for arm in arms
        for band in bands
    }
    every = [change for course in courses.values() for change in course]
    floors = [draws.reach(results.floor(band_loss(band))) for band in bands]
    noise = max((floor for floor in floors if not math.isnan(floor)), default=math.nan)
    low, high = draws.span(every, noise)
    title = headlines.tails(results).text
    with canvas.drawing():
        figure, panels = canvas.grid(title, len(arms), _COLUMNS, sharey=True)
        for panel, arm in zip(panels.flat, arms, strict=False):
            draws.generations(panel, results.last(arm), 0.55, names=False)
            draws.ratio(panel, low, high)
            draws.noise(panel, noise, label="noise floor" if panel is panels.flat[0] else "")
            draws.head(panel, arm)
            tones = canvas.shades(canvas.colour(arm), len(bands))[::-1]
            for band, tone in zip(bands, tones, strict=True):
                draws.course(panel, courses[arm, band], tone, marker=".")
            ends = [courses[arm, band][-1].value for band in bands]
            draws.label_ends(panel, results.last(arm), [*zip(ends, bands, tones, strict=True)], 8.5)
        for panel in panels[-1]:
            panel.set_xlabel("generation")
        for panel in panels[:, 0]:
            panel.set_ylabel("perplexity of the band's tokens,\nby that of generation 0")
        return Picture("tails", title, _caption(results, bands, noise), canvas.png(figure))


def _caption(results: RunResults, bands: list[str], noise: float) -> str:
    shares = [wording.percent(results.at_start(band_share(band)).value) for band in bands]
    return _CAPTION.format(
        count=len(bands),
        shares=", ".join(f"{band}: {share} of what is read" for band, share in zip(bands, shares, strict=True)),
        bands=captions.intervals(results, "Shaded are"),
        floor="No noise floor was measured." if math.isnan(noise) else _FLOOR,
        fresh=_FRESH if any(arm.kind == "fresh" for arm in results.tested) else "",
    )
