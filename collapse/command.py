"""`archive collapse`: the command line of `collapse.run`."""

from __future__ import annotations

import click

from archive.errors import CollapseError


def _names(value: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if value is not None else None


@click.command("collapse")
@click.argument("sources", nargs=-1, required=True, metavar="SET…")
@click.option("--out", type=click.Path(), default="collapse-report", show_default=True, help="The folder of the run.")
@click.option("--recipe", "recipe_name", default=None, metavar="NAME|FILE", help="smoke, default, … or a TOML file.  [default: default; suspect with --suspect]")
@click.option("--suspect", multiple=True, metavar="SET", help="A second set: is what it teaches worse? Repeatable.")
@click.option("--model", metavar="NAME", help="tiny, small, gpt2-9m, 125m; a name on the Hub, a folder, a GGUF file.")
@click.option("--regimes", metavar="NAMES", help="replace, mix:X, accumulate, accumulate-subsample, fresh, real.")
@click.option("--generations", type=int, metavar="N", help="After generation 0.")
@click.option("--seeds", type=int, metavar="N", help="How often the whole is done.")
@click.option("--seed", type=int, metavar="N", help="The first of them.")
@click.option("--blocks", type=int, metavar="N", help="Blocks in the set of a generation.")
@click.option("--block", type=int, metavar="N", help="Tokens of a block.")
@click.option("--held-out-blocks", type=int, metavar="N", help="Blocks of held-out text that models are judged by.")
@click.option("--decoding", metavar="HOW", help="greedy, temperature:T, top-p:P, top-k:K or beam:B.")
@click.option("--prompt", type=int, metavar="N", help="Real tokens that a model continues; 0: none.")
@click.option("--epochs", type=float, metavar="N", help="How often a model sees its set.")
@click.option("--batch", type=int, metavar="N", help="Blocks of a training step.")
@click.option("--learning-rate", type=float, metavar="X", help="At its peak.")
@click.option("--documents", "style", type=click.Choice(["auto", "file", "heading", "blank-line", "line"]), default="auto", show_default=True, help="What is a document in plain text.")
@click.option("--text-column", metavar="NAME", help="The column that holds the text, in rows.")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Only rows with this value; repeatable.")
@click.option("--suspect-where", multiple=True, metavar="COLUMN=VALUE", help="The same for the suspect set.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="[default: cuda where there is a GPU]")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one per core; one on a GPU]")
@click.option("--threads", type=click.IntRange(1), help="Of each process.  [default: 1]")
@click.option("--keep-checkpoints", is_flag=True, help="Keep the weights of every generation.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def command(sources: tuple[str, ...], out: str, recipe_name: str | None, suspect: tuple[str, ...],
            regimes: str | None, style: str, text_column: str | None, where: tuple[str, ...],
            suspect_where: tuple[str, ...], device: str | None, workers: int | None, threads: int | None,
            keep_checkpoints: bool, quiet: bool, **options: object) -> None:  # fmt: skip
    """Train models generation after generation on what models wrote, and show what is lost."""
    from archive.engine import preload

    preload("collapse.steps")

    import os

    from archive.records.datasets import Columns
    from archive.show import Progress
    from collapse.recipe import load
    from collapse.run import Machine, Reading, run

    recipe = load(recipe_name or ("suspect" if suspect else "default")).changed({**options, "regimes": _names(regimes)})
    reading = Reading(Columns(text=text_column), _pairs(where), _pairs(suspect_where), style)  # type: ignore[arg-type]
    machine = Machine(device or "cpu", workers or os.cpu_count() or 1, threads or 1, keep_checkpoints)
    with Progress(quiet) as progress:
        run(sources, out, recipe, suspect=suspect, reading=reading, machine=machine, stages=progress)


def _pairs(values: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(value.partition("=")[::2] for value in values)
    if wrong := next((value for value in values if "=" not in value), None):
        raise CollapseError(f"--where {wrong}: write it as column=value")
    return pairs
