"""`archive export`: the command line of `query.export`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archive.cli import complete_file, complete_folder, lake_option, workers_option
from index.quality.presets import PRESETS
from query.formats.format import FORMATS

if TYPE_CHECKING:
    from query.dataset import Likeness


@click.command("export")
@click.argument("out", type=click.Path())
@lake_option
@click.option("--before", required=True, metavar="DATE", help="Only texts that were captured before this date.")
@click.option("--after", metavar="DATE", help="Only texts that were not captured before this date.")
@click.option("--language", metavar="CODE", help="Only texts in this language (ISO 639-1).")
@click.option("--where", metavar="SQL", help="Only texts for which this holds: a condition over columns of clean().")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="Only texts that these published rules keep.")
@click.option("--near/--no-near", default=False, help="Of near-duplicates only the earliest.  [default: no-near]")
@click.option("--date-sources", metavar="CODES", help="Only these kinds of dates, as in warc,arc,cdx.  [default: all]")
@click.option("--grade", type=click.Choice(list("ABCDE"), case_sensitive=False), default="D", show_default=True,
              help="The least grade of a capture that counts (docs/export.md).")  # fmt: skip
@click.option("--archives", type=click.IntRange(1), default=1, show_default=True,
              help="Only texts that so many different archives captured before the date.")  # fmt: skip
@click.option("--honour-opt-outs", is_flag=True, help="Leave out texts of which a capture says noai or the like.")
@click.option("--sample", type=float, metavar="SHARE", help="Keep this share of the texts.")
@click.option("--max-tokens", type=click.IntRange(1), metavar="N", help="Stop before so many tokens.")
@click.option("--slices", type=click.Choice(["year", "month"]), help="A folder for each period of first capture.")
@click.option("--split", metavar="NAME=SHARE,…", help="Splits that share no site and no near-duplicate.")
@click.option("--decontaminate", multiple=True, metavar="FILE", type=click.Path(exists=True, dir_okay=False),
              help="Drop texts that share a 13-gram with these evaluation texts; repeatable.")  # fmt: skip
@click.option("--mark", is_flag=True, help="Keep what --decontaminate finds, and name the sets in a column.")
@click.option("--decontaminate-like", multiple=True, metavar="FILE", type=click.Path(exists=True, dir_okay=False),
              help="Mark texts that are like an item of these benchmarks, by the vectors of `archive embed`; "
                   "repeatable.")  # fmt: skip
@click.option("--published", metavar="DATE", help="When the first of these benchmarks was published.")
@click.option("--false-positives", type=float, metavar="SHARE",
              help="How many texts from before that may pass for rewrites.  [default: 0.001]")  # fmt: skip
@click.option("--least-cosine", type=float, metavar="COSINE", help="The threshold itself, in place of that share.")
@click.option("--drop-like", is_flag=True, help="Drop what --decontaminate-like finds.")
@click.option("--encoder", metavar="NAME", shell_complete=complete_folder,
              help="The encoder of the lake's vectors: a folder, or a name on the hub.")  # fmt: skip
@click.option("--mask", is_flag=True, help="Replace e-mail and IP addresses.")
@click.option("--format", "-f", type=click.Choice(FORMATS.names()), default="parquet", show_default=True)
@click.option("--tokenizer", metavar="NAME", shell_complete=complete_file,
              help="A Hugging Face tokenizer: name, folder or tokenizer.json.")  # fmt: skip
@click.option("--eos", metavar="TOKEN", help="The token after each text.  [default: the tokenizer's]")
@click.option("--shard-size", type=click.IntRange(1), default=64_000_000, show_default=True,
              help="Characters in a shard, about.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order, the sample and the splits.")
@workers_option
@click.option("--memory", metavar="SIZE", help="What DuckDB may use before it writes to disk.  [default: 1GB]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(out: str, location: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Write a clean set to the folder or s3:// prefix OUT: shards, manifest.json and README.md.

    A text is in the set if an acceptable capture of it was made before the date (`clean()`, docs/querying.md).
    Each row carries its evidence. The same lake and options give the same bytes; a run that was killed goes on when
    the same command is run again.

    \b
    Examples:
      archive export set --before 2022-01-01 --near
      archive export set --before 2022-01-01 --language en --split train=0.98,val=0.01,test=0.01
      archive export set --before 2022-01-01 --where "words > 200 AND date_source = 'warc'" -f mds
      archive export english --before 2022-01-01 --language en --preset fineweb --mask
      archive export tokens --before 2022-01-01 -f megatron --tokenizer gpt2 --max-tokens 1000000000
      archive export years --before 2022-01-01 --slices year
      archive export set --before 2022-01-01 --decontaminate-like mmlu.jsonl --published 2020-09-07
    """
    from archive.engine import preload

    more = ["query.export.compare"] if options["decontaminate_like"] else []
    preload("query.export.write_shards", "query.export.shuffle", *more)

    from archive.progress import RichReporter
    from archive.show import bytes_text, count_of, json_text
    from query.export.run import export
    from query.options import shares_of
    from query.rows import TOKEN_FORMATS

    with RichReporter(quiet or as_json) as reporter:
        result = export(location, out, reporter=reporter, **options)
    if as_json:
        click.echo(json_text(result))
        return
    tokens = f", {result.tokens:,} tokens" if result.tokens is not None else ""
    size = f"{bytes_text(result.bytes)}, in {max(result.seconds, 1e-3):.1f} s"
    click.echo(f"{result.rows:,} texts{tokens} in {count_of(result.shards, 'shard')}: {size}")
    for name, share in shares_of(options["split"]):
        rows, of = result.splits.get(name, 0), "tokens" if options["format"] in TOKEN_FORMATS else "characters"
        held = f"{result.shares.get(name, 0):.3f} of the {of} ({share:g} asked for)"
        click.echo(f"{rows:>12,} in {name}: {held}, {rows / result.rows:.3f} of the texts")
    if result.likeness is not None:
        click.echo("\n".join(likeness_lines(result.likeness)))
    for step in (step for step in result.dropped if step.dropped):
        click.echo(f"{step.dropped:>12,} left out: {step.name}")
    click.echo(f"Merkle root  {result.merkle_root}\ncontent root {result.content_root}")


def likeness_lines(likeness: Likeness) -> list[str]:
    """Return what an export says of the texts that are like items of benchmarks."""
    from query.options import date_text

    least = f"a cosine of {likeness.least_cosine:g} or more"
    lines = [f"{likeness.alike:>12,} are like one of {likeness.items:,} items: {least}"]
    if (known := likeness.calibration) is not None:
        lines.append(
            f"{'':>12} so are {known.above:,} of {known.texts:,} texts from before {date_text(known.published)}, which "
            f"cannot be rewrites: below {known.bound:.2%} (95 % confidence)"
        )
        if known.sources:
            lines.append(f"{'':>12} not counted: {known.sources:,} texts from before that share a 13-gram with an item")
    if likeness.partly:
        lines.append(f"{likeness.partly:>12,} were compared in part, as only their beginning has vectors")
    if likeness.not_compared:
        lines.append(f"{likeness.not_compared:>12,} were not compared, as they have no vectors: `archive embed`")
    return lines
