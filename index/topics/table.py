"""The tables of topics. Both can be deleted, and `archive topics` makes them again."""

from __future__ import annotations

import pyarrow as pa

from archive.tables import Column, Table

#: The topics of an encoder are replaced together, in one transaction.
TOPICS = Table(
    "topics",
    (
        Column("topic", pa.int32(), "its number, from 1; the largest one first, when they were made"),
        Column("name", pa.string(), "its most typical words; empty where its texts have none"),
        Column("words", pa.list_(pa.string()), "up to 10 typical words, the most typical one first"),
        Column("vector", pa.list_(pa.float32()), "the centre: the mean of the vectors of its texts"),
        Column("made_of", pa.int64(), "texts that the lake had when the topics were made"),
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
)
