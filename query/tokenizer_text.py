"""Tokenizers as they are for text alone: nothing that a text says becomes a control token.

A tokenizer has tokens that no text is meant to give: what ends a text, what begins a turn or a call of a tool. A page
about tokenizers writes them out, and then they are letters as any others. The library's own switch
(`encode_special_tokens`) is not enough: it knows only tokens that are flagged special, which `<tool_call>` is not in
Qwen's files; and the model behind it gives the id of `</s>` wherever a vocabulary without merges (Unigram, WordPiece,
WordLevel) has the piece `</s>`. SentencePiece never does that with a control piece.

So the control tokens get names here that no text has, in a copy of the definition. The ids stay what they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: The pieces that stand for bytes, where a model falls back on them. They are looked up by their names.
_BYTE = re.compile("<0x[0-9A-Fa-f]{2}>")
#: What a configuration names a control token by.
_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_LISTED = ("additional_special_tokens", "extra_special_tokens")


def text_of(token: Any) -> str | None:
    """Return the text of a token, which configurations hold alone or in an object."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def named_in(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the control tokens that a `tokenizer_config.json` or `special_tokens_map.json` names."""
    tokens = [config.get(name) for name in _NAMED]
    for name in _LISTED:
        listed = config.get(name)
        tokens += listed.values() if isinstance(listed, dict) else listed if isinstance(listed, list) else []
    added = config.get("added_tokens_decoder")
    if isinstance(added, dict):
        tokens += [each for each in added.values() if isinstance(each, dict) and each.get("special")]
    yield from filter(None, map(text_of, tokens))


def is_marker(token: str) -> bool:
    """Return whether an added token looks like a control token, though it is not flagged as one.

    It does if it begins and ends with a sign and has a letter or digit in between. Runs of white space, words, and
    single signs are vocabulary that somebody added for texts.

    >>> [is_marker(each) for each in ("<tool_call>", "[INST]", "</think>", "|||EMAIL|||", " <mask> ")]
    [True, True, True, True, True]
    >>> [is_marker(each) for each in ("    ", "\\n\\n", "猫", "COVID-19", "don't", "->", "…", "<")]
    [False, False, False, False, False, False, False, False]
    """
    bare = token.strip()
    if len(bare) < 3 or not any(each.isalnum() for each in bare):
        return False
    return all(unicodedata.category(each)[0] in "PS" for each in (bare[0], bare[-1]))


def control_tokens(definition: Mapping[str, Any], named: Iterable[str]) -> set[str]:
    """Return the texts of the tokens that stand for no text.

    These are the added tokens that are flagged special or are markers, those that the configuration names, the model's
    token for what it does not know, and markers in a Unigram vocabulary that have no probability. A token of one
    character is text, whatever else it is used for: without it the character could not be written.

    Args:
        definition: a `tokenizer.json`.
        named: the tokens that its configuration, or the user, names.
    """
    found = set(named)
    for token in definition.get("added_tokens") or []:
        if (text := text_of(token)) and (token.get("special") or is_marker(text)):
            found.add(text)
    model = definition.get("model") or {}
    found.add(unknown_token(definition) or "")
    if isinstance(vocabulary := model.get("vocab"), list):
        found.update(piece for piece, score in vocabulary if score == 0 and is_marker(piece))
    return {each for each in found if len(each) > 1 and not (model.get("byte_fallback") and _BYTE.fullmatch(each))}


def unknown_token(definition: Mapping[str, Any]) -> str | None:
    """Return the token for what the model does not know: a text may give it, if not by its name."""
    model = definition.get("model") or {}
    vocabulary, number = model.get("vocab"), model.get("unk_id")
    if isinstance(vocabulary, list):
        return str(vocabulary[number][0]) if isinstance(number, int) and number < len(vocabulary) else None
    return text_of(model.get("unk_token"))


def hidden(token: str, attempt: int = 0) -> str:
    """Return the name that a control token gets: nearly every tokenizer splits or replaces white space before the model
    sees it, and no text that is not made for it holds the rest.

    Args:
        attempt: another number gives another name.
    """
    return f" \0{attempt}\U0010ffff{token}"


def for_text(definition: Mapping[str, Any], control: set[str], attempt: int = 0) -> dict[str, Any]:
    """Return a definition in which the control tokens have hidden names, and whose ids are the same.

    Args:
        control: of `control_tokens`.
    """

    def name(token: Any) -> Any:
        return hidden(token, attempt) if token in control else token

    model = dict(definition.get("model") or {})
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, list):
        model["vocab"] = [[name(piece), score] for piece, score in vocabulary]
    elif isinstance(vocabulary, dict):
        model["vocab"] = {name(piece): number for piece, number in vocabulary.items()}
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = name(model["unk_token"])
    if isinstance(merges := model.get("merges"), list):
        prefix = len(model.get("continuing_subword_prefix") or "")
        model["merges"] = [each for each in merges if control.isdisjoint(_merged(each, prefix))]
    added = [
        {**token, "content": name(token["content"]), "special": True, "normalized": False}
        if text_of(token) in control
        else token
        for token in definition.get("added_tokens") or []
    ]
    unused = dict.fromkeys(("truncation", "padding", "post_processor", "decoder"))
    return {**definition, **unused, "model": model, "added_tokens": added}


def _merged(merge: str | list[str], prefix: int) -> tuple[str, str, str, str]:
    """Return both sides of a merge and what it makes of them, with and without the prefix of the right one."""
    left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
    return left, right, left + right, left + right[prefix:]
