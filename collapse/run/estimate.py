"""`--dry-run`: how long a run will take and how much memory it needs, from a few measured steps."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from archive.engine import open_engine
from archive.show import bytes_text
from collapse import folder
from collapse.decoding import Decoding
from collapse.model import models
from collapse.model.evaluate import token_losses
from collapse.model.generate import write
from collapse.model.train import train
from collapse.recipe import Recipe
from collapse.run.arm import Arm
from collapse.run.blocks import Blocks, load, needed
from collapse.run.machine import Machine, prepare

#: Seconds for which each kind of step is tried, at least.
TRIAL = 2.0
#: Prompts that the trial continues: enough for a batch, few enough for a large model.
_PROMPTS = 64


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will need."""

    seconds: float  #: for the whole run, with all workers
    train_rate: float  #: tokens a second of one worker
    write_rate: float
    trained: int  #: tokens
    written: int
    memory: int  #: bytes, of all workers
    disk: int  #: bytes in the run's folder
    parameters: int
    real: int  #: tokens of real text that the set must have, without what is held out


def estimate(out: Path, recipe: Recipe, arms: Sequence[Arm], machine: Machine) -> Estimate:
    """Try a few steps of each kind on the run's own blocks.

    The rates are those of one worker on an otherwise idle machine. Several workers share its memory bandwidth, so a run
    takes somewhat longer than estimated.
    """
    data = load(folder.blocks(out))
    device = prepare(machine.device, machine.threads)
    before = _resident()
    model: Any = models.Start.of(recipe, data.tokenizer.size).build(recipe.seed).to(device)
    blocks: Blocks = np.ascontiguousarray(data.real[: recipe.batch * 4])
    once = replace(recipe, epochs=1.0)

    def epoch() -> int:
        train(model, blocks, once, 0, device)
        return blocks.size

    train_rate = _rate(epoch)
    decoding = Decoding.parse(recipe.decoding)
    prompts = blocks[:_PROMPTS, : max(recipe.prompt, 1)]
    write_rate = _rate(lambda: write(model, prompts, recipe.block, decoding, 0, device).size)
    evaluation_rate = _rate(lambda: token_losses(model, blocks, device).size)
    trained = sum(arm.trained() for arm in arms)
    written = sum(arm.written() for arm in arms)
    evaluated = sum(len(arm.generations) for arm in arms) * recipe.held_out_blocks * recipe.block + written
    seconds = trained / train_rate + written / write_rate + evaluated / evaluation_rate
    count = data.parameters
    generations = sum(len(arm.generations) for arm in arms)
    kept_models = generations if machine.keep else recipe.seeds
    disk = 4 * count * kept_models + 12 * written + 4 * generations * recipe.held_out_blocks * recipe.block
    memory = before + max(_resident() - before, 16 * count)  # weights, gradients, two moments
    busy = min(open_engine(machine.workers).workers, len(arms))
    return Estimate(
        seconds / busy,
        train_rate,
        write_rate,
        trained,
        written,
        memory * busy,
        disk,
        count,
        needed(recipe) * recipe.block,
    )


def _rate(trial: Callable[[], int]) -> float:
    """Return tokens a second over `TRIAL` seconds; a first trial, which warms up, does not count."""
    trial()
    done, started = 0, time.monotonic()
    while done == 0 or time.monotonic() - started < TRIAL:
        done += trial()
    return done / (time.monotonic() - started)


def _resident() -> int:
    """Return how much memory this process has, in bytes."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0  # no Linux: the estimate then knows only the model
    return pages * os.sysconf("SC_PAGE_SIZE")


def duration(seconds: float) -> str:
    """Format a duration.

    >>> duration(42), duration(600), duration(7300)
    ('42 s', '10 min', '2 h 2 min')
    """
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def describe(expected: Estimate) -> str:
    """Return an estimate in words."""
    return "\n".join(
        (
            f"{expected.parameters:,} parameters, {expected.trained:,} tokens to train, {expected.written:,} to write, "
            f"from {expected.real:,} of real text",
            f"one worker trains on {expected.train_rate:,.0f} tokens a second and writes {expected.write_rate:,.0f}",
            f"about {duration(expected.seconds)}, {bytes_text(expected.memory)} of memory, "
            f"{bytes_text(expected.disk)} on the disk",
        )
    )
