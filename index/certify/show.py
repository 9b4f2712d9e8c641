"""What `archive certify` prints for people."""

from __future__ import annotations

from rich import box
from rich.table import Table

from archive.show import OutConsole, count_of
from index.certify.result import CertifyResult


def show(result: CertifyResult) -> None:
    """Print how much is proven, by kind and by year."""
    console = OutConsole()
    skipped = f" ({result.files_skipped:,} of them certified before)" if result.files_skipped else ""
    counted = f"{count_of(result.rows, 'row')} of {count_of(result.files, 'file')}{skipped}"
    console.print(f"{counted} in {result.seconds:.1f} s")
    console.print(_kinds(result))
    if result.words:
        share = result.known_words / result.words
        console.print(
            f"passages that existed: {result.known_words:,} of {count_of(result.words, 'word')} ({share:.1%})"
        )
    if result.proof_by_grade:
        counts = ", ".join(f"{grade} {kinds.total():,}" for grade, kinds in result.proof_by_grade.items())
        console.print(f"grades of the proofs: {counts}")
    if result.proof_by_year:
        console.print(_years(result))
    if result.index_is_older_than_lake:
        console.print("the index is older than the lake: near-duplicates of texts that came since are not found; run "
                      "`archive index`, then this again into another folder")  # fmt: skip
    if result.problems:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in result.problems.most_common())
        console.print(f"not judged: {reasons}")


def _kinds(result: CertifyResult) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("proof")
    for name in ("rows", "share", *(("paragraphs", "share") if result.paragraphs else ())):
        table.add_column(name, justify="right")
    for kind in ("exact", "near", "none"):
        cells = [f"{result.proof[kind]:,}", f"{result.proof[kind] / max(result.rows, 1):.1%}"]
        if result.paragraphs:
            share = result.paragraphs[kind] / max(result.paragraphs.total(), 1)
            cells += [f"{result.paragraphs[kind]:,}", f"{share:.1%}"]
        table.add_row(kind, *cells)
    return table


def _years(result: CertifyResult) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("proven since", "exact", "near"):
        table.add_column(name, justify="left" if name == "proven since" else "right")
    for year, kinds in result.proof_by_year.items():
        table.add_row(year, f"{kinds['exact']:,}", f"{kinds['near']:,}")
    return table
