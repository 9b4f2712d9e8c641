"""The work of a run: one generation of one arm of one seed is a folder, and what lies in it is done.

A generation has up to five steps, each of which leaves a file, whole or not at all: `weights.safetensors` (trained),
`losses.npy` (judged on held-out text), `written.npy` (the next set), `surprise.npy` (how generation 0 likes that) and
`numbers.json` (measured). A run that was killed finds them and goes on behind the last.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
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
from collapse.measures import loss
from collapse.measures.tails import Bands, token_counts
from collapse.model import evaluate, generate, models
from collapse.model.train import Diverged, count_blocks, train
from collapse.regimes import Regime
from collapse.run import machine, measure
from collapse.run.arm import Arm
from collapse.run.blocks import Blocks, Data, load

WEIGHTS, LOSSES, WRITTEN, SURPRISE = "weights.safetensors", "losses.npy", "written.npy", "surprise.npy"
NUMBERS, TIMES = "numbers.json", "times.json"
#: Where a model is kept that is asked for.
CHECKPOINT = "checkpoint"
#: Of generation 0 alone: its losses on real text that it never saw, which what is written is compared with.
UNSEEN = "unseen.npy"


def work(arm: Arm, ctx: Context) -> None:
    """Do what is not done yet of an arm. Needs the folder of the run, on a disk that all workers see."""
    from safetensors import SafetensorError
    from torch import OutOfMemoryError

    gc.enable()  # the models of transformers hold cycles
    told = _Told(ctx.progress)
    try:
        data = load(folder.blocks(arm.out))
        for generation in arm.generations:
            _Generation(arm, generation, data, told).run()
    except Diverged as error:
        raise CollapseError(f"generation {generation}: {error}") from None
    except OutOfMemoryError:
        raise CollapseError("the memory of the GPU is full; take a smaller --batch, --block or --model") from None
    except (OSError, SafetensorError) as error:
        raise CollapseError(disk_error_line(error, arm.out)) from None
    told.rest(arm.tokens())


class _Told:
    """Tells the progress in tokens, a few times a second."""

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

    def rest(self, total: int) -> None:
        """What was done before, in an earlier run."""
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
        if not (self.folder / NUMBERS).exists():
            self.owned.write_file(self.folder / NUMBERS, json.dumps(measure.plain(self._numbers())).encode())
        if self.arm.machine.keep and not (self.folder / CHECKPOINT).exists():
            self._keep()
        if self.number > 0:
            self.owned.remove(self.folder / WEIGHTS)

    def model(self) -> Any:
        """The trained model: as it was saved, or trained now."""
        if self._model is None:
            weights = self.folder / WEIGHTS
            self._model = self._load(weights) if weights.exists() else self._train(weights)
        return self._model

    def _start(self) -> Any:
        """Where every generation of a seed starts: the same weights."""
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
        """Leave the model as a folder that transformers loads, and `--model` too."""
        with self.owned.atomic_folder(self.folder / CHECKPOINT) as part:
            self.model().save_pretrained(part)
            self.data.tokenizer.save_pretrained(part)

    def _set(self) -> Blocks:
        """The blocks that this generation is trained on."""
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
        """The losses of blocks under generation 0."""
        first = self.model() if self.number == 0 else self._load(self.arm.folder(0) / WEIGHTS)
        return evaluate.token_losses(first, blocks, self.device)

    def _numbers(self) -> dict[str, Any]:
        real = self.pools["real"]
        bands = Bands.made(token_counts(real, self.data.tokenizer.size))
        unseen = np.load(self.arm.folder(0) / UNSEEN)

        def text(blocks: Blocks, trained: Blocks, surprise: npt.NDArray[np.float32]) -> dict[str, Any]:
            found = measure.of_text(self.data, blocks, trained, real, surprise, bands)
            return {**found, "strange": measure.strange(surprise, unseen)}

        made: dict[str, Any] = {"held_out": measure.of_held_out(self.data, np.load(self.folder / LOSSES), bands)}
        if self.arm.writes():
            made["written"] = text(np.load(self.folder / WRITTEN), self._set(), np.load(self.folder / SURPRISE))
        if self.number == 0:
            counts = token_counts(real, self.data.tokenizer.size)
            made["unigram"] = loss.unigram(counts, self.data.held_out, self.data.mask)
            made["unseen"] = text(self.pools["unseen"], real, unseen)
            made["bands"] = {"types": bands.types(), "shares": dict(zip(bands.names, bands.shares, strict=True))}
            if "suspect" in self.pools:
                suspect = self.pools["suspect"]
                made["suspect"] = text(suspect, real, self._surprise(suspect))
        return made

    def _seed(self, purpose: int) -> int:
        """Of the order of training, or of the draws: another one for each generation of each arm."""
        name = f"{self.arm.regime}/{self.arm.seed}/{self.number}/{purpose}"
        return int.from_bytes(sha256(name.encode()).digest()[:7], "little")

    def _time(self, step: str, tokens: int, seconds: float) -> None:
        path = self.folder / TIMES
        times = json.loads(path.read_bytes()) if path.exists() else {}  # of the steps that an earlier run did
        self.owned.write_file(path, json.dumps({**times, step: {"tokens": tokens, "seconds": seconds}}).encode())

    def _save(self, path: Path, array: npt.NDArray[Any]) -> None:
        """Write an array, whole or not at all."""
        with self.owned.atomic_file(path) as part, open(part, "wb") as file:
            np.save(file, array)
