"""The table of the signals."""

from __future__ import annotations

import pyarrow as pa

from archive.tables import Column, Table

#: Signals, not verdicts: docs/quality.md defines each. `archive quality` computes them; the description of the table
#: has the version of the procedure. A fraction of nothing is 0, and no column is ever null.
QUALITY = Table(
    "quality",
    (
        Column("content_id", pa.string(), "of the text"),
        Column("characters", pa.int32(), "of the text, counted as code points"),
        Column("words", pa.int32(), "words and marks, as a tokenizer counts"),
        Column("non_symbol_words", pa.int32(), "of these, those that are more than punctuation"),
        Column("mean_word_length", pa.float64(), "of non_symbol_words, in characters"),
        Column("hashes_per_word", pa.float64(), "`#` in the text, by words"),
        Column("ellipses_per_word", pa.float64(), "`...` and `…`, by words"),
        Column("bullet_lines", pa.float64(), "lines that begin with `•` or `-`, of all, blank ones too"),
        Column("ellipsis_lines", pa.float64(), "lines that end with `...` or `…`, of all, blank ones too"),
        Column("alphabetic_words", pa.float64(), "words with a letter, of all"),
        Column("stop_words", pa.int32(), "how many of the, be, to, of, and, that, have, with are in the text"),
        Column("dup_lines", pa.float64(), "lines that were there before, of all that are not blank"),
        Column("dup_line_chars", pa.float64(), "their characters, of all"),
        Column("dup_paragraphs", pa.float64(), "the same for paragraphs, which a blank line separates"),
        Column("dup_paragraph_chars", pa.float64(), "characters of repeated paragraphs, of all"),
        Column(
            "top_2_gram", pa.float64(), "characters of all occurrences of the most frequent 2 words in a row, of all"
        ),
        Column("top_3_gram", pa.float64(), "the same for 3 words in a row"),
        Column("top_4_gram", pa.float64(), "the same for 4 words in a row"),
        Column("dup_5_grams", pa.float64(), "characters of runs of 5 words that were there before, of all"),
        Column("dup_6_grams", pa.float64(), "the same for runs of 6 words"),
        Column("dup_7_grams", pa.float64(), "the same for runs of 7 words"),
        Column("dup_8_grams", pa.float64(), "the same for runs of 8 words"),
        Column("dup_9_grams", pa.float64(), "the same for runs of 9 words"),
        Column("dup_10_grams", pa.float64(), "the same for runs of 10 words"),
        Column("c4_long_word_lines", pa.int32(), "lines that C4 drops: a word of over 1,000 characters"),
        Column("c4_unpunctuated_lines", pa.int32(), "of the others, those that end in none of . ? ! \" ' or in ..."),
        Column("c4_few_word_lines", pa.int32(), "of the others, those of under 3 words"),
        Column("c4_javascript_lines", pa.int32(), "of the others, those that name JavaScript"),
        Column("c4_policy_lines", pa.int32(), "of the others, those that speak of cookies or terms of use"),
        Column(
            "c4_citation_lines", pa.int32(), "lines of nothing but [1], [edit], [citation needed]; counted above too"
        ),
        Column("c4_lines", pa.int32(), "lines that C4 keeps"),
        Column("c4_sentences", pa.int32(), "in them"),
        Column("c4_lorem_ipsum", pa.bool_(), "a line that was not dropped before holds `lorem ipsum`"),
        Column("c4_curly_bracket", pa.bool_(), "a line that was not dropped before holds `{`"),
        Column("fineweb_lines", pa.int32(), "lines that C4 keeps if they may end in anything"),
        Column("fineweb_sentences", pa.int32(), "in them"),
        Column("fineweb_lorem_ipsum", pa.bool_(), "like c4_lorem_ipsum, for those"),
        Column("fineweb_curly_bracket", pa.bool_(), "like c4_curly_bracket, for those"),
        Column("fineweb_words", pa.int32(), "in fineweb_lines"),
        Column("fineweb_punctuated_lines", pa.float64(), "of fineweb_lines, those that end in terminal punctuation"),
        Column("fineweb_short_lines", pa.float64(), "of fineweb_lines, those of at most 30 characters"),
        Column("fineweb_dup_line_chars", pa.float64(), "their characters that were there before, of all"),
        Column("fineweb_newlines_per_word", pa.float64(), "between fineweb_lines, by fineweb_words"),
    ),
)
