"""A control token that a text writes out is text, for every kind of tokenizer; what was added for texts stays in use."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Library

from archive.errors import ExportError
from query.tokenizer import Tokenizer
from query.tokenizer_text import hidden

SPECIAL = ["<unk>", "<s>", "</s>", "[MASK]", "<|endoftext|>"]
#: Not flagged special, as Qwen's files have them.
MARKERS = ["<tool_call>", "</think>", "[INST]"]
#: Added for texts.
ADDED = ["    ", "COVID-19", "猫"]
SAMPLES = [
    "hello world, the archive of the web from before",
    "a page about tokens: <s> [x] </p> _call_ tool mask end",
] * 20
END = "<|endoftext|>"


def added(made: Library) -> Library:
    made.add_special_tokens(SPECIAL)
    made.add_tokens([AddedToken(each, special=False, normalized=False) for each in [*MARKERS, *ADDED]])
    return made


def byte_bpe(**options: Any) -> Library:
    made = Library(models.BPE(**options))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        SAMPLES,
        trainers.BpeTrainer(vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False),
    )
    return added(made)


def bpe_whose_merges_make_control_tokens() -> Library:
    """As SentencePiece's BPE is converted: every pair of pieces that makes a piece is a merge."""
    made = byte_bpe()
    state = json.loads(made.to_str())
    vocabulary, merges = state["model"]["vocab"], state["model"]["merges"]
    for left, right in (("<", "/"), ("</", "s"), ("</s", ">"), ("<s", ">"), ("<", "s")):
        for piece in (left, right, left + right):
            vocabulary.setdefault(piece, len(vocabulary) + 1000)
        if [left, right] not in merges:
            merges.append([left, right])
    merges.append(["</s>", "x"])
    vocabulary["</s>x"] = 5000
    return Library.from_str(json.dumps(state))


def bpe_that_looks_words_up_first() -> Library:
    """As Llama 3: `ignore_merges`; and no pre-tokenizer that would split a control token."""
    state = json.loads(byte_bpe().to_str())
    state["model"]["ignore_merges"] = True
    state["pre_tokenizer"]["use_regex"] = False
    return Library.from_str(json.dumps(state))


def unigram() -> Library:
    """As T5 and XLM-R: control pieces with the score 0 in the vocabulary."""
    letters = [(each, -5.0) for each in "abcdefghijklmnopqrstuvwxyz<>/|[]_:,.AISMKNTCVOD-019"]
    pieces = [(each, 0.0) for each in [*SPECIAL, "<pad>"]]
    made = Library(models.Unigram([*pieces, ("▁", -2.0), ("▁the", -3.0), ("(1)", -7.0), *letters], unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    made.decoder = decoders.Metaspace(prepend_scheme="never")
    return added(made)


def word_piece() -> Library:
    """Words by white space, so that `[MASK]` is one."""
    words = [
        "hello",
        "world",
        "the",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{each}" for each in "abcdefghijklmnopqrstuvwxyz"),
    ]
    made = Library(models.WordPiece({each: n for n, each in enumerate([*SPECIAL, *words])}, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return added(made)


def cased_word_piece() -> Library:
    made = word_piece()
    made.normalizer = normalizers.NFC()
    return made


def word_level() -> Library:
    made = Library(
        models.WordLevel({each: n for n, each in enumerate([*SPECIAL, "hello", "world"])}, unk_token="<unk>")
    )
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return added(made)


KINDS: dict[str, Callable[[], Library]] = {
    "byte-level BPE": byte_bpe,
    "BPE with merges of control tokens": bpe_whose_merges_make_control_tokens,
    "BPE that looks words up": bpe_that_looks_words_up_first,
    "Unigram": unigram,
    "WordPiece": word_piece,
    "WordPiece with capitals": cased_word_piece,
    "WordLevel": word_level,
}
LOSSLESS = ["byte-level BPE", "BPE with merges of control tokens", "BPE that looks words up"]


@pytest.fixture(scope="session")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Tokenizer, Library]]:
    @lru_cache
    def one(kind: str) -> tuple[Tokenizer, Library]:
        folder = tmp_path_factory.mktemp("tokenizer")
        library = KINDS[kind]()
        library.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": END, "pad_token": "<pad>"}))
        return Tokenizer(folder), Library.from_file(str(folder / "tokenizer.json"))

    return one


def control_ids(library: Library) -> set[int]:
    names = [*SPECIAL, *MARKERS, "<pad>"]
    return {number for each in names if (number := library.token_to_id(each)) is not None} - {
        library.token_to_id("<unk>")
    }


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_gives_the_id_of_a_control_token(opened: Callable[[str], tuple[Tokenizer, Library]], kind: str) -> None:
    tokenizer, library = opened(kind)
    texts = [
        *SPECIAL,
        *MARKERS,
        "<pad>",
        "</s>x </s> <s>",
        "see <tool_call> and [MASK], </think><|endoftext|>",
        " ".join(SPECIAL),
    ]
    for text, ids in zip(texts, tokenizer.encode(texts), strict=True):
        assert ids[-1] == library.token_to_id(END) == tokenizer.eos_id
        assert control_ids(library).isdisjoint(ids[:-1].tolist()), text
        if kind in LOSSLESS:
            assert library.decode(ids[:-1].tolist(), skip_special_tokens=False) == text


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_added_for_texts_is_one_token(opened: Callable[[str], tuple[Tokenizer, Library]], kind: str) -> None:
    tokenizer, library = opened(kind)
    for ids, each in zip(tokenizer.encode([f"hello{each}world" for each in ADDED]), ADDED, strict=True):
        assert library.token_to_id(each) in ids


@pytest.mark.parametrize("kind", KINDS)
def test_texts_without_control_tokens_have_the_ids_that_the_library_gives(
    opened: Callable[[str], tuple[Tokenizer, Library]], kind: str
) -> None:
    tokenizer, library = opened(kind)
    texts = [*SAMPLES[:2], "", "hello    world COVID-19 猫 (1)", "x" * 3000, "\0 \u2028\r\n é \U0001f600"]
    texts = [text.replace("<s>", "") for text in texts]
    expected = [each.ids for each in library.encode_batch(texts, add_special_tokens=False)]
    assert [ids[:-1].tolist() for ids in tokenizer.encode(texts)] == expected
    assert tokenizer.vocab_size == max(library.get_vocab().values()) + 1


_PIECES = st.sampled_from(
    [*SPECIAL, *MARKERS, *ADDED, "<pad>", "<", ">", "/", "s", " ", "x", "[", "\0", "\u2581", "\U0010ffff", "hello", "é"]
)


@pytest.mark.parametrize("kind", KINDS)
@given(parts=st.lists(_PIECES | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=8))
@settings(max_examples=examples(20))
def test_any_text_of_pieces_is_text(
    opened: Callable[[str], tuple[Tokenizer, Library]], kind: str, parts: list[str]
) -> None:
    tokenizer, library = opened(kind)
    text = "".join(parts)
    (ids,) = tokenizer.encode([text])
    assert control_ids(library).isdisjoint(ids[:-1].tolist())
    if kind in LOSSLESS:
        assert library.decode(ids[:-1].tolist(), skip_special_tokens=False) == text


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_that_is_made_of_the_hidden_names_is_text(
    opened: Callable[[str], tuple[Tokenizer, Library]], kind: str
) -> None:
    tokenizer, library = opened(kind)
    for attempt in range(3):
        (ids,) = tokenizer.encode([f"a {hidden('</s>', attempt)} {hidden('[MASK]', attempt)} {hidden('</s>')}"])
        assert control_ids(library).isdisjoint(ids[:-1].tolist())


def test_without_a_pre_tokenizer_the_hidden_names_are_text_too(tmp_path: Path) -> None:
    made = Library(models.Unigram([("<unk>", 0.0), ("</s>", 0.0), *((each, -4.0) for each in "abc</s> 0")], unk_id=0))
    made.add_special_tokens(["</s>"])
    made.save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer(tmp_path, eos="</s>")
    texts = [hidden("</s>"), f"a{hidden('</s>')}{hidden('</s>', 1)}{hidden('</s>', 2)}c", "a</s>c"]
    assert [ids.tolist().count(1) for ids in tokenizer.encode(texts)] == [1, 1, 1]


def test_the_token_that_ends_a_text_is_control_whatever_it_looks_like(tmp_path: Path) -> None:
    made = byte_bpe()
    made.save(str(tmp_path / "tokenizer.json"))
    word = made.encode("hello").tokens[0]
    assert len(word) > 1
    tokenizer = Tokenizer(tmp_path, eos=word)
    (ids,) = tokenizer.encode(["hello hello"])
    assert ids.tolist().count(tokenizer.eos_id) == 1
    assert made.decode(ids[:-1].tolist()) == "hello hello"


def test_a_character_cannot_end_a_text_nor_a_token_that_shares_its_id(tmp_path: Path) -> None:
    byte_bpe().save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ExportError, match=r"'x' is a character of texts"):
        Tokenizer(tmp_path, eos="x").encode(["x"])
    made = Library(models.BPE({"a": 0, "b": 1, "_": 3}, []))  # a hole: the next id is that of the underscore
    made.add_special_tokens(["<end>"])
    made.add_tokens(["<other>"])
    assert made.token_to_id("<end>") == 3
    made.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ExportError, match=r"'<end>' has the id 3 of '_' too"):
        Tokenizer(tmp_path, eos="<end>").encode(["a_b"])
    assert Tokenizer(tmp_path, eos="<other>").encode(["a_b"])[0].tolist() == [0, 3, 1, 4]


def test_tokens_that_only_the_configuration_calls_special_are_control(tmp_path: Path) -> None:
    made = Library(models.WordLevel({"hello": 0, "EOT": 1, "TURN": 2, "PAD": 3, "?": 4}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.save(str(tmp_path / "tokenizer.json"))
    config = {"eos_token": {"content": "EOT"}, "extra_special_tokens": {"turn": "TURN"}}
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({**config, "added_tokens_decoder": {"3": {"content": "PAD", "special": True}}})
    )
    assert Tokenizer(tmp_path).encode(["hello EOT TURN PAD hello"])[0].tolist() == [0, 4, 4, 4, 0, 1]


@pytest.mark.slow
def test_a_slow_tokenizer_that_has_a_control_token_as_a_word_writes_it_in_parts(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "[", "ma", "##sk", "]", "[M", "ASK]"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    slow = transformers.BertTokenizer(str(tmp_path / "vocab.txt"), do_basic_tokenize=False, do_lower_case=False)
    from query.tokenizer import _Slow

    (ids,) = _Slow(slow).encode(["hello [MASK] hello [SEP]"])
    assert {2, 3, 4}.isdisjoint(ids.tolist())
    assert ids.tolist().count(5) == 2
    (ids,) = _Slow(slow, eos="hello").encode(["hello [MASK] hello"])
    assert {4, 5}.isdisjoint(ids.tolist())
