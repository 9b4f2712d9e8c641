"""`archive embed`: the command line of `index.embeddings` and `index.vectors`."""

from __future__ import annotations

from typing import Any

import click

from archive.cli import complete_folder, lake_option, workers_option
from archive.extras import require
from index.embeddings.encoder import DTYPES, PACKAGED, POOLINGS, WINDOWS


@click.command("embed")
@lake_option
@click.option("--encoder", default=PACKAGED, show_default=True, metavar="ENCODER", shell_complete=complete_folder,
              help="A folder, the package of that name, or a name on the Hugging Face hub.")  # fmt: skip
@click.option("--download", is_flag=True, help="Get from the hub what is not here.")
@click.option("--window-tokens", type=click.IntRange(2), metavar="N",
              help="Tokens of a window.  [default: 256, or what the encoder sees]")  # fmt: skip
@click.option("--windows", type=click.IntRange(1, 127), default=WINDOWS, show_default=True, metavar="N",
              help="Most windows of a text.")  # fmt: skip
@click.option("--pooling", type=click.Choice(POOLINGS), help="[default: as the encoder's files state, or mean]")
@click.option("--normalize/--no-normalize", default=None,
              help="Give each vector length 1.  [default: as the encoder's files state, or yes]")  # fmt: skip
@click.option("--prefix", metavar="TEXT",
              help="Put this in front of each window.  [default: as the encoder's files state]")  # fmt: skip
@click.option("--dtype", type=click.Choice(["auto", *DTYPES]), default="auto", show_default=True,
              help="auto: that of the lake's vectors, or what is fastest here.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="cpu, or cuda; auto: a GPU where there is one.")
@click.option("--tokens-at-once", type=click.IntRange(1), metavar="N",
              help="Most tokens that are computed together.  [default: 2048; on a GPU 65536]")  # fmt: skip
@click.option("--compile", "compiled", is_flag=True, help="Compile the model first (torch.compile).")
@click.option("--search/--no-search", default=True, show_default=True,
              help="Write the files that a search needs, too.")  # fmt: skip
@click.option("--recall", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True,
              help="The share of the 10 nearest that a search should find (above 200,000 vectors).")  # fmt: skip
@workers_option
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(location: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Compute a vector for each window of the texts that have none, and make the vectors searchable.

    Texts with similar vectors are about the same thing: a rewrite, a translation, the same subject. That proves
    nothing about dates, and `clean` does not use it. The vectors become rows of the table `embeddings`, in a partition
    for each encoder; docs/embed.md describes windows and dtypes. Run it after each ingest.

    A search compares all vectors where these are fewer than 200,000. For more it needs FAISS (extra: faiss); how much
    it finds is measured and printed. docs/vectors.md describes that.

    \b
    Examples:
      archive embed
      archive embed --encoder intfloat/multilingual-e5-small --download
      archive query "SELECT count(*) FROM embeddings"
    """
    require("archive embed", "embed", "torch", "transformers", "numba")
    from archive.engine import preload

    preload("index.stage", "index.embeddings.stage", "index.vectors.segments", "index.embeddings.ready")

    from archive.progress import RichReporter
    from archive.show import json_text
    from index.vectors.run import embed

    with RichReporter(quiet or as_json) as reporter:
        result = embed(location, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
        return
    empty = f"; {result.empty:,} texts have no token" if result.empty else ""
    click.echo(
        f"{result.embedded:,} new texts, in {result.seconds:.1f} s\n"
        f"{result.texts:,} texts have {result.vectors:,} vectors of {result.encoder}{empty}"
    )
    if result.cells:
        click.echo(
            f"{result.searchable:,} can be searched: {result.probes:,} of {result.cells:,} cells find "
            f"{result.recall:.1%} of the 10 nearest (of {result.measured:,} vectors)"
        )
    elif result.searchable:
        click.echo(f"{result.searchable:,} can be searched: all are compared")
