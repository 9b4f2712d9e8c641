"""What changed from one text to another, word by word."""

from __future__ import annotations

from markupsafe import Markup

from archive.errors import visible
from archive.show import count_of
from query.explorer.diff import GONE, NEW, SAME, Diff, Part

#: Characters that are shown: of what is the same, next to a change; of one change; and of all.
_BESIDE, _CHANGE, _ALL = 240, 20_000, 100_000
_TAGS = {GONE: "del", NEW: "ins"}


def words(diff: Diff, about: str) -> Markup:
    """Return a text with what is gone and what is new marked, by colour, by line and, read aloud, by words.

    What is the same far from a change is folded. Of very much, the beginning is shown, with how much was left out.

    Args:
        about: what is compared, for who cannot see it.
    """
    told = Markup("<p>{}</p>").format(diff.sentence)
    if all(part.kind == SAME for part in diff.parts):
        return told
    shown: list[Markup] = []
    left = _ALL
    for at, part in enumerate(diff.parts):
        if left <= 0:
            shown.append(_left_out(f"{count_of(len(diff.parts) - at, 'more part')} not shown"))
            break
        if part.kind == SAME:
            drawn, size = _same(part, at == 0, at == len(diff.parts) - 1)
        else:
            drawn, size = _change(part)
        shown.append(drawn)
        left -= size
    box = Markup('<div class="text words" dir="auto" tabindex="0" role="group" aria-label="{}">{}</div>')
    return told + _KEY + box.format(about, Markup("").join(shown))


_KEY = Markup('<p class="legend" aria-hidden="true"><span><del>gone</del></span> <span><ins>new</ins></span></p>')


def _change(part: Part) -> tuple[Markup, int]:
    """Return what is gone or new, and how long it is."""
    cut = visible(part.text[:_CHANGE])
    over = len(part.text) - _CHANGE
    more = _left_out(f"{over:,} more characters") if over > 0 else ""
    words = cut.rstrip() or cut
    marked = Markup('<{0}><span class="unseen">[{1}: </span>{2}{3}<span class="unseen">]</span></{0}>{4}')
    return marked.format(_TAGS[part.kind], part.kind, words, more, cut[len(words) :]), len(cut)


def _same(part: Part, is_first: bool, is_last: bool) -> tuple[Markup, int]:
    """Return what is the same, of which the middle is folded: what is far from any change."""
    before, after = 0 if is_first else _BESIDE, 0 if is_last else _BESIDE
    if len(part.text) <= 2 * _BESIDE + before + after:
        written = visible(part.text)
        return Markup("{}").format(written), len(written)
    start = part.text[:before].rsplit(" ", 1)[0]  # whole words, where there are spaces
    end = part.text[len(part.text) - after :].split(" ", 1)[-1]
    folded = len(part.text) - len(start) - len(end)
    middle = _left_out(f"{count_of(folded, 'character')} the same")
    return Markup("{}{}{}").format(visible(start), middle, visible(end)), before + after


def _left_out(what: str) -> Markup:
    return Markup(' <span class="left-out">… {} …</span> ').format(what)
