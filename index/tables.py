"""The tables that the index adds to a lake.

Signatures, bands and the similarities of pairs are facts about texts, and never change. Which text was first may
change with each ingest, so `duplicates` is derived again by each `archive index`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import pyarrow as pa

from archive.errors import LakeError
from archive.lake import Lake
from archive.tables import Column, Table
from index.embeddings.table import EMBEDDINGS
from index.minhash import procedure
from index.minhash.procedure import Parameters
from index.quality.table import QUALITY
from index.vectors.table import CELLS, LIKENESSES, RECALLS, SEGMENTS

SIGNATURES = Table(
    "signatures",
    (
        Column("content_id", pa.string(), "of the text"),
        Column("shingles", pa.int32(), "in the text, repeated ones counted; 0 for a text without words"),
        Column("signature", pa.binary(), "2 bytes for each hash, little-endian"),
    ),
)

#: A segment is the bands of the texts of one file of `signatures`.
BANDS = Table(
    "bands",
    (
        Column("key", pa.int64(), "of a band's value (the bits of an unsigned number); the rows are sorted by it"),
        Column("row", pa.int32(), "in the file of signatures"),
        Column("segment", pa.string(), "the name of the file of signatures"),
    ),
    ("segment",),
)

PAIRS = Table(
    "pairs",
    (
        Column("a", pa.string(), "content id, the lesser of the two"),
        Column("b", pa.string(), "content id, the greater"),
        Column("shared", pa.int32(), "different shingles in both; where estimated, equal hashes"),
        Column("total", pa.int32(), "different shingles in either; where estimated, hashes"),
        Column("estimated", pa.bool_(), "from the signatures, since a text is not in the lake"),
    ),
)

DUPLICATES = Table(
    "duplicates",
    (
        Column("content_id", pa.string(), "of the later text"),
        Column("earlier_id", pa.string(), "a verified near-duplicate, earlier when the index was made"),
        Column("similarity", pa.float64(), "Jaccard: shared / total shingles"),
        Column("shared", pa.int32(), "as in `pairs`"),
        Column("total", pa.int32(), "as in `pairs`"),
        Column("estimated", pa.bool_(), "from the signatures, since a text is not in the lake"),
        Column("cluster_id", pa.string(), "of all that hang together: the content id of the earliest"),
    ),
)

#: A segment is one file: first its texts, in the order of their numbers, then their fingerprints, sorted by key.
PASSAGES = Table(
    "passages",
    (
        Column("content_id", pa.string(), "of the text, in the first rows of a segment; else null"),
        Column("key", pa.int64(), "a fingerprint; the rows are sorted by it; null in the first rows"),
        Column("row", pa.int32(), "the number of the text that the fingerprint is of, in its segment"),
        Column("segment", pa.string(), "its name"),
    ),
    ("segment",),
)

#: Topics can be deleted, and `archive topics` makes them again. Those of an encoder are replaced in one transaction.
TOPICS = Table(
    "topics",
    (
        Column("topic", pa.int32(), "its number, from 1; the largest one first, when they were made"),
        Column("name", pa.string(), "its most typical words; empty where its texts have none"),
        Column("words", pa.list_(pa.string()), "up to 10 typical words, the most typical one first"),
        Column("vector", pa.list_(pa.float32()), "the centre: the mean of the vectors of its texts"),
        Column("made_of", pa.int64(), "texts with vectors when the topics were made"),
        Column("asked", pa.int32(), "how many topics were asked for; those without a text are none"),
        Column("version", pa.string(), "which topics: a hash of all their centres"),
        Column("encoder", pa.string(), "whose vectors they are made from"),
    ),
    ("encoder",),
)

TEXT_TOPICS = Table(
    "text_topics",
    (
        Column("content_id", pa.string(), "of the text; the rows of a file are sorted by it"),
        Column("topic", pa.int32(), "the number of its topic: that of the nearest centre"),
        Column("similarity", pa.float32(), "the cosine of the text's vector and that centre"),
        Column("encoder", pa.string(), "of the vectors"),
        Column("version", pa.string(), "as in `topics`"),
    ),
    ("encoder", "version"),
    sorted_by=("content_id",),
)

_OF_TEXTS = (SIGNATURES, BANDS, PAIRS, DUPLICATES, PASSAGES, QUALITY)
_OF_VECTORS = (EMBEDDINGS, CELLS, SEGMENTS, RECALLS, LIKENESSES, TOPICS, TEXT_TOPICS)
TABLES = {table.name: table for table in (*_OF_TEXTS, *_OF_VECTORS)}


def create(lake: Lake, parameters: Parameters) -> None:
    """Create the tables that are missing. The description of `signatures` keeps the parameters of the index.

    Raises:
        LakeError: the lake has an index with other parameters.
    """
    lake.create([BANDS, PAIRS, DUPLICATES])
    lake.create([SIGNATURES], json.dumps({"procedure": procedure.NUMBER, **asdict(parameters)}))
    stored = parameters_of(lake)
    if stored != parameters:
        old, new = asdict(stored), asdict(parameters)
        differing = ", ".join(f"{name} {old[name]} (not {new[name]})" for name in old if old[name] != new[name])
        raise LakeError(
            f"{lake.location}: the index of this lake was made with {differing}; use the same, or another lake"
        )


def versions(lake: Lake) -> dict[str, int]:
    """Return the versions of the tables that `duplicates` is derived from."""
    names = ["captures", "documents", SIGNATURES.name, *([LIKENESSES.name] if lake.has(LIKENESSES) else [])]
    return {name: lake.delta(name).version() for name in names}


def state(lake: Lake) -> str:
    """Return the name of the transactions of `duplicates` that are derived from what the lake holds now."""
    return state_of(versions(lake))


def state_of(numbers: Mapping[str, int]) -> str:
    """Return the same of some versions."""
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def is_current(lake: Lake) -> bool:
    """Return whether `duplicates` is derived from all that the lake holds now."""
    return lake.has(DUPLICATES) and lake.delta(DUPLICATES.name).transaction_version(state(lake)) is not None


def parameters_of(lake: Lake) -> Parameters:
    """Return the parameters of the index of a lake.

    Raises:
        LakeError: there is no lake, it has no index, or its index follows another procedure than this program.
    """
    if not lake.has(SIGNATURES):
        lake.delta("captures")  # raises if there is no lake
        raise LakeError(f"{lake.location}: there is no index yet; `archive index --lake {lake.location}` makes it")
    stated = json.loads(lake.delta(SIGNATURES.name).metadata().description)
    number = stated.pop("procedure")
    if number != procedure.NUMBER:
        raise LakeError(f"{lake.location}: its index follows procedure {number}, this program {procedure.NUMBER}")
    return Parameters(**stated)
