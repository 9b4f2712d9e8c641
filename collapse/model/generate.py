"""Let a model write: each block of the next generation's set continues a prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from collapse.decoding import Decoding
from collapse.model.models import context_of
from collapse.model.train import mixed
from index.hugging_face import import_transformers

if TYPE_CHECKING:
    import torch

#: Texts that are continued together on a CPU; a beam search has several for each prompt.
_BATCH = 256
#: On a GPU a step takes about as long for thousands of texts as for one: so many whose keys and values fit these bytes.
_MOST, _CACHE = 4096, 8 << 30


def write(
    model: Any,
    prompts: npt.NDArray[np.int32],
    length: int,
    decoding: Decoding,
    seed: int,
    device: torch.device,
    progress: Callable[[int], None] = lambda _: None,
    batch: int | None = None,
) -> npt.NDArray[np.int32]:
    """Return what a model writes after each prompt, without the prompt: (prompts, length).

    Prompts are continued in batches with a cache of keys and values. If prompt and block together are longer than the
    model's context, the newer half of the context becomes the context of the rest, so that no token is written at a
    position that the model never saw in training.

    Args:
        prompts: token ids, (prompts, at least 1).
        length: tokens to write.
        seed: of the draws, which depend on the batch size too.
        progress: called with the number of tokens that were written.
        batch: texts that are continued together; None: as many as pay on this kind of device.
    """
    import torch

    model.eval()
    draw = torch.Generator(device=device).manual_seed(seed)
    out = np.empty((len(prompts), length), np.int32)
    batch = batch or _texts_at_once(model, prompts.shape[1] + length, device)
    if decoding.kind == "beam":
        batch = max(batch // int(decoding.value or 1), 1)
    with torch.inference_mode(), mixed(device):
        for first in range(0, len(prompts), batch):
            part = torch.from_numpy(np.ascontiguousarray(prompts[first : first + batch], np.int64)).to(device)
            written = _continue(model, part, length, decoding, draw, progress)
            out[first : first + batch] = written.cpu().numpy()
    return out


def _texts_at_once(model: Any, length: int, device: torch.device) -> int:
    """Return how many texts to continue together. It is the same on each GPU, since the draws depend on it."""
    if device.type != "cuda":
        return _BATCH
    config = model.config
    of_a_token: int = 2 * 2 * config.num_hidden_layers * config.hidden_size  # keys and values in bfloat16
    fitting: int = _CACHE // (of_a_token * min(length, context_of(model)))
    return min(max(1 << max(fitting, 1).bit_length() - 1, 16), _MOST)


def _continue(
    model: Any,
    prompts: torch.Tensor,
    length: int,
    decoding: Decoding,
    draw: torch.Generator,
    progress: Callable[[int], None],
) -> torch.Tensor:
    import torch

    context = context_of(model)
    text = prompts
    end = prompts.shape[1] + length
    while text.shape[1] < end:
        seen = text if text.shape[1] < context else text[:, -max(context // 2, 1) :]
        room = min(end - text.shape[1], context - seen.shape[1])
        if decoding.kind == "beam":
            more = _beams(model, seen, room, int(decoding.value or 1))
            progress(more.numel())
        else:
            more = _segment(model, seen, room, decoding, draw, progress)
        text = torch.cat([text, more], dim=1)
    return text[:, prompts.shape[1] :]


def _segment(
    model: Any,
    seen: torch.Tensor,
    room: int,
    decoding: Decoding,
    draw: torch.Generator,
    progress: Callable[[int], None],
) -> torch.Tensor:
    """Write `room` tokens after those seen, one at a time."""
    import torch

    tokens, feed, cache = [], seen, None
    for _ in range(room):
        answer = model(input_ids=feed, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = answer.past_key_values
        feed = pick(answer.logits[:, -1].float(), decoding, draw)
        tokens.append(feed)
        progress(len(feed))
    return torch.cat(tokens, dim=1)


def pick(logits: torch.Tensor, decoding: Decoding, draw: torch.Generator) -> torch.Tensor:
    """Pick the next token of each row of (rows, vocabulary): (rows, 1)."""
    if decoding.kind == "greedy":
        return logits.argmax(dim=-1, keepdim=True)
    if decoding.kind == "top-k":
        kept, ids = logits.topk(min(int(decoding.value or 1), logits.shape[-1]), dim=-1)
        return ids.gather(1, _drawn(kept.softmax(-1), draw))
    if decoding.kind == "top-p":
        ordered, ids = logits.softmax(-1).sort(dim=-1, descending=True)
        before = ordered.cumsum(-1) - ordered
        ordered[before >= (decoding.value or 1.0)] = 0.0  # keep the token that crosses the share
        return ids.gather(1, _drawn(ordered, draw))
    return _drawn((logits / (decoding.value or 1.0)).softmax(-1), draw)


def _drawn(weights: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Draw an index in each row, with a probability in proportion to its weight: (rows, 1).

    This draws one uniform number for each row and looks it up in the cumulated weights. `torch.multinomial` draws one
    for each weight, which took half of the time that writing takes.
    """
    import torch

    sums = weights.cumsum(-1)
    point = torch.rand((len(weights), 1), generator=draw, device=weights.device) * sums[:, -1:]
    # a point that is rounded up to the end would be out of range; an index without weight is never found
    return torch.searchsorted(sums, torch.minimum(point, sums[:, -1:] * (1 - 1e-6)), right=True)


def _beams(model: Any, seen: torch.Tensor, room: int, beams: int) -> torch.Tensor:
    """Run the beam search of transformers. The token that ends a text does not end it: the next text follows."""
    import torch

    config = import_transformers().GenerationConfig(
        max_new_tokens=room, num_beams=beams, do_sample=False, pad_token_id=0, eos_token_id=None
    )
    # without this the checkpoint's settings would apply: a token that ends the search, or penalties
    model.generation_config = config
    tokens = model.generate(seen, attention_mask=torch.ones_like(seen), generation_config=config)
    return tokens[:, seen.shape[1] :]
