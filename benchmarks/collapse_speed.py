"""Training and writing of the collapse test against bare loops of the same model, in one run.

    python benchmarks/collapse_speed.py [--model tiny] [--rounds 3] [--device cpu] [--json OUT]

`train` is `collapse.model.train`; its peer a loop as nanoGPT's: batches, cross-entropy, clipping, AdamW, nothing else.
`write` is `collapse.model.generate`, with its prompts in batches; its peers are `model.generate` as it is when only
told to sample and how many tokens (each prompt alone, as a script does), and the same in batches as large as ours.
Each measurement is a process of its own on one core; rounds take turns, and the best of each counts. On a GPU, the
share of its peak that the training of the model reaches (model FLOP utilisation) is told, with 6 operations for each
parameter and token, and those of attention (Chowdhery et al. 2022, PaLM, appendix B).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from processes import Result, machine, main, step

from collapse.decoding import Decoding
from collapse.model import models
from collapse.model.generate import write
from collapse.model.models import Start
from collapse.model.train import train
from collapse.presets import PRESETS
from collapse.recipe import Recipe
from collapse.run.machine import prepare

_BLOCK = 64
_PROMPT = 32
#: Seconds that are measured, behind a warm-up.
_SECONDS = 8.0
#: bfloat16 operations a second without sparsity, by what torch calls the GPU.
_PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}


def _model(name: str, device: Any) -> Any:
    return Start(name, _BLOCK, PRESETS[name].vocabulary, 0.0).build(0).to(device)


def _blocks(name: str, count: int) -> Any:
    return np.random.default_rng(0).integers(0, PRESETS[name].vocabulary, (count, _BLOCK)).astype(np.int32)


def _timed(trial: Callable[[], int]) -> float:
    """Tokens a second."""
    trial()
    tokens, started = 0, time.perf_counter()
    while time.perf_counter() - started < _SECONDS:
        tokens += trial()
    return tokens / (time.perf_counter() - started)


def _ours_train(name: str, device: str) -> Result:
    place = prepare(device, 1)
    model, recipe = _model(name, place), Recipe(epochs=1.0)
    blocks = _blocks(name, 40 * recipe.batch)
    return {"rate": _timed(lambda: len(train(model, blocks, recipe, 0, place)) * recipe.batch * _BLOCK)}


def _bare_train(name: str, device: str) -> Result:
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)
    recipe = Recipe()
    model = _model(name, device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    data = torch.from_numpy(_blocks(name, 40 * recipe.batch).astype(np.int64))

    def epoch() -> int:
        for first in range(0, len(data), recipe.batch):
            tokens = data[first : first + recipe.batch].to(device)
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                logits = model(input_ids=tokens, use_cache=False).logits
                loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return int(data.numel())

    return {"rate": _timed(epoch)}


def _ours_write(name: str, device: str) -> Result:
    place = prepare(device, 1)
    model, prompts = _model(name, place), _blocks(name, 256)[:, :_PROMPT]
    how = Decoding.parse("temperature:1")
    return {"rate": _timed(lambda: write(model, prompts, _BLOCK - _PROMPT, how, 0, place).size)}


def _generate(name: str, device: str, batch: str) -> Result:
    import torch

    torch.set_num_threads(1)
    model = _model(name, device).eval()
    prompts = torch.from_numpy(_blocks(name, int(batch))[:, :_PROMPT].astype(np.int64)).to(device)

    def trial() -> int:
        with torch.inference_mode():
            written = model.generate(
                prompts, do_sample=True, max_new_tokens=_BLOCK - _PROMPT, eos_token_id=None, pad_token_id=0
            )
        return int(written[:, _PROMPT:].numel())

    return {"rate": _timed(trial)}


def _gpu(name: str) -> Result:
    import torch

    model = models.parameters(_model(name, "cpu"))
    preset = PRESETS[name]
    operations = 6 * model + 12 * preset.layers * preset.width * _BLOCK
    found = torch.cuda.get_device_name()
    peak = next((rate for gpu, rate in _PEAKS.items() if gpu in found), None)
    return {"gpu": found, "operations": operations, "peak": peak}


def _script(words: argparse.Namespace) -> Result:
    kinds = {
        "train": ("train", words.model, words.device),
        "bare loop": ("bare", words.model, words.device),
        "write": ("write", words.model, words.device),
        "generate, one prompt at a time": ("generate", words.model, words.device, "1"),
        "generate, batches of 256": ("generate", words.model, words.device, "256"),
    }
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(words.rounds):
        for kind, (name, *arguments) in kinds.items():
            rates[kind].append(step(sys.executable, name, *arguments)["rate"])
    best = {kind: max(found) for kind, found in rates.items()}
    print(f"{machine()}; {words.model}, {words.device}; best of {words.rounds}, tokens a second\n")
    for kind, rate in best.items():
        print(f"{kind:32} {rate:>10,.0f}   ({', '.join(f'{found:,.0f}' for found in rates[kind])})")
    print(f"\ntraining by the bare loop: {best['train'] / best['bare loop']:.2f}")
    for kind in list(kinds)[3:]:
        print(f"writing by {kind}: {best['write'] / best[kind]:.1f}")
    result: dict[str, Any] = {"machine": machine(), "model": words.model, "device": words.device, "rates": rates}
    if words.device == "cuda":
        result |= (gpu := step(sys.executable, "gpu", words.model))
        if gpu["peak"]:
            print(f"{gpu['gpu']}: {best['train'] * gpu['operations'] / gpu['peak']:.1%} of its peak in training")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(PRESETS), default="tiny")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest of so many counts")
    parser.add_argument("--json", type=Path)
    main(
        parser,
        _script,
        {"train": _ours_train, "bare": _bare_train, "write": _ours_write, "generate": _generate, "gpu": _gpu},
    )
