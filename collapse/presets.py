"""The models that a run can start from: GPT-2 in a few sizes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """The size of a GPT-2 (Radford et al. 2019), and of its tokenizer's vocabulary."""

    layers: int
    width: int
    heads: int
    vocabulary: int


PRESETS = {
    "micro": Preset(2, 64, 2, 1024),  #: 0.17 million parameters: many seeds on a CPU
    "tiny": Preset(2, 128, 4, 4096),  #: 0.9 million parameters
    "small": Preset(4, 256, 8, 8192),  #: 5.3 million
    "gpt2-9m": Preset(8, 256, 8, 10_000),  #: 8.9 million, as Gerstgrasser et al. 2024 use for TinyStories
    "125m": Preset(12, 768, 12, 50_257),  #: 124 million
}
