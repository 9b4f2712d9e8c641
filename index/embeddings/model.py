"""The model of an encoder: from windows of tokens to vectors, on the CPU or on a GPU.

On the CPU a batch has windows of one length (`batches.batches`): measured on an AMD EPYC with one and two threads, in
both dtypes, the vector of a window then has the same bits whatever the batch.

On a GPU windows of all lengths are computed in one row of tokens without padding (`batches.packs`), each seen by itself
only, where the model can do that: transformers 5 or newer, a model of the kind of BERT, and PyTorch's attention for
rows of several sequences. So each row but the last has about the same number of tokens. Other models get the batches of
the CPU. Sums on a GPU depend on the batch in their last bits; docs/embed.md states the tolerance.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from archive.errors import ArchiveError, error_line
from archive.extras import missing
from index.embeddings.batches import Positions, batches, packs
from index.embeddings.encoder import Encoder, check_unchanged
from index.embeddings.tokens import Windows
from index.hugging_face import import_transformers

_why_no_torch: Exception | None = None
try:
    import torch
except Exception as _error:  # an extra; one that does not fit this machine raises other errors too
    torch, _why_no_torch = None, _error

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_log = logging.getLogger(__name__)
#: Most tokens that are computed together. On a CPU more do not fit its caches and are slower, measured.
TOKENS_AT_ONCE = {"cpu": 1 << 11, "cuda": 1 << 16}
#: Models whose attention can be given to a function of ours, with the position of a window's first token in them:
#: those of the second kind count from the position after that of padding.
_PACKED = {"bert": 0, "roberta": 1, "xlm-roberta": 1, "camembert": 1}
_ATTENTION = "lowbackground_packed"
#: A row has a multiple of so many tokens: the same shapes again and again, for `torch.compile`.
_ROUND = 1 << 10
#: PyTorch's attention for such rows, once a model needs it: `torch.compile` could not follow the search for it.
_attend: Any = None

Vectors = npt.NDArray[np.float32]  #: (windows, dimensions)


def open_device(device: str, gpus: int | None = None) -> str:
    """Return the name of a device of PyTorch that is here; `auto`: a GPU where there is one, or the CPU.

    Args:
        gpus: how many the engine hands out, on whatever machine; None: only those of this machine count.

    Raises:
        ArchiveError: PyTorch or the device is missing.
    """
    _need_torch()
    if gpus is not None and device in {"auto", "cuda"}:
        return "cuda" if gpus or device == "cuda" else "cpu"
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        empty = torch.empty(0, device=device)
        empty.cpu()  # NotImplementedError on the device `meta`, which has no numbers
        return str(empty.device)
    except (RuntimeError, AssertionError):  # the latter from a PyTorch built without CUDA
        raise ArchiveError(f"PyTorch finds no device {device!r} here: name another one, or --device cpu") from None


def _need_torch() -> None:
    """Raise ArchiveError where PyTorch is not installed, or cannot be imported."""
    if isinstance(_why_no_torch, ModuleNotFoundError) and _why_no_torch.name == "torch":
        raise missing("archive embed", "embed", "torch")
    if _why_no_torch:
        raise ArchiveError(f"archive embed needs torch, which cannot be imported: {error_line(_why_no_torch)}")


def best_dtype(device: str) -> str:
    """Return the dtype that pays: bf16 on a GPU, and on a CPU that has instructions for it; fp32 elsewhere."""
    if device.startswith("cuda"):
        return "bf16"
    if device != "cpu":
        return "fp32"
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16")) else "fp32"


def kind(device: str) -> str:
    """Return `cuda` or `cpu`: for which of the two the defaults of a device are."""
    return "cuda" if device.startswith("cuda") else "cpu"


class Model:
    """A loaded encoder.

    Args:
        device: of PyTorch.
        tokens_at_once: most tokens that are computed together. The memory for activations grows with it.
        packed: whether windows of different lengths share a row; None: on a GPU, where the model can do it.
        compiled: whether `torch.compile` makes kernels for this model, which takes a minute.

    Raises:
        ArchiveError: the model cannot be loaded, or cannot be packed though `packed` is True.
    """

    def __init__(
        self,
        encoder: Encoder,
        device: str = "cpu",
        *,
        tokens_at_once: int | None = None,
        packed: bool | None = None,
        compiled: bool = False,
    ) -> None:
        self.encoder, self.device = encoder, device
        self.tokens_at_once = tokens_at_once or TOKENS_AT_ONCE[kind(device)]
        self._model: Any = _load(encoder).to(device)
        if packed and not self._can_be_packed():
            raise ArchiveError(f"{encoder.name}: windows of this model cannot share a row with this transformers")
        self.packed = self._can_be_packed() and device.startswith("cuda") if packed is None else packed
        if self.packed:
            _register()
            self._model.set_attn_implementation(_ATTENTION)
        self._first = self._first_position()
        self._known = self._model.get_input_embeddings().num_embeddings
        if compiled:
            self._model = torch.compile(self._model, dynamic=None)

    def _can_be_packed(self) -> bool:
        major = int(import_transformers().__version__.partition(".")[0])
        here = not self.device.startswith("cuda") or (
            self.encoder.dtype == "bf16"  # flash attention has no other, and needs an Ampere or later
            and torch.cuda.get_device_capability(self.device) >= (8, 0)
            and _varlen() is not None
        )
        return major >= 5 and self._model.config.model_type in _PACKED and here

    def _first_position(self) -> int:
        config = self._model.config
        return int(config.pad_token_id or 0) + 1 if _PACKED.get(config.model_type) else 0

    def vectors(self, windows: Windows, done: Callable[[int], None] | None = None) -> Vectors:
        """Compute the vector of each window.

        Args:
            done: is called after each batch with its tokens.

        Raises:
            ArchiveError: the memory of the device does not suffice, or the model gives no numbers.
        """
        if len(windows) and not 0 <= int(windows.tokens.min()) <= int(windows.tokens.max()) < self._known:
            raise ArchiveError(f"{self.encoder.name}: its tokenizer has tokens that its model does not know")
        out = torch.empty((len(windows), self.encoder.dimensions), dtype=torch.float32, device=self.device)
        compute, groups = (self._row, packs) if self.packed else (self._batch, batches)
        lengths = windows.lengths
        try:
            with torch.inference_mode():
                for group in groups(lengths, self.tokens_at_once):
                    vectors = self._computed(compute, windows, group)
                    if self.encoder.normalize:
                        vectors = torch.nn.functional.normalize(vectors, dim=1)
                    out[torch.from_numpy(group).to(self.device)] = vectors
                    if done:
                        done(int(lengths[group].sum()))
                found: Vectors = out.cpu().numpy()
        except torch.cuda.OutOfMemoryError:
            raise ArchiveError(
                f"{self.device} has too little memory for {self.tokens_at_once} tokens at once; "
                "a smaller --tokens-at-once needs less"
            ) from None
        return found

    def _computed(self, compute: Callable[..., torch.Tensor], windows: Windows, group: Positions) -> torch.Tensor:
        """Return the vectors of some windows.

        Raises:
            ArchiveError: the model wants something other than tokens, or its vectors have another size than it states.
        """
        try:
            vectors = compute(windows, group)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # whatever the many kinds of models raise
            raise ArchiveError(f"{self.encoder.name}: cannot compute vectors of texts: {error_line(error)}") from None
        if vectors.shape != (len(group), self.encoder.dimensions):
            raise ArchiveError(
                f"{self.encoder.name}: its config.json states {self.encoder.dimensions} dimensions, "
                f"and its vectors have {vectors.shape[-1]}"
            )
        return vectors

    def _batch(self, windows: Windows, group: Positions) -> torch.Tensor:
        """Compute windows of one length."""
        starts = windows.offsets[group]
        length = int(windows.lengths[group[0]])
        ids = _put(windows.tokens[starts[:, None] + np.arange(length)], self.device)
        tokens = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.float()
        pooling = self.encoder.pooling
        if pooling == "mean":
            return tokens.mean(1)
        if pooling == "max":
            return tokens.amax(1)
        return tokens[:, 0 if pooling == "cls" else -1]

    def _row(self, windows: Windows, group: Positions) -> torch.Tensor:
        """Compute windows of any lengths in one row, which is filled up with zeros that are a window of their own."""
        lengths = windows.lengths[group]
        ends = np.cumsum(lengths)
        size = -(-int(ends[-1]) // _ROUND) * _ROUND
        # the filling is cut into windows too, since positions end somewhere
        filling = np.full(-(-(size - ends[-1]) // lengths[0]), lengths[0])
        filling[-1:] = size - ends[-1] - filling[:-1].sum()
        lengths = np.concatenate([lengths, filling])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(size) - np.repeat(starts[:-1], lengths)
        tokens = np.zeros(size, np.int32)
        tokens[: ends[-1]] = windows.tokens[
            np.repeat(windows.offsets[group], lengths[: len(group)]) + within[: ends[-1]]
        ]
        bounds = _put(starts, self.device).int()
        states = self._model(
            input_ids=_put(tokens, self.device)[None],
            position_ids=_put(within + self._first, self.device)[None],
            bounds=bounds,
            longest=int(lengths[0]),
        ).last_hidden_state[0]
        firsts, lasts = bounds[: len(group)].long(), bounds[1 : len(group) + 1].long()
        pooling = self.encoder.pooling
        if pooling in {"mean", "max"}:
            inside = states[: ends[-1]].float()
            return torch.segment_reduce(inside, pooling, lengths=lasts - firsts, axis=0, unsafe=True)
        return states[firsts if pooling == "cls" else lasts - 1].float()


def _put(array: npt.NDArray[Any], device: str) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))
    return tensor.pin_memory().to(device, non_blocking=True) if device.startswith("cuda") else tensor.to(device)


def _load(encoder: Encoder) -> PreTrainedModel:
    _need_torch()
    try:
        transformers = import_transformers()
    except ModuleNotFoundError as error:
        raise missing("archive embed", "embed", error.name) from None
    options = {"local_files_only": True, "trust_remote_code": False}  # without the latter it asks whether to run code
    with _silent(transformers):
        try:
            config = transformers.AutoConfig.from_pretrained(encoder.folder, **options)
            auto = transformers.AutoModelForTextEncoding if config.is_encoder_decoder else transformers.AutoModel
            dtype = torch.bfloat16 if encoder.dtype == "bf16" else torch.float32
            model: PreTrainedModel
            model, loaded = auto.from_pretrained(encoder.folder, dtype=dtype, output_loading_info=True, **options)
        except Exception as error:  # whatever the many kinds raise: it cannot be loaded
            raise ArchiveError(f"{encoder.folder}: cannot be loaded: {error_line(error)}") from None
    # transformers fills missing weights by chance, so that each process would have vectors of its own
    lost = sorted(name for name in loaded["missing_keys"] if "pooler" not in name.split("."))
    if lost:
        raise ArchiveError(f"{encoder.folder}: its weights lack {len(lost)} of those of its model, as {lost[0]}")
    check_unchanged(encoder)
    return model.eval()


@contextlib.contextmanager
def _silent(transformers: Any) -> Iterator[None]:
    """Keep transformers from warning of weights that a model has and an encoder does not need, and from its bars."""
    logging_of = transformers.utils.logging
    verbosity, bars = logging_of.get_verbosity(), logging_of.is_progress_bar_enabled()
    logging_of.set_verbosity_error()
    logging_of.disable_progress_bar()
    try:
        yield
    finally:
        logging_of.set_verbosity(verbosity)
        if bars:
            logging_of.enable_progress_bar()


@contextlib.contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Let PyTorch use so many threads of the CPU meanwhile; None: as many as it does."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@lru_cache(maxsize=1)
def _varlen() -> Any:
    """Return PyTorch's attention for rows of several sequences; None where it has none that takes a scale (2.11)."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn if "scale" in signature(varlen_attn).parameters else None


def _register() -> None:
    """Make transformers know the attention for rows of several windows."""
    global _attend
    _attend = _varlen()
    transformers = import_transformers()
    transformers.AttentionInterface.register(_ATTENTION, _attention)
    from transformers.masking_utils import AttentionMaskInterface

    AttentionMaskInterface.register(_ATTENTION, lambda *_, **__: None)  # `bounds` have what a mask would


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    bounds: torch.Tensor,
    longest: int,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Let each window of a row see itself only.

    Args:
        query: and key and value, (1, heads, tokens, width).
        bounds: where each window begins, and where the last one ends.
        longest: tokens of the longest window.
    """
    parts = [each[0].transpose(0, 1) for each in (query, key, value)]  # (tokens, heads, width)
    if query.is_cuda:
        out = _attend(*parts, bounds, bounds, longest, longest, scale=scaling)
    else:
        out = torch.cat(
            [
                torch.nn.functional.scaled_dot_product_attention(
                    *(part[first:last].transpose(0, 1)[None] for part in parts), scale=scaling
                )[0].transpose(0, 1)
                for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
            ]
        )
    return out[None], None
