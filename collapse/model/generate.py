"""A model writes: each block of the next generation's set continues a prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from collapse.decoding import Decoding
from collapse.model.models import context_of
from collapse.model.train import mixed
from query.formats.hugging_face import import_transformers

if TYPE_CHECKING:
    import torch

#: Texts that are continued together; a search has several for each prompt.
_BATCH = 256


def write(
    model: Any,
    prompts: npt.NDArray[np.int32],
    length: int,
    decoding: Decoding,
    seed: int,
    device: torch.device,
    progress: Callable[[int], None] = lambda _: None,
    batch: int = _BATCH,
) -> npt.NDArray[np.int32]:
    """What a model writes behind each prompt: (prompts, length); the prompts themselves are not in it.

    Prompts are continued in batches with a cache of keys and values. Where prompt and block together are longer
    than the model's context, the newer half of what stands in it becomes the context of the rest, so that no token is
    written from a position that the model never saw in training.

    Args:
        prompts: token ids, (prompts, at least 1).
        length: tokens to write.
        seed: of the draws; the same for the same prompts, whatever the batch is not.
    """
    import torch

    model.eval()
    draw = torch.Generator(device=device).manual_seed(seed)
    out = np.empty((len(prompts), length), np.int32)
    if decoding.kind == "beam":
        batch = max(batch // int(decoding.value or 1), 1)
    with torch.inference_mode(), mixed(device):
        for first in range(0, len(prompts), batch):
            part = torch.from_numpy(np.ascontiguousarray(prompts[first : first + batch], np.int64)).to(device)
            written = _continue(model, part, length, decoding, draw, progress)
            out[first : first + batch] = written.cpu().numpy()
    return out


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
    """So many tokens behind what is seen, one at a time."""
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
    """The next token of each row of (rows, vocabulary): (rows, 1)."""

    if decoding.kind == "greedy":
        return logits.argmax(dim=-1, keepdim=True)
    if decoding.kind == "top-k":
        kept, places = logits.topk(min(int(decoding.value or 1), logits.shape[-1]), dim=-1)
        return places.gather(1, _drawn(kept.softmax(-1), draw))
    if decoding.kind == "top-p":
        ordered, places = logits.softmax(-1).sort(dim=-1, descending=True)
        before = ordered.cumsum(-1) - ordered
        ordered[before >= (decoding.value or 1.0)] = 0.0  # the token that crosses the share stays
        return places.gather(1, _drawn(ordered, draw))
    return _drawn((logits / (decoding.value or 1.0)).softmax(-1), draw)


def _drawn(weights: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """A place in each row, with a probability in proportion to its weight: (rows, 1).

    One uniform number for each row, looked up in the sums of the weights; `torch.multinomial` draws one for each
    weight, which took half the time of writing.
    """
    import torch

    sums = weights.cumsum(-1)
    point = torch.rand((len(weights), 1), generator=draw, device=weights.device) * sums[:, -1:]
    # rounding must not reach the end, behind which there is nothing; and no place without weight is ever found
    return torch.searchsorted(sums, torch.minimum(point, sums[:, -1:] * (1 - 1e-6)), right=True)


def _beams(model: Any, seen: torch.Tensor, room: int, beams: int) -> torch.Tensor:
    """The search of transformers. The token that ends a text is one like others: behind it the next text begins."""
    import torch

    config = import_transformers().GenerationConfig(
        max_new_tokens=room, num_beams=beams, do_sample=False, pad_token_id=0, eos_token_id=None
    )
    # what is left open here is taken from the checkpoint's settings: its end, which stops a text, or penalties
    model.generation_config = config
    whole = model.generate(seen, attention_mask=torch.ones_like(seen), generation_config=config)
    return whole[:, seen.shape[1] :]
