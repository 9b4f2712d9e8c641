"""Texts to token ids, by any tokenizer of the Hugging Face kind: a file, a folder, a GGUF model, a name on the Hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archive.errors import ExportError, error_line
from archive.extras import missing, require
from query import tokenizer_text
from query.formats.hugging_face import import_transformers
from query.tokenizer_text import control_tokens, hidden, named_in, text_of, unknown_token

_FILE = "tokenizer.json"
#: Where the end of a text is named, in the order in which the files are read.
_CONFIGS = ("tokenizer_config.json", "special_tokens_map.json")
#: Characters that are encoded at a time: an encoding takes a hundred bytes a token until it is an array of ids.
_CHARACTERS = 1 << 20
#: Special tokens that an error names.
_SHOWN = 8
#: Names for the control tokens that are tried on a text that was made to hold them.
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class _Definition:
    content: str  #: `tokenizer.json`, or what else defines the tokenizer
    eos: str | None
    named: tuple[str, ...] = ()  #: the control tokens that the configuration names
    converted: bool = False  #: whether transformers made the content
    slow: Any = None  #: the tokenizer of transformers, where it cannot become a `tokenizer.json`


class Tokenizer:
    """A tokenizer, which is opened when it is first used. Pickled is only its name: each process opens it anew.

    The ids of a text are those of its characters alone: no token is put in front of it, nothing is cut off, and what
    looks like a control token in it (`<|endoftext|>`, `<tool_call>`) is text as any other (`query.tokenizer_text`).
    Then one id follows that ends it.
    """

    def __init__(self, source: str | Path, eos: str | None = None) -> None:
        """
        Args:
            source: a `tokenizer.json`, a folder that holds one or other files that transformers knows, a `.gguf` file,
                or a name on the Hub.
            eos: the token that ends a text; by default the tokenizer's own.
        """
        self.source = str(source)
        self.eos = eos

    def __getstate__(self) -> dict[str, Any]:
        # except for what transformers converted: a GGUF file takes ten seconds and half a gigabyte, in every worker
        definition: _Definition | None = vars(self).get("_definition")
        kept = {"source", "eos", *(["_definition"] if definition and definition.converted else [])}
        return {name: value for name, value in vars(self).items() if name in kept}

    @cached_property
    def _definition(self) -> _Definition:
        path = Path(self.source)
        file = path if path.is_file() else path / _FILE
        if self.source and file.is_file():
            return _from_gguf(path) if path.suffix == ".gguf" else _from_file(file, self.source)
        if self.source and path.is_dir():
            return _from_transformers(self.source, self.source)
        file = _from_hub(self.source) / _FILE
        return _from_file(file, self.source) if file.is_file() else _from_transformers(self.source, self.source)

    @cached_property
    def _encoder(self) -> Any:
        """What encodes texts, with the methods `encode_batch_fast`, `token_to_id` and `get_vocab`."""
        if self._definition.slow is not None:
            return _Slow(self._definition.slow, self.eos)
        return _Fast(self.source, self._definition, self.eos)

    @cached_property
    def fast(self) -> Any:
        """The tokenizer as a `tokenizers.Tokenizer`: as its file has it, but that it does not look for tokens that are
        flagged special.

        Raises:
            ExportError: it cannot be opened, or is of an older kind, which only transformers knows.
        """
        if self._definition.slow is not None:
            raise ExportError(f"{self.source}: has no {_FILE}, and none can be made of it")
        return _open(self.source, self._definition.content)

    @property
    def name(self) -> str:
        """The name on the Hub, or that of the file or folder without the folders around it."""
        path = Path(self.source)
        if path.name == _FILE:
            path = path.absolute().parent
        return path.name if path.exists() else self.source

    @cached_property
    def vocab_size(self) -> int:
        """One more than the greatest id."""
        return max(self._encoder.get_vocab().values(), default=-1) + 1

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the definition as JSON, whatever its spaces and the order of its keys."""
        definition = json.loads(self._definition.content)
        canonical = json.dumps(definition, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def eos_id(self) -> int:
        """The id that ends each text.

        Raises:
            ExportError: the tokenizer names no such token, or has none of this name.
        """
        encoder, token = self._encoder, self.eos if self.eos is not None else self._definition.eos
        if not token:
            added = json.loads(self._definition.content).get("added_tokens") or []
            special = ", ".join([text for each in added if (text := text_of(each))][:_SHOWN])
            raise ExportError(f"{self.source}: names no token that ends a text; say which one does by --eos TOKEN"
                              f"{special and f'; its special tokens are {special}'}")  # fmt: skip
        found: int | None = encoder.token_to_id(token)
        if found is None:
            raise ExportError(f"{self.source}: has no token {token!r} to end a text with")
        if shared := encoder.shared.get(found):
            raise ExportError(f"{self.source}: {token!r} has the id {found} of {shared[0]!r} too, so it cannot end "
                              "texts; name another token by --eos TOKEN")  # fmt: skip
        if len(token) == 1:
            raise ExportError(f"{self.source}: {token!r} is a character of texts, which cannot end one; name another "
                              "token by --eos TOKEN")  # fmt: skip
        return found

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return the ids of each text, and the one that ends it.

        Raises:
            ExportError: a text gives a control token, whatever is done.
        """
        end, encoder = self.eos_id, self._encoder
        encodings = (each for group in _groups(texts) for each in encoder.encode(group))
        return [np.append(ids, np.int32(end)) for ids in encodings]


class _Ids:
    """Some ids of a vocabulary, which are looked for in texts."""

    def __init__(self, ids: Iterable[int], size: int) -> None:
        self._is_one = np.zeros(size, bool)
        self._is_one[list(ids)] = True

    def are_in(self, encoded: npt.NDArray[np.int32]) -> bool:
        return bool(self._is_one[encoded].any())


class _Fast:
    """A tokenizer of the library `tokenizers`, for text alone."""

    def __init__(self, source: str, definition: _Definition, eos: str | None) -> None:
        self._source = source
        try:
            self._definition = json.loads(definition.content)
            named = [*definition.named, *filter(None, (definition.eos, eos))]
            self._control = control_tokens(self._definition, named)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ExportError(f"{source}: is not a tokenizer: {error_line(error)}") from None
        self._encoders: list[Any] = []
        self._encoder(0)
        text_may_give = {unknown_token(self._definition)}
        hidden_names = {hidden(each) for each in self._control - text_may_give}
        names: dict[int, list[str]] = {}
        for name, number in self.get_vocab().items():
            names.setdefault(number, []).append(name)
        #: The names of text that have the id of a control token too: a vocabulary with holes has such.
        self.shared = {
            number: [each for each in of if each not in hidden_names]
            for number, of in names.items()
            if len(of) > 1 and not hidden_names.isdisjoint(of)
        }
        ids = (number for number, of in names.items() if hidden_names.issuperset(of))
        self._ids = _Ids(ids, max(names, default=-1) + 1)

    def _encoder(self, attempt: int) -> Any:
        while len(self._encoders) <= attempt:
            own = tokenizer_text.for_text(self._definition, self._control, len(self._encoders))
            self._encoders.append(_open(self._source, json.dumps(own)))
        return self._encoders[attempt]

    def get_vocab(self) -> dict[str, int]:
        return dict(self._encoder(0).get_vocab())

    def token_to_id(self, token: str) -> int | None:
        found: int | None = self._encoder(0).token_to_id(hidden(token) if token in self._control else token)
        return found

    def encode(self, texts: list[str]) -> Iterator[npt.NDArray[np.int32]]:
        encodings = self._encoder(0).encode_batch_fast(texts, add_special_tokens=False)
        for text, encoding in zip(texts, encodings, strict=True):
            ids = np.array(encoding.ids, np.int32)
            yield self._again(text) if self._ids.are_in(ids) else ids

    def _again(self, text: str) -> npt.NDArray[np.int32]:
        """Encode a text that holds the hidden name of a control token: somebody wrote it for that."""
        for attempt in range(1, _ATTEMPTS):
            ids = np.array(self._encoder(attempt).encode(text, add_special_tokens=False).ids, np.int32)
            if not self._ids.are_in(ids):
                return ids
        raise ExportError(f"{self._source}: a text gives the id of a control token; use another tokenizer")


def _open(source: str, content: str) -> Any:
    """Open a `tokenizer.json` with the library.

    Raises:
        ExportError: it is none.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the workers of an export are as many as the cores
    from tokenizers import Tokenizer as Fast

    try:
        fast = Fast.from_str(content)
    except Exception as error:  # the library raises plain Exception
        raise ExportError(f"{source}: is not a tokenizer: {error_line(error)}") from None
    fast.no_truncation()  # either may be set in the file, for a model's own use
    fast.no_padding()
    fast.encode_special_tokens = True
    return fast


class _Slow:
    """A tokenizer of transformers, with the methods of `_Fast`. It takes no added token for one, special or not."""

    def __init__(self, slow: Any, eos: str | None = None) -> None:
        self._slow = slow
        self.shared: dict[int, list[str]] = {}
        slow.split_special_tokens = True  # as an option of a call it has no effect
        self.get_vocab = slow.get_vocab
        self.token_to_id = slow.get_vocab().get
        names = {*map(str, slow.added_tokens_decoder.values()), *slow.all_special_tokens, *filter(None, [eos])}
        vocabulary = slow.get_vocab()
        self._control = [name for name in names if len(name) > 1 and name in vocabulary and name != slow.unk_token]
        self._ids = _Ids((vocabulary[name] for name in self._control), max(vocabulary.values(), default=-1) + 1)

    def encode(self, texts: list[str]) -> Iterator[npt.NDArray[np.int32]]:
        for text, ids in zip(texts, self._encode(texts), strict=True):
            yield self._in_parts(text) if self._ids.are_in(ids) else ids

    def _encode(self, texts: list[str]) -> list[npt.NDArray[np.int32]]:
        encoded = self._slow(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return [np.array(ids, np.int32) for ids in encoded]

    def _in_parts(self, text: str) -> npt.NDArray[np.int32]:
        """Encode a text whose vocabulary has a control token as a word, cut behind the first character of each."""
        cuts = "|".join(f"(?<={re.escape(name[0])})(?={re.escape(name[1:])})" for name in self._control)
        ids = np.concatenate(self._encode(re.split(cuts, text)))
        if self._ids.are_in(ids):
            raise ExportError("a text gives the id of a control token; use another tokenizer")
        return ids


def _groups(texts: Sequence[str]) -> Iterator[list[str]]:
    group: list[str] = []
    characters = 0
    for text in texts:
        group.append(text)
        characters += len(text)
        if characters >= _CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def _from_file(path: Path, source: str) -> _Definition:
    try:
        content = path.read_text("utf-8")
        configs = [json.loads(file.read_text("utf-8")) for each in _CONFIGS if (file := path.with_name(each)).is_file()]
    except (OSError, ValueError) as error:
        raise ExportError(f"{source}: is not a tokenizer: {error_line(error)}") from None
    read = [config for config in configs if isinstance(config, dict)]
    ends = (text_of(config.get("eos_token")) for config in read)
    return _Definition(content, next(filter(None, ends), None), tuple(each for one in read for each in named_in(one)))


def _from_hub(name: str) -> Path:
    """Return the folder of a tokenizer of the Hub.

    What is in the Hub's own cache is used without a question, so that nothing changes in the course of an export.
    """
    from huggingface_hub import errors, snapshot_download
    from huggingface_hub.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)  # it warns of each of its attempts
    wanted = [_FILE, *_CONFIGS]
    try:
        if name.endswith((".json", ".gguf")):
            raise errors.HFValidationError(name)
        if folder := _cached(name):
            return folder
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        raise ExportError(
            f"{name}: there is no such file or folder here, and the Hub cannot be reached; give the path of a tokenizer"
        ) from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise ExportError(f"{name}: there is no such tokenizer: no file or folder here, and not on the Hub") from None
    except (OSError, ValueError) as error:
        raise ExportError(f"{name}: {error_line(error)}") from None
    finally:
        logging.set_verbosity(verbosity)


def _cached(name: str) -> Path | None:
    """Return the folder of a tokenizer in the Hub's own cache; None where it is not, or not whole."""
    from huggingface_hub import errors, snapshot_download

    with suppress(errors.LocalEntryNotFoundError):
        folder = Path(snapshot_download(name, allow_patterns=[_FILE, *_CONFIGS], local_files_only=True))
        if (folder / _FILE).is_file() and any((folder / each).is_file() for each in _CONFIGS):
            return folder
    return None


def is_here(name: str) -> bool:
    """Return whether a tokenizer can be opened without the network."""
    if os.path.lexists(name):
        return True
    try:
        return _cached(name) is not None
    except (ModuleNotFoundError, OSError, ValueError):
        return True  # no name on the Hub, or nothing that could ask it: opening it raises


def _from_gguf(path: Path) -> _Definition:
    converted = _from_transformers(str(path), str(path.absolute().parent), gguf_file=path.name)
    from gguf import GGUFReader  # transformers needs it too

    # transformers takes the token that begins a turn for the one that ends a text, in some (SmolLM2)
    fields = GGUFReader(path).fields
    end, tokens = fields.get("tokenizer.ggml.eos_token_id"), fields.get("tokenizer.ggml.tokens")
    if end is None or tokens is None:
        return converted
    eos = bytes(tokens.parts[tokens.data[int(end.parts[-1][0])]]).decode()
    return replace(converted, eos=eos)


def _from_transformers(source: str, name: str, **options: str) -> _Definition:
    try:
        transformers = import_transformers()
    except ModuleNotFoundError:
        raise missing(f"--tokenizer {source}, which has no {_FILE},", "transformers", "transformers") from None
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # it warns of the lengths of texts, and of models that it has no use for
    try:
        opened = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False, **options)
    except Exception as error:  # whatever the many kinds raise: it cannot be opened
        raise ExportError(f"{source}: is not a tokenizer that transformers can open: {error_line(error)}") from None
    finally:
        transformers.logging.set_verbosity(verbosity)
    if opened.is_fast:
        named = tuple(map(str, opened.all_special_tokens))
        return _Definition(opened.backend_tokenizer.to_str(), opened.eos_token, named, converted=True)
    definition = {"class": type(opened).__name__, "vocabulary": opened.get_vocab()}
    return _Definition(json.dumps(definition), opened.eos_token, slow=opened)


_OPENED: dict[tuple[str, str | None], Tokenizer] = {}


def open_tokenizer(name: str | None, eos: str | None) -> Tokenizer | None:
    """Open the tokenizer of this name; None where none is named.

    Raises:
        ArchiveError: there is no such tokenizer, it names no token that ends a text, or its library is not installed.
    """
    if name is None:
        return None
    require("--tokenizer", "tokens", "tokenizers")
    tokenizer = Tokenizer(name, eos)
    _ = tokenizer.eos_id, tokenizer.vocab_size, tokenizer.fingerprint
    return tokenizer


def once_opened(tokenizer: Tokenizer) -> Tokenizer:
    """Return the same tokenizer as this process opened it before."""
    return _OPENED.setdefault((tokenizer.source, tokenizer.eos), tokenizer)
