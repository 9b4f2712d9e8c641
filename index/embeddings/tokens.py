"""The windows of texts: runs of tokens, each of which gets a vector.

The rule: a text becomes tokens without special ones. Each `room` of them in a row is a window, where `room` is
`Encoder.window` without the special tokens and the prefix; the last window has what is left. A text has at most
`Encoder.windows` of them, so a long text is read from its beginning only. Windows do not overlap, so that the first
windows of two texts are equal where the texts begin alike.

At most 16 characters for each token that can be used are read (`_FAR`), so a text of 50 MB costs no more than one of
33 kB. First 6 characters for each are tried, which suffices for most texts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from archive.errors import ArchiveError, error_line
from index.embeddings.encoder import Encoder

#: Characters of a text that are read for each token that can be used: at first, and at most.
_NEAR, _FAR = 6, 16
#: A clipped text ends at white space, if there is any in so many of its last characters.
_LAST = 1000
#: What shows where special tokens come. A tokenizer may have no token for one of them.
_LETTERS = ("a", "A", "e", "1", ".", "\u0430", "\u4e00", "\u0627")
#: Characters that are tokenized at a time: the library needs about 100 bytes for each.
_AT_ONCE = 1 << 20

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of some texts, in the order of the texts, those of a text in a row.

    Attributes:
        texts: how many texts these were, those without a window included.
        text: the text of each window, by its position.
        part: the number of the window in its text, from 0.
        start: where its first token begins, in characters of the text.
        end: where its last token ends.
        offsets: where the tokens of each window begin in `tokens`, and one more, for the last one's end.
        tokens: of all windows, with special tokens and prefix.
    """

    texts: int
    text: Ints
    part: Ints
    start: Ints
    end: Ints
    offsets: npt.NDArray[np.int64]
    tokens: Ints

    def __len__(self) -> int:
        return len(self.text)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each window."""
        return np.diff(self.offsets)


class Tokens:
    """The tokenizer of an encoder.

    Raises:
        ArchiveError: its files are damaged, or the window has no room for a token.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._tokenizer = _open(encoder)
        self._windows = encoder.windows
        head, self._tail = self._around()
        self._prefix = encoder.prefix
        self._head = head + self._in_prefix(self._tokenizer.encode(encoder.prefix, add_special_tokens=False))
        self._room = encoder.window - len(self._head) - len(self._tail)
        if self._room < 1:
            raise ArchiveError(f"a window of {encoder.window} tokens has no room next to its special ones and prefix")
        #: Most characters of a text that are read.
        self.reach = _FAR * self._room * self._windows

    def _around(self) -> tuple[list[int], list[int]]:
        """Return the special tokens in front of the tokens of a text, and those behind them."""
        for letter in _LETTERS:
            probe = self._tokenizer.encode(letter, add_special_tokens=True)
            inner = [at for at, special in enumerate(probe.special_tokens_mask) if not special]
            if inner:
                return probe.ids[: inner[0]], probe.ids[inner[-1] + 1 :]
        raise ArchiveError(f"its tokenizer has no token for any of {', '.join(_LETTERS)}")

    def _in_prefix(self, encoding: Any) -> list[int]:
        """Return the first tokens, up to the end of the prefix; one that has characters of the text is of the text."""
        end = len(self._prefix.rstrip())
        count = sum(start < end and last <= end for start, last in encoding.offsets) if end else 0
        return list(encoding.ids[:count])

    def windows(self, texts: Sequence[str]) -> Windows:
        """Cut texts into windows. A text without tokens has none."""
        text, part, starts, ends, lengths = [], [], [], [], []
        tokens: list[Ints] = []
        for first, encodings in self._encoded(texts):
            for number, encoding in enumerate(encodings, first):
                ids = np.asarray(encoding.ids, np.int32)
                skip = len(self._in_prefix(encoding)) if self._prefix else 0
                for index in range(self._windows):
                    at = skip + index * self._room
                    inside = ids[at : at + self._room]
                    if not len(inside):
                        break
                    tokens += [np.asarray(self._head, np.int32), inside, np.asarray(self._tail, np.int32)]
                    text.append(number)
                    part.append(index)
                    starts.append(encoding.token_to_chars(at)[0] - len(self._prefix))
                    ends.append(encoding.token_to_chars(at + len(inside) - 1)[1] - len(self._prefix))
                    lengths.append(len(self._head) + len(inside) + len(self._tail))
        return Windows(
            len(texts),
            np.array(text, np.int32),
            np.array(part, np.int32),
            np.maximum(np.array(starts, np.int32), 0),  # a token may begin with the space behind the prefix
            np.array(ends, np.int32),
            np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
            np.concatenate(tokens) if tokens else np.empty(0, np.int32),
        )

    def _encoded(self, texts: Sequence[str]) -> Iterator[tuple[int, list[Any]]]:
        """Yield the position of a text, and the tokens of it and of those behind it, as many as are taken at once."""
        room = self._room * self._windows
        first = 0
        while first < len(texts):
            clipped: list[str] = []
            size = 0
            while first + len(clipped) < len(texts) and size < _AT_ONCE:
                clipped.append(_clip(texts[first + len(clipped)], _NEAR * room))
                size += len(clipped[-1]) + 1
            encodings = self._encode(clipped)
            for number, encoding in enumerate(encodings):
                if len(clipped[number]) < len(text := texts[first + number]) and len(encoding) < room + len(self._head):
                    encodings[number] = self._encode([_clip(text, self.reach)])[0]
            yield first, encodings
            first += len(clipped)

    def _encode(self, texts: list[str]) -> list[Any]:
        encoded: list[Any] = self._tokenizer.encode_batch(
            [self._prefix + text for text in texts] if self._prefix else texts, add_special_tokens=False
        )
        return encoded


def _clip(text: str, most: int) -> str:
    """Return the beginning of a text, up to white space if there is any near the end."""
    if len(text) <= most:
        return text
    for at in range(most, max(most - _LAST, 0), -1):
        if text[at].isspace():
            return text[:at]
    return text[:most]


def _open(encoder: Encoder) -> Any:
    """Return the encoder's tokenizer, as the library `tokenizers` has it."""
    from tokenizers import Tokenizer, normalizers

    file = f"{encoder.folder}/tokenizer.json"
    try:
        # a damaged one is an error: the hash does not cover what else transformers may find
        tokenizer = Tokenizer.from_file(file) if os.path.exists(file) else _converted(encoder)
        if tokenizer.get_vocab_size() and max(tokenizer.get_vocab().values()) >= 2**31:
            raise ArchiveError("it has numbers of tokens from 2^31 on")
        tokenizer.no_truncation()
        tokenizer.no_padding()
        if encoder.lower:
            present = [tokenizer.normalizer] if tokenizer.normalizer else []
            tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *present])
    except Exception as error:
        raise ArchiveError(f"{encoder.folder}: its tokenizer cannot be opened: {error_line(error)}") from None
    return tokenizer


def _converted(encoder: Encoder) -> Any:
    from index.hugging_face import import_transformers

    opened = import_transformers().AutoTokenizer.from_pretrained(
        encoder.folder, local_files_only=True, trust_remote_code=False
    )
    if not opened.is_fast:
        raise ArchiveError("it does not state where in a text its tokens are; an encoder with tokenizer.json does")
    return opened.backend_tokenizer
