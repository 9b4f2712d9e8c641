"""The model that every generation starts from: a preset with fresh weights, or a checkpoint."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archive.errors import CollapseError
from collapse.presets import PRESETS
from index.hugging_face import import_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from collapse.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Start:
    """What generations start from. Workers get this, and build the weights themselves."""

    model: str
    block: int
    vocabulary: int  #: tokens of the tokenizer
    dropout: float
    prompt: int = 0  #: tokens that the context must have room for

    @staticmethod
    def of(recipe: Recipe, vocabulary: int) -> Start:
        """Return the start that a recipe names."""
        return Start(recipe.model, recipe.block, vocabulary, recipe.dropout, recipe.prompt)

    def build(self, seed: int) -> PreTrainedModel:
        """Return the model before any training, on the CPU, in float32: the same for the same seed.

        Raises:
            CollapseError: there is no such model, or it does not fit the block or the tokenizer.
        """
        import torch

        transformers = import_transformers()
        torch.manual_seed(seed)
        if self.model not in PRESETS:
            return self._load(transformers)
        preset = PRESETS[self.model]
        config = transformers.GPT2Config(
            vocab_size=self.vocabulary,
            n_positions=self.block,
            n_layer=preset.layers,
            n_embd=preset.width,
            n_head=preset.heads,
            resid_pdrop=self.dropout,
            embd_pdrop=self.dropout,
            attn_pdrop=self.dropout,
            bos_token_id=0,
            eos_token_id=0,
        )
        model: PreTrainedModel = transformers.GPT2LMHeadModel(config)
        return model

    def _load(self, transformers: Any) -> PreTrainedModel:
        import torch
        from safetensors import SafetensorError

        name, arguments = checkpoint(self.model)
        # each process would show a progress bar for a GGUF file
        silent = contextlib.redirect_stderr(io.StringIO()) if arguments else contextlib.nullcontext()
        try:
            with silent:
                model: PreTrainedModel = transformers.AutoModelForCausalLM.from_pretrained(
                    name, dtype=torch.float32, **arguments
                )
        except (OSError, ValueError, ImportError, RuntimeError, KeyError, SafetensorError) as error:
            what = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise CollapseError(f"--model {self.model}: {what}") from None
        config = model.config.get_text_config()
        if config.vocab_size < self.vocabulary:
            raise CollapseError(f"{self.model}: its tokenizer has {self.vocabulary} tokens, it {config.vocab_size}")
        if config.vocab_size > self.vocabulary:  # padding rows: tokens that no text has could be drawn
            model.resize_token_embeddings(self.vocabulary)
        context = context_of(model)
        if context < self.block:
            raise CollapseError(f"{self.model} sees {context} tokens; take --block {context}, or less")
        if context <= self.prompt:  # the last position is that of the first token written
            raise CollapseError(f"{self.model} sees {context} tokens; take --prompt {context - 1}, or less")
        for name in ("resid_pdrop", "embd_pdrop", "attn_pdrop", "dropout", "attention_dropout", "hidden_dropout"):
            if hasattr(config, name):
                setattr(config, name, self.dropout)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = self.dropout
        return model


def checkpoint(model: str) -> tuple[str, dict[str, str]]:
    """Return what transformers takes for a model: a name on the Hub or a folder, and the GGUF file in it."""
    path = Path(model)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise CollapseError(f"--model {model}: there is no such file")
        return str(path.absolute().parent), {"gguf_file": path.name}
    return model, {}


def check(model: str) -> None:
    """Check that a model exists, before any text is read. Of a checkpoint on the Hub, only the configuration is loaded.

    Raises:
        CollapseError: there is no such model.
    """
    if model in PRESETS:
        return
    name, arguments = checkpoint(model)
    if arguments or Path(name).is_dir():
        return
    try:
        import_transformers().AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        what = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CollapseError(
            f"--model {model}: there are {', '.join(PRESETS)}; and it is no folder and no GGUF file, and no name that "
            f"the Hub gives ({what})"
        ) from None


def context_of(model: Any) -> int:
    """Return how many tokens a model can see; more than any block if its positions have no limit."""
    config = model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", 0) or getattr(config, "n_positions", 0) or 1 << 30)


def parameters(model: Any) -> int:
    """Return how many parameters a model has."""
    return sum(item.numel() for item in model.parameters())
