"""Check that a checkpoint can be used: that it writes from left to right, and with a cache."""

from __future__ import annotations

from typing import Any

import numpy as np

from archive.errors import CollapseError
from collapse.decoding import Decoding
from collapse.model.generate import write
from collapse.model.models import context_of

_TOKENS, _MORE = 6, 2
#: Logits that differ by no more than this part of their spread are equal.
_ROUNDING = 1e-4


def probe(model: Any, name: str) -> None:
    """Let a model, on the CPU, guess and write a few tokens.

    Raises:
        CollapseError: it sees later tokens, as BERT does, so that its losses mean nothing; or it cannot write as
            `collapse.model.generate` does.
    """
    import torch

    draw = np.random.default_rng(0)
    length = min(_TOKENS, context_of(model) - _MORE)
    tokens = draw.integers(0, model.config.get_text_config().vocab_size, (1, length)).astype(np.int32)
    other = tokens.copy()
    other[0, -1] = (other[0, -1] + 1) % model.config.get_text_config().vocab_size
    model.eval()
    with torch.inference_mode():
        one, two = (model(input_ids=torch.from_numpy(each).long()).logits[0, :-1] for each in (tokens, other))
    if float((one - two).abs().max()) > _ROUNDING * float(one.std()):
        raise CollapseError(f"--model {name}: guesses a token from those behind it too; it must write left to right")
    try:
        write(model, tokens, _MORE, Decoding("greedy"), 0, torch.device("cpu"))
    except (AttributeError, TypeError, ValueError) as error:
        what = f"{type(model).__name__} does not write with a cache of keys and values"
        raise CollapseError(f"--model {name}: {what} ({error})") from None
