"""Texts at the edges of the procedure that finds words, for the tests of the kernels and for benchmarks/gpu.py."""

from __future__ import annotations

#: The sum of letter · LETTER^place of each is 0 mod 2^64 (found with lattice reduction): to the procedure, which marks the
#: outside of words with 0, the first is no word; the second, a letter that stands alone with its marks, is one.
NO_WORD = "\ub95b\ub6e7\uc758\ucb84\uc40e"
ALONE_AND_ZERO = "\u4e00" + "".join(chr(0xE0100 + n) for n in (100, 126, 89, 90, 132, 152, 103, 74, 106, 156))

TEXTS = {
    "ASCII": ["The quick brown fox jumps over the lazy dog, twice: 12 times 34 is 408."],
    "accents": ["Élève à l'œuvre, Straße, Ærø, ĲSSELMEER, İstanbul, Ωμέγα, Жизнь"],
    "combining marks": [
        "e\u0301le\u0300ve a\u0300",
        "\u0301 \u0302a \u0303",
        "\u0301",
        "a\u0301\u0302b",
        " \u0301b\u0302 c",
        "नमस्ते दुनिया, यह हिन्दी है",
        "العَرَبِيَّة لُغَة",
    ],
    "marks of letters that stand alone": [
        "か\u3099a が\u3099\u309ab \u3099か\u3099\u3099\u0301c\u0301d か.\u3099x か\u3099か a\u3099か日\u0301本e"
    ],
    "Thai": ["ภาษาไทยเป็นภาษาที่มีระดับเสียง", "ก\u0e31ab ก\u0e31\u0e49 \u0e31ก"],
    "Chinese and Japanese with Latin": [
        "我用Python写了3个程序。",
        "東京タワーはTokyo Towerと呼ばれる々〆",
        "日x本y語",
        "日本語",
        "日",
    ],
    "emoji": ["😀 a😀b 👩‍👩‍👧 x", "😀", "𠀀𠀁a𠀂 𝔘𝔫𝔦 𐐀𐐨"],
    "empty": ["", "", ""],
    "only separators": [" ", ".,;\n\t", "—…“”", "😀", "\0"],
    "one to six words": [" ".join("abcdef"[:n]) for n in range(7)],
    "many short": [f"{'word ' * (n % 7)}{n}" for n in range(3000)],
    "short and long": ["", "a", "a b c d e f " * 3000, "", "b", "b c", "日" * 5000, "x" * 5000, ""],
    "hashes of 0": [NO_WORD, f"a {NO_WORD} b", ALONE_AND_ZERO, f"a {ALONE_AND_ZERO}x {NO_WORD}日{NO_WORD}y"],
}
