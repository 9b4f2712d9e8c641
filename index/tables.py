"""The tables that the index adds to a lake.

What never changes is kept apart from what dates decide: signatures, bands and the similarities of pairs are
facts about texts. Which text was first may change with each ingest, so `duplicates` is derived anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import pyarrow as pa

from archive.errors import LakeError
from archive.lake import Lake
from archive.tables import Table
from index import procedure
from index.procedure import Parameters

SIGNATURES = Table(
    "signatures",
    pa.schema(
        [
            ("content_id", pa.string()),
            ("shingles", pa.int32()),  # in the text, repeated ones counted; 0 for a text without words
            ("signature", pa.binary()),  # 2 bytes for each hash, little-endian
        ]
    ),
)

#: A segment is the bands of the texts of one file of `signatures`, and made from nothing else.
BANDS = Table(
    "bands",
    pa.schema(
        [
            ("key", pa.int64()),  # of a band's value (the bits of an unsigned number); the rows are sorted by it
            ("row", pa.int32()),  # in the file of signatures
            ("segment", pa.string()),  # the name of the file of signatures
        ]
    ),
    ("segment",),
)

PAIRS = Table(
    "pairs",
    pa.schema(
        [
            ("a", pa.string()),  # content id, the lesser of the two
            ("b", pa.string()),  # content id, the greater
            ("shared", pa.int32()),  # different shingles in both; where estimated, equal hashes
            ("total", pa.int32()),  # different shingles in either; where estimated, hashes
            ("estimated", pa.bool_()),  # from the signatures, since a text is not in the lake
        ]
    ),
)

DUPLICATES = Table(
    "duplicates",
    pa.schema(
        [
            ("content_id", pa.string()),  # of the later text
            ("earlier_id", pa.string()),  # a verified near-duplicate, earlier when the index was made
            ("similarity", pa.float64()),  # Jaccard: shared / total shingles
            ("shared", pa.int32()),  # as in `pairs`
            ("total", pa.int32()),  # as in `pairs`
            ("estimated", pa.bool_()),  # from the signatures, since a text is not in the lake
            ("cluster_id", pa.string()),  # of all that hang together: the content id of the earliest
        ]
    ),
)

#: Signals, not verdicts: docs/quality.md says how each is counted. Made by `archive quality`, by the version that
#: stands in the description of the table. A fraction of nothing is 0, and no column is ever null.
QUALITY = Table(
    "quality",
    pa.schema(
        [
            ("content_id", pa.string()),
            ("characters", pa.int32()),
            ("words", pa.int32()),  # words and marks, as a tokenizer counts
            ("non_symbol_words", pa.int32()),  # of these, those that are more than punctuation
            ("mean_word_length", pa.float64()),  # of non_symbol_words, in characters
            ("hashes_per_word", pa.float64()),  # `#` in the text, by words
            ("ellipses_per_word", pa.float64()),  # `...` and `…`, by words
            ("bullet_lines", pa.float64()),  # lines that begin with `•` or `-`, of all, blank ones too
            ("ellipsis_lines", pa.float64()),  # lines that end with `...` or `…`, of all, blank ones too
            ("alphabetic_words", pa.float64()),  # words with a letter, of all
            ("stop_words", pa.int32()),  # how many of the, be, to, of, and, that, have, with are in the text
            ("dup_lines", pa.float64()),  # lines that were there before, of all that are not blank
            ("dup_line_chars", pa.float64()),  # their characters, of all
            ("dup_paragraphs", pa.float64()),  # the same for paragraphs, which a blank line separates
            ("dup_paragraph_chars", pa.float64()),
            ("top_2_gram", pa.float64()),  # characters of all occurrences of the most frequent 2 words in a row, of all
            ("top_3_gram", pa.float64()),
            ("top_4_gram", pa.float64()),
            ("dup_5_grams", pa.float64()),  # characters of runs of 5 words that were there before, of all
            ("dup_6_grams", pa.float64()),
            ("dup_7_grams", pa.float64()),
            ("dup_8_grams", pa.float64()),
            ("dup_9_grams", pa.float64()),
            ("dup_10_grams", pa.float64()),
            ("c4_long_word_lines", pa.int32()),  # lines that C4 drops: a word of over 1,000 characters
            ("c4_unpunctuated_lines", pa.int32()),  # of the others, those that end in none of . ? ! " ' or in ...
            ("c4_few_word_lines", pa.int32()),  # of the others, those of under 3 words
            ("c4_javascript_lines", pa.int32()),  # of the others, those that name JavaScript
            ("c4_policy_lines", pa.int32()),  # of the others, those that speak of cookies or terms of use
            ("c4_citation_lines", pa.int32()),  # lines of nothing but [1], [edit], [citation needed]; counted above too
            ("c4_lines", pa.int32()),  # lines that C4 keeps
            ("c4_sentences", pa.int32()),  # in them
            ("c4_lorem_ipsum", pa.bool_()),  # a line that was not dropped before holds `lorem ipsum`
            ("c4_curly_bracket", pa.bool_()),  # a line that was not dropped before holds `{`
            ("fineweb_lines", pa.int32()),  # lines that C4 keeps if they may end in anything
            ("fineweb_sentences", pa.int32()),  # in them
            ("fineweb_lorem_ipsum", pa.bool_()),  # like c4_lorem_ipsum, for those
            ("fineweb_curly_bracket", pa.bool_()),
            ("fineweb_words", pa.int32()),  # in fineweb_lines
            ("fineweb_punctuated_lines", pa.float64()),  # of fineweb_lines, those that end in terminal punctuation
            ("fineweb_short_lines", pa.float64()),  # of fineweb_lines, those of at most 30 characters
            ("fineweb_dup_line_chars", pa.float64()),  # their characters that were there before, of all
            ("fineweb_newlines_per_word", pa.float64()),  # between fineweb_lines, by fineweb_words
        ]
    ),
)

TABLES = {table.name: table for table in (SIGNATURES, BANDS, PAIRS, DUPLICATES, QUALITY)}


def create(lake: Lake, parameters: Parameters) -> None:
    """Create the tables that are missing; what the index is made with stands in the description of `signatures`.

    Raises:
        LakeError: the lake has an index that was made with other parameters.
    """
    lake.create([BANDS, PAIRS, DUPLICATES])
    lake.create([SIGNATURES], json.dumps({"procedure": procedure.NUMBER, **asdict(parameters)}))
    made_with = parameters_of(lake)
    if made_with != parameters:
        old, new = asdict(made_with), asdict(parameters)
        differing = ", ".join(f"{name} {old[name]} (not {new[name]})" for name in old if old[name] != new[name])
        raise LakeError(
            f"{lake.location}: the index of this lake was made with {differing}; use the same, or another lake"
        )


def state(lake: Lake) -> str:
    """The versions of what `duplicates` is derived from: the name of the transaction that derived it."""
    return ", ".join(f"{name} {lake.delta(name).version()}" for name in ("captures", "documents", SIGNATURES.name))


def is_current(lake: Lake) -> bool:
    """Whether `duplicates` is derived from all that the lake holds now."""
    return lake.has(DUPLICATES) and lake.delta(DUPLICATES.name).transaction_version(state(lake)) is not None


def parameters_of(lake: Lake) -> Parameters:
    """What the index of a lake was made with.

    Raises:
        LakeError: it has none, or one of a newer version of the procedure.
    """
    if not lake.has(SIGNATURES):
        lake.delta("captures")  # says so where there is no lake
        raise LakeError(f"{lake.location}: there is no index yet; `archive index --lake {lake.location}` makes it")
    stated = json.loads(lake.delta(SIGNATURES.name).metadata().description)
    number = stated.pop("procedure")
    if number != procedure.NUMBER:
        raise LakeError(f"{lake.location}: its index follows procedure {number}, this program {procedure.NUMBER}")
    return Parameters(**stated)
