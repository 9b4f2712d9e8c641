"""`archive collapse`: the command line of `collapse.collapse`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from archive.cli import complete_file, workers_option_of
from archive.extras import require

if TYPE_CHECKING:
    from collapse.api import CollapseResult

_STYLES = ["auto", "file", "heading", "blank-line", "line"]


@click.command("collapse")
@click.argument("sets", nargs=-1, required=True, metavar="SET…", shell_complete=complete_file)
@click.option("--out", type=click.Path(), default="collapse-report", show_default=True, help="The folder of the run.")
@click.option("--recipe", metavar="NAME|FILE", shell_complete=complete_file,
              help="smoke, default, suspect, one after a paper (shumailov-2024, …), or a TOML file.  "
              "[default: default; suspect with --suspect]")  # fmt: skip
@click.option("--suspect", multiple=True, metavar="SET", shell_complete=complete_file,
              help="A second set, to test whether a model learns less from it; repeatable.")  # fmt: skip
@click.option("--model", metavar="NAME",
              help="micro, tiny, small, gpt2-9m, 125m; or a name on the Hub, a folder, a GGUF file.")  # fmt: skip
@click.option("--vocabulary", type=int, metavar="N", help="Tokens of a preset's tokenizer, if not as many as its own.")
@click.option("--regimes", metavar="NAMES",
              help="replace, mix:X, accumulate, accumulate-subsample, fresh, real, suspect:X.")  # fmt: skip
@click.option("--generations", type=int, metavar="N", help="How many, after generation 0.")
@click.option("--seeds", type=int, metavar="N", help="How often everything is repeated, each time with another seed.")
@click.option("--seed", type=int, metavar="N", help="The first seed.")
@click.option("--blocks", type=int, metavar="N", help="Blocks in the training set of a generation.")
@click.option("--block", type=int, metavar="N", help="Tokens of a block.")
@click.option("--held-out-blocks", type=int, metavar="N", help="Blocks of real text on which models are evaluated.")
@click.option("--decoding", metavar="HOW", help="greedy, temperature:T, top-p:P, top-k:K or beam:B.")
@click.option("--prompt", type=int, metavar="N", help="How many real tokens a model continues; 0: none.")
@click.option("--epochs", type=float, metavar="N", help="How often a model sees its set.")
@click.option("--batch", type=int, metavar="N", help="Blocks of a training step.")
@click.option("--learning-rate", type=float, metavar="X", help="The peak of the schedule.")
@click.option("--documents", type=click.Choice(_STYLES), default="auto", show_default=True,
              help="What is a document in plain text.")  # fmt: skip
@click.option("--text-column", metavar="NAME", help="The column of rows that holds the text.")
@click.option("--url-column", metavar="NAME", help="The column that holds the URL, which gives the domain.")
@click.option("--date-column", metavar="NAME", help="The column that holds the date.")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Read only rows with this value; repeatable.")
@click.option("--suspect-where", multiple=True, metavar="COLUMN=VALUE", help="The same for the suspect set.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="[default: cuda if there is a GPU]")
@workers_option_of("one per core; one on a GPU")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of each process.")
@click.option("--keep-checkpoints", is_flag=True, help="Keep the model of every generation.")
@click.option("--dry-run", is_flag=True, help="Only estimate how long it will take and what it needs.")
@click.option("--json", "as_json", is_flag=True, help="Print the result, or the estimate, as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(sets: tuple[str, ...], dry_run: bool, as_json: bool, quiet: bool, **options: Any) -> None:
    """Train models generation after generation on what models wrote, and measure what is lost.

    Each SET is a folder that `archive export` wrote, or files of text, JSON lines, Parquet or CSV. The folder --out
    gets report.html, its pictures, results.json and metrics.parquet. A run that was killed continues when the same
    command is run again. docs/collapse.md describes the method.

    \b
    Examples:
      archive collapse set --recipe smoke
      archive collapse set --dry-run
      archive collapse set --regimes replace,mix:0.5,real --seeds 5 --decoding top-p:0.9
      archive collapse old-crawl --suspect new-crawl
      archive collapse answers.csv --where label=0 --suspect answers.csv --suspect-where label=1
    """
    require(
        "archive collapse", "collapse", "numba", "scipy", "torch", "transformers", "tokenizers", "safetensors",
        "matplotlib",
    )  # fmt: skip

    from archive.engine import preload

    preload("collapse.run.generation")

    from archive.progress import RichReporter
    from collapse.api import collapse, configure
    from collapse.json_form import to_json
    from collapse.run.estimate import describe

    if dry_run:
        estimate = configure(sets, **options).plan()
        click.echo(json.dumps(to_json(estimate), indent=1) if as_json else describe(estimate))
        return
    with RichReporter(quiet or as_json) as reporter:
        result = collapse(sets, reporter=reporter, **options)
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=1, ensure_ascii=False))
    else:
        _show(result)
    if result.is_input_damaged:
        sys.exit(1)


def _show(result: CollapseResult) -> None:
    from collapse.run.estimate import duration

    for paragraph in result.verdict:
        click.echo(paragraph)
    for name, rejects in result.rejects.items():
        for reason, count in rejects.items():
            click.echo(f"{name}: {count:,} not used as they are: {reason}")
    click.echo(f"{result.report}, in {duration(result.seconds)}")
