"""`archive index`: the command line of `index.neardup`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archive.cli import Size, lake_option, workers_option
from archive.extras import require
from index.compiling import announce


@click.command("index")
@lake_option
@workers_option
@click.option(
    "--device", default="cpu", show_default=True, help="Computes the signatures: cpu, or cuda (extra: gpu). Same bits."
)
@click.option("--words", type=click.IntRange(1, 64), help="Words in a shingle.  [default: 5]")
@click.option("--bands", type=click.IntRange(1, 256), help="Bands of a signature.  [default: 14]")
@click.option("--rows", type=click.IntRange(1, 64), help="Hashes in a band.  [default: 8]")
@click.option("--threshold", type=click.FloatRange(0, 1, min_open=True),
              help="Least Jaccard similarity of near-duplicates.  [default: 0.8]")  # fmt: skip
@click.option("--passages", is_flag=True,
              help="Also index runs of words, to find quotes by. A lake that has this index keeps it.")  # fmt: skip
@click.option("--alike", type=click.FloatRange(0, 1, min_open=True), metavar="COSINE",
              help="Compare also texts whose vectors have this cosine (0.9, for instance) or more.")  # fmt: skip
@click.option("--encoder", metavar="NAME", help="Of these vectors, where the lake has several: `embeddings.encoder`.")
@click.option("--memory", type=Size(), default="2G", show_default=True,
              help="Working memory of all processes together; what does not fit is done in parts.")  # fmt: skip
@click.option("--witness-only", metavar="OUT",
              help="Then write a lake without texts to OUT: signatures, first dates, record addresses.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(location: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Find near-duplicates, and for each text the earliest witness that it existed.

    Texts that are new since the last time are signed (MinHash over word shingles) and compared with all others
    that share a band; what counts is the exact Jaccard similarity of the two texts. Run it after each ingest, in
    any order. Afterwards `documents` has cluster_id, witness_id and first_seen_near; `duplicates` and
    `clusters` are views.

    With --alike, texts that `archive embed` finds alike are compared too. They become near-duplicates only by their
    similarity; the view `likenesses` has the other pairs, which prove nothing and are in no clean set.

    An index keeps the parameters of its first run; other parameters need another lake.

    \b
    Examples:
      archive index
      archive index --passages                              and find quotes of 15 words and more
      archive index --witness-only s3://bucket/witnesses    and hand out dates without texts
      archive query "SELECT url, first_seen, first_seen_near FROM documents WHERE witness_id IS NOT NULL"
    """
    require("archive index", "index", "numba", "numpy")
    announce(Path(__file__).parents[1] / "minhash", quiet or as_json)
    from archive.engine import preload

    preload("index.stage", "index.neardup.signatures", "index.neardup.bands", "index.neardup.shingle_sets",
            "index.neardup.ranges", "index.neardup.estimates", "index.minhash.ready",
            *(["index.passages.ready"] if options["passages"] else []))  # fmt: skip

    from archive.progress import RichReporter
    from archive.show import json_text
    from index.neardup.run import index

    with RichReporter(quiet or as_json) as reporter:
        result = index(location, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
        return
    click.echo(
        f"{result.signed:,} new texts signed, {result.verified:,} pairs compared, in {result.seconds:.1f} s\n"
        f"{result.texts:,} texts: {result.pairs:,} pairs of near-duplicates; "
        f"{result.clustered:,} texts in {result.clusters:,} clusters"
    )
    if result.passages is not None:
        click.echo(f"{result.passages:,} new texts have their passages indexed")
    if options["alike"] is not None:
        click.echo(f"{result.alike:,} new pairs have near vectors")
    if result.exported is not None:
        click.echo(f"{result.exported:,} witnesses new in {options['witness_only']}")
