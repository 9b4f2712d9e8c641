"""The items of benchmarks, with which `--decontaminate-like` compares texts: their strings, their vectors, their words.

An item is any string of a data set that has at least 5 words: a question, an answer, a passage. Of a file that is no
data set, each line and each paragraph is one: lines alone would miss sentences that are broken, paragraphs alone
questions of one line each. Shorter strings (choices, labels, names) would be like every text about their subject.

Items and texts get their vectors in the same way, but of an item all windows, however long it is. Else a text that is
like its end would be called unlike it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from archive.errors import ArchiveError, ExportError
from archive.lake import Lake
from index.embeddings.encode import encode
from index.embeddings.encoder import PACKAGED, Encoder
from index.embeddings.model import Model, threads
from index.embeddings.table import encoders, the_encoder
from index.embeddings.tokens import Tokens
from index.vectors.exact import unit
from index.vectors.search import matching
from query.export.evaluation import EvaluationSets, hash_set, set_names, strings
from query.options import ExportOptions

OPTION = "--decontaminate-like"
#: The least words of an item. A letter of a script that puts no space between words counts as a word.
WORDS = 5
#: Most items, and most windows of all of them: with 384 dimensions their vectors take 300 MB.
MOST = 200_000
#: Thai, Lao, Tibetan, Burmese, Khmer, Japanese and Chinese; or what is between spaces.
_WORD = re.compile(
    r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]|\S+"
)


@dataclass(frozen=True, slots=True)
class Items:
    """The items of benchmarks.

    Attributes:
        encoder: whose vectors are compared: a value of `embeddings.encoder`.
        windows: most windows of a text by this encoder.
        reach: most characters of a text that it reads.
        files: SHA-256 of each file, by its name.
        count: different strings.
        short: strings of fewer than `WORDS` words, which are no items.
        vectors: file with the vectors of all windows of the items, of length 1: (windows, dimensions), float32.
        names: Parquet file with `number`, of the row of `vectors`, and `name`, of the item that it is of.
        words: the 13-grams of the files.
    """

    encoder: str
    windows: int
    reach: int
    files: dict[str, str]
    count: int
    short: int
    vectors: Path
    names: Path
    words: EvaluationSets


def find_encoder(lake: Lake, options: ExportOptions) -> Encoder:
    """Return the encoder of the lake's vectors. Its weights are hashed and not loaded.

    Raises:
        LakeError: the lake has no vectors, or those of several encoders and none is named.
        ArchiveError: the encoder is not here.
    """
    if options.encoder is None and len(present := encoders(lake)) > 1:
        raise ExportError(
            f"{OPTION}: {lake.location} has vectors of {', '.join(present)}; name the --encoder of those that count"
        )
    the = [the_encoder(lake)] if options.encoder is None else encoders(lake) or [the_encoder(lake)]
    try:
        encoder = matching(options.encoder or PACKAGED, the)
    except ArchiveError as error:
        raise ExportError(f"{OPTION}: {error}; write it behind --encoder") from None
    return encoder


def prepare(lake: Lake, options: ExportOptions, folder: Path) -> Items:
    """Read the items, compute their vectors, and hash their words.

    One thread computes, so that the vectors have the same bits however many cores there are.

    Raises:
        ExportError: a file cannot be read, or has no items or too many.
        ArchiveError: the encoder is not here.
    """
    encoder = find_encoder(lake, options)
    fingerprint = encoder.fingerprint
    stored = next(name for name in encoders(lake) if name.endswith(f"-{fingerprint}"))
    names, short = read(options.decontaminate_like)
    tokens, model = Tokens(encoder), Model(encoder, "cpu")
    with threads(1):
        vectors, owner = _vectors(list(names), tokens, model)
    # items that differ in nothing that the encoder sees are one: the first
    _, firsts = np.unique(vectors, axis=0, return_index=True)
    firsts.sort()
    np.save(folder / "items.npy", unit(vectors[firsts]))
    titles = list(names.values())
    table = {"number": pa.array(range(len(firsts)), pa.int32()),
             "name": pa.array([titles[at] for at in owner[firsts]], pa.string())}  # fmt: skip
    pq.write_table(pa.table(table), folder / "items.parquet")
    called = set_names(options.decontaminate_like)
    paths = dict(zip(called, options.decontaminate_like, strict=True))
    return Items(
        encoder=stored,
        windows=encoder.windows,
        reach=tokens.reach,
        files={name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in paths.items()},
        count=len(names),
        short=short,
        vectors=folder / "items.npy",
        names=folder / "items.parquet",
        words=_words(paths, folder),
    )


def _vectors(texts: list[str], tokens: Tokens, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of all windows of some texts, and the text of each by its position.

    An encoder reads the beginning of a text. What is behind it is given to it as another text, until nothing is left.

    Raises:
        ExportError: there are too many windows, or none.
    """
    rows: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    left, count = list(enumerate(texts)), 0
    while left:
        first, behind = 0, []
        for windows, vectors in encode((text for _, text in left), tokens, model):
            some = left[first : first + windows.texts]
            first += windows.texts
            rows.append(vectors)
            owners.append(np.array([number for number, _ in some], np.int64)[windows.text])
            count += len(vectors)
            if count > MOST:
                raise ExportError(f"{OPTION}: the items are too long, with more than {MOST:,} windows of the encoder; "
                                  "keep the columns that are questions")  # fmt: skip
            read_to = np.zeros(windows.texts, np.int64)
            np.maximum.at(read_to, windows.text, windows.end)
            for (number, text), end in zip(some, read_to.tolist(), strict=True):
                # where it finds no token in all that it reads, it would find none again
                if rest := text[end or tokens.reach :].strip():
                    behind.append((number, rest))
        left = behind
    if not count:
        raise ExportError(f"{OPTION}: the encoder knows no letter of the items")
    return np.concatenate(rows), np.concatenate(owners)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line of a text with its number, and each paragraph of several lines with that of the first one."""
    paragraph: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            paragraph.append(line)
            yield number, line
            continue
        if len(paragraph) > 1:
            yield number - len(paragraph), "\n".join(paragraph)
        paragraph = []


def read(paths: tuple[str, ...]) -> tuple[dict[str, str], int]:
    """Return the name of each item, by its text, and how many strings are too short.

    The name has the file, and the row; of a file that is no data set, the line.

    Raises:
        ExportError: a file cannot be read, or has no items or too many.
    """
    found: dict[str, str] = {}
    short = 0
    for name, path in zip(set_names(paths), paths, strict=True):
        empty = True
        for row, text in strings(path, OPTION, _lines):
            if len(_WORD.findall(text)) < WORDS:
                short += 1
                continue
            empty = False
            found.setdefault(text.strip(), f"{name}:{row}")
            if len(found) > MOST:
                raise ExportError(f"{OPTION} {path}: more than {MOST:,} items; keep the columns that are questions")
        if empty:
            raise ExportError(f"{OPTION} {path}: it has no text of {WORDS} words or more")
    return found, short


def _words(paths: dict[str, str], folder: Path) -> EvaluationSets:
    files = {name: folder / f"benchmark-{number}.npy" for number, name in enumerate(paths)}
    with_words = [name for name, path in paths.items() if hash_set(path, files[name], OPTION)]
    return EvaluationSets(tuple(with_words), tuple(files[name] for name in with_words))
