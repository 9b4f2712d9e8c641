"""How fast vectors are computed on a CPU, how close they are to those of sentence-transformers.

    python benchmarks/embedding.py SOURCE … [--texts 400] [--peer PYTHON] [--json OUT]
    python benchmarks/embedding.py --memory

SOURCE is as in benchmarks/corpus.py; their paragraphs are the texts. PYTHON is an interpreter that has
sentence-transformers; this file runs there too (`--theirs`), and imports nothing of the project then. Rates are by
seconds of one core's processor time, with one thread, so that other work on the machine changes little.

`--memory` measures the peak with a text of 50 MB, without texts, and with a million short ones, by a random encoder of
384 dimensions.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import corpus
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

BATCH = 32  #: texts of a batch, of sentence-transformers by default
_LENGTHS = (5, 400)  #: words of a paragraph that counts
Vectors = npt.NDArray[np.float32]


def paragraphs(paths: Sequence[Path], count: int) -> list[str]:
    """So many different paragraphs, evenly from all texts."""
    found: dict[str, None] = {}
    for text, _ in corpus.source(paths):
        for paragraph in text.split("\n"):
            if _LENGTHS[0] <= len(paragraph.split()) <= _LENGTHS[1]:
                found[paragraph.strip()] = None
    some = corpus.spread(list(found), count)
    random.Random(0).shuffle(some)
    return some


def timed(compute: Callable[[], Vectors], count: int) -> tuple[Vectors, float]:
    """Return vectors, and how many a second of processor time computed."""
    started = time.process_time()
    vectors = compute()
    return vectors, count / (time.process_time() - started)


def theirs(folder: str, dtype: str) -> None:
    """Encode the texts on standard input with sentence-transformers, and write the vectors and the rate."""
    import torch

    torch.set_num_threads(1)
    if importlib.util.find_spec("torchvision"):
        _without_torchvision()
    from sentence_transformers import SentenceTransformer

    texts = json.load(sys.stdin)
    model = SentenceTransformer(
        folder,
        device="cpu",
        local_files_only=True,
        model_kwargs={"dtype": {"fp32": "float32", "bf16": "bfloat16"}[dtype]},
    )
    model.encode(texts[:BATCH])
    vectors, rate = timed(lambda: model.encode(texts, show_progress_bar=False), len(texts))
    import sentence_transformers

    json.dump(
        {"vectors": vectors.astype(float).tolist(), "rate": rate, "version": sentence_transformers.__version__},
        sys.stdout,
    )


def _without_torchvision() -> None:
    """Let it be imported where PyPI's build does not fit torch: text needs none of it."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from index.hugging_face import make_torchvision_importable

    make_torchvision_importable()


def unsorted(model: Any, windows: Any) -> Vectors:
    """The vectors of windows in batches of 32 as they come, filled up to the longest."""
    import torch

    out = []
    for first in range(0, len(windows), BATCH):
        lengths = windows.lengths[first : first + BATCH]
        ids = np.zeros((len(lengths), lengths.max()), np.int64)
        mask = np.zeros_like(ids)
        for row, length in enumerate(lengths):
            start = windows.offsets[first + row]
            ids[row, :length], mask[row, :length] = windows.tokens[start : start + length], 1
        given = torch.from_numpy(mask)
        with torch.inference_mode():
            states = model._model(input_ids=torch.from_numpy(ids), attention_mask=given).last_hidden_state.float()
            mean = (states * given[..., None]).sum(1) / given.sum(1, keepdim=True)
            out.append(torch.nn.functional.normalize(mean, dim=1).numpy())
    return np.concatenate(out)


def nearest(vectors: Vectors, count: int = 10) -> list[set[int]]:
    """The positions of the nearest others of each."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    return [set(row) for row in np.argpartition(-scores, count, axis=1)[:, :count].tolist()]


def compared(one: Vectors, other: Vectors) -> dict[str, float]:
    """How much two sets of vectors of the same texts differ."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    agreement = [len(a & b) / 10 for a, b in zip(nearest(one), nearest(other), strict=True)]
    return {
        "largest difference": float(np.abs(one - other).max()),
        "least cosine": float(((one * other).sum(1) / lengths).min()),
        "top-10 agreement": float(np.mean(agreement)),
    }


def speed(texts: list[str], peer: str | None) -> dict[str, Any]:
    """Measure rates and agreement."""
    import torch

    from index.embeddings.batches import batches
    from index.embeddings.encode import encode
    from index.embeddings.encoder import open_encoder
    from index.embeddings.model import Model
    from index.embeddings.tokens import Tokens

    torch.set_num_threads(1)
    out: dict[str, Any] = {"load": os.getloadavg()[0], "texts": len(texts)}
    found: dict[str, Vectors] = {}
    for dtype in ("fp32", "bf16"):
        encoder = open_encoder(windows=1, dtype=dtype)
        tokens, model = Tokens(encoder), Model(encoder)
        windows = tokens.windows(texts)
        found[dtype], rate = timed(lambda model=model, windows=windows: model.vectors(windows), len(texts))  # type: ignore[misc]
        plain, slow = timed(lambda model=model, windows=windows: unsorted(model, windows), len(texts))  # type: ignore[misc]
        _, end_to_end = timed(
            lambda model=model, tokens=tokens: np.concatenate([each for _, each in encode(texts, tokens, model)]),  # type: ignore[misc]
            len(texts),
        )
        out[dtype] = {
            "texts/s": rate,
            "texts/s, with tokenizing": end_to_end,
            "texts/s, unsorted": slow,
            "times": rate / slow,
            "difference from unsorted": float(np.abs(found[dtype] - plain).max()),
        }
        filled = sum(
            len(group) * windows.lengths[group].max() for group in batches(windows.lengths, model.tokens_at_once)
        )
        lengths = windows.lengths.tolist()
        padded = sum(
            len(part) * max(part) for part in (lengths[at : at + BATCH] for at in range(0, len(lengths), BATCH))
        )
        out["fill"], out["fill, unsorted"] = sum(lengths) / filled, sum(lengths) / padded
        out["tokens of a text"] = sum(lengths) / len(lengths)
    _, out["tokens/s, tokenizer"] = timed(lambda: tokens.windows(texts * 5), 5 * sum(lengths))  # type: ignore[arg-type, return-value]
    out["bf16 to fp32"] = compared(found["fp32"], found["bf16"])
    if peer:
        for dtype in ("fp32", "bf16"):
            answer = json.loads(
                subprocess.run(
                    [peer, __file__, "--theirs", dtype, encoder.folder],
                    input=json.dumps(texts),
                    capture_output=True,
                    text=True,
                    check=True,
                    env={**os.environ, "PYTHONPATH": ""},
                ).stdout
            )
            vectors = np.array(answer["vectors"], np.float32)
            out[f"sentence-transformers {answer['version']}, {dtype}"] = {
                "texts/s": answer["rate"],
                **{f"ours in {each}, times": out[each]["texts/s, with tokenizing"] / answer["rate"] for each in found},
                **compared(found[dtype], vectors),
            }
    return out


def memory() -> dict[str, Any]:
    """Measure the peak memory of hostile texts, each in a process of its own."""
    out = {}
    for name in ("nothing", "a text of 50 MB", "a million empty texts", "a million short texts"):
        paths = [str(Path(__file__).parent), *sys.path]
        code = f"import sys; sys.path[:0] = {paths!r}; import embedding; embedding.peak({name!r})"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        out[name] = json.loads(run.stdout)
    return out


def peak(name: str) -> None:
    """Embed hostile texts as a file of documents, and print the peak of memory."""
    import pyarrow as pa
    from tiny_encoder import write_encoder

    from archive.files import write_parts
    from archive.lake import Lake
    from index.embeddings.encoder import open_encoder
    from index.embeddings.stage import Embeddings

    with tempfile.TemporaryDirectory() as folder:
        lake, encoder = Lake(f"{folder}/lake"), write_encoder(Path(folder, "encoder"), modules=False)
        from transformers import BertConfig, BertModel

        config = BertConfig.from_pretrained(encoder)
        config.hidden_size, config.num_attention_heads, config.num_hidden_layers = 384, 12, 1
        BertModel(config).save_pretrained(encoder)
        count = 1_000_000
        texts = {
            "nothing": lambda: ["the page"],
            "a text of 50 MB": lambda: ["the old page was seen " * 2_300_000],
            "a million empty texts": lambda: [" "] * count,
            "a million short texts": lambda: ["old", "the page", "it was seen"] * (count // 3),
        }[name]()
        table = pa.table({"content_id": [f"{number:064x}" for number in range(len(texts))], "text": texts})
        del texts
        stage = Embeddings(open_encoder(encoder), threads=1)
        os.makedirs(f"{folder}/lake/embeddings")
        before, started = _peak(), time.process_time()
        rows = (rows for _, rows in stage.computed(table, lambda _: None))
        file = write_parts(lake, stage.table, rows, "embeddings", stage.partition, **stage.parquet_options)
        print(json.dumps({
            "MB before": before, "MB": _peak(), "CPU s": round(time.process_time() - started, 1),
            "file, MB": (file.size if file else 0) // 10**6,
        }))  # fmt: skip


def _peak() -> int:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", type=Path)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--peer")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--theirs", nargs=2, metavar=("DTYPE", "FOLDER"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.theirs:
        theirs(options.theirs[1], options.theirs[0])
        return
    if options.memory:
        result = memory()
    else:
        result = speed(paragraphs(options.sources, options.texts), options.peer)
    print(json.dumps(result, indent=1))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
