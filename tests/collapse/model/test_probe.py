"""Checkpoints of other kinds than GPT-2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tinymodels import gpt2

from archive.errors import CollapseError
from collapse.model.models import Start
from collapse.model.probe import probe
from query.formats.hugging_face import import_transformers


def model(kind: str, **settings: Any) -> Any:
    transformers = import_transformers()
    config = transformers.AutoConfig.for_model(kind, vocab_size=23, **settings)
    return transformers.AutoModelForCausalLM.from_config(config)


SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def test_models_that_write_from_left_to_right_are_taken() -> None:
    probe(gpt2(), "gpt2")
    probe(model("llama", **SMALL, intermediate_size=16, num_key_value_heads=1), "llama")


def test_a_model_that_sees_what_comes_later_is_refused() -> None:
    with pytest.raises(CollapseError, match=r"--model bert: guesses a token from those behind it"):
        probe(model("bert", **SMALL, intermediate_size=16), "bert")


def test_a_model_that_cannot_write_here_is_refused_before_it_is_trained() -> None:
    with pytest.raises(CollapseError, match=r"--model odd: MambaForCausalLM does not write with a cache"):
        probe(model("mamba", hidden_size=16, num_hidden_layers=1, state_size=2), "odd")


def test_weights_that_are_no_weights_are_told_in_one_line(tmp_path: Path) -> None:
    gpt2().save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    for content in (pointer, weights.read_bytes()[:-100], b""):
        weights.write_bytes(content)
        with pytest.raises(CollapseError, match=r"^--model ") as caught:
            Start(str(tmp_path), 16, 23, 0.0).build(0)
        assert "\n" not in str(caught.value)
