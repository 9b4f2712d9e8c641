"""Texts to token ids, by any tokenizer of the Hugging Face kind: a file, a folder, a GGUF model, a name on the Hub."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archive.errors import ExportError, error_line
from archive.extras import missing, require
from query.formats.hugging_face import import_transformers

_FILE = "tokenizer.json"
#: Where the end of a text is named, in the order in which the files are read.
_CONFIGS = ("tokenizer_config.json", "special_tokens_map.json")
#: Characters that are encoded at a time: an encoding takes a hundred bytes a token until it is an array of ids.
_CHARACTERS = 1 << 20
#: Special tokens that an error names.
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Definition:
    content: str  #: `tokenizer.json`, or what else defines the tokenizer
    eos: str | None
    converted: bool = False  #: whether transformers made the content
    slow: Any = None  #: the tokenizer of transformers, where it cannot become a `tokenizer.json`


class Tokenizer:
    """A tokenizer, which is opened when it is first used. Pickled is only its name: each process opens it anew.

    The ids of a text are those of its characters alone: no token is put in front of it, nothing is cut off, and what
    looks like a special token in it (`<|endoftext|>`) is text as any other. Then one id follows that ends it.
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
        if self._definition.slow is not None:
            return _Slow(self._definition.slow)
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the workers of an export are as many as the cores
        from tokenizers import Tokenizer as Fast

        try:
            fast = Fast.from_str(self._definition.content)
        except Exception as error:  # the library raises plain Exception
            raise ExportError(f"{self.source}: is not a tokenizer: {error_line(error)}") from None
        fast.no_truncation()  # either may be set in the file, for a model's own use
        fast.no_padding()
        fast.encode_special_tokens = True
        return fast

    @property
    def fast(self) -> Any:
        """The tokenizer as a `tokenizers.Tokenizer`.

        Raises:
            ExportError: it cannot be opened, or is of an older kind, which only transformers knows.
        """
        if self._definition.slow is not None:
            raise ExportError(f"{self.source}: has no {_FILE}, and none can be made of it")
        return self._encoder

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
            special = ", ".join([text for each in added if (text := _text_of(each))][:_SHOWN])
            raise ExportError(f"{self.source}: names no token that ends a text; say which one does by --eos TOKEN"
                              f"{special and f'; its special tokens are {special}'}")  # fmt: skip
        found: int | None = encoder.token_to_id(token)
        if found is None:
            raise ExportError(f"{self.source}: has no token {token!r} to end a text with")
        return found

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """Return the ids of each text, and the one that ends it."""
        end, encode = self.eos_id, self._encoder.encode_batch_fast
        encodings = (each for group in _groups(texts) for each in encode(group, add_special_tokens=False))
        return [np.array([*each.ids, end], np.int32) for each in encodings]


class _Slow:
    """A tokenizer of transformers, with the methods of a `tokenizers.Tokenizer`."""

    def __init__(self, slow: Any) -> None:
        self._slow = slow
        slow.split_special_tokens = True  # as an option of a call it has no effect
        self.get_vocab = slow.get_vocab
        self.token_to_id = slow.get_vocab().get

    def encode_batch_fast(self, texts: list[str], add_special_tokens: bool) -> list[_Ids]:
        ids = self._slow(texts, add_special_tokens=add_special_tokens, verbose=False)["input_ids"]
        return [_Ids(each) for each in ids]


@dataclass(frozen=True, slots=True)
class _Ids:
    ids: list[int]


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
    named = (_text_of(config.get("eos_token")) for config in configs if isinstance(config, dict))
    return _Definition(content, next(filter(None, named), None))


def _text_of(token: Any) -> str | None:
    """Return the text of a token, which configurations hold alone or in an object."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


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
    return _Definition(converted.content, eos, converted.converted, converted.slow)


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
        return _Definition(opened.backend_tokenizer.to_str(), opened.eos_token, converted=True)
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
