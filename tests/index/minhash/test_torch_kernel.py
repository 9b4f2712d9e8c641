"""The kernel for a GPU has the bits of the kernel for the CPU."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minhash_texts import ALONE_AND_ZERO, NO_WORD, TEXTS

from archive.errors import ArchiveError
from index.minhash import kernel, torch_kernel
from index.minhash.procedure import LETTER, Parameters

torch = pytest.importorskip("torch")

#: Characters between which every transition of the procedure happens.
LETTERS = st.sampled_from("aB7 .\nßÉ\u0301\u0e31ก日か\u3099한€😀𠀀\U000e0100\0")


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("PyTorch finds no GPU on this machine")
    return str(request.param)


def check(texts: pa.Array, device: str, parameters: Parameters = Parameters()) -> None:
    expected = kernel.sign(texts, parameters)
    signed = torch_kernel.sign(texts, parameters, device)
    for ours, theirs in zip(signed, expected, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_of_all_kinds_have_the_same_signatures(kind: str, device: str) -> None:
    check(pa.array(TEXTS[kind]), device)


@pytest.mark.parametrize(
    "parameters", [Parameters(words=1), Parameters(words=2, bands=1, rows=1), Parameters(words=64, bands=3, rows=5)]
)
def test_other_parameters_have_the_same_signatures(parameters: Parameters, device: str) -> None:
    check(pa.array([text for texts in TEXTS.values() for text in texts]), device, parameters)


def test_a_batch_may_have_no_text_or_be_a_slice(device: str) -> None:
    check(pa.array([], pa.string()), device)
    texts = pa.array([text for texts in TEXTS.values() for text in texts])
    check(texts.slice(5, 40), device)
    check(texts.cast(pa.large_string()).slice(len(texts) - 3), device)
    check(texts.slice(7, 0), device)


@pytest.mark.parametrize(
    ("limit", "values"),
    [("_CHUNK", (1, 10, 100, 1000)), ("_TEXTS", (1, 2, 7)), ("_VALUES", (1, 10_000, 100_000))],
)
def test_no_limit_of_memory_changes_a_signature(
    limit: str, values: tuple[int, ...], device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [text for kind, texts in TEXTS.items() if kind != "many short" for text in texts]
    random.Random(1).shuffle(texts)
    for value in values:
        monkeypatch.setattr(torch_kernel, limit, value)
        check(pa.array(texts), device)


def test_a_text_longer_than_a_chunk_is_a_chunk(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_kernel, "_CHUNK", 1 << 20)
    drawn = random.Random(2)
    long = " ".join(str(drawn.randrange(10**6)) for _ in range(500_000))
    check(pa.array(["a b", long, "c d e f g h"]), device)


def test_every_character_is_read_as_the_table_has_it(device: str) -> None:
    points = [point for point in range(0x110000) if not 0xD800 <= point < 0xE000]
    text = np.frombuffer("".join(map(chr, points)).encode(), np.uint8)
    on = torch.device(device)
    flagged, ends = torch_kernel._characters(torch_kernel._upload(text, on), torch.tensor([0, text.size], device=on))
    np.testing.assert_array_equal(flagged[: len(points)].cpu().numpy().view(np.uint32), kernel.fold()[points])
    assert ends.tolist() == [0, len(points)]


def test_every_order_of_characters_makes_the_same_words(device: str) -> None:
    orders = itertools.product("a \u0301日", repeat=6)
    check(pa.array(["".join(order) for order in orders]), device, Parameters(words=1))
    orders = itertools.product("é.\u3099か", repeat=5)
    check(pa.array(["".join(order) for order in orders]), device, Parameters(words=3))


def test_a_word_whose_hash_is_0_is_none() -> None:
    for word in (NO_WORD, ALONE_AND_ZERO):
        hashed = 0
        for letter in word:
            hashed = (hashed * LETTER + ord(letter)) % 2**64
        assert hashed == 0
    _, counts = torch_kernel.sign(pa.array([NO_WORD, ALONE_AND_ZERO]), device="cpu")
    assert counts.tolist() == [0, 1]


@settings(deadline=None)
@given(
    texts=st.lists(st.text() | st.text(LETTERS)),
    words=st.integers(1, 7),
    chunk=st.sampled_from([1, 16, 1 << 20]),
)
def test_any_texts_have_the_same_signatures(device: str, texts: list[str], words: int, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_kernel, "_CHUNK", chunk)
        check(pa.array(texts, pa.string()), device, Parameters(words=words))


def test_real_texts_have_the_same_signatures(data: Path, device: str) -> None:
    with gzip.open(data / "dated" / "page-versions-2012-2026.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, 0, None, 8)]
    assert len(texts) > 200
    check(pa.array(texts), device)


def test_bytes_that_are_no_utf8_do_not_break_the_device(device: str) -> None:
    drawn = np.random.default_rng(3).integers(0, 256, 10_000, np.uint8)
    offsets = np.arange(0, 10_001, 10, np.int64)
    texts = pa.LargeStringArray.from_buffers(1000, pa.py_buffer(offsets), pa.py_buffer(drawn))
    signatures, _ = torch_kernel.sign(texts, device=device)
    assert signatures.shape == (1000, Parameters().hashes)


@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there_is_an_error(device: str) -> None:
    with pytest.raises(ArchiveError, match=f"PyTorch finds no device '{device}' here: name another one, or"):
        torch_kernel.sign(pa.array(["a"]), device=device)


def test_without_torch_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_kernel, "torch", None)
    with pytest.raises(ArchiveError, match=r"cuda needs torch, which is not installed: .*lowbackground\[gpu\]"):
        torch_kernel.sign(pa.array(["a"]))
