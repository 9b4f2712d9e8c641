"""How surprising blocks are to a model: the loss of each token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from collapse.model.train import mixed

if TYPE_CHECKING:
    import torch

#: Tokens that are evaluated at a time: their logits take the most memory.
_TOKENS = 2048


def token_losses(
    model: Any,
    blocks: npt.NDArray[np.int32],
    device: torch.device,
    progress: Callable[[int], None] = lambda _: None,
) -> npt.NDArray[np.float32]:
    """Return the negative log-likelihood of each token but the first of its block, in nats: (blocks, length - 1).

    Each block is evaluated alone: the model does not see the text before it in its document.
    """
    import torch
    from torch.nn import functional

    model.eval()
    batch = max(_TOKENS // blocks.shape[1], 1)
    out = np.empty((len(blocks), blocks.shape[1] - 1), np.float32)
    with torch.inference_mode():
        for first in range(0, len(blocks), batch):
            part = torch.from_numpy(np.ascontiguousarray(blocks[first : first + batch], np.int64)).to(device)
            with mixed(device):
                logits = model(input_ids=part, use_cache=False).logits
            losses = functional.cross_entropy(logits[:, :-1].mT.float(), part[:, 1:], reduction="none")
            out[first : first + batch] = losses.cpu().numpy()
            progress(part.numel())
    return out
