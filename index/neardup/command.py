"""`archive index`: the command line of `index.neardup.build`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import click

from archive.cli import lake_option, workers_option
from archive.extras import require
from index.compiling import announce


@click.command("index")
@lake_option
@workers_option
@click.option(
    "--device", default="cpu", show_default=True, help="Makes signatures: cpu, or cuda (extra: gpu). Same bits."
)
@click.option("--words", type=click.IntRange(1, 64), help="Words in a shingle.  [default: 5]")
@click.option("--bands", type=click.IntRange(1, 256), help="Bands of a signature.  [default: 14]")
@click.option("--rows", type=click.IntRange(1, 64), help="Hashes in a band.  [default: 8]")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True),
              help="Least Jaccard similarity of near-duplicates.  [default: 0.8]")  # fmt: skip
@click.option("--witness-only", "out", metavar="OUT",
              help="Then write a lake without texts to OUT: signatures, first dates, record addresses.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(
    location: str,
    workers: int | None,
    device: str,
    words: int | None,
    bands: int | None,
    rows: int | None,
    threshold: float | None,
    out: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find near-duplicates, and for each text the earliest witness that it existed.

    Texts that are new since the last time are signed (MinHash over word shingles) and compared with all others
    that share a band; what counts is the exact Jaccard similarity of the two texts. Run it after each ingest, in
    any order. Afterwards `documents` has cluster_id, witness_id and first_seen_near; `duplicates` and
    `clusters` are views.

    An index is made once with its parameters; changing them needs another lake.

    \b
    Examples:
      archive index
      archive index --witness-only s3://bucket/witnesses    and hand out dates without texts
      archive query "SELECT url, first_seen, first_seen_near FROM documents WHERE witness_id IS NOT NULL"
    """
    require("archive index", "index", "numba", "numpy")
    announce(Path(__file__).parents[1] / "minhash", quiet or as_json)
    from archive.engine import preload

    preload("index.neardup.signatures", "index.neardup.bands", "index.neardup.shingle_sets", "index.minhash.kernel")

    from archive.lake import Lake
    from archive.progress import RichReporter
    from index import tables
    from index.minhash.procedure import Parameters
    from index.neardup import textless
    from index.neardup.build import build

    lake = Lake(location)
    lake.delta("documents")  # says so where there is no lake
    chosen = {"words": words, "bands": bands, "rows": rows, "threshold": threshold}
    stated = {name: value for name, value in chosen.items() if value is not None}
    target = Lake(out) if out else None
    if target:
        textless.prepare(lake, target)  # before the work whose result it would not take
    has_index = lake.has(tables.SIGNATURES)
    old = asdict(tables.parameters_of(lake)) if has_index else asdict(Parameters())
    started = time.monotonic()
    with RichReporter(quiet or as_json) as reporter:
        summary = build(lake, Parameters(**{**old, **stated}), workers, reporter, device)
        exported = textless.export(lake, target) if target else None
    seconds = time.monotonic() - started
    if as_json:
        numbers = {**asdict(summary), "seconds": round(seconds, 3)}
        click.echo(json.dumps({**numbers, "exported": exported} if out else numbers, indent=2))
        return
    click.echo(
        f"{summary.signed:,} new texts signed, {summary.verified:,} pairs compared, in {seconds:.1f} s\n"
        f"{summary.texts:,} texts: {summary.pairs:,} pairs of near-duplicates; "
        f"{summary.clustered:,} texts in {summary.clusters:,} clusters"
    )
    if exported is not None:
        click.echo(f"{exported:,} witnesses new in {out}")
