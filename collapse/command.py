"""`archive collapse`: the command line of `collapse.run.experiment`."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from typing import Any

import click

from archive.cli import complete_file
from archive.errors import CollapseError
from archive.extras import require

_STYLES = ["auto", "file", "heading", "blank-line", "line"]


@click.command("collapse")
@click.argument("sources", nargs=-1, required=True, metavar="SET…", shell_complete=complete_file)
@click.option("--out", type=click.Path(), default="collapse-report", show_default=True, help="The folder of the run.")
@click.option("--recipe", "recipe_name", metavar="NAME|FILE", shell_complete=complete_file,
              help="smoke, default, suspect, shumailov-2024, gerstgrasser-2024, or a TOML file.  "
              "[default: default; suspect with --suspect]")  # fmt: skip
@click.option("--suspect", multiple=True, metavar="SET", shell_complete=complete_file,
              help="A second set: is what it teaches worse? Repeatable.")  # fmt: skip
@click.option("--model", metavar="NAME",
              help="tiny, small, gpt2-9m, 125m; or a name on the Hub, a folder, a GGUF file.")  # fmt: skip
@click.option("--regimes", metavar="NAMES",
              help="replace, mix:X, accumulate, accumulate-subsample, fresh, real, suspect:X.")  # fmt: skip
@click.option("--generations", type=int, metavar="N", help="After generation 0.")
@click.option("--seeds", type=int, metavar="N", help="How often all of it is done.")
@click.option("--seed", type=int, metavar="N", help="The first of them.")
@click.option("--blocks", type=int, metavar="N", help="Blocks in the set of a generation.")
@click.option("--block", type=int, metavar="N", help="Tokens of a block.")
@click.option("--held-out-blocks", type=int, metavar="N", help="Blocks of real text by which models are judged.")
@click.option("--decoding", metavar="HOW", help="greedy, temperature:T, top-p:P, top-k:K or beam:B.")
@click.option("--prompt", type=int, metavar="N", help="Real tokens that a model continues; 0: none.")
@click.option("--epochs", type=float, metavar="N", help="How often a model sees its set.")
@click.option("--batch", type=int, metavar="N", help="Blocks of a training step.")
@click.option("--learning-rate", type=float, metavar="X", help="At its peak.")
@click.option("--documents", "style", type=click.Choice(_STYLES), default="auto", show_default=True,
              help="What is a document in plain text.")  # fmt: skip
@click.option("--text-column", metavar="NAME", help="In rows: the column that holds the text.")
@click.option("--url-column", metavar="NAME", help="The column that holds the URL, from which the domain comes.")
@click.option("--date-column", metavar="NAME", help="The column that holds the date.")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Only rows with this value; repeatable.")
@click.option("--suspect-where", multiple=True, metavar="COLUMN=VALUE", help="The same for the suspect set.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="[default: cuda where there is a GPU]")
@click.option(
    "--workers", type=click.IntRange(1, 512), metavar="N", help="Processes.  [default: one per core; one on a GPU]"
)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of each process.")
@click.option("--keep-checkpoints", is_flag=True, help="Keep the model of every generation.")
@click.option("--dry-run", is_flag=True, help="Say how long it will take and what it needs, and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the results, or the estimate, as JSON.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(sources: tuple[str, ...], out: str, recipe_name: str | None, suspect: tuple[str, ...],
            regimes: str | None, style: Any, text_column: str | None, url_column: str | None, date_column: str | None,
            where: tuple[str, ...], suspect_where: tuple[str, ...], device: str | None, workers: int | None,
            threads: int, keep_checkpoints: bool, dry_run: bool, as_json: bool, quiet: bool,
            **options: object) -> None:  # fmt: skip
    """Train models generation after generation on what models wrote, and show what is lost.

    Each SET is a folder that `archive export` wrote, or files of text, JSON lines, Parquet or CSV. The folder --out
    gets report.html, its pictures, results.json and numbers.parquet. A run that was killed goes on when the same
    command is run again. docs/collapse.md tells what is measured, and how.

    \b
    Examples:
      archive collapse set --recipe smoke
      archive collapse set --dry-run
      archive collapse set --regimes replace,mix:0.5,real --seeds 5 --decoding top-p:0.9
      archive collapse old-crawl --suspect new-crawl
      archive collapse answers.csv --where label=0 --suspect answers.csv --suspect-where label=1
    """
    require("archive collapse", "collapse", "numba", "torch", "transformers", "tokenizers", "safetensors", "matplotlib")

    from archive.engine import preload

    preload("collapse.run.generation")

    from archive.progress import RichReporter
    from archive.records.rows import Columns
    from collapse.corpus.tally import EXPECTED
    from collapse.recipe import load
    from collapse.run.estimate import told
    from collapse.run.experiment import Experiment, Reading
    from collapse.run.machine import Machine

    if (generations := options["generations"]) is not None and not int(str(generations)) > 0:
        raise CollapseError(f"--generations {generations}: at least 1, which learns from what generation 0 wrote")
    names = tuple(part.strip() for part in regimes.split(",") if part.strip()) if regimes is not None else None
    recipe = load(recipe_name or ("suspect" if suspect else "default")).changed({**options, "regimes": names})
    columns = Columns(text=text_column, url=url_column, date=date_column)
    reading = Reading(columns, _pairs(where), _pairs(suspect_where), style)
    device = device or _device()
    machine = Machine(device, workers or (1 if device == "cuda" else os.cpu_count() or 1), threads, keep_checkpoints)
    experiment = Experiment(sources, out, recipe, suspect, reading, machine)
    if dry_run:
        expected = experiment.plan()
        click.echo(json.dumps(asdict(expected), indent=1) if as_json else told(expected))
        return
    started = time.monotonic()
    with RichReporter(quiet or as_json) as reporter:
        found = experiment.run(reporter)
    if as_json:
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        _show(found, out, time.monotonic() - started)
    if any(set(part["reading"]["rejects"]) - EXPECTED for part in (found["set"], *_suspects(found))):
        sys.exit(1)  # some input was unusable


def _show(found: dict[str, Any], out: str, seconds: float) -> None:
    from collapse.findings.verdict import sentences
    from collapse.run.estimate import duration

    for sentence in sentences(found):
        click.echo(sentence)
    for part in (found["set"], *_suspects(found)):
        for reason, count in part["reading"]["rejects"].items():
            click.echo(f"{part['name']}: {count:,} not used as they are: {reason}")
    click.echo(f"{out}/report.html, in {duration(seconds)}")


def _suspects(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [found["set"]["suspect"]] if "suspect" in found["set"] else []


def _device() -> str:
    """The GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _pairs(values: tuple[str, ...]) -> dict[str, str]:
    if wrong := next((value for value in values if "=" not in value), None):
        raise CollapseError(f"--where {wrong}: write it as column=value")
    return dict(value.split("=", 1) for value in values)
