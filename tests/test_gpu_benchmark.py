"""The script for GPUs runs on a machine that has few packages, and one part's end is not that of the others."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu
from benchmarks.gpu import PARTS, Note, Setting

pytest.importorskip("transformers")

TOP = Path(__file__).parents[1]
SETTING = Setting("cpu", False, "", None)
#: What each part notes at least.
NOTED = {
    "machine": {"name", "torch", "transformers", "python"},
    "encoder": {"weights"},
    "ceilings": {"matmul bf16, FLOP/s", "memory, read and written, B/s"},
    "minhash": {"same bits as the CPU's", "same bits at full size", "one CPU core, texts/s", "on the device"},
    "agreement": {"bf16, packed", "bf16, batches", "fp32, batches"},
    "embedding": {"batches, 64", "batches, 128", "batches, 256", "batches, mix", "padded, mix",
                  "from texts, with tokenizing", "tokenizing alone"},
    "neighbours": {"5,000 x 5,000 x 32", "checked in float64"},
    "cells": {"30 cells of 3,000 vectors", "loss on the device, by the CPU's"},
    "training": {"greatest difference of a loss to the CPU's, nats", "tiny, blocks of 16, 2 at once"},
    "writing": {"greedy tokens that are the CPU's", "tiny, 8 tokens after 8"},
    "hostile memory": {"a text of 50,000 characters", "100 empty texts", "100 short texts"},
    "embedding, compiled": {"skipped"},
    "training, compiled": {"skipped"},
}  # fmt: skip


def absent() -> list[str]:
    """The modules of all packages that the project needs but those of its models; and some that are often there."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    packages = [re.split(r"[\[>=<]", package)[0] for package in project["dependencies"]]
    return [name.replace("-", "_") for name in packages if name != "numpy"] + [
        "accelerate", "datasets", "faiss", "matplotlib", "pandas", "pytest", "scipy", "sentence_transformers", "sklearn"
    ]  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of a dry run without those modules."""
    out = tmp_path_factory.mktemp("gpu") / "gpu.json"
    code = f"""
import runpy, sys
for name in {absent()!r}:
    sys.modules[name] = None
sys.argv = ["gpu.py", "--device", "cpu", "--tiny", "--out", {str(out)!r}]
runpy.run_path({gpu.__file__!r}, run_name="__main__")
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=out.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
    )
    assert run.returncode == 0, run.stderr
    printed: dict[str, Any] = json.loads(run.stdout)
    assert printed == json.loads(out.read_text())
    return printed


def test_the_dry_run_does_every_part_without_the_packages_of_the_lake(results: dict[str, Any]) -> None:
    assert set(NOTED) == set(PARTS)
    assert results["device"] == results["machine"]["name"]
    for name, keys in NOTED.items():
        assert keys <= results[name].keys(), results[name]
    assert "error" not in json.dumps(results)


def test_the_dry_run_finds_what_it_computes_right(results: dict[str, Any]) -> None:
    assert results["minhash"]["same bits as the CPU's"] is True
    assert results["minhash"]["same bits at full size"] is True
    assert results["agreement"]["bf16, batches"]["least cosine"] > 0.999
    assert results["neighbours"]["checked in float64"]["recall at 10"] == 1
    assert results["training"]["greatest difference of a loss to the CPU's, nats"] == 0
    assert results["writing"]["greedy tokens that are the CPU's"] == 1
    assert results["hostile memory"]["100 empty texts"]["windows"] == 0


def lasting(setting: Setting, note: Note) -> None:
    note("found", 1)
    time.sleep(60)


def failing(setting: Setting, note: Note) -> None:
    note("found", 1)
    raise RuntimeError("CUDA error")


def killed(setting: Setting, note: Note) -> None:
    note("found", 1)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (lasting, "stopped after 1 s"),
        (failing, r"RuntimeError: CUDA error \(test_gpu_benchmark.py:\d+\)"),
        (killed, "its process ended with -9"),
    ],
)
def test_a_part_that_does_not_end_well_keeps_what_it_found(
    part: Any, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PARTS, "machine", (part, 1))
    found = gpu.run("machine", SETTING, 1)
    assert found["found"] == 1
    assert re.fullmatch(error, found["error"])
    assert found["seconds"] < 30
