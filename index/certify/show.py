"""What `archive certify` prints for people."""

from __future__ import annotations

from rich import box
from rich.table import Table

from archive.show import OutConsole, count_of
from index.certify.summary import Summary


def show(summary: Summary, seconds: float) -> None:
    """Print how much is proven, by kind and by year."""
    console = OutConsole()
    known = f" ({summary.files_known:,} of them certified before)" if summary.files_known else ""
    console.print(f"{count_of(summary.rows, 'row')} of {count_of(summary.files, 'file')}{known} in {seconds:.1f} s")
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("proof")
    table.add_column("rows", justify="right")
    table.add_column("share", justify="right")
    if summary.paragraphs:
        table.add_column("paragraphs", justify="right")
        table.add_column("share", justify="right")
    for kind in ("exact", "near", "none"):
        cells = [f"{summary.kinds[kind]:,}", f"{summary.kinds[kind] / max(summary.rows, 1):.1%}"]
        if summary.paragraphs:
            all_ = max(summary.paragraphs.total(), 1)
            cells += [f"{summary.paragraphs[kind]:,}", f"{summary.paragraphs[kind] / all_:.1%}"]
        table.add_row(kind, *cells)
    console.print(table)
    if summary.years:
        table = Table(box=box.SIMPLE, pad_edge=False)
        for name in ("proven since", "exact", "near"):
            table.add_column(name, justify="left" if name == "proven since" else "right")
        for year in sorted({year for year, _ in summary.years}):
            table.add_row(year, f"{summary.years[year, 'exact']:,}", f"{summary.years[year, 'near']:,}")
        console.print(table)
    if summary.stale:
        console.print("the index is older than the lake: near-duplicates of texts that came since are not found; run "
                      "`archive index`, then this again into another folder")  # fmt: skip
    if summary.problems:
        told = ", ".join(f"{reason} {count:,}" for reason, count in summary.problems.most_common())
        console.print(f"not judged: {told}")
