"""Texts to token ids, by any tokenizer of the Hugging Face kind: a file, a folder, a GGUF model, a name on the Hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import logging
from tokenizers import Tokenizer as FastTokenizer

from archive.errors import ExportError
from archive.extras import missing
from query.formats.hugging_face import import_transformers

_FILE = "tokenizer.json"
#: Where the end of a text is named, in the order in which it is looked for.
_CONFIGS = ("tokenizer_config.json", "special_tokens_map.json")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
#: Characters that are tokens at a time: an encoding takes a hundred bytes a token until it is an array of ids.
_CHARACTERS = 1 << 20
#: Special tokens that an error names.
_TOLD = 8


class Tokenizer:
    """Opened when it is first used; what is pickled is its name, so each process opens it anew.

    The ids of a text are those of its characters alone: no token is put in front of it, nothing is cut off, and what
    looks like a special token in it (`<|endoftext|>`) is text as any other. Then one id follows that ends it.
    """

    def __init__(self, source: str | Path, eos: str | None = None) -> None:
        """
        Args:
            source: A `tokenizer.json`, a folder that holds one or other files that transformers knows, a `.gguf` file,
                or a name on the Hub.
            eos: The token that ends a text; the tokenizer's own if not given.
        """
        self.source = str(source)
        self.eos = eos

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = {"source": self.source, "eos": self.eos}
        # What transformers makes of a GGUF file takes it ten seconds and half a gigabyte: not in every worker.
        if (opened := self.__dict__.get("_opened")) is not None and opened.made:
            state["made"] = (json.dumps(opened.definition), opened.eos)
        return state

    @cached_property
    def _opened(self) -> _Opened:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the workers of an export are as many as the cores
        if made := self.__dict__.get("made"):
            return _from_json(made[0], [{"eos_token": made[1]}], self.source)
        return _open(self.source)

    @property
    def name(self) -> str:
        """The name on the Hub, or that of the file or folder without the way to it."""
        path = Path(self.source)
        if path.name == _FILE:
            path = path.absolute().parent
        return path.name if path.exists() else self.source

    @property
    def fast(self) -> Any:
        """The tokenizer as the library `tokenizers` has it.

        Raises:
            ExportError: it is of an older kind, which only transformers knows.
        """
        if self._opened.fast is None:
            raise ExportError(f"{self.source}: has no {_FILE}, and none can be made of it")
        return self._opened.fast

    @cached_property
    def vocab_size(self) -> int:
        """One more than the greatest id."""
        return self._opened.vocab_size

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the tokenizer as JSON, whatever its spaces and the order of its keys."""
        canonical = json.dumps(self._opened.definition, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def eos_id(self) -> int:
        """The id that ends each text.

        Raises:
            ExportError: the tokenizer names no such token, or has none of this name.
        """
        token = self.eos if self.eos is not None else self._opened.eos
        if not token:
            raise ExportError(f"{self.source}: names no token that ends a text; say which one does by --eos TOKEN"
                              f"{self._candidates()}")  # fmt: skip
        found = self._opened.id_of(token)
        if found is None:
            raise ExportError(f"{self.source}: has no token {token!r} to end a text with")
        return found

    def _candidates(self) -> str:
        """The tokens among which a user will look, for an error."""
        definition = self._opened.definition
        added = definition.get("added_tokens") if isinstance(definition, dict) else None
        special = [token for each in added or [] if (token := _content(each))]
        return f"; its special tokens are {', '.join(special[:_TOLD])}" if special else ""

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """The ids of each text, and the one that ends it."""
        end = self.eos_id
        return [np.array([*ids, end], np.int32) for group in _groups(texts) for ids in self._opened.encode(group)]


@dataclass(frozen=True)
class _Opened:
    """What the kinds of tokenizers have in common."""

    encode: Callable[[list[str]], list[list[int]]]
    id_of: Callable[[str], int | None]
    vocab_size: int
    definition: Any
    eos: str | None
    fast: Any = None  #: as `tokenizers` has it, where it has
    #: Whether `definition` is what transformers made, with which `tokenizers` alone can go on.
    made: bool = False


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


def _open(source: str) -> _Opened:
    path = Path(source)
    if source and path.is_dir():
        return _from_files(path, source) if (path / _FILE).is_file() else _by_transformers(source, source)
    if path.is_file():
        if path.suffix == ".gguf":
            return _from_gguf(path, source)
        return _from_files(path.parent, source, path.name)
    if _HUB_NAME.fullmatch(source) and path.suffix not in {".json", ".gguf"} and not source.startswith("."):
        return _from_hub(source)
    raise ExportError(f"{source}: there is no such tokenizer: no file, no folder, and not a name on the Hub")


def _from_gguf(path: Path, source: str) -> _Opened:
    opened = _by_transformers(source, str(path.absolute().parent), gguf_file=path.name)
    from gguf import GGUFReader  # which transformers reads them with

    # transformers takes the token that begins a turn for the one that ends a text, in some (SmolLM2)
    fields = GGUFReader(path).fields
    end, tokens = fields.get("tokenizer.ggml.eos_token_id"), fields.get("tokenizer.ggml.tokens")
    if end is None or tokens is None:
        return opened
    return replace(opened, eos=bytes(tokens.parts[tokens.data[int(end.parts[-1][0])]]).decode())


def _from_files(folder: Path, source: str, name: str = _FILE) -> _Opened:
    try:
        content = (folder / name).read_text("utf-8")
        configs = [json.loads((folder / each).read_text("utf-8")) for each in _CONFIGS if (folder / each).is_file()]
    except (OSError, ValueError) as error:
        raise ExportError(f"{source}: {error}") from None
    return _from_json(content, configs, source)


def _from_hub(name: str) -> _Opened:
    try:
        try:
            content = _download(name, _FILE).read_text("utf-8")
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError:  # an older kind of tokenizer
            return _by_transformers(name, name)
        configs: list[Any] = []
        for each in _CONFIGS:
            if not any(_content(config.get("eos_token")) for config in configs):
                with suppress(EntryNotFoundError):  # of which LocalEntryNotFoundError is one
                    configs.append(json.loads(_download(name, each).read_text("utf-8")))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled):
        raise ExportError(
            f"{name}: there is no such file or folder here, and the Hub cannot be reached; give the path of a tokenizer"
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise ExportError(f"{name}: there is no such tokenizer: no file or folder here, and not on the Hub") from None
    except (OSError, ValueError) as error:
        raise ExportError(f"{name}: {_line(error)}") from None
    return _from_json(content, configs, name)


def _download(name: str, file: str) -> Path:
    """From the Hub's own cache if it is there: a worker asks nobody, and nothing changes in the course of an export."""
    with suppress(LocalEntryNotFoundError):
        return Path(hf_hub_download(name, file, local_files_only=True))
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)  # it warns of each of its attempts
    try:
        return Path(hf_hub_download(name, file))
    finally:
        logging.set_verbosity(verbosity)


def _from_json(content: str, configs: list[Any], source: str) -> _Opened:
    try:
        definition = json.loads(content)
        fast = FastTokenizer.from_str(content)
    except Exception as error:  # the library raises plain Exception
        raise ExportError(f"{source}: is not a tokenizer: {_line(error)}") from None
    named = (_content(config.get("eos_token")) for config in configs if isinstance(config, dict))
    return _fast(fast, definition, next((token for token in named if token), None))


def _content(token: Any) -> str | None:
    """A token is written as its text, or as an object with its text."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else None


def _fast(fast: Any, definition: Any, eos: str | None, made: bool = False) -> _Opened:
    fast.no_truncation()  # either may be set in the file, for a model's own use
    fast.no_padding()
    fast.encode_special_tokens = True

    def encode(texts: list[str]) -> list[list[int]]:
        return [each.ids for each in fast.encode_batch_fast(texts, add_special_tokens=False)]

    return _Opened(encode, fast.token_to_id, _size(fast.get_vocab()), definition, eos, fast, made)


def _by_transformers(source: str, name: str, **options: str) -> _Opened:
    try:
        transformers = import_transformers()
    except ModuleNotFoundError:
        raise missing(f"--tokenizer {source}, which has no {_FILE},", "transformers", "transformers") from None
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()  # it warns of the lengths of texts, and of models that it has no use for
    try:
        opened = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False, **options)
    except Exception as error:  # whatever the many kinds raise: it cannot be opened
        raise ExportError(f"{source}: is not a tokenizer that transformers can open: {_line(error)}") from None
    finally:
        transformers.logging.set_verbosity(verbosity)
    if opened.is_fast:
        fast = opened.backend_tokenizer
        return _fast(fast, json.loads(fast.to_str()), opened.eos_token, made=True)

    def encode(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = opened(texts, add_special_tokens=False, split_special_tokens=True, verbose=False)[
            "input_ids"
        ]
        return ids

    vocabulary: dict[str, int] = opened.get_vocab()
    definition = {"class": type(opened).__name__, "vocabulary": vocabulary}
    return _Opened(encode, vocabulary.get, _size(vocabulary), definition, opened.eos_token)


def _size(vocabulary: dict[str, int]) -> int:
    return max(vocabulary.values(), default=-1) + 1


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
