"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archive.errors import CollapseError

if TYPE_CHECKING:
    import torch

    from collapse.recipe import Recipe


class Diverged(CollapseError):
    """A training gave a loss or a weight that is not a finite number."""

    def __init__(self, step: int, steps: int) -> None:
        super().__init__(f"the training diverged at step {step + 1} of {steps}; lower --learning-rate")


def train(
    model: Any,
    blocks: npt.NDArray[np.int32],
    recipe: Recipe,
    seed: int,
    device: torch.device,
    progress: Callable[[int], None] = lambda _: None,
) -> list[float]:
    """Train a model on blocks, in place.

    AdamW (Loshchilov and Hutter 2019) with betas 0.9 and 0.95, a linear warm-up, then a cosine down to a tenth
    (as nanoGPT does); gradients are clipped at norm 1. Each epoch passes over all blocks in another order.

    Args:
        model: a causal model of transformers, on the device.
        blocks: token ids, (blocks, length).
        seed: of the order and the dropout.
        progress: called with the number of tokens of each step.

    Returns:
        The mean loss of each step, in nats per token.

    Raises:
        Diverged: a loss, or a weight at the end, is not a finite number.
    """
    import torch

    steps = count_steps(len(blocks), recipe)
    order = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # for the dropout
    data = torch.from_numpy(np.ascontiguousarray(blocks, np.int64))
    optimizer = torch.optim.AdamW(
        _groups(model, recipe.weight_decay), lr=recipe.learning_rate, betas=(0.9, 0.95), fused=True
    )
    compiled = torch.compile(model, dynamic=False) if device.type == "cuda" else model
    model.train()
    with _repeatable(device):
        losses = _steps(model, compiled, data, recipe, steps, order, optimizer, device, progress)
    if not all(bool(item.isfinite().all()) for item in model.parameters()):
        raise Diverged(steps - 1, steps)
    model.eval()
    return losses


def _steps(
    model: Any,
    compiled: Any,
    data: torch.Tensor,
    recipe: Recipe,
    steps: int,
    order: torch.Generator,
    optimizer: torch.optim.Optimizer,
    device: torch.device,
    progress: Callable[[int], None],
) -> list[float]:
    """Do all steps, and return the mean loss of each."""
    import torch
    from torch.nn import functional

    losses: list[float] = []
    batches = _batches(len(data), recipe.batch, order)
    for step in range(steps):
        tokens = data[next(batches)].to(device, non_blocking=True)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * schedule(step, steps, recipe.warmup)
        # each shape is compiled once: leave out the last, smaller batch of an epoch, whose shape differs between arms
        run = compiled if len(tokens) == recipe.batch else model
        with mixed(device):
            logits = run(input_ids=tokens, use_cache=False).logits
        loss = functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), tokens[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())  # a number: small tensors that are kept would fragment the heap
        if not math.isfinite(losses[-1]):
            raise Diverged(step, steps)
        progress(tokens.numel())
    return losses


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Let attention on a GPU add its gradients in one order: it does so only where anything else would be an error."""
    import torch

    before = torch.is_deterministic_algorithms_warn_only_enabled()
    if device.type == "cuda":
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=before)


def _batches(blocks: int, batch: int, order: torch.Generator) -> Iterator[torch.Tensor]:
    """Yield the numbers of the blocks in each batch, epoch after epoch, each in another order."""
    import torch

    while True:
        yield from torch.randperm(blocks, generator=order).split(batch)


def count_steps(blocks: int, recipe: Recipe) -> int:
    """Return how many optimizer steps a set of so many blocks takes."""
    return max(round(math.ceil(blocks / recipe.batch) * recipe.epochs), 1)


def count_blocks(blocks: int, recipe: Recipe) -> int:
    """Return how many blocks these steps see; the last batch of an epoch may be smaller."""
    steps, each = count_steps(blocks, recipe), math.ceil(blocks / recipe.batch)
    return steps // each * blocks + steps % each * recipe.batch


def schedule(step: int, steps: int, warmup: float) -> float:
    """Return the learning rate of a step, as a share of its peak."""
    rising = max(round(steps * warmup), 1)
    if step < rising:
        return (step + 1) / rising
    share = (step - rising) / max(steps - rising, 1)
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * share))


def mixed(device: torch.device) -> AbstractContextManager[Any]:
    """Compute in bfloat16 on a GPU. A CPU without instructions for it is ten times slower with it (measured)."""
    import torch

    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()


def _groups(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Group the parameters: weight decay for matrices, none for biases and norms."""
    held = [item for item in model.parameters() if item.requires_grad]
    return [
        {"params": [item for item in held if item.ndim >= 2], "weight_decay": weight_decay},
        {"params": [item for item in held if item.ndim < 2], "weight_decay": 0.0},
    ]
