"""The work of a run: each generation of an arm in a seed has a folder, whose files are the steps that are done.

A generation has up to five steps. Each writes one file atomically: `weights.safetensors` (the trained model),
`losses.npy` (on held-out text), `written.npy` (the next set), `surprise.npy` (the losses of that under generation 0)
and `metrics.json`. A run that was killed finds these files and continues after the last.
"""

from __future__ import annotations

import gc
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archive.atomic import disk_error_line
from archive.engine import Context
from archive.errors import CollapseError
from collapse import folder
from collapse.decoding import Decoding
from collapse.json_form import to_json
from collapse.measures import loss
from collapse.measures.metrics import BandSizes, GenerationMetrics, TextMetrics
from collapse.measures.tails import Bands, token_counts
from collapse.model import evaluate, generate, models
from collapse.model.train import Diverged, count_blocks, train
from collapse.regimes import SUSPECT, Regime
from collapse.run import machine, measure
from collapse.run.arm import Arm
from collapse.run.blocks import Blocks, Data, load

_log = logging.getLogger(__name__)

WEIGHTS, LOSSES, WRITTEN, SURPRISE = "weights.safetensors", "losses.npy", "written.npy", "surprise.npy"
METRICS, TIMES = "metrics.json", "times.json"
#: The folder of a model that is kept.
CHECKPOINT = "checkpoint"
#: Of generation 0 alone: its losses on real text that it never saw, with which written text is compared.
UNSEEN = "unseen.npy"


def work(arm: Arm, ctx: Context) -> None:
    """Do the steps of an arm that are not done yet.

    All workers must see the folder of the run: they read its blocks, and write each step there.
    """
    from safetensors import SafetensorError
    from torch import OutOfMemoryError

    gc.enable()  # the models of transformers hold cycles
    tokens = _TokenProgress(ctx.progress)
    try:
        data = load(folder.blocks(arm.out))
        for generation in arm.generations:
            _Generation(arm, generation, data, tokens).run()
    except Diverged as error:
        raise CollapseError(f"generation {generation}: {error}") from None
    except OutOfMemoryError:
        raise CollapseError("the memory of the GPU is full; take a smaller --batch, --block or --model") from None
    except (OSError, SafetensorError) as error:
        raise CollapseError(disk_error_line(error, arm.out)) from None
    tokens.finish(arm.tokens())


class _TokenProgress:
    """Reports progress in tokens, a few times a second."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self._progress, self._held, self._sum, self._last = progress, 0, 0, time.monotonic()

    def __call__(self, tokens: int) -> None:
        self._held += tokens
        if time.monotonic() - self._last > 0.3:
            self.flush()

    def flush(self) -> None:
        self._sum += self._held
        self._progress(self._held, 0)
        self._held, self._last = 0, time.monotonic()

    def finish(self, total: int) -> None:
        """Report the tokens that an earlier run has done."""
        self.flush()
        self._held = total - self._sum
        self.flush()


class _Generation:
    def __init__(self, arm: Arm, number: int, data: Data, progress: Callable[[int], None]) -> None:
        self.arm, self.number, self.data, self.progress = arm, number, data, progress
        self.recipe = arm.recipe
        self.folder = arm.folder(number)
        self.owned = folder.owned(arm.out)
        self.device = machine.prepare(arm.machine.device, arm.machine.threads)
        self.pools = data.drawn(arm.recipe, arm.seed)
        self._model: Any = None

    def run(self) -> None:
        self.owned.make_folder(self.folder)
        if not (self.folder / LOSSES).exists():
            losses = evaluate.token_losses(self.model(), self.data.held_out, self.device)
            self._save(self.folder / LOSSES, losses)
        if self.arm.writes() and not (self.folder / WRITTEN).exists():
            self._write()
        if self.arm.writes() and not (self.folder / SURPRISE).exists():
            self._save(self.folder / SURPRISE, self._surprise(np.load(self.folder / WRITTEN)))
        if self.number == 0 and not (self.folder / UNSEEN).exists():
            self._save(self.folder / UNSEEN, self._surprise(self.pools["unseen"]))
        if not (self.folder / METRICS).exists():
            self.owned.write_file(self.folder / METRICS, json.dumps(to_json(self._metrics())).encode())
        if self.arm.machine.keep and not (self.folder / CHECKPOINT).exists():
            self._keep()
        if self.number > 0:
            self.owned.remove(self.folder / WEIGHTS)

    def model(self) -> Any:
        """Return the trained model, loaded if it was saved, or trained now."""
        if self._model is None:
            weights = self.folder / WEIGHTS
            self._model = self._load(weights) if weights.exists() else self._train(weights)
        return self._model

    def _start(self) -> Any:
        """Return the model that every generation of a seed starts from."""
        return models.Start.of(self.recipe, self.data.tokenizer.size).build(self.arm.seed).to(self.device)

    def _load(self, weights: Path) -> Any:
        from safetensors.torch import load_model

        model = self._start()
        load_model(model, weights, device=str(self.device))
        return model.eval()

    def _train(self, weights: Path) -> Any:
        from safetensors.torch import save_model

        model, blocks = self._start(), self._set()
        started = time.monotonic()
        train(model, blocks, self.recipe, self._seed(0), self.device, self.progress)
        tokens = count_blocks(len(blocks), self.recipe) * self.recipe.block
        self._time("train", tokens, time.monotonic() - started)
        with self.owned.atomic_file(weights) as part:
            save_model(model, str(part))
        return model

    def _keep(self) -> None:
        """Keep the model as a folder that transformers and `--model` can load."""
        with self.owned.atomic_folder(self.folder / CHECKPOINT) as part:
            self.model().save_pretrained(part)
            self.data.tokenizer.save_pretrained(part)

    def _set(self) -> Blocks:
        """Return the blocks that this generation is trained on."""
        if self.number == 0:
            return self.pools["real"]
        draw = np.random.default_rng((self.arm.seed, 4, self.number))
        pieces = Regime.parse(self.arm.regime).pieces(self.number, self.recipe.blocks, draw)
        return np.concatenate([self._pool(piece.pool)[piece.indexes] for piece in pieces])

    def _pool(self, name: str) -> Blocks:
        if not name.startswith("written-"):
            return self.pools[name]
        written: Blocks = np.load(self.arm.folder(int(name.removeprefix("written-"))) / WRITTEN)
        return written

    def _write(self) -> None:
        recipe, started = self.recipe, time.monotonic()
        prompts = self.pools["real"][:, : recipe.prompt]
        if recipe.prompt == 0:
            prompts = np.full((recipe.blocks, 1), self.data.tokenizer.end, np.int32)
        decoding = Decoding.parse(recipe.decoding)
        written = generate.write(
            self.model(), prompts, recipe.block, decoding, self._seed(1), self.device, self.progress
        )
        self._time("write", written.size, time.monotonic() - started)
        self._save(self.folder / WRITTEN, written)

    def _surprise(self, blocks: Blocks) -> npt.NDArray[np.float32]:
        """Return the losses of blocks under generation 0."""
        first = self.model() if self.number == 0 else self._load(self.arm.folder(0) / WEIGHTS)
        return evaluate.token_losses(first, blocks, self.device)

    def _metrics(self) -> GenerationMetrics:
        data, real = self.data, self.pools["real"]
        counts = token_counts(real, data.tokenizer.size)
        bands = Bands.divide(counts)
        unseen = np.load(self.arm.folder(0) / UNSEEN)

        def text(blocks: Blocks, trained: Blocks, surprise: npt.NDArray[np.float32]) -> TextMetrics:
            return measure.measure_text(data, blocks, trained, real, surprise, unseen, bands)

        metrics = GenerationMetrics(
            self.arm.seed,
            self.arm.regime,
            self.number,
            measure.measure_held_out(data, np.load(self.folder / LOSSES), bands),
        )
        if self.arm.writes():
            written = text(np.load(self.folder / WRITTEN), self._set(), np.load(self.folder / SURPRISE))
            metrics = replace(metrics, written=written)
        if self.number > 0:
            return metrics
        suspect = self.pools.get(SUSPECT)
        return replace(
            metrics,
            unigram=loss.unigram(counts, data.held_out, data.mask),
            unseen=text(self.pools["unseen"], real, unseen),
            bands=BandSizes(bands.types(), dict(zip(bands.names, bands.shares, strict=True))),
            suspect=None if suspect is None else text(suspect, real, self._surprise(suspect)),
        )

    def _seed(self, purpose: int) -> int:
        """Return the seed of the training order or of the draws, which differs for each generation of each arm."""
        name = f"{self.arm.regime}/{self.arm.seed}/{self.number}/{purpose}"
        return int.from_bytes(sha256(name.encode()).digest()[:7], "little")

    def _time(self, step: str, tokens: int, seconds: float) -> None:
        path = self.folder / TIMES
        times = json.loads(path.read_bytes()) if path.exists() else {}  # an earlier run may have done other steps
        self.owned.write_file(path, json.dumps({**times, step: {"tokens": tokens, "seconds": seconds}}).encode())
        arm = self.arm
        _log.info(
            "%s, seed %d, generation %d: %s, %d tokens in %.1f s",
            arm.regime,
            arm.seed,
            self.number,
            step,
            tokens,
            seconds,
        )

    def _save(self, path: Path, array: npt.NDArray[Any]) -> None:
        """Write an array atomically."""
        with self.owned.atomic_file(path) as part, open(part, "wb") as file:
            np.save(file, array)
