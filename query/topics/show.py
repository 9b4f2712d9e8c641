"""Prints topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich import box
from rich.table import Table

from archive.errors import visible_line
from archive.show import OutConsole, count_of
from query.topics.result import Missing, Topic, TopicsResult

#: The most topics that are shown unless all are asked for, the most columns of a chart, and the least width of a
#: table: a narrow terminal breaks its lines.
_MOST, _COLUMNS, _WIDTH = 20, 24, 110
_BARS = "▁▂▃▄▅▆▇█"


def show(found: TopicsResult, every: bool) -> None:
    """Print topics for people.

    Args:
        every: all of them, not only the largest.
    """
    console = OutConsole()
    console.width = max(console.width, _WIDTH)
    new = f", {found.assigned:,} of them new" if found.assigned else ""
    without = f"; {count_of(found.without, 'text')} without a vector" if found.without else ""
    console.print(
        f"{count_of(found.texts, 'text')} in {count_of(len(found.topics), 'topic')} of {found.encoder}{new}{without}",
        markup=False,
        highlight=False,
    )
    if found.undated:
        better = "" if found.grade == "A" else " or better"
        console.print(f"{found.undated:,} of them have no date of grade {found.grade}{better}", highlight=False)
    shown = found.topics if every else found.topics[:_MOST]
    console.print(_topics(shown, _columns(found.topics)))
    if len(shown) < len(found.topics):
        console.print(f"… and {len(found.topics) - len(shown):,} smaller ones (--all)", highlight=False)
    if found.compared:
        _missing(console, found, every)


def show_one(found: TopicsResult, number: int) -> bool:
    """Print one topic with its months and its nearest texts; False if there is none of this number."""
    topic = next((each for each in found.topics if each.topic == number), None)
    if topic is None:
        return False
    console = OutConsole()
    lines = [f"topic {topic.topic}: {topic.name}", f"words: {', '.join(topic.words)}"]
    lines.append(f"{count_of(topic.texts, 'text')}, {topic.share:.1%} of all; {topic.undated:,} undated")
    if (missing := topic.missing) is not None:
        lines.append(f"{_within(found)}: {missing.inside:,} of {missing.texts:,}, {_ratio(missing)} {missing.kind}")
    lines += ["", "the nearest texts:"]
    for text in topic.examples:
        date = f"{text.first_seen:%Y-%m-%d}" if text.first_seen else "undated   "
        lines.append(f"  {date} {text.url or 'no URL'}" + (f" “{text.title}”" if text.title else ""))
        lines.append(f"             cosine {text.similarity:.3f}, {text.content_id}")
    lines += ["", f"first seen, by {found.by}:"]
    most = max(topic.periods.values(), default=1)
    for period, count in topic.periods.items():
        lines.append(f"  {period}  {count:>7,} {'█' * max(round(40 * count / most), 1)}")
    for line in lines:
        console.print(visible_line(line), markup=False, highlight=False)
    return True


def _columns(topics: Sequence[Topic]) -> list[str]:
    """Return the months, or where there are many the years, from the first one to the last one."""
    present = sorted({period for topic in topics for period in topic.periods})
    if not present:
        return []
    years = [f"{year:04}" for year in range(int(present[0][:4]), int(present[-1][:4]) + 1)]
    months = [f"{year}-{month:02}" for year in years for month in range(1, 13)] if len(present[0]) > 4 else []
    months = [month for month in months if present[0] <= month <= present[-1]]
    return months if 0 < len(months) <= _COLUMNS else years


def _chart(topic: Topic, columns: Sequence[str]) -> str:
    """Return a bar for each column: the tallest one for the most texts of this topic."""
    counts: Counter[str] = Counter()
    for period, count in topic.periods.items():
        counts[period if period in columns else period[:4]] += count
    most = max(counts.values(), default=1)
    return "".join(_BARS[-(-counts[each] * 8 // most) - 1] if counts[each] else " " for each in columns)


def _topics(topics: Sequence[Topic], columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("topic", "texts", "share"):
        table.add_column(title, justify="right", no_wrap=True)
    if columns:
        table.add_column(" to ".join(dict.fromkeys((columns[0], columns[-1]))), no_wrap=True)
    table.add_column("words")
    for topic in topics:
        chart = [_chart(topic, columns)] if columns else []
        table.add_row(str(topic.topic), f"{topic.texts:,}", f"{topic.share:.1%}", *chart, visible_line(topic.name))
    return table


def _within(found: TopicsResult) -> str:
    """Return what is compared with what."""
    before = f"{found.before:%Y-%m-%d}" if found.before else ""
    if found.dataset is None:
        return f"first seen before {before}"
    return f"in {found.dataset}" + (f", of the texts first seen before {before}" if before else "")


def _missing(console: OutConsole, found: TopicsResult, every: bool) -> None:
    listed = [(topic, topic.missing) for topic in found.topics if topic.missing and (topic.missing.kind or every)]
    listed.sort(key=lambda pair: (pair[1].ratio, -pair[1].texts))
    kind = "dated text" if found.dataset is None else "text"
    thin = sum(bool(topic.missing and topic.missing.kind) for topic in found.topics)
    console.print(
        f"{_within(found)}: {found.inside:,} of {count_of(found.compared, kind)}; absent or thin, and not by chance: "
        f"{thin:,} of {count_of(len(found.topics), 'topic')}",
        markup=False,
        highlight=False,
    )
    if found.elsewhere:
        console.print(f"{found.elsewhere:,} rows of the set are no text of these topics", highlight=False)
    if not listed:
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    there = "in the set" if found.dataset else "before"
    for title in ("topic", "texts", "share", there, "share", "sites", "ratio, interval"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("words")
    for topic, each in listed:
        shares = (f"{each.texts:,}", f"{each.share:.1%}", f"{each.inside:,}", f"{each.inside_share:.1%}")
        table.add_row(str(topic.topic), *shares, f"{each.sites:,}", _ratio(each), each.kind, visible_line(topic.name))
    console.print(table)


def _ratio(missing: Missing) -> str:
    return f"{missing.ratio:.2f} ({missing.low:.2f}–{missing.high:.2f})"
