"""Vectors are those of the model alone, whatever is computed together, and need nothing of a lake."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from made import words
from tiny_encoder import write_encoder

from archive.errors import ArchiveError
from index.embeddings import model as models
from index.embeddings.encode import encode
from index.embeddings.encoder import PACKAGED, Encoder, open_encoder
from index.embeddings.model import Model, best_dtype, open_device, threads
from index.embeddings.tokens import Tokens
from index.hugging_face import import_transformers

TEXTS = [" ".join(words(count, count)) for count in (1, 3, 5, 5, 8, 40, 2, 30, 5)] + ["", "The old page."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


def vectors(encoder: Encoder, texts: list[str] = TEXTS, **options: Any) -> npt.NDArray[np.float32]:
    with threads(1):
        return np.concatenate([each for _, each in encode(texts, Tokens(encoder), Model(encoder, **options))])


def padded(folder: Path, pool: Callable[[Any, Any], Any], texts: list[str]) -> Any:
    """What transformers computes of the first window of each text, in one padded batch."""
    transformers = import_transformers()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=24, return_tensors="pt")
    mask = inputs["attention_mask"]
    net = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        states = net(input_ids=inputs["input_ids"], attention_mask=mask).last_hidden_state
    return torch.nn.functional.normalize(pool(states, mask[..., None].float()), dim=1).numpy()


POOLS: dict[str, Callable[[Any, Any], Any]] = {
    "mean": lambda states, mask: (states * mask).sum(1) / mask.sum(1),
    "cls": lambda states, _: states[:, 0],
    "max": lambda states, mask: states.masked_fill(mask == 0, -1e9).amax(1),
    "last": lambda states, mask: states[torch.arange(len(states)), mask[..., 0].sum(1).long() - 1],
}


@pytest.mark.parametrize("pooling", POOLS)
def test_vectors_are_those_of_a_padded_batch(folder: Path, pooling: str) -> None:
    encoder = open_encoder(folder, pooling=pooling, windows=1)
    texts = [text for text in TEXTS if text]
    assert np.abs(vectors(encoder, texts) - padded(folder, POOLS[pooling], texts)).max() < 5e-4  # 16 bits


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_vector_has_the_same_bits_whatever_is_computed_with_it(folder: Path, dtype: str) -> None:
    encoder = open_encoder(folder, dtype=dtype, windows=1)
    texts = [text for text in TEXTS if text]
    expected = {text: vector.tobytes() for text, vector in zip(texts, vectors(encoder, texts), strict=True)}
    dice = random.Random(1)
    for tokens_at_once in (1, 60, 2048):
        some = dice.choices(texts, k=20)
        found = vectors(encoder, some, tokens_at_once=tokens_at_once)
        assert [vector.tobytes() for vector in found] == [expected[text] for text in some]


def test_bf16_is_close_to_fp32(folder: Path) -> None:
    fine, coarse = (vectors(open_encoder(folder, dtype=dtype)) for dtype in ("fp32", "bf16"))
    assert (fine * coarse).sum(1).min() > 0.999
    assert (fine.argsort() != coarse.argsort()).any()  # they are not the same computation


def test_windows_in_one_row_get_the_vectors_of_batches(folder: Path) -> None:
    if import_transformers().__version__ < "5":
        with pytest.raises(ArchiveError, match="cannot share a row"):
            Model(open_encoder(folder), packed=True)
        return
    for pooling in POOLS:
        encoder = open_encoder(folder, pooling=pooling)
        for tokens_at_once in (10, 100, 4096):
            packed = vectors(encoder, packed=True, tokens_at_once=tokens_at_once)
            assert np.abs(packed - vectors(encoder)).max() < 5e-4


def test_numbers_that_cannot_be_stored_are_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = open_encoder(folder, normalize=False)
    monkeypatch.setattr(Model, "_batch", lambda _, __, group: torch.full((len(group), 32), 1e5))
    with pytest.raises(ArchiveError, match="numbers too large for 16 bits"):
        vectors(encoder)


def test_a_model_that_cannot_be_loaded_is_stated_in_one_line(tmp_path: Path) -> None:
    broken = write_encoder(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ArchiveError, match="cannot be loaded") as error:
        Model(open_encoder(broken))
    assert "\n" not in str(error.value)


def test_a_device_that_is_not_here_is_refused() -> None:
    for name in ("cuda:99", "meta", "nowhere"):
        with pytest.raises(ArchiveError, match=f"no device '{name}' here"):
            open_device(name)
    assert best_dtype("cuda:0") == "bf16"
    assert best_dtype("xpu") == "fp32"
    assert open_device("auto") in {"cpu", "cuda"}


def test_the_computing_part_needs_neither_the_tables_of_a_lake_nor_their_libraries(folder: Path) -> None:
    code = f"""
import sys
for name in ("deltalake", "duckdb", "faiss", "pyarrow", "numba", "rich", "click"):
    sys.modules[name] = None
from index.embeddings.encode import encode
from index.embeddings.encoder import open_encoder
from index.embeddings.model import Model
from index.embeddings.tokens import Tokens
encoder = open_encoder({str(folder)!r})
for windows, vectors in encode(["The old page."], Tokens(encoder), Model(encoder)):
    print(vectors.shape)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "(1, 32)\n", run.stderr


def test_the_packaged_encoder_knows_what_is_alike() -> None:
    try:
        encoder = open_encoder(PACKAGED, dtype="fp32")
    except ArchiveError:
        pytest.skip(f"{PACKAGED} is not installed")
    cat, dog, law = vectors(
        encoder, ["A cat slept on the sofa.", "A kitten is sleeping on a couch.", "The court dismissed the appeal."]
    )
    assert cat @ dog > 0.6 > 0.2 > cat @ law


def test_the_memory_of_the_device_that_does_not_suffice_is_stated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(models.Model, "_batch", full)
    with pytest.raises(ArchiveError, match="a smaller --tokens-at-once needs less"):
        vectors(open_encoder(folder))


def changed(folder: Path, to: Path, **config: Any) -> Path:
    shutil.copytree(folder, to)
    (to / "config.json").write_text(json.dumps({**json.loads((to / "config.json").read_text()), **config}))
    return to


@pytest.mark.parametrize("part", [Model, Tokens])
def test_code_of_an_encoder_is_never_run_and_nobody_is_asked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: Callable[[Encoder], object]
) -> None:
    code = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model", "AutoTokenizer": ["evil.T", "evil.T"]}
    evil = changed(folder, tmp_path / "evil", model_type="evil", auto_map=code)
    (evil / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (evil / "tokenizer.json").unlink()
    (evil / "vocab.txt").write_text("a")
    (evil / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T", "auto_map": code}))
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question="": asked.append(question) or "y")
    with pytest.raises(ArchiveError):
        part(open_encoder(evil))
    assert (asked, (tmp_path / "ran").exists()) == ([], False)


def test_weights_that_are_missing_or_changed_are_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    part = changed(folder, tmp_path / "part")
    kept = {name: each for name, each in load_file(part / "model.safetensors").items() if "layer.1." not in name}
    save_file(kept, part / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArchiveError, match=r"its weights lack 16 of those of its model, as encoder\.layer\.1"):
        Model(open_encoder(part))
    no_pooler = {name: each for name, each in load_file(folder / "model.safetensors").items() if "pooler" not in name}
    other = changed(folder, tmp_path / "other")
    encoder = open_encoder(other)
    save_file(no_pooler, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ArchiveError, match="its files have changed since this began"):
        Model(encoder)
    Model(open_encoder(other))


def test_a_model_that_does_not_do_what_its_files_state_is_one_line(folder: Path, tmp_path: Path) -> None:
    stated = changed(folder, tmp_path / "stated", text_config={"hidden_size": 5})
    with pytest.raises(ArchiveError, match="states 5 dimensions, and its vectors have 32"):
        vectors(open_encoder(stated))
    for number, line in ((2**31 - 1, "tokens that its model does not know"), (2**31, r"numbers of tokens from 2\^31")):
        huge = changed(folder, tmp_path / str(number))
        tokenizer = json.loads((huge / "tokenizer.json").read_text())
        tokenizer["model"]["vocab"]["the"] = number
        (huge / "tokenizer.json").write_text(json.dumps(tokenizer))
        with pytest.raises(ArchiveError, match=line):
            vectors(open_encoder(huge), ["the page"])


def test_a_torch_that_cannot_be_imported_is_one_line(folder: Path, tmp_path: Path) -> None:
    for name in ("torch", "transformers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise OSError('no libtorch.so')")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-m", "archive", "embed", "--lake", str(tmp_path / "lake"), "--encoder", folder]
    (tmp_path / "made.py").write_text(f"from archive.lake import Lake\nLake({str(tmp_path / 'lake')!r}).create()")
    subprocess.run([sys.executable, tmp_path / "made.py"], env=env, check=True)
    run = subprocess.run(command, capture_output=True, text=True, env=env)
    assert run.stderr == "archive: archive embed needs torch, which cannot be imported: no libtorch.so\n"
