"""What `archive ingest` prints when it is done."""

from __future__ import annotations

from collections import Counter

from rich import box
from rich.table import Table

from archive.errors import visible
from archive.intake.result import IngestResult
from archive.reasons import DAMAGE
from archive.show import OutConsole, bytes_text, count_of, counts_table, months_table, time_text

#: Files that are named of those that revisits refer to.
_NAMED = 5


def damage(result: IngestResult) -> Counter[str]:
    """Return the rejects that mean damage: the input should have held more."""
    return Counter({reason: count for reason, count in result.rejects.items() if reason in DAMAGE})


def show(result: IngestResult) -> None:
    """Print the result for people."""
    console = OutConsole()
    if result.recovered:
        console.print(f"Finished {count_of(result.recovered, 'commit')} that an earlier command had begun.")
    if result.files_forgotten:
        console.print(f"Took out what the lake had of {count_of(result.files_forgotten, 'file')}.")
    known = f", {result.files_skipped:,} known already" if result.files_skipped else ""
    console.print(
        f"{count_of(result.files, 'file')} ingested{known}: {bytes_text(result.bytes)} in {result.seconds:.1f} s "
        f"({result.records / max(result.seconds, 1e-9):,.0f} records/s)"
    )
    if not (result.files or result.files_skipped or complaints(result)):
        console.print("Nothing to ingest was found.")
    if result.requests or result.index_requests:
        console.print(_requests(result))
    if len(result.crawls) > 1:
        console.print(_crawls(result))
    if result.files_published:
        console.print(f"{count_of(result.files_published, 'file')} with the time of publication: attestations has it.")
    if result.records:
        console.print(counts_table(result.records, result.captures, result.rejects, result.skipped))
        console.print(f"{count_of(result.new_texts, 'new text')}, {count_of(result.known_texts, 'text')} already known")
        if result.site_rules:
            console.print(
                f"{count_of(result.site_rules, 'capture')} of robots.txt or tdmrep.json: in site_rules, no text"
            )
        if result.revisits_apart:
            console.print(visible(_revisits(result.revisits_apart)), markup=False, highlight=False)
        if result.captures_by_month:
            console.print(months_table(result.captures_by_month))
    for source, what in result.sources_without_page.items():
        console.print(visible(f"no page: {source}: {what}"), markup=False, highlight=False)
    for line in complaints(result):
        console.print(visible(line), markup=False, highlight=False)


def _requests(result: IngestResult) -> str:
    """Return what was asked of Common Crawl, and how long requests waited, in words."""
    what = f"{count_of(result.requests, 'request')} for files, {result.index_requests:,} for lists and indexes"
    if result.waited >= 1:
        what += f"; workers waited {time_text(result.waited)} in all"
    if result.refusals:
        busy = count_of(result.refusals, "time")
        what += f", of that {time_text(result.held)} because the server was busy or gave no answer ({busy})"
    return what


def _revisits(apart: Counter[str]) -> str:
    """Return which revisits have no text, in words."""
    names = ", ".join(name for name, _ in apart.most_common(_NAMED))
    if len(apart) > _NAMED:
        names += f", and {len(apart) - _NAMED:,} further ones"
    where, it = ("a file", "it") if len(apart) == 1 else ("files", "them")
    return f"{count_of(apart.total(), 'revisit')} of records in {where} that this lake has not; ingest {it} too: {names}"


def _crawls(result: IngestResult) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("crawl")
    for name in ("files", "records", "requests", "bytes"):
        table.add_column(name, justify="right")
    for crawl, each in result.crawls.items():
        table.add_row(crawl, f"{each.files:,}", f"{each.records:,}", f"{each.requests:,}", bytes_text(each.bytes))
    return table


def complaints(result: IngestResult) -> list[str]:
    """Return a line for each reason why the exit status is 1."""
    lines = [
        f"not read: {error if file in error else f'{file}: {error}'}" for file, error in result.files_failed.items()
    ]
    lines += [f"publication not taken: {file}: {why}" for file, why in result.files_unpublished.items()]
    lines += [f"files of an earlier ingest were deleted, ingest it again: {file}" for file in result.sources_lost]
    lines += [f"of no use: {source}: {why}" for source, why in result.sources_useless.items()]
    if damaged := damage(result):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in damaged.most_common())
        lines.append(f"damaged: {reasons}; SELECT * FROM rejects says where")
    return [*lines, "exit status 1: some input was unusable"] if lines else []
