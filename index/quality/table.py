"""The table of the signals."""

from __future__ import annotations

import pyarrow as pa

from archive.tables import Table

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
