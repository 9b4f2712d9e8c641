"""The table `embeddings`, and which encoders have vectors in it."""

from __future__ import annotations

import pyarrow as pa

from archive.errors import LakeError
from archive.lake import Lake
from archive.tables import Column, Table

EMBEDDINGS = Table(
    "embeddings",
    (
        Column("content_id", pa.string(), "of the text"),
        Column("part", pa.int16(), "the number of the window in the text, from 0"),
        Column("start", pa.int32(), "where the first token of the window begins, in characters of the text"),
        Column("end", pa.int32(), "where its last token ends"),
        Column("tokens", pa.int16(), "of the window, with the special ones and the prefix"),
        Column("vector", pa.list_(pa.float32()), "rounded to what 16 bits can express"),
        Column("encoder", pa.string(), "name, dtype, and a hash of all that decides what the vectors are"),
    ),
    ("encoder",),
)


def encoders(lake: Lake) -> list[str]:
    """Return the encoders that have vectors in a lake: values of `embeddings.encoder`, sorted."""
    if not lake.has(EMBEDDINGS):
        return []
    return sorted({path.partition("=")[2].partition("/")[0] for path in lake.files(EMBEDDINGS.name)})


def the_encoder(lake: Lake, encoder: str | None = None) -> str:
    """Return the encoder whose vectors are meant: vectors of different ones are never compared.

    Args:
        encoder: its name in the table, or the beginning of that; None where the lake has those of one only.

    Raises:
        LakeError: there are no vectors, none of that encoder, or of several.
    """
    present = encoders(lake)
    if not present:
        lake.require()
        raise LakeError(f"{lake.location}: has no vectors yet; `archive embed --lake {lake.location}` computes them")
    meant = [each for each in present if each.startswith(encoder or "")]
    if not meant:
        raise LakeError(f"{lake.location}: has no vectors of {encoder}; it has those of {', '.join(present)}")
    if len(meant) > 1:
        raise LakeError(f"{lake.location}: has vectors of {', '.join(meant)}, which are not comparable; name one")
    return meant[0]
