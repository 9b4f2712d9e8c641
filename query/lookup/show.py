"""Prints what `lookup` found."""

from __future__ import annotations

from datetime import datetime

from archive.errors import visible_line
from archive.show import OutConsole, count_of
from query.lookup.result import KINDS, KnownText, LookupResult, PageChanges

#: The most characters of a run, and of a change, and the most runs and changes of a text.
_CHARACTERS, _MOST = 300, 5


def show(found: LookupResult | PageChanges) -> None:
    """Print an answer for people."""
    console = OutConsole()
    lines = _page(found) if isinstance(found, PageChanges) else _found(found)
    for line in lines:
        console.print(visible_line(line), markup=False, highlight=False)


def _found(found: LookupResult) -> list[str]:
    lines = [f"{count_of(found.words, 'word')}, content id {found.content_id[:12]}"]
    if found.before:
        lines[0] += f"; only what was first seen before {_time(found.before)}"
    headings = {
        "exact": "EXACT: the same text",
        "near": "NEAR: verified near-duplicates, the earliest first",
        "quote": "QUOTE: texts that share runs of 15 words and more",
        "alike": "ALIKE: may be a rewrite: no evidence",
    }
    for kind in KINDS:
        if kind in found.not_searched:
            lines += ["", f"{kind.upper()}: not searched: {found.not_searched[kind]}"]
            continue
        lines += ["", headings[kind]]
        before = len(lines)
        if kind == "exact" and found.exact:
            lines += _cited(found.exact)
        elif kind == "near":
            for near in found.near:
                how = "estimated" if near.estimated else "of the runs of five words are the same"
                lines += [*_cited(near), f"    {near.similarity:.1%} {how}"]
        elif kind == "quote":
            for quoted in found.quote:
                lines += _cited(quoted)
                lines += [f"    {run.words} words: “{_short(run.text)}”" for run in quoted.runs[:_MOST]]
                lines += [f"    … and {count_of(len(quoted.runs) - _MOST, 'more run')}"] * (len(quoted.runs) > _MOST)
        elif kind == "alike":
            for alike in found.alike:
                lines += [*_cited(alike), f"    cosine {alike.cosine:.3f}"]
        if len(lines) == before:
            lines[-1] = f"{kind.upper()}: none"
    return lines + ([""] if found.notes else []) + [f"note: {note}" for note in found.notes]


def _cited(text: KnownText) -> list[str]:
    record = f"{text.file} at {text.offset}" + (f"+{text.skip}" if text.skip else "")
    name = text.url or f"no URL, text {text.content_id[:12]}"
    return [f"  {_time(text.first_seen)}, grade {text.grade}: {name}", f"    {record}"]


def _page(page: PageChanges) -> list[str]:
    lines = [f"{count_of(page.captures, 'capture')} with text, {count_of(page.texts, 'text')}"]
    for number, version in enumerate(page.versions):
        problem = f" ({version.date_problem})" if version.date_problem else f", grade {version.grade}"
        same = f", and {count_of(version.captures - 1, 'more capture')} of it" if version.captures > 1 else ""
        what = f"{count_of(version.words, 'word')}"
        if number:
            what += f", +{version.words_added:,} −{version.words_removed:,}"
        record = f"{version.file} at {version.offset}" + (f"+{version.skip}" if version.skip else "")
        lines += ["", f"{_time(version.captured_at)}{problem}: {what}, text {version.content_id[:12]}{same}"]
        lines.append(f"    {record}")
        lines += [f"    {_short(change)}" for change in version.changes[:_MOST]]
        lines += [f"    … and {len(version.changes) - _MOST:,} more"] * (len(version.changes) > _MOST)
    return lines


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "no date"


def _short(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= _CHARACTERS:
        return text
    return f"{text[: _CHARACTERS // 2]} … {text[-_CHARACTERS // 2 :]}"
