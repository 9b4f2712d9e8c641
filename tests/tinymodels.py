"""A GPT-2 that trains in a moment, and text that can be learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from query.formats.hugging_face import import_transformers

Blocks = npt.NDArray[np.int32]


def gpt2(seed: int = 0, vocabulary: int = 23, context: int = 24, layers: int = 2, width: int = 16) -> Any:
    """With random weights large enough that its distributions are far from even."""
    import torch

    torch.set_num_threads(1)
    transformers = import_transformers()
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=vocabulary,
        n_positions=context,
        n_layer=layers,
        n_embd=width,
        n_head=2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = transformers.GPT2LMHeadModel(config)
    for item in model.parameters():
        if item.ndim >= 2:
            torch.nn.init.normal_(item, std=0.4)
    return model.eval()


def blocks(count: int, length: int, vocabulary: int = 23, seed: int = 0) -> Blocks:
    """Tokens without any order."""
    return np.random.default_rng(seed).integers(0, vocabulary, (count, length)).astype(np.int32)


def cycles(count: int, length: int, vocabulary: int = 23, seed: int = 0) -> Blocks:
    """Tokens each of which says what the next one is."""
    starts = np.random.default_rng(seed).integers(0, vocabulary, (count, 1))
    return ((starts + 3 * np.arange(length)) % vocabulary).astype(np.int32)
